package rgmanager

import (
	"fmt"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// drain empties a node: nothing is started there any more, and what runs there
// is migrated, or stopped and started elsewhere if it cannot be migrated. What
// has nowhere to go, and what is frozen, stays.
func (m *Machine) drain(r Request) {
	n := m.Nodes[r.Target]
	switch {
	case n == nil || m.conf.NodeByID(r.Target) == nil:
		m.refuse(&r, cluster.TargetDead, 0, "")
		return
	case !m.Quorate:
		m.refuse(&r, cluster.NoQuorum, 0, "")
		return
	case n.Drain != nil:
		m.refuse(&r, cluster.TryAgain, 0, m.nodeName(r.Target)+" is being drained or undrained")
		return
	}
	n.Drained, n.Drain = r.Verb == "drain", &drain{Request: r}
	if n.Drained {
		m.inOrder(func(name string, c *conf.Service, s *service) { m.evacuate(name, c, s) })
		return
	}
	m.inOrder(func(name string, c *conf.Service, s *service) {
		if s.Drained == r.Target && s.Job == nil {
			m.bringBack(name, c, s, r.Target)
		}
	})
	m.evaluate()
	m.failback(r.Target)
}

// drain is an administrator's wish to empty a node or to fill it again, until
// it is answered.
type drain struct {
	Request Request
	Failed  []string // services that could not be moved, and why
}

// evacuate moves a service away from a node that is to be empty.
func (m *Machine) evacuate(name string, c *conf.Service, s *service) {
	id := s.Owner
	n := m.Nodes[id]
	if n == nil || !n.Drained || s.Job != nil || s.State != cluster.Started {
		return
	}
	fail := func(why string) {
		if n.Drain != nil {
			n.Drain.Failed = append(n.Drain.Failed, fmt.Sprintf("%s: %s", name, why))
		}
	}
	online := m.willing()
	target, ok := m.bestTarget(name, c, s, online.Without(id), online)
	switch {
	case s.Flags&cluster.Frozen != 0:
		fail("it is frozen")
		return
	case len(s.Seen) > 1:
		fail("it runs on several nodes at once")
		return
	case !ok:
		fail("no other node may run it")
		return
	}
	k := relocate
	if migratory(c) {
		k = migrate
	}
	s.Drained = id
	m.begin(name, c, s, &job{Kind: k, Home: id, Prefer: target, Drain: id,
		Why: m.nodeName(id) + " is drained; " + m.why(name, c, s, target, online)})
}

// bringBack moves a service back to the node that it had to leave.
func (m *Machine) bringBack(name string, c *conf.Service, s *service, id cluster.NodeID) {
	s.Drained = 0
	if s.State != cluster.Started || s.Owner == id || s.Flags&cluster.Frozen != 0 || len(s.Seen) > 1 ||
		m.score(c, s, id, m.willing()) == illegal || m.conflict(name, c, id) {
		return
	}
	k := relocate
	if migratory(c) {
		k = migrate
	}
	m.begin(name, c, s, &job{Kind: k, Home: s.Owner, Prefer: id, Drain: id, Why: m.nodeName(id) + " is drained no more"})
}

// drained answers those who wait for a node to be empty, or full again.
func (m *Machine) drained() {
	if !m.someone(func(n *node) bool { return n.Drain != nil }) {
		return
	}
	for _, id := range m.nodeIDs() {
		d := m.Nodes[id].Drain
		if d == nil || m.moving(id) {
			continue
		}
		m.Nodes[id].Drain = nil
		result, why := cluster.Success, ""
		if len(d.Failed) > 0 {
			result, why = cluster.Failure, strings.Join(d.Failed, "\n")
		}
		m.do(Reply{On: d.Request.From, ID: d.Request.ID, Result: result, Problem: why})
		m.record(cluster.Entry{Began: d.Request.At, What: d.Request.Verb, By: d.Request.By, To: id, Result: result, Reason: why})
	}
}

// moving reports whether a service is still on its way from or to a node that
// is drained or undrained.
func (m *Machine) moving(id cluster.NodeID) bool {
	for _, s := range m.Services {
		if s.Job != nil && (s.Job.Drain == id || m.Nodes[id].Drained && s.Owner == id) {
			return true
		}
	}
	return false
}
