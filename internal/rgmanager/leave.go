package rgmanager

import (
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

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
		if !m.Quorate || n.Ready && !m.busy(id) {
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
