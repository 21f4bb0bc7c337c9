package rgmanager

import (
	"slices"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// migrateOn moves a running service to the node that its job prefers, as soon
// as both ends have a slot.
func (m *Machine) migrateOn(name string, c *conf.Service, s *service) {
	j := s.Job
	j.On = s.Owner
	if others := s.MayRun.Without(s.Owner); len(others) > 0 { // seen there, while the owner could not tell
		j.because("it may run on %s too", m.names(others))
		m.finish(name, c, s, cluster.Failure)
		return
	}
	if !m.hasSlot(moveSlot, j.On) || !m.hasSlot(moveSlot, j.Prefer) {
		j.Phase, j.Then = queued, migrating
		m.hold(name, s, moveSlot, j.On, j.Prefer)
		return
	}
	j.Phase = migrating
	m.take(j)
	s.MayRun = s.MayRun.With(j.Prefer)
	m.note(s.Owner, "notice", "Migrating %s to %s", name, m.nodeName(j.Prefer))
	s.Sending = &sending{Op: m.opOf(s), From: j.On, To: j.Prefer}
	m.do(Migrate{Op: j.Op, On: j.On, Service: name, To: j.Prefer})
}

// sending is a migration of which its source has not told the end. Until then,
// or until the source is off, the machine may arrive at the target at any time,
// whatever that has said before.
type sending struct {
	Op       Op
	From, To cluster.NodeID
}

// without takes in that a node does not run the service, for now.
func (s *service) without(id cluster.NodeID) {
	if s.Sending == nil || s.Sending.To != id {
		s.MayRun = s.MayRun.Without(id)
	}
}

// sent ends what a node was sending: it is off, or has nothing under way. The
// target has to be asked now.
func (m *Machine) sent(name string, c *conf.Service, s *service, from cluster.NodeID) {
	if s.Sending == nil || s.Sending.From != from {
		return
	}
	to := s.Sending.To
	s.Sending = nil
	switch n := m.Nodes[to]; {
	case n == nil || n.Clean:
		m.release(s, to)
	case n.Ready && s.Job == nil && s.State == cluster.Disabled && s.Flags&cluster.Frozen == 0:
		m.begin(name, c, s, &job{Kind: disable, Home: to, Why: "it was disabled on its way to " + m.nodeName(to)})
	case n.Ready && s.Job != nil && s.Job.Phase == finding:
		m.seek(name, s, finding, m.answering())
	}
}

// migrateNow begins a migration that had to wait, if its target still suits.
func (m *Machine) migrateNow(name string, c *conf.Service, s *service) {
	j := s.Job
	switch online := m.willing(); {
	case !online.Has(j.Prefer):
		m.finish(name, c, s, cluster.TargetDead)
	case m.score(c, s, j.Prefer, online) == illegal || m.conflict(name, c, j.Prefer):
		m.finish(name, c, s, cluster.DependencyRule)
	default:
		m.migrateOn(name, c, s)
	}
}

// migrated ends a Migrate. When it is not certain where the machine runs now,
// both ends are asked.
func (m *Machine) migrated(name string, c *conf.Service, s *service, ev Done) {
	j := s.Job
	s.Sending = nil
	switch {
	case ev.Error == "":
		m.arrived(name, c, s)
	case ev.Running && m.Nodes[j.Prefer] != nil && m.Nodes[j.Prefer].Ready:
		m.note(j.On, "err", "Migration of %s to %s failed: %s", name, m.nodeName(j.Prefer), ev.Error)
		s.MayRun = s.MayRun.Without(j.Prefer)
		m.finish(name, c, s, cluster.RunsOnOriginal)
	default:
		m.note(j.On, "err", "Migration of %s to %s failed: %s", name, m.nodeName(j.Prefer), ev.Error)
		m.seek(name, s, settling, m.ends(j))
	}
}

func (m *Machine) arrived(name string, c *conf.Service, s *service) {
	j := s.Job
	m.note(j.On, "notice", "Migration of %s to %s completed", name, m.nodeName(j.Prefer))
	m.adopt(s, j.Prefer)
	m.finish(name, c, s, cluster.Success)
}

// settleRounds is how often both ends of a broken migration are asked, three
// seconds apart, while libvirt may still be cleaning up.
const settleRounds = 10

// settle decides, from what both ends of a broken migration have said, where
// the machine runs.
func (m *Machine) settle(name string, c *conf.Service, s *service) {
	j := s.Job
	m.freeSlot()
	source := j.On
	sure := len(j.Unsure) == 0 || len(j.FoundOn) == 1 && j.FoundOn.Has(source)
	if j.Rounds++; (!sure || len(j.FoundOn) > 1) && j.Rounds < settleRounds {
		j.Op = m.wait(3*time.Second, "settle", source)
		return
	}
	switch {
	case len(j.FoundOn) > 1:
		m.doubled(name, c, s)
	case !sure && !slices.ContainsFunc(j.Unsure, m.answering().Has): // they will be heard, or fenced
		s.State, s.Changed, s.Owner, s.LastOwner = cluster.Recoverable, m.Now, 0, source
		j.because("whether it runs on %s is not known yet", m.names(j.Unsure))
		m.finish(name, c, s, cluster.Failure)
		m.consider(name, c, s, m.willing())
	case !sure:
		s.State, s.Changed, s.Owner, s.LastOwner = cluster.Failed, m.Now, 0, source
		m.note(source, "crit", "cannot tell where %s runs; intervention required", name)
		j.because("cannot tell where it runs")
		m.finish(name, c, s, cluster.Failure)
	case j.FoundOn.Has(j.Prefer):
		m.arrived(name, c, s)
	case j.FoundOn.Has(source):
		m.finish(name, c, s, cluster.RunsOnOriginal)
	default: // gone at both ends: recovered like any other that failed
		m.answer(j.Request, cluster.Failure, 0)
		m.recordJob(name, j, cluster.Failure, 0)
		m.begin(name, c, s, &job{Kind: recovery, Home: source, Why: "lost in a migration: it runs at neither end"})
	}
}

// settleAgain asks both ends once more.
func (m *Machine) settleAgain(op Op) {
	m.inOrder(func(name string, _ *conf.Service, s *service) {
		if s.Job != nil && s.Job.Phase == settling && s.Job.Op == op {
			m.seek(name, s, settling, m.ends(s.Job))
		}
	})
}

// ends returns the ends of a migration that can be asked.
func (m *Machine) ends(j *job) cluster.NodeIDs {
	var ends cluster.NodeIDs
	for _, id := range []cluster.NodeID{j.On, j.Prefer} {
		if n := m.Nodes[id]; n != nil && n.Ready {
			ends = ends.With(id)
		}
	}
	return ends
}
