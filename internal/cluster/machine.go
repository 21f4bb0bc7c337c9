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
