package cluster

import "fmt"

// RingID identifies one membership of the ring. Two nodes that report the
// same RingID have the same members in it.
type RingID struct {
	Node NodeID `json:"node"` // the representative that formed it
	Seq  uint64 `json:"seq"`  // rises with every ring
}

func (r RingID) String() string { return fmt.Sprintf("%d.%x", r.Node, r.Seq) }

// Delivery is one thing that the ordered channel delivers: a View or a
// Message, never both. All nodes of a view see the same deliveries in the
// same order.
type Delivery struct {
	View    *View
	Message *Message
}

// View is a membership of the channel together with the quorum verdict of the
// ring that it stands on.
type View struct {
	Ring    RingID
	Online  NodeIDs // nodes in the ring, whether their cmand is up or not
	Members NodeIDs // nodes whose cmand is joined to the channel
	Left    []Departure
	Joined  NodeIDs // not in the view that this node saw before
	Quorate bool
}

// Departure says why a member is not in the view any more.
type Departure struct {
	Node   NodeID
	Reason Reason
}

// Reason tells a clean departure from a lost one.
type Reason int

const (
	LeftCleanly Reason = iota + 1 // closed its channel
	ProcessDied                   // its cmand ended without closing, its ring goes on
	NodeDown                      // lost from the ring
)

func (r Reason) String() string {
	return [...]string{"unknown", "left cleanly", "process died", "node down"}[max(0, min(int(r), 3))]
}

// Message is one ordered message.
type Message struct {
	From NodeID
	Data []byte
}
