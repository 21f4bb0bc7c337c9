package hypervisor

import "libvirt.org/go/libvirt"

// stateWords and reasonWords hold what virsh domstate --reason prints,
// indexed by libvirt's numbers (virDomainState and the reasons of each).
var (
	stateWords = [...]string{"no state", "running", "idle", "paused", "in shutdown", "shut off", "crashed", "pmsuspended"}

	reasonWords = map[libvirt.DomainState][]string{
		libvirt.DOMAIN_RUNNING: {"unknown", "booted", "migrated", "restored", "from snapshot", "unpaused",
			"migration canceled", "save canceled", "event wakeup", "crashed", "post-copy", "post-copy failed"},
		libvirt.DOMAIN_PAUSED: {"unknown", "user", "migrating", "saving", "dumping", "I/O error", "watchdog", "from snapshot",
			"shutting down", "creating snapshot", "crashed", "starting up", "post-copy", "post-copy failed", "API error"},
		libvirt.DOMAIN_SHUTDOWN: {"unknown", "user"},
		libvirt.DOMAIN_SHUTOFF: {"unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed",
			"from snapshot", "daemon"},
		libvirt.DOMAIN_CRASHED: {"unknown", "panicked"},
	}
)

// stateWord returns virsh's word for a state, "no state" for one it does not
// know.
func stateWord(s libvirt.DomainState) string {
	if i := int(s); i >= 0 && i < len(stateWords) {
		return stateWords[i]
	}
	return stateWords[0]
}

// reasonWord returns virsh's words for why a domain is in state s, "unknown"
// for a reason it does not know.
func reasonWord(s libvirt.DomainState, reason int) string {
	if words := reasonWords[s]; reason >= 0 && reason < len(words) {
		return words[reason]
	}
	return "unknown"
}

// stoppedReason translates the detail of a "stopped" event, which counts the
// same reasons as the state "shut off" but has no "unknown".
func stoppedReason(detail int) string { return reasonWord(libvirt.DOMAIN_SHUTOFF, detail+1) }
