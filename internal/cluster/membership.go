package cluster

// Membership is what cman_tool shows: the ring and its votes, as one node's
// cmand sees them. It travels as the answer to GET /v1/membership.
type Membership struct {
	Cluster  Info     `json:"cluster"`
	Local    NodeID   `json:"local"`
	Quorate  bool     `json:"quorate"`
	TwoNode  bool     `json:"two_node,omitempty"`
	Leaving  bool     `json:"leaving,omitempty"` // this node was told to end
	Expected int      `json:"expected_votes"`
	Total    int      `json:"total_votes"` // of those who are online
	Quorum   int      `json:"quorum"`      // votes needed
	Manager  bool     `json:"manager"`     // services are managed here
	Nodes    []Voter  `json:"nodes"`       // sorted by id
	Groups   []string `json:"multicast"`   // multicast addresses, one for each link
}

// Voter is a node of the ring.
type Voter struct {
	Name        string   `json:"name"`
	ID          NodeID   `json:"id"`
	Online      bool     `json:"online"` // in the ring now
	Votes       int      `json:"votes"`
	Joined      int64    `json:"joined"`      // when it came into the ring, as this node saw it: seconds since the epoch, 0: it is not in it
	Incarnation uint64   `json:"incarnation"` // sequence number of the ring that it came into last, 0: never seen
	Addresses   []string `json:"addresses"`   // one for each link; those that do not resolve are missing
}
