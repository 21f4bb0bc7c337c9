package cluster

// Machine is a virtual machine as the hypervisor of one node sees it.
type Machine struct {
	Name    string `json:"name"`
	UUID    string `json:"uuid"`
	Running bool   `json:"running"` // a QEMU process exists for it: running, paused, blocked, crashed but kept
	State   string `json:"state"`   // as virsh domstate prints it: running, idle, paused, in shutdown, shut off, crashed, pmsuspended
	Reason  string `json:"reason"`  // as virsh domstate --reason prints it, e.g. booted, migrated, shutdown, crashed, I/O error
	// Definition is its persistent (inactive) XML; empty when it is not defined here.
	Definition string `json:"definition,omitempty"`
}

// MachineEvent says that a machine's state changed on this node. It carries
// the state after the change.
type MachineEvent struct {
	Machine Machine
	Refresh bool // no machine: changes may have been missed, list them all again
}

// Progress is one reading of a running migration.
type Progress struct {
	Total     uint64  `json:"total"`     // bytes
	Processed uint64  `json:"processed"` // bytes
	Remaining uint64  `json:"remaining"` // bytes
	Rate      float64 `json:"rate"`      // bytes per second
	Downtime  float64 `json:"downtime"`  // seconds the guest was or will be paused
}

// Health is what a status check found out about a machine.
type Health struct {
	OK bool // it is there: leave it alone
	// Detail says why it is not OK; with OK, what an administrator should see
	// to nevertheless, e.g. "paused, I/O error". It begins with libvirt's words
	// for the state and its reason. Empty: all is well.
	Detail string
}
