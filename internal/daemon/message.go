package daemon

import (
	"encoding/json"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

// message is what replicas send each other.
type message struct {
	Hello    *hello          `json:",omitempty"`
	Event    json.RawMessage `json:",omitempty"` // rgmanager.EncodeEvent
	Snapshot *snapshot       `json:",omitempty"`
	Proceed  *proceed        `json:",omitempty"`
	Audit    *audit          `json:",omitempty"`
	Resync   *resync         `json:",omitempty"`
	Progress *wire.Migration `json:",omitempty"` // for those who watch; the machine does not see it
	Expel    *expel          `json:",omitempty"`
	Beat     bool            `json:",omitempty"` // says that the sender lives
}

// hello says what a member brings along.
type hello struct {
	Key     string // of the round
	Boot    string
	Blank   bool   // no machine
	Config  string // blank: our cluster.conf
	Version int    // of the configuration
	Chain   []byte
	Applied uint64
	Quorate bool // before this view
	Wary    bool
}

// snapshot is a machine for the members that are behind.
type snapshot struct {
	Key     string // of the round or resync that it answers
	State   []byte // rgmanager.Machine.Snapshot
	Behind  cluster.NodeIDs
	Chain   []byte
	Applied uint64
}

// proceed ends a round without the members that did not say hello in time.
type proceed struct{ Key string }

// audit carries the sender's hash as of the audit before, and how many events
// its machine had seen then.
type audit struct {
	Hash    string
	Applied uint64
}

// resync asks for a snapshot, from a replica that found itself different.
type resync struct{ Key string }

// expel puts a member out that has been silent for too long, though its
// process is there: from now on its cmand counts as dead.
type expel struct {
	Node cluster.NodeID
	Boot string // rgmanager.Machine.Boot
}
