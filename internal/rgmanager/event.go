package rgmanager

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"fangnetz/internal/cluster"
)

// Time is milliseconds since the epoch, by the clock of the event's sender.
type Time = int64

// Op names an operation or a wait. N rises; Ring is the ring that it was
// decided in, so that what a lost partition began is not taken for ours.
type Op struct {
	Ring cluster.RingID
	N    uint64
}

func (o Op) String() string { return fmt.Sprintf("%s/%d", o.Ring, o.N) }

// Event is what happened, in the order that all nodes share.
type Event interface {
	// String is the event as scenario files and the log write it.
	String() string
	kind() string
}

type (
	// Membership is a new view: who is here and whether they have quorum.
	Membership struct {
		Ring    cluster.RingID
		Online  cluster.NodeIDs // in the ring
		Members []Member        // with a cmand that takes part, sorted by node
		Left    []cluster.Departure
		Quorate bool
		// Wary is set when the cluster forms and all its members went down
		// without leaving: each may have been fenced by a node that is not here.
		Wary bool
	}

	// Request is an administrator's wish for a service.
	Request struct {
		ID       string // unique, chosen by From; the Reply carries it
		From     cluster.NodeID
		At       Time
		By       string // the user who asks, e.g. root@node1; for the history
		Verb     string // one of package wire's
		Service  string // full name
		Target   cluster.NodeID
		ByDomain bool // enable -F
	}

	// Done ends the operation Op that a node was told to carry out.
	Done struct {
		Op      Op
		Node    cluster.NodeID
		At      Time
		Error   string // empty: success
		Running bool   // Migrate that failed: it still runs here
	}

	// Found says which services a node runs, in answer to Find.
	Found struct {
		Node     cluster.NodeID
		At       Time
		Services []Sighting
	}

	// Fenced ends the operation Op that was to fence Victim.
	Fenced struct {
		Op     Op
		Victim cluster.NodeID
		At     Time
		Error  string // empty: success
	}

	// Probed says which services a node runs, in answer to Probe.
	Probed struct {
		Op          Op
		Node        cluster.NodeID
		At          Time
		Running     []string              // full names, sorted
		Definitions map[string]Definition // by full name
	}

	// Broken says that a service that should run on a node does not.
	Broken struct {
		Node    cluster.NodeID
		At      Time
		Service string
		Op      Op     // the service's latest operation when it was seen
		Reason  string // libvirt's word, e.g. crashed
	}

	// Sighted says that a node runs a service where the machine does not expect
	// it (Machine.Expects), or runs it no more.
	Sighted struct {
		Node    cluster.NodeID
		At      Time
		Service string
		Running bool
	}

	// Defined says that a service's definition was changed on a node.
	Defined struct {
		Node       cluster.NodeID
		At         Time
		Service    string
		Definition string
	}

	// Proposed is a new cluster.conf, to be stored by all or by none.
	Proposed struct {
		ID   string
		From cluster.NodeID
		At   Time
		By   string // as in Request
		Text string
	}

	// Acknowledged is an administrator's word that a node is off.
	Acknowledged struct {
		ID   string
		From cluster.NodeID
		At   Time
		By   string // as in Request
		Node cluster.NodeID
	}

	// Leaving says that a node's cmand was told to end.
	Leaving struct {
		Node cluster.NodeID
		At   Time
	}

	// Elapsed ends a Wait.
	Elapsed struct {
		Wait Op
		At   Time
	}
)

// Sighting is one service of a Found.
type Sighting struct {
	Op         Op
	Running    bool
	Definition Definition
	Error      string `json:",omitempty"` // the node cannot tell
}

// Definition is libvirt's XML of a machine, as one node knows it.
type Definition struct {
	XML  string `json:",omitempty"`
	Kept bool   `json:",omitempty"` // remembered from earlier; libvirt has none there
}

// Member is one node of a Membership.
type Member struct {
	Node cluster.NodeID
	Boot string // differs each time its cmand starts
}

func (Membership) kind() string   { return "membership" }
func (Request) kind() string      { return "request" }
func (Done) kind() string         { return "done" }
func (Found) kind() string        { return "found" }
func (Fenced) kind() string       { return "fenced" }
func (Probed) kind() string       { return "probed" }
func (Broken) kind() string       { return "broken" }
func (Sighted) kind() string      { return "sighted" }
func (Defined) kind() string      { return "defined" }
func (Proposed) kind() string     { return "proposed" }
func (Acknowledged) kind() string { return "acknowledged" }
func (Leaving) kind() string      { return "leaving" }
func (Elapsed) kind() string      { return "elapsed" }

func (e Membership) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "members")
	for _, m := range e.Members {
		fmt.Fprintf(&b, " %d", m.Node)
	}
	for _, l := range e.Left {
		fmt.Fprintf(&b, ", %d %s", l.Node, l.Reason)
	}
	if !e.Quorate {
		b.WriteString(", inquorate")
	}
	if e.Wary {
		b.WriteString(", wary")
	}
	return b.String()
}

func (e Request) String() string {
	s := fmt.Sprintf("request from %d: %s", e.From, e.Verb)
	if e.Service != "" {
		s += " " + e.Service
	}
	if e.Target != 0 {
		s += fmt.Sprintf(" on %d", e.Target)
	}
	if e.ByDomain {
		s += " by domain"
	}
	return s
}

func (e Done) String() string {
	s := fmt.Sprintf("done %s on %d", e.Op, e.Node)
	if e.Running {
		s += " running"
	}
	return s + failure(e.Error)
}

func (e Found) String() string {
	return fmt.Sprintf("found on %d: %d of %d run", e.Node,
		len(slices.DeleteFunc(slices.Clone(e.Services), func(s Sighting) bool { return !s.Running })), len(e.Services))
}

func (e Fenced) String() string { return fmt.Sprintf("fenced %d%s", e.Victim, failure(e.Error)) }

func (e Probed) String() string {
	return fmt.Sprintf("probed %d: %s", e.Node, strings.Join(e.Running, " "))
}

func (e Broken) String() string {
	return fmt.Sprintf("broken %s on %d: %s", e.Service, e.Node, e.Reason)
}

func (e Sighted) String() string {
	word := "runs"
	if !e.Running {
		word = "runs no more"
	}
	return fmt.Sprintf("sighted %s on %d: it %s", e.Service, e.Node, word)
}

func (e Defined) String() string      { return fmt.Sprintf("defined %s on %d", e.Service, e.Node) }
func (e Proposed) String() string     { return fmt.Sprintf("proposed configuration from %d", e.From) }
func (e Acknowledged) String() string { return fmt.Sprintf("acknowledged %d", e.Node) }
func (e Leaving) String() string      { return fmt.Sprintf("leaving %d", e.Node) }
func (e Elapsed) String() string      { return fmt.Sprintf("elapsed %s", e.Wait) }

func failure(text string) string {
	if text == "" {
		return ""
	}
	return " failed: " + text
}

// envelope is an event on its way between nodes.
type envelope struct {
	Kind  string
	Event json.RawMessage
}

// EncodeEvent is the event as it travels between nodes.
func EncodeEvent(ev Event) ([]byte, error) {
	body, err := json.Marshal(ev)
	if err != nil {
		return nil, fmt.Errorf("cannot encode %s: %v", ev, err)
	}
	return json.Marshal(envelope{ev.kind(), body})
}

// DecodeEvent undoes EncodeEvent. A kind that this release does not know is
// an error; the caller drops the event.
func DecodeEvent(data []byte) (Event, error) {
	var env envelope
	if err := json.Unmarshal(data, &env); err != nil {
		return nil, fmt.Errorf("cannot decode event: %v", err)
	}
	switch env.Kind {
	case "request":
		return decode[Request](env)
	case "done":
		return decode[Done](env)
	case "found":
		return decode[Found](env)
	case "fenced":
		return decode[Fenced](env)
	case "probed":
		return decode[Probed](env)
	case "broken":
		return decode[Broken](env)
	case "sighted":
		return decode[Sighted](env)
	case "defined":
		return decode[Defined](env)
	case "proposed":
		return decode[Proposed](env)
	case "acknowledged":
		return decode[Acknowledged](env)
	case "leaving":
		return decode[Leaving](env)
	case "elapsed":
		return decode[Elapsed](env)
	}
	return nil, fmt.Errorf("cannot decode event: unknown kind %q", env.Kind)
}

func decode[E Event](env envelope) (Event, error) {
	var ev E
	if err := json.Unmarshal(env.Event, &ev); err != nil {
		return nil, fmt.Errorf("cannot decode event %q: %v", env.Kind, err)
	}
	return ev, nil
}
