package member

// #cgo pkg-config: libcpg libquorum libcmap libcorosync_common
// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"fmt"
	"runtime/cgo"
	"unsafe"

	"fangnetz/internal/cluster"
)

// csError is libcorosync's cs_error_t, never CS_OK.
type csError uint32

func (e csError) Error() string { return C.GoString(C.cs_strerror(C.cs_error_t(e))) }

func asError(e C.cs_error_t) error {
	if e == C.CS_OK {
		return nil
	}
	return csError(e)
}

// again tells whether corosync asks to come back later: its queue is full, or
// a ring or a group is being formed.
func again(err error) bool {
	switch err {
	case csError(C.CS_ERR_TRY_AGAIN), csError(C.CS_ERR_QUEUE_FULL), csError(C.CS_ERR_INTERRUPT), csError(C.CS_ERR_BUSY):
		return true
	}
	return false
}

// library is one connection to each of corosync's services that we need.
type library struct {
	self   cgo.Handle
	cpg    C.cpg_handle_t
	quorum C.quorum_handle_t
	local  cluster.NodeID
	fds    [2]int // to poll: cpg, quorum
}

// open connects; events go to c from dispatch. Nothing is joined yet.
func open(c *Corosync) (l *library, err error) {
	l = &library{self: cgo.NewHandle(c)}
	defer func() {
		if err != nil {
			l.close()
			l = nil
		}
	}()
	step := func(what string, e C.cs_error_t) bool {
		if e != C.CS_OK {
			err = fmt.Errorf("%s: %w", what, csError(e))
		}
		return err == nil
	}
	var local C.uint
	var fds [2]C.int
	if step("cpg", C.member_cpg_open(&l.cpg, C.uintptr_t(l.self))) &&
		step("quorum", C.member_quorum_open(&l.quorum, C.uintptr_t(l.self))) &&
		step("cpg", C.cpg_local_get(l.cpg, &local)) &&
		step("cpg", C.cpg_fd_get(l.cpg, &fds[0])) &&
		step("quorum", C.quorum_fd_get(l.quorum, &fds[1])) {
		l.local = cluster.NodeID(local)
		l.fds = [2]int{int(fds[0]), int(fds[1])}
	}
	return l, err
}

// close ends both connections. A cmand that has not left its group is then
// reported as died.
func (l *library) close() {
	if l.cpg != 0 {
		C.cpg_finalize(l.cpg)
	}
	if l.quorum != 0 {
		C.quorum_finalize(l.quorum)
	}
	l.self.Delete()
}

// track asks for quorum verdicts, from the present one on.
func (l *library) track() error {
	return asError(C.quorum_trackstart(l.quorum, C.CS_TRACK_CHANGES))
}

func (l *library) join() error  { return asError(C.member_cpg_join(l.cpg)) }
func (l *library) leave() error { return asError(C.member_cpg_leave(l.cpg)) }

// send hands one frame over, without waiting.
func (l *library) send(h header, body []byte) error {
	head := h.bytes()
	return asError(C.member_cpg_send(l.cpg, unsafe.Pointer(unsafe.SliceData(head)), C.size_t(len(head)),
		unsafe.Pointer(unsafe.SliceData(body)), C.size_t(len(body))))
}

// dispatch passes on all that has arrived, the verdicts first.
func (l *library) dispatch() error {
	for _, e := range []C.cs_error_t{
		C.quorum_dispatch(l.quorum, C.CS_DISPATCH_ALL),
		C.cpg_dispatch(l.cpg, C.CS_DISPATCH_ALL),
	} {
		if err := asError(e); err != nil && !again(err) {
			return err
		}
	}
	return nil
}

// clusterName is the name of the cluster that the running corosync is in.
func clusterName() (string, error) {
	var h C.cmap_handle_t
	if err := asError(C.cmap_initialize(&h)); err != nil {
		return "", err
	}
	defer C.cmap_finalize(h)
	key := C.CString("totem.cluster_name")
	defer C.free(unsafe.Pointer(key))
	var name *C.char
	if err := asError(C.cmap_get_string(h, key, &name)); err != nil {
		return "", err
	}
	defer C.free(unsafe.Pointer(name))
	return C.GoString(name), nil
}

// presence is what corosync knows of a node that cluster.conf lists.
type presence struct {
	reached bool // over knet, on any link
	joined  bool // in our ring
}

// presences asks corosync for the nodes, in the order of their list.
func presences(nodes []Node) ([]presence, error) {
	var config, stats C.cmap_handle_t
	if err := asError(C.cmap_initialize(&config)); err != nil {
		return nil, err
	}
	defer C.cmap_finalize(config)
	if err := asError(C.cmap_initialize_map(&stats, C.CMAP_MAP_STATS)); err != nil {
		return nil, err
	}
	defer C.cmap_finalize(stats)
	all := make([]presence, len(nodes))
	for i, n := range nodes {
		key := C.CString(fmt.Sprintf("runtime.members.%d.status", n.ID))
		var status *C.char
		if C.cmap_get_string(config, key, &status) == C.CS_OK { // else it has never been in the ring
			all[i].joined = C.GoString(status) == "joined"
			C.free(unsafe.Pointer(status))
		}
		C.free(unsafe.Pointer(key))
		for link := range n.Addresses {
			key := C.CString(fmt.Sprintf("stats.knet.node%d.link%d.connected", n.ID, link))
			var connected C.uint8_t
			if C.cmap_get_uint8(stats, key, &connected) == C.CS_OK { // else there is no such link
				all[i].reached = all[i].reached || connected != 0
			}
			C.free(unsafe.Pointer(key))
		}
	}
	return all, nil
}

func owner(h C.uintptr_t) *Corosync { return cgo.Handle(h).Value().(*Corosync) }

//export memberFrame
func memberFrame(h C.uintptr_t, node, pid C.uint32_t, data unsafe.Pointer, size C.size_t) {
	owner(h).seq.event(frame{process{cluster.NodeID(node), uint32(pid)}, C.GoBytes(data, C.int(size))})
}

//export memberGroup
func memberGroup(h C.uintptr_t, members *C.struct_cpg_address, membersLen C.size_t,
	left *C.struct_cpg_address, leftLen C.size_t, joined *C.struct_cpg_address, joinedLen C.size_t) {
	var ev groupChange
	for _, a := range unsafe.Slice(members, membersLen) {
		ev.members = append(ev.members, process{cluster.NodeID(a.nodeid), uint32(a.pid)})
	}
	for _, a := range unsafe.Slice(left, leftLen) {
		d := departure{process{cluster.NodeID(a.nodeid), uint32(a.pid)}, cluster.ProcessDied}
		switch a.reason {
		case C.CPG_REASON_LEAVE:
			d.reason = cluster.LeftCleanly
		case C.CPG_REASON_NODEDOWN:
			d.reason, ev.ofRing = cluster.NodeDown, true
		}
		ev.left = append(ev.left, d)
	}
	for _, a := range unsafe.Slice(joined, joinedLen) {
		ev.ofRing = ev.ofRing || a.reason == C.CPG_REASON_NODEUP
	}
	owner(h).departed(ev)
	owner(h).seq.event(ev)
}

//export memberRing
func memberRing(h C.uintptr_t, node C.uint32_t, seq C.uint64_t, online *C.uint32_t, onlineLen C.uint32_t) {
	ev := ringChange{ring: cluster.RingID{Node: cluster.NodeID(node), Seq: uint64(seq)}}
	for _, id := range unsafe.Slice(online, onlineLen) {
		ev.online = ev.online.With(cluster.NodeID(id))
	}
	owner(h).seq.event(ev)
}

//export memberVerdict
func memberVerdict(h C.uintptr_t, node C.uint32_t, seq C.uint64_t, quorate C.uint32_t) {
	owner(h).seq.verdict(verdict{cluster.RingID{Node: cluster.NodeID(node), Seq: uint64(seq)}, quorate != 0})
}
