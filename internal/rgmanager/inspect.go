package rgmanager

import (
	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// What follows answers questions about the machine and puts it into a state
// of one's choice, for scenarios.

// Doing is what is being done with a service, in words; empty: nothing.
func (m *Machine) Doing(name string) string {
	if s := m.Services[name]; s != nil && s.Job != nil {
		return s.Job.String()
	}
	return ""
}

// Moving reports whether a migration of a service may be under way, during
// which it is on two nodes.
func (m *Machine) Moving(name string) bool {
	s := m.Services[name]
	return s != nil && s.Job != nil && (s.Job.Phase == migrating || s.Job.Phase == settling)
}

// MayRunOn returns the nodes that may be running a service. The caller may not
// change them.
func (m *Machine) MayRunOn(name string) cluster.NodeIDs {
	if s := m.Services[name]; s != nil {
		return s.MayRun
	}
	return nil
}

// Awaits reports whether the end of a Wait still matters.
func (m *Machine) Awaits(id Op) bool {
	w := m.Waits[id.N]
	return w != nil && w.Op == id
}

// BestTarget is the node that would be chosen for a service; some nodes may be
// left out. It reports false when no node may run it.
func (m *Machine) BestTarget(name string, without cluster.NodeIDs) (cluster.NodeID, bool) {
	c, s := m.conf.Service(name), m.Services[name]
	if c == nil || s == nil {
		return 0, false
	}
	online := m.willing()
	var candidates cluster.NodeIDs
	for _, id := range online {
		if !without.Has(id) {
			candidates = candidates.With(id)
		}
	}
	return m.bestTarget(name, c, s, candidates, online)
}

// StartCandidates returns the nodes that would by themselves start a service
// that does not run, sorted.
func (m *Machine) StartCandidates(name string) cluster.NodeIDs {
	c, s := m.conf.Service(name), m.Services[name]
	if c == nil || s == nil {
		return nil
	}
	return m.candidates(name, c, s, m.willing())
}

// Assume makes the machine believe that st is how things stand and that
// nothing is under way: members with a resource manager take part, all other
// nodes are known to run nothing, and a service is at most where it says. What
// st does not name stays as it is. What is under way is forgotten.
func (m *Machine) Assume(st cluster.Status) {
	m.Quorate, m.state.Formed, m.Locked = st.Quorate, true, st.Manager.Locked
	m.Waits, m.Update, m.Queued = map[uint64]*wait{}, nil, nil
	for _, member := range st.Members {
		n := &node{Clean: true, Drained: member.Drained}
		if member.Online && member.Manager {
			n = &node{Online: true, Up: true, Ready: true, Boot: "0", Drained: member.Drained}
		}
		m.Nodes[member.ID] = n
	}
	for _, svc := range st.Services {
		s := m.Services[svc.Name]
		if s == nil {
			continue
		}
		*s = *newService()
		s.State, s.Flags, s.Owner, s.LastOwner = svc.State, svc.Flags, svc.Owner, svc.LastOwner
		s.Restarts, s.Changed = svc.Restarts, svc.LastTransition*1000
		switch {
		case s.Owner != 0:
			s.MayRun = cluster.NodeIDs{s.Owner}
		case s.State == cluster.Failed && m.Nodes[s.LastOwner] != nil && m.Nodes[s.LastOwner].Up:
			s.MayRun = cluster.NodeIDs{s.LastOwner} // its stop failed there
		}
	}
}

// Consider has one node alone look at every service, as each of the original's
// nodes did when it became ready; ours decide for all nodes at once. It returns
// what is to be done.
func (m *Machine) Consider(id cluster.NodeID) []Action {
	m.actions, m.finds, m.taken = nil, nil, nil
	m.inOrder(func(name string, c *conf.Service, s *service) {
		switch {
		case s.Job != nil || s.State != cluster.Stopped:
		case s.Changed == 0 && !c.Autostart && s.Flags&cluster.Frozen == 0:
			s.State = cluster.Disabled
		case m.candidates(name, c, s, m.willing()).Has(id):
			m.begin(name, c, s, &job{Kind: start, Home: id})
		}
	})
	return m.actions
}
