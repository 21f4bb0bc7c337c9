package hypervisor

import (
	"fmt"

	"fangnetz/internal/cluster"
)

// Outcome says where a machine is after a migration that did not succeed.
type Outcome int

const (
	// Uncertain: it may be on either node, on both, or on none. It must not be
	// started anywhere until an administrator or a fence has settled it.
	Uncertain  Outcome = iota
	StillHere          // on the source as before, as far as this migration goes (the vm agent's exit status 150)
	NotRunning         // it did not run here to begin with (7)
	NoMachine          // libvirt does not know it here
)

func (o Outcome) String() string {
	switch o {
	case StillHere:
		return "still here"
	case NotRunning:
		return "not running"
	case NoMachine:
		return "no such machine"
	}
	return "uncertain"
}

// MigrateError is the error of a migration (rgmanager, "Virtual machines:
// actions").
type MigrateError struct {
	Machine string
	Node    string // the target
	Outcome Outcome
	Err     error
}

func (e *MigrateError) Error() string {
	return fmt.Sprintf("cannot migrate machine %q to %s (%v): %v", e.Machine, e.Node, e.Outcome, e.Err)
}

func (e *MigrateError) Unwrap() error { return e.Err }

// sighting is what one host said about the machine; err: it did not answer.
type sighting struct {
	cluster.Machine
	found bool
	err   error
}

// executing reports whether the guest is there, by this host's word, and not
// just a QEMU that waits for the rest of a migration or for its end. Paused
// for any reason but a migration is where the guest was before.
func (s sighting) executing() bool {
	if !s.Running {
		return false
	}
	switch s.State {
	case "paused":
		switch s.Reason {
		case "migrating", "post-copy", "post-copy failed", "starting up", "unknown", "API error":
			return false
		}
		return true
	case "running":
		return s.Reason != "post-copy failed"
	}
	return true
}

// settle tells from what both hosts say where the machine is: arrived, or an
// outcome. final is false when it is worth asking again: one of them did not
// answer, or a QEMU is still being cleaned up. libvirt's migration must have
// ended on the source. told says that the target was told to go on with the
// guest, and may have.
func settle(here, there sighting, told bool) (arrived bool, outcome Outcome, final bool) {
	switch {
	case here.err != nil || there.err != nil:
		// The source can vouch for itself: a guest that executes here has not
		// been handed over, unless the answer to that was lost.
		if here.err == nil && here.executing() && !told {
			return false, StillHere, true
		}
		return false, Uncertain, false
	case !here.Running && there.executing():
		return true, 0, true
	case here.executing() && !there.Running:
		return false, StillHere, true
	case !here.Running && !there.Running:
		return false, Uncertain, true
	case here.executing() && !there.executing():
		return false, StillHere, false // the target's QEMU has not ended yet
	}
	return false, Uncertain, false
}
