package cluster

// Entry is one thing that was done, or refused, or failed: a line of clustat
// --history.
type Entry struct {
	Began   int64  `json:"began"` // milliseconds since the epoch, as Ended
	Ended   int64  `json:"ended"`
	Service string `json:"service,omitempty"` // full name; empty: a matter of a node or of the cluster
	// What was done: a verb of clusvcadm, or start, recover, leave, failback
	// (cmand's own decisions), fence, drain, undrain, update, quorum.
	What   string `json:"what"`
	By     string `json:"by,omitempty"` // who asked for it, e.g. root@node1; empty: cmand itself
	From   NodeID `json:"from,omitempty"`
	To     NodeID `json:"to,omitempty"` // fence: the victim
	Result Result `json:"result"`
	Reason string `json:"reason,omitempty"` // why it was done, and what went wrong
}

// Candidate is what speaks for and against running a service on a node.
type Candidate struct {
	Node   NodeID `json:"node"`
	Score  string `json:"score"`            // illegal, good, better, best (rgmanager, "Failover domains and choice of node")
	Reason string `json:"reason,omitempty"` // why it is not better, or why it is not possible
}

// Trial is what a request would lead to, if all goes well.
type Trial struct {
	Steps      []string    `json:"steps"` // in order, for people: what would be done where
	Candidates []Candidate `json:"candidates,omitempty"`
	Problem    string      `json:"problem,omitempty"` // what stands against it, in words
}
