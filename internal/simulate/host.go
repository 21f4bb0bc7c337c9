package simulate

import (
	"math/rand/v2"

	"fangnetz/internal/cluster"
	"fangnetz/internal/rgmanager"
)

// host is a node: its power, its corosync, its disk, its hypervisor and what
// runs there. All of it is the truth, and nobody's opinion.
type host struct {
	s   *Sim
	id  cluster.NodeID
	rng *rand.Rand

	powered  bool
	corosync bool
	listed   settings        // that corosync knows: nodes and votes
	group    int             // who has the same number reaches each other
	parted   cluster.NodeIDs // save these, though others reach both
	ring     *ring
	pending  []*entry // ordered, on the way to this host
	unsent   [][]byte // not ordered yet
	ordering bool     // is scheduled

	disk disk
	mark bool // cmand runs or died, since this boot
	proc *process

	machines   map[string]*machine // that run here
	incoming   map[string]int      // migrations that may yet come to nothing
	mutedUntil int64               // libvirtd does not answer
	fails      map[string]string   // operation and machine: how it fails, see failures
	agent      string              // how fencing this host goes, see agents
}

// disk is what outlives a power cut.
type disk struct {
	conf, staged string
	mark         bool // cmand has not left
	epoch        uint64
	definitions  map[string]string
	defined      map[string]bool // machines that libvirt knows
}

// machine is one running QEMU.
type machine struct {
	since int64
	admin bool                   // started behind the cluster's back
	looks map[rgmanager.Op]int64 // when the cluster asked for it
	asked int64                  // when it last did so and has heard the answer
}

func (h *host) name() string { return nodeName(h.id) }

// boot switches a host on.
func (h *host) boot() {
	if !h.powered {
		h.powered = true
		h.s.trace(h.id, "boots")
		h.spawn()
	}
}

// on brings a host up, or its cmand.
func (h *host) on() {
	if h.powered {
		h.spawn()
		return
	}
	h.s.after(between(h.rng, 0, 3000), h.boot)
}

// off cuts a host's power.
func (h *host) off() {
	if !h.powered {
		return
	}
	h.s.trace(h.id, "loses power")
	h.powered, h.mark, h.mutedUntil = false, false, 0
	clear(h.machines)
	clear(h.incoming)
	if h.ring != nil {
		h.ring.torn = true
	}
	if h.proc != nil {
		h.proc.die(cluster.NodeDown)
	}
	h.leaveRing()
}

// leaveRing ends corosync.
func (h *host) leaveRing() {
	if h.ring != nil {
		h.ring.torn = true
	}
	h.corosync, h.ring, h.pending, h.unsent = false, nil, nil, nil
	h.s.topology()
}

// kill ends cmand as SIGKILL does.
func (h *host) kill() {
	if h.proc != nil {
		h.s.trace(h.id, "cmand is killed")
		h.proc.die(cluster.ProcessDied)
	}
}

// wipe takes from a host that is off what it remembers; cluster.conf comes
// from an old backup.
func (h *host) wipe(conf string) {
	h.disk.conf, h.disk.staged, h.disk.mark, h.disk.epoch = conf, "", false, 0
	clear(h.disk.definitions)
}
