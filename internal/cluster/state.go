package cluster

import "strings"

// State is a service's state, with the numbers that clustat -x prints and
// clustat -s returns (rgmanager, "States and transitions").
type State int

const (
	Stopped       State = 110 + iota // not running, may run after the next event
	Starting                         // being started on the owner
	Started                          // runs on the owner
	Stopping                         // being stopped on the owner
	Failed                           // its stop failed: only disable helps
	Uninitialized                    // never evaluated yet
	Checking                         // not used
	Recoverable                      // failed, or its node did: being stopped or fenced
	Recovering                       // known to be stopped, about to be restarted
	Disabled                         // off until enabled
	Migrating                        // RHEL 5 only
)

var stateWords = [...]string{"stopped", "starting", "started", "stopping", "failed", "uninitialized",
	"checking", "recoverable", "recovering", "disabled", "migrating"}

// String is the word that clustat prints; "Unknown" for any other number.
func (s State) String() string {
	if i := int(s - Stopped); i >= 0 && i < len(stateWords) {
		return stateWords[i]
	}
	return "Unknown"
}

// Flags qualify a service's state.
type Flags uint32

const (
	Frozen  Flags = 1 << iota // clusvcadm -Z: nothing is done to it
	Partial                   // a non-critical resource is stopped
)

// Names returns the flags' names in bit order; a bit without a name is
// "Unknown".
func (f Flags) Names() []string {
	var names []string
	for i := range 32 {
		switch bit := Flags(1) << i; {
		case f&bit == 0:
		case bit == Frozen:
			names = append(names, "frozen")
		case bit == Partial:
			names = append(names, "partial")
		default:
			names = append(names, "Unknown")
		}
	}
	return names
}

func (f Flags) String() string { return strings.Join(f.Names(), ", ") }
