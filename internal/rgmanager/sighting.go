package rgmanager

import (
	"slices"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// Expects reports whether it is known that node id runs a service, or does not
// run it. What is not expected is to be told as Sighted; so is every look at a
// service that was seen twice, until it is seen once. While something is being
// done with a service nothing about it is unexpected.
func (m *Machine) Expects(id cluster.NodeID, name string, running bool) bool {
	s := m.Services[name]
	switch {
	case s == nil || s.Job != nil || !m.Quorate || m.Nodes[id] == nil || !m.Nodes[id].Ready:
		return true
	case s.Seen.Has(id):
		return false
	case !running:
		return true // Broken says it of an owner
	case s.State == cluster.Started || s.State == cluster.Stopped:
		return s.Owner == id
	}
	return s.MayRun.Has(id)
}

// sighted looks for a service everywhere that was seen where it is not
// expected.
func (m *Machine) sighted(ev Sighted) {
	c, s := m.service(ev.Service)
	if s == nil || m.Expects(ev.Node, ev.Service, ev.Running) {
		return
	}
	if ev.Running {
		s.MayRun = s.MayRun.With(ev.Node)
	}
	m.begin(ev.Service, c, s, &job{Kind: look, Home: ev.Node, Why: "it was seen on " + m.nodeName(ev.Node)})
}

// looked ends a look: a machine that was moved behind our back is adopted, one
// that runs twice raises the alarm.
func (m *Machine) looked(name string, c *conf.Service, s *service) {
	j := s.Job
	if len(j.FoundOn) > 1 {
		m.doubled(name, c, s)
		return
	}
	m.single(name, s)
	switch {
	case len(j.FoundOn) == 0 && s.State == cluster.Started && s.Flags&cluster.Frozen == 0 && !s.MayRun.Has(s.Owner):
		s.Job = nil
		m.fail(name, c, s, "it runs nowhere any more")
		return
	case len(s.MayRun) == 0 && (halfWay(s.State) || s.State == cluster.Uninitialized):
		s.State = cluster.Stopped
		m.finish(name, c, s, cluster.Success)
		m.consider(name, c, s, m.willing())
		return
	case len(j.FoundOn) == 0 || len(s.MayRun.Without(j.FoundOn[0])) > 0 || s.Owner == j.FoundOn[0]:
	case s.State == cluster.Disabled || s.State == cluster.Failed: // an administrator's own affair
		m.note(j.FoundOn[0], "warning", "%s is %s, but runs here", name, s.State)
	default:
		m.note(j.FoundOn[0], "notice", "Migration: %s is running on %d", name, j.FoundOn[0])
		m.adopt(s, j.FoundOn[0])
	}
	m.finish(name, c, s, cluster.Success)
}

// doubled raises the alarm: the service runs on several nodes. It is left as
// it is, and neither started nor migrated until it is seen on one node alone.
func (m *Machine) doubled(name string, c *conf.Service, s *service) {
	if s.Job.Known = slices.Equal(s.Seen, s.Job.FoundOn); !s.Job.Known {
		s.Seen = s.Job.FoundOn
		m.note(0, "crit", "%s runs on %d nodes at once (%s); not touching it", name, len(s.Seen), m.names(s.Seen))
	}
	s.Job.because("it runs on %s at once", m.names(s.Seen))
	if s.State != cluster.Started && s.State != cluster.Failed && s.State != cluster.Disabled {
		s.State, s.Owner = cluster.Started, s.Seen[0] // it does run
	}
	m.finish(name, c, s, cluster.Failure)
}

// single ends the alarm.
func (m *Machine) single(name string, s *service) {
	if len(s.Seen) > 0 {
		s.Seen = nil
		m.note(0, "notice", "%s runs on one node only again", name)
	}
}

func (m *Machine) names(ids cluster.NodeIDs) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = m.nodeName(id)
	}
	return strings.Join(names, ", ")
}
