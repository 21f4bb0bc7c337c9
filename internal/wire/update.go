package wire

import "fmt"

// UpdateAnswer is the end of an Update. It succeeded when Faults and Problem
// are empty; Nodes then says who could not be told.
type UpdateAnswer struct {
	From int `json:"from"` // the version that was in force
	To   int `json:"to"`   // the version in the new text, 0: unreadable
	// Faults are the mistakes in the text, `cluster.conf:3:5: ...`, in order.
	Faults []string `json:"faults,omitempty"`
	// Problem is why the text was refused, in the words that ccs_tool prints.
	Problem string `json:"problem,omitempty"`
	// Nodes lists the members that did not take the update, in cluster.conf's order.
	Nodes []NodeProblem `json:"nodes,omitempty"`
}

// NodeProblem is what went wrong on one member.
type NodeProblem struct {
	Node    string `json:"node"`
	Problem string `json:"problem"`
}

// UpdateNeedsQuorum is the Problem of an update in a partition without quorum
// (ccs_tool, "RHEL 5: update").
const UpdateNeedsQuorum = "Unable to honor update request. Cluster is not quorate."

// VersionNotGreater is the Problem of an update to a version that is not
// above the one in force (ccs_tool, "RHEL 5: update").
func VersionNotGreater(current, proposed int) string {
	return fmt.Sprintf("Proposed updated config file does not have greater version number.\n"+
		"  Current config_version :: %d\n  Proposed config_version:: %d", current, proposed)
}

// LostRace is the Problem of an update that was overtaken by another one
// (ccs_tool, "RHEL 5: update").
func LostRace(old, proposed, winning int) string {
	return fmt.Sprintf("Warning:: Simultaneous update requests detected.\n"+
		"  You have lost the race.\n"+
		"  Old config version :: %d\n  Proposed config version :: %d\n  Winning config version  :: %d\n\n"+
		"Check /etc/cluster/cluster.conf to ensure it contains the desired contents.", old, proposed, winning)
}
