package rgmanager

import (
	"slices"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// probe asks a node what it runs; it gets no work before it has answered.
func (m *Machine) probe(id cluster.NodeID) {
	n := m.Nodes[id]
	n.Probe = m.nextOp()
	m.do(Probe{Op: n.Probe, On: id})
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
		if s.Sending != nil && s.Sending.Op.N < ev.Op.N && (s.Job == nil || s.Job.Phase != migrating) {
			m.sent(name, c, s, ev.Node)
		}
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
