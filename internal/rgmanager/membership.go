package rgmanager

import (
	"maps"
	"slices"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// membership takes over a new view. A member whose boot changed has left and
// come back between two views. One that cluster.conf does not list takes no
// part: nobody could fence it.
func (m *Machine) membership(ev Membership) {
	wasQuorate := m.Quorate
	m.freeSlot() // what waits for a node that is gone must learn that
	m.Ring, m.Quorate = ev.Ring, ev.Quorate
	here := map[cluster.NodeID]string{}
	for _, member := range ev.Members {
		here[member.Node] = member.Boot
	}
	reasons := map[cluster.NodeID]cluster.Reason{}
	for _, l := range ev.Left {
		reasons[l.Node] = l.Reason
	}

	var lost, joined []cluster.NodeID
	for _, id := range m.nodeIDs() {
		n := m.Nodes[id]
		boot, up := here[id]
		n.Online = ev.Online.Has(id)
		if n.Up && (!up || boot != n.Boot) {
			lost = append(lost, id)
			known := n.Ready // what it runs
			n.Up, n.Ready = false, false
			n.Clean = !up && known && (n.Departed || reasons[id] == cluster.LeftCleanly) && !m.busy(id)
			n.Leaving, n.Departed = false, false
		}
		if up && !n.Up {
			joined = append(joined, id)
			n.Up, n.Boot, n.Clean = true, boot, false
			m.spare(id)
		}
	}
	m.handOver()

	if m.Quorate && !wasQuorate && m.outvoted() {
		m.Quorate = false
	}
	switch {
	case !m.Quorate:
		m.dissolve(wasQuorate)
		return
	case !wasQuorate:
		m.form(ev.Wary && m.conf.TwoNode)
		return
	}
	for _, id := range lost {
		m.inOrder(func(name string, _ *conf.Service, s *service) { m.askedNoMore(name, s, id) })
		if !m.Nodes[id].Up {
			m.lose(id)
		}
	}
	for _, id := range m.nodeIDs() { // in its grace time, and now gone from the ring
		if n := m.Nodes[id]; !n.Up && !n.Online && !n.Clean && n.Victim == nil {
			m.condemn(id, m.conf.FenceDaemon.PostFailDelay, "its node left the ring too")
		}
	}
	for _, id := range joined {
		m.probe(id)
	}
	m.updateMembers()
	m.evaluate()
}

// outvoted reports whether a quorum is there only by the votes of nodes whose
// cmand takes no part. Nothing is begun with that: they may know of a newer
// cluster.conf, and would be fenced by a few.
func (m *Machine) outvoted() bool {
	var online, up cluster.NodeIDs
	for _, id := range m.nodeIDs() {
		if n := m.Nodes[id]; n.Up {
			up = up.With(id)
		} else if n.Online {
			online = online.With(id)
		}
	}
	has, needed := votes(m.conf, up)
	if has >= needed || len(online) == 0 {
		return false
	}
	m.note(0, "notice", "Waiting for the cmand of %s: %d of the votes take part, and %d are needed", m.names(online), has, needed)
	return true
}

// unmanaged reports whether a service is left alone wherever it may run, also
// when cmand leaves: it is frozen, its stop failed, or it is disabled and an
// administrator started it himself.
func unmanaged(s *service) bool {
	return s.Flags&cluster.Frozen != 0 || s.Job == nil && (s.State == cluster.Failed || s.State == cluster.Disabled)
}

// busy reports whether a service of ours may be on the node.
func (m *Machine) busy(id cluster.NodeID) bool {
	for _, s := range m.Services {
		if s.MayRun.Has(id) && !unmanaged(s) {
			return true
		}
	}
	return false
}

// form begins anew with a quorum: nothing is known of the services until every
// configured node has said what it runs, has been fenced, or is trusted
// through clean_start (rgmanager, "Daemon life cycle, quorum, fencing").
//
// A wary node of a two-node cluster does not fence the other one to get its
// way: it may have been fenced by it, and they would take turns for ever. It
// waits until the other joins or an administrator acknowledges that it is off.
func (m *Machine) form(wary bool) {
	m.state.Formed = true
	if !m.conf.TwoNode { // else both may have one at the same time, and the number says nothing
		m.state.Epoch++
	}
	m.note(0, "notice", "Quorum formed")
	m.record(cluster.Entry{What: "quorum", Reason: "formed"})
	m.Queued = nil
	m.Locked = false
	unknown := cluster.NodeIDs{}
	for _, id := range m.nodeIDs() {
		n := m.Nodes[id]
		n.Ready = false
		switch {
		case n.Up:
		case n.Clean:
			continue
		case m.conf.FenceDaemon.CleanStart:
			n.Clean = true
			continue
		case wary:
			n.Victim = &victim{Since: m.Now, Error: "this node went down uncleanly and may have been fenced: " +
				"waiting for the other to join, or for fence_ack_manual"}
			m.note(0, "warning", "not fencing %s: %s", m.nodeName(id), n.Victim.Error)
		default:
			m.condemn(id, m.conf.FenceDaemon.PostJoinDelay, "it did not join when the cluster formed")
		}
		unknown = unknown.With(id)
	}
	m.inOrder(func(_ string, _ *conf.Service, s *service) {
		may := unknown
		for _, id := range s.MayRun { // left in order, with a failed or a frozen one behind
			if n := m.Nodes[id]; n == nil || n.Clean {
				may = may.With(id)
			}
		}
		*s = service{State: cluster.Uninitialized, MayRun: may, Sending: s.Sending, Definition: s.Definition, DefinedOn: s.DefinedOn}
	})
	for _, id := range m.nodeIDs() {
		if m.Nodes[id].Up {
			m.probe(id)
		}
	}
}

// dissolve ends all work: every member stops what it may run, at once.
func (m *Machine) dissolve(wasQuorate bool) {
	if !wasQuorate {
		return
	}
	if m.Update != nil {
		m.do(Reply{On: m.Update.From, ID: m.Update.ID, Result: cluster.NoQuorum})
		m.unstage()
		m.Update = nil
	}
	m.record(cluster.Entry{What: "quorum", Result: cluster.NoQuorum, Reason: "dissolved"})
	m.Queued = nil
	for _, id := range m.nodeIDs() {
		if d := m.Nodes[id].Drain; d != nil {
			m.do(Reply{On: d.Request.From, ID: d.Request.ID, Result: cluster.NoQuorum})
			m.Nodes[id].Drain = nil
		}
		m.spare(id)
		m.unwait("grace", id)
		if m.Nodes[id].Up {
			m.Nodes[id].Ready = false
			m.note(id, "emerg", "#1: Quorum Dissolved")
		}
	}
	m.inOrder(func(name string, _ *conf.Service, s *service) {
		m.abandon(name, s, cluster.NoQuorum)
		for _, id := range s.MayRun {
			if m.Nodes[id].Up {
				m.do(Stop{Op: m.nextOp(), On: id, Service: name, Hard: true})
			}
		}
		*s = service{State: cluster.Uninitialized, MayRun: s.MayRun, Sending: s.Sending,
			Definition: s.Definition, DefinedOn: s.DefinedOn, LastOp: m.LastOp}
	})
}

// handOver gives the waits and fencings of a node that is gone to the senior
// member. Time starts anew there.
func (m *Machine) handOver() {
	by := m.senior()
	for _, op := range slices.Sorted(maps.Keys(m.Waits)) {
		w := m.Waits[op]
		if n := m.Nodes[w.On]; n != nil && n.Up {
			continue
		}
		w.On = by
		m.do(Wait{ID: w.Op, On: by, For: w.For})
	}
	for _, id := range m.nodeIDs() {
		v := m.Nodes[id].Victim
		if v == nil || v.By == 0 || m.Nodes[v.By] != nil && m.Nodes[v.By].Up {
			continue
		}
		v.By, v.Op = 0, Op{}
		m.fence(id)
	}
}

// lose deals with a node whose cmand is gone: in good order, alone while its
// ring goes on (it has GraceTime to come back), or with the whole node.
func (m *Machine) lose(id cluster.NodeID) {
	n := m.Nodes[id]
	switch {
	case n.Clean:
		m.note(0, "info", "State change: %s DOWN", m.nodeName(id))
		m.inOrder(func(name string, c *conf.Service, s *service) {
			if !unmanaged(s) { // else it may run on without its cmand
				m.release(s, id)
			}
			if j := s.Job; j != nil && j.On == id && (j.Phase == stopping || j.Phase == cleaning) {
				m.jobDone(name, c, s, Done{Op: j.Op, Node: id}) // there was nothing to stop, else it had not left
			}
			m.sent(name, c, s, id)
		})
	case n.Online:
		m.wait(GraceTime, "grace", id)
	default:
		m.note(0, "info", "State change: %s DOWN", m.nodeName(id))
		m.condemn(id, m.conf.FenceDaemon.PostFailDelay, "it left the ring without saying so")
	}
}

func (m *Machine) graceOver(id cluster.NodeID) {
	n := m.Nodes[id]
	if n == nil || n.Up || n.Clean || n.Victim != nil {
		return
	}
	m.note(0, "info", "State change: %s DOWN", m.nodeName(id))
	m.condemn(id, m.conf.FenceDaemon.PostFailDelay, "its cmand did not come back")
}

func (m *Machine) nodeName(id cluster.NodeID) string {
	if n := m.conf.NodeByID(id); n != nil {
		return n.Name
	}
	return "node" + id.String()
}
