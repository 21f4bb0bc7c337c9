// Package simulate proves by many made-up schedules that a machine never runs
// twice. A Sim is a whole cluster in one goroutine and in virtual time: for
// each node the core of a real cmand (package daemon's Core and Hands: replica,
// snapshots, heartbeats, status checks, all of rgmanager), and around them an
// ordered network, disks, hypervisors, power switches and administrators, all
// fakes. A seed decides on everything, so that each schedule can be played
// again.
//
// What goes wrong: power is cut, cmand is killed, stopped for a while or told
// to leave, before any effect of its own; it starts again with the machines
// going on, with its state or without; the network parts, between two nodes
// alone too, heals, forms rings for nothing, loses corosync; messages of an old
// ring are delivered or lost as corosync does; libvirt hangs, and fails each operation in every way, in the
// middle of a migration too; machines crash, and administrators start and move
// them with virsh; agents fail, hang, cut the power and say that they failed,
// or cut it later; configurations are pushed, which list other services or
// other nodes, requests made, at any time. Then all faults end, and the cluster
// must become whole again; an administrator helps only where lists of nodes do
// not fit each other.
//
// After every step the invariants are checked (safety, I1 to I12) against what
// really runs, not against what anybody believes. What is not promised: an
// agent that reports success without having cut the power, an administrator who
// starts a machine on two nodes at once, and in a two-node cluster that is
// split, or with a disk that was put back, that what was acknowledged outlives
// it.
//
// A schedule that breaks an invariant is shrunk to the few commands that do so,
// and kept in testdata, where a test plays it from then on. The flags -show SEED
// and -play FILE tell all that happens in one. planted.sh shows that bugs are
// found.
package simulate
