package daemon

import (
	"bytes"
	"encoding/json"
	"strconv"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
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
	Beat     rgmanager.Time  `json:",omitempty"` // the sender lives, and its clock says this

	event rgmanager.Event // what Event says; err: why it says nothing
	err   error
}

// Codec reads messages and configurations. One that several replicas share
// reads each once, a message for as long as its bytes are the same in memory;
// nil reads each anew.
type Codec struct {
	known map[*byte]*message
	confs map[string]*conf.Config
}

// NewCodec returns a Codec that remembers.
func NewCodec() *Codec {
	return &Codec{known: map[*byte]*message{}, confs: map[string]*conf.Config{}}
}

// conf reads a configuration, which nobody may change; nil: it cannot be read.
func (c *Codec) conf(text string) *conf.Config {
	if c != nil && c.confs[text] != nil {
		return c.confs[text]
	}
	doc, err := conf.Parse("cluster.conf", []byte(text))
	if err != nil {
		return nil
	}
	read, _ := doc.Config()
	if c != nil {
		c.confs[text] = read
	}
	return read
}

// version is the config_version of a text; 0 when it has none.
func (c *Codec) version(text string) int {
	if read := c.conf(text); read != nil {
		return read.Version
	}
	return 0
}

func (c *Codec) decode(data []byte) (*message, error) {
	if c != nil && len(data) > 0 && c.known[&data[0]] != nil {
		return c.known[&data[0]], nil
	}
	m := &message{}
	if !m.beat(data) {
		if err := json.Unmarshal(data, m); err != nil {
			return nil, err
		}
	}
	if m.Event != nil {
		m.event, m.err = rgmanager.DecodeEvent(m.Event)
	}
	if c != nil {
		c.known[&data[0]] = m
	}
	return m, nil
}

// hello says what a member brings along.
type hello struct {
	Key     string // of the round
	Boot    string
	Blank   bool   // no machine, or one that has nothing to tell
	Config  string // blank: our cluster.conf
	Version int    // of the configuration
	Epoch   uint64 // of the latest quorum with this node
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

// beat reads a message that is nothing but a Beat, as most are, without the
// cost of reading any JSON.
func (m *message) beat(data []byte) bool {
	text, ok := bytes.CutPrefix(data, []byte(`{"Beat":`))
	text, end := bytes.CutSuffix(text, []byte("}"))
	at, err := strconv.ParseInt(string(text), 10, 64)
	if ok = ok && end && err == nil; ok {
		m.Beat = at
	}
	return ok
}
