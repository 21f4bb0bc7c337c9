package rgmanager

import (
	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// migrated ends a Migrate. When it is not certain where the machine runs now,
// both ends are asked.
func (m *Machine) migrated(name string, c *conf.Service, s *service, ev Done) {
	j := s.Job
	switch {
	case ev.Error == "":
		m.arrived(name, c, s)
	case ev.Running && m.Nodes[j.Prefer] != nil && m.Nodes[j.Prefer].Ready:
		m.note(j.On, "err", "Migration of %s to %s failed: %s", name, m.nodeName(j.Prefer), ev.Error)
		s.MayRun = s.MayRun.Without(j.Prefer)
		m.finish(name, c, s, cluster.RunsOnOriginal)
	default:
		m.note(j.On, "err", "Migration of %s to %s failed: %s", name, m.nodeName(j.Prefer), ev.Error)
		var ends cluster.NodeIDs
		for _, id := range []cluster.NodeID{j.On, j.Prefer} {
			if m.Nodes[id] != nil && m.Nodes[id].Up {
				ends = ends.With(id)
			}
		}
		m.seek(name, s, settling, ends)
	}
}

func (m *Machine) arrived(name string, c *conf.Service, s *service) {
	j := s.Job
	m.note(j.On, "notice", "Migration of %s to %s completed", name, m.nodeName(j.Prefer))
	m.adopt(s, j.Prefer)
	m.finish(name, c, s, cluster.Success)
}

// settle decides, from what both ends of a broken migration have said, where
// the machine runs.
func (m *Machine) settle(name string, c *conf.Service, s *service) {
	j := s.Job
	source := j.On
	switch {
	case len(j.FoundOn) == 1 && j.FoundOn.Has(j.Prefer) && !j.Unsure.Has(source):
		m.arrived(name, c, s)
	case len(j.FoundOn) == 1 && j.FoundOn.Has(source):
		m.finish(name, c, s, cluster.RunsOnOriginal)
	case len(j.FoundOn) > 1:
		m.note(source, "crit", "%s runs on %d nodes at once; not touching it", name, len(j.FoundOn))
		m.finish(name, c, s, cluster.Failure)
	case len(j.Unsure) > 0:
		s.State, s.Changed, s.Owner, s.LastOwner = cluster.Failed, m.Now, 0, source
		m.note(source, "crit", "cannot tell where %s runs; intervention required", name)
		m.finish(name, c, s, cluster.Failure)
	default: // gone at both ends: recovered like any other that failed
		m.answer(j.Request, cluster.Failure, 0)
		m.begin(name, c, s, &job{Kind: recovery, Home: source})
	}
}
