package rgmanager

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fangnetz/internal/cluster"
)

// Action is something that one node is to do.
type Action interface {
	// Node is the node that carries it out; 0: every node.
	Node() cluster.NodeID
	// String is the action as scenario files and the log write it.
	String() string
}

type (
	// Probe asks a node what it runs. Answer: Probed.
	Probe struct {
		Op Op
		On cluster.NodeID
	}

	// Find asks a node which of some services it runs. One event may lead to
	// many such questions; they travel together. Answer: Found.
	Find struct {
		On       cluster.NodeID
		Services []Sought
	}

	// Start starts a service; one that runs already is a success. Definition
	// is for machines that the node does not know. Answer: Done.
	Start struct {
		Op         Op
		On         cluster.NodeID
		Service    string
		Definition string
	}

	// Stop stops a service; one that does not run is a success. Hard leaves
	// out the polite part. Answer: Done.
	Stop struct {
		Op      Op
		On      cluster.NodeID
		Service string
		Hard    bool
	}

	// Migrate moves a running machine to the node To. Answer: Done.
	Migrate struct {
		Op      Op
		On      cluster.NodeID
		Service string
		To      cluster.NodeID
	}

	// Fence cuts Victim off. Answer: Fenced.
	Fence struct {
		Op     Op
		On     cluster.NodeID
		Victim cluster.NodeID
	}

	// StopFencing ends a Fence whose result is not wanted any more.
	StopFencing struct {
		Op     Op
		On     cluster.NodeID
		Victim cluster.NodeID
	}

	// Stage stores a new cluster.conf durably beside the old one, or drops
	// what was stored when Text is empty. Answer: Done.
	Stage struct {
		Op   Op
		On   cluster.NodeID
		Text string
	}

	// Activate makes cluster.conf what Text says. Answer: Done.
	Activate struct {
		Op      Op
		On      cluster.NodeID
		Text    string
		Version int
	}

	// Wait lets time pass. Answer: Elapsed.
	Wait struct {
		ID  Op
		On  cluster.NodeID
		For time.Duration
	}

	// Depart lets a leaving node go: nothing of ours runs there any more.
	Depart struct {
		On cluster.NodeID
	}

	// Reply answers a Request, a Proposed or an Acknowledged.
	Reply struct {
		On      cluster.NodeID
		ID      string
		Result  cluster.Result
		Owner   cluster.NodeID // where the service runs now; 0: nowhere
		From    int            // Proposed: the version before
		To      int            // Proposed: the version now
		Problem string         // why not, in words; empty: see Result

		Errors map[cluster.NodeID]string // Proposed: what went wrong on which member
	}

	// History is a line for the history that every node keeps.
	History struct {
		Entry cluster.Entry
	}

	// Note is a line for a node's log, in the original's words where it had
	// some (rgmanager, "Log texts").
	Note struct {
		On    cluster.NodeID
		Level string // info, notice, warning, err, crit
		Text  string
	}
)

// Sought is one service of a Find.
type Sought struct {
	Op      Op
	Service string // full name
}

func (a Probe) Node() cluster.NodeID       { return a.On }
func (a Find) Node() cluster.NodeID        { return a.On }
func (a Start) Node() cluster.NodeID       { return a.On }
func (a Stop) Node() cluster.NodeID        { return a.On }
func (a Migrate) Node() cluster.NodeID     { return a.On }
func (a Fence) Node() cluster.NodeID       { return a.On }
func (a StopFencing) Node() cluster.NodeID { return a.On }
func (a Stage) Node() cluster.NodeID       { return a.On }
func (a Activate) Node() cluster.NodeID    { return a.On }
func (a Wait) Node() cluster.NodeID        { return a.On }
func (a Depart) Node() cluster.NodeID      { return a.On }
func (a Reply) Node() cluster.NodeID       { return a.On }
func (a History) Node() cluster.NodeID     { return 0 }
func (a Note) Node() cluster.NodeID        { return a.On }

func (a Probe) String() string { return fmt.Sprintf("probe %d", a.On) }
func (a Find) String() string {
	names := make([]string, len(a.Services))
	for i, s := range a.Services {
		names[i] = s.Service
	}
	return fmt.Sprintf("find %s on %d", strings.Join(names, " "), a.On)
}
func (a Start) String() string { return fmt.Sprintf("start %s on %d", a.Service, a.On) }
func (a Stop) String() string {
	if a.Hard {
		return fmt.Sprintf("destroy %s on %d", a.Service, a.On)
	}
	return fmt.Sprintf("stop %s on %d", a.Service, a.On)
}
func (a Migrate) String() string {
	return fmt.Sprintf("migrate %s from %d to %d", a.Service, a.On, a.To)
}
func (a Fence) String() string       { return fmt.Sprintf("fence %d by %d", a.Victim, a.On) }
func (a StopFencing) String() string { return fmt.Sprintf("stop fencing %d by %d", a.Victim, a.On) }
func (a Stage) String() string {
	if a.Text == "" {
		return fmt.Sprintf("discard configuration on %d", a.On)
	}
	return fmt.Sprintf("stage configuration on %d", a.On)
}
func (a Activate) String() string {
	return fmt.Sprintf("activate configuration %d on %d", a.Version, a.On)
}
func (a Wait) String() string   { return fmt.Sprintf("wait %s", a.For) }
func (a Depart) String() string { return fmt.Sprintf("depart %d", a.On) }
func (a Reply) String() string {
	s := fmt.Sprintf("reply to %d: %s", a.On, a.Result)
	if a.Owner != 0 {
		s += fmt.Sprintf(" on %d", a.Owner)
	}
	if a.Problem != "" {
		s += ": " + a.Problem
	}
	for _, id := range slices.Sorted(maps.Keys(a.Errors)) {
		s += fmt.Sprintf(", on %d: %s", id, a.Errors[id])
	}
	return s
}
func (a History) String() string {
	e := a.Entry
	s := "history: " + e.What
	if e.Service != "" {
		s += " " + e.Service
	}
	if e.From != 0 {
		s += fmt.Sprintf(" from %d", e.From)
	}
	if e.To != 0 {
		s += fmt.Sprintf(" to %d", e.To)
	}
	if e.By != "" {
		s += " by " + e.By
	}
	s += ": " + e.Result.String()
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}
func (a Note) String() string { return fmt.Sprintf("log on %d: %s", a.On, a.Text) }
