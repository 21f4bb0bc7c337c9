package rgmanager

import (
	"maps"
	"slices"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// Status is what clustat shows on node local. The caller may keep it.
func (m *Machine) Status(local cluster.NodeID) cluster.Status {
	st := cluster.Status{
		Cluster: cluster.Info{Name: m.conf.Name, ID: m.conf.ClusterID, Generation: m.Ring.Seq,
			ConfigVersion: m.conf.Version},
		Local:          local,
		Quorate:        m.Quorate,
		Members:        []cluster.Member{},
		Services:       []cluster.Service{},
		ConfigReadable: true,
		Manager:        cluster.Manager{Running: true, Locked: m.Locked},
	}
	if !m.Quorate {
		st.Manager.ServiceRefusal, st.Manager.MemberRefusal = cluster.NoQuorum, cluster.NoQuorum
	}
	member := func(id cluster.NodeID, name string, configured bool) {
		n := m.Nodes[id]
		if n == nil {
			n = &node{}
		}
		st.Members = append(st.Members, cluster.Member{Name: name, ID: id, Configured: configured,
			Known: configured || n.Online || n.Up, Online: n.Online, Local: id == local, Manager: n.Up && !n.Leaving, Drained: n.Drained})
	}
	for _, n := range m.conf.Nodes {
		member(n.ID, n.Name, true)
	}
	for _, id := range m.nodeIDs() {
		n := m.Nodes[id]
		if m.conf.NodeByID(id) == nil {
			member(id, m.nodeName(id), false)
		}
		if v := n.Victim; v != nil {
			st.Fencing = append(st.Fencing, cluster.Fencing{Node: id, By: v.By, Since: v.Since / 1000,
				Attempts: v.Attempts, LastError: v.Error})
		}
	}
	m.inOrder(func(name string, _ *conf.Service, s *service) {
		svc := cluster.Service{Name: name, State: s.State, Flags: s.Flags,
			Owner: s.Owner, LastOwner: s.LastOwner, Restarts: s.Restarts, LastTransition: s.Changed / 1000}
		if len(s.Seen) > 1 {
			svc.Seen = s.Seen
		}
		st.Services = append(st.Services, svc)
	})
	return st
}

// Names returns the full names of all services, sorted.
func (m *Machine) Names() []string { return slices.Sorted(maps.Keys(m.Services)) }

// Record is what the daemon needs to know of a service to watch it.
type Record struct {
	Owner   cluster.NodeID
	Started bool // and nothing is being done with it
	Op      Op   // its newest operation
}

// Record returns a service's record; false when there is no such service.
func (m *Machine) Record(name string) (Record, bool) {
	s := m.Services[name]
	if s == nil {
		return Record{}, false
	}
	return Record{Owner: s.Owner, Started: s.State == cluster.Started && s.Job == nil, Op: s.LastOp}, true
}

// Definition returns the definition that is kept for a service; empty when
// there is none.
func (m *Machine) Definition(name string) string {
	if s := m.Services[name]; s != nil {
		return s.Definition
	}
	return ""
}

// Boot returns what tells this life of a node's cmand from others; empty when
// it takes no part.
func (m *Machine) Boot(id cluster.NodeID) string {
	if n := m.Nodes[id]; n != nil && n.Up {
		return n.Boot
	}
	return ""
}

// Owes reports whether a request is still to be answered.
func (m *Machine) Owes(id string) bool {
	if m.Update != nil && m.Update.ID == id {
		return true
	}
	for _, n := range m.Nodes {
		if n.Drain != nil && n.Drain.Request.ID == id {
			return true
		}
	}
	for _, s := range m.Services {
		if s.Job != nil && s.Job.Request != nil && s.Job.Request.ID == id ||
			slices.ContainsFunc(s.Queue, func(r Request) bool { return r.ID == id }) {
			return true
		}
	}
	return false
}
