package rgmanager

import (
	"maps"
	"slices"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// membership takes over a new view. A member whose boot changed has left and
// come back between two views.
func (m *Machine) membership(ev Membership) {
	wasQuorate := m.Quorate
	m.freeSlot() // what waits for a node that is gone must learn that
	m.Ring, m.Quorate = ev.Ring, ev.Quorate
	here := map[cluster.NodeID]string{}
	for _, member := range ev.Members {
		here[member.Node] = member.Boot
		if m.Nodes[member.Node] == nil { // not in cluster.conf any more, or not yet
			m.Nodes[member.Node] = &node{}
		}
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
			n.Up, n.Ready = false, false
			n.Clean = !up && (n.Departed || reasons[id] == cluster.LeftCleanly) && !m.busy(id)
			n.Leaving, n.Departed = false, false
		}
		if up && !n.Up {
			joined = append(joined, id)
			n.Up, n.Boot, n.Clean = true, boot, false
			m.spare(id)
		}
	}
	m.handOver()

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

// unmanaged reports whether a service is left alone wherever it may run, also
// when cmand leaves: it is frozen, its stop failed, or it is disabled and an
// administrator started it himself.
func unmanaged(s *service) bool {
	return s.Flags&cluster.Frozen != 0 || s.Job == nil && (s.State == cluster.Failed || s.State == cluster.Disabled)
}

// busy reports whether an operation or a service of ours may be on the node.
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
		*s = service{State: cluster.Uninitialized, MayRun: may, Definition: s.Definition, DefinedOn: s.DefinedOn}
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
		*s = service{State: cluster.Uninitialized, MayRun: s.MayRun,
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
		m.inOrder(func(_ string, _ *conf.Service, s *service) {
			if !unmanaged(s) { // else it may run on without its cmand
				m.release(s, id)
			}
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

// probe asks a node what it runs; it gets no work before it has answered.
func (m *Machine) probe(id cluster.NodeID) {
	n := m.Nodes[id]
	n.Probe = m.nextOp()
	m.do(Probe{Op: n.Probe, On: id})
}

// Resume returns what a node was told while it had no machine, and so did not
// hear: to be done after it has loaded a Snapshot.
func (m *Machine) Resume(local cluster.NodeID) []Action {
	m.actions, m.finds = nil, nil
	for _, op := range slices.Sorted(maps.Keys(m.Waits)) {
		if w := m.Waits[op]; w.On == local {
			m.do(Wait{ID: w.Op, On: local, For: w.For})
		}
	}
	for _, id := range m.nodeIDs() {
		if v := m.Nodes[id].Victim; v != nil && v.By == local {
			m.do(Fence{Op: v.Op, On: local, Victim: id})
		}
	}
	if u := m.Update; u != nil && u.Waiting.Has(local) {
		if u.Active {
			m.do(Activate{Op: u.Op, On: local, Text: u.Text, Version: u.Version})
		} else {
			m.do(Stage{Op: u.Op, On: local, Text: u.Text})
		}
	}
	m.inOrder(func(name string, _ *conf.Service, s *service) {
		if !m.Quorate && s.MayRun.Has(local) {
			m.do(Stop{On: local, Service: name, Hard: true})
		}
	})
	if n := m.Nodes[local]; n != nil && n.Up && !n.Ready && n.Probe != (Op{}) {
		m.do(Probe{Op: n.Probe, On: local})
	}
	return m.actions
}

// probed takes in what a node runs. What was begun after the question is not
// touched by the answer.
func (m *Machine) probed(ev Probed) {
	n := m.Nodes[ev.Node]
	if n == nil || !n.Up || ev.Op != n.Probe || !m.Quorate {
		return
	}
	cameUp := !n.Ready
	n.Ready = true
	m.freeSlot() // what waited for this answer
	m.inOrder(func(name string, c *conf.Service, s *service) {
		if s.LastOp.N > ev.Op.N {
			return
		}
		_, runs := slices.BinarySearch(ev.Running, name)
		m.settled(name, c, s, ev.Node, runs)
		m.learn(s, ev.Node, ev.Definitions[name])
	})
	if cameUp {
		m.note(0, "info", "State change: %s UP", m.nodeName(ev.Node))
		m.evaluate()
		m.failback(ev.Node)
		return
	}
	m.evaluate()
}

// settled takes in whether one node runs a service, after that node looked.
func (m *Machine) settled(name string, c *conf.Service, s *service, id cluster.NodeID, runs bool) {
	switch {
	case s.Job != nil && s.Job.On == id && s.Job.Phase != queued:
		m.resumeJob(name, c, s, runs)
	case runs && s.State == cluster.Disabled && s.Job == nil:
		if s.MayRun.Has(id) && s.Flags&cluster.Frozen == 0 { // it was disabled while the node was away
			m.begin(name, c, s, &job{Kind: disable, Home: id, Why: "it is disabled, and still runs on " + m.nodeName(id)})
			return
		}
		s.MayRun = s.MayRun.With(id)
		m.note(id, "warning", "%s is disabled, but runs here", name) // an administrator's own affair
	case runs:
		s.MayRun = s.MayRun.With(id)
		if s.Job == nil && s.Owner != id && len(s.MayRun) == 1 && s.State != cluster.Failed {
			m.note(id, "notice", "Migration: %s is running on %d", name, id)
			m.record(cluster.Entry{Service: name, What: "adopt", From: s.Owner, To: id, Reason: "it runs there"})
			m.adopt(s, id)
		}
	case s.Owner == id && s.State == cluster.Started && s.Job == nil && s.Flags&cluster.Frozen == 0:
		m.fail(name, c, s, "it does not run any more on "+m.nodeName(id))
	default: // also what was being started or stopped when its cmand died
		m.release(s, id)
	}
}

// leaving stops what a node runs, so that others can start it, and then lets
// the node go.
func (m *Machine) leaving(ev Leaving) {
	n := m.Nodes[ev.Node]
	if n == nil || !n.Up || n.Leaving {
		return
	}
	n.Leaving = true
	for _, id := range m.nodeIDs() {
		if m.Nodes[id].Up {
			m.note(id, "notice", "Member %d shutting down", ev.Node)
		}
	}
	m.depart()
}

// depart goes on with every node that is leaving.
func (m *Machine) depart() {
	if !m.someone(func(n *node) bool { return n.Leaving && !n.Departed }) {
		return
	}
	for _, id := range m.nodeIDs() {
		n := m.Nodes[id]
		if !n.Up || !n.Leaving || n.Departed {
			continue
		}
		if m.Quorate {
			m.inOrder(func(name string, c *conf.Service, s *service) {
				if s.Job == nil && s.Owner == id && s.Flags&cluster.Frozen == 0 {
					m.begin(name, c, s, &job{Kind: leave, Home: id})
				}
			})
		}
		if !m.Quorate || !m.busy(id) {
			n.Departed = true
			m.do(Depart{On: id})
		} else if len(m.unclear(id)) > 0 && !m.waiting("depart", id) {
			m.wait(3*time.Second, "depart", id)
		}
	}
}

// someone reports whether is holds for a node. It saves the sorting of all.
func (m *Machine) someone(is func(*node) bool) bool {
	for _, n := range m.Nodes {
		if is(n) {
			return true
		}
	}
	return false
}

// departAgain looks for what may run on a node that is leaving.
func (m *Machine) departAgain(id cluster.NodeID) {
	if n := m.Nodes[id]; n == nil || !n.Leaving || !n.Ready || !m.Quorate {
		return
	}
	for _, name := range m.unclear(id) {
		c, s := m.service(name)
		m.begin(name, c, s, &job{Kind: look, Home: id, Why: m.nodeName(id) + " is leaving"})
	}
}

// unclear returns the services that keep a node from leaving, though nothing
// is being done with them: nobody could tell whether they run there.
func (m *Machine) unclear(id cluster.NodeID) []string {
	var names []string
	m.inOrder(func(name string, _ *conf.Service, s *service) {
		if s.Job == nil && s.Owner != id && s.MayRun.Has(id) && !unmanaged(s) && len(s.Seen) < 2 {
			names = append(names, name)
		}
	})
	return names
}

func (m *Machine) nodeName(id cluster.NodeID) string {
	if n := m.conf.NodeByID(id); n != nil {
		return n.Name
	}
	return "node" + id.String()
}
