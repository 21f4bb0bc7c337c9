package rgmanager

import (
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// startOn starts the service on id, once every ready node has looked for it
// (rgmanager, "Virtual machines seen by rgmanager": Found elsewhere).
func (m *Machine) startOn(name string, s *service, id cluster.NodeID) {
	j := s.Job
	j.On = id
	if !m.hasSlot(startSlot, id) {
		j.Phase, j.Then = queued, finding
		m.hold(name, s, startSlot, id)
		return
	}
	m.seek(name, s, finding, m.answering())
	m.take(j)
}

func (m *Machine) seek(name string, s *service, p phase, ids cluster.NodeIDs) {
	j := s.Job
	j.Phase, j.Asked, j.FoundOn, j.Unsure = p, ids, nil, nil
	for _, id := range []cluster.NodeID{j.On, j.Prefer} {
		if n := m.Nodes[id]; p == settling && n != nil && n.Up && !n.Ready {
			j.Unsure = j.Unsure.With(id) // it would not hear the question
		}
	}
	op := m.opOf(s)
	for _, id := range ids {
		m.find(id, Sought{op, name})
	}
	if len(ids) == 0 {
		c, _ := m.service(name)
		m.sought(name, c, s)
	}
}

// askedNoMore goes on without the answer of a node whose cmand is gone.
func (m *Machine) askedNoMore(name string, s *service, id cluster.NodeID) {
	if j := s.Job; j != nil && j.Asked.Has(id) {
		j.Asked, j.Unsure = j.Asked.Without(id), j.Unsure.With(id)
		if len(j.Asked) == 0 {
			c, _ := m.service(name)
			m.sought(name, c, s)
		}
	}
}

// sought acts on what the nodes that were asked have said.
func (m *Machine) sought(name string, c *conf.Service, s *service) {
	j := s.Job
	if j.Phase == settling {
		m.settle(name, c, s)
		return
	}
	if j.Kind == look {
		m.looked(name, c, s)
		return
	}
	switch blockers := m.blockers(s, j.On); {
	case len(j.FoundOn) == 1 && len(s.MayRun.Without(j.FoundOn[0])) == 0:
		id := j.FoundOn[0]
		m.note(id, "notice", "Migration: %s is running on %d", name, id)
		j.because("found on %s", m.nodeName(id))
		m.adopt(s, id)
		m.single(name, s)
		m.finish(name, c, s, cluster.Success)
	case len(j.FoundOn) > 1:
		m.doubled(name, c, s)
	case len(blockers) > 0:
		m.giveUp(name, c, s, m.whyBlocked(blockers))
	case len(s.MayRun.Without(j.On)) > 0: // a ready node that could not tell
		other := m.nodeName(s.MayRun.Without(j.On)[0])
		m.note(j.On, "err", "cannot tell whether %s runs on %s; not starting it", name, other)
		j.because("cannot tell whether it runs on %s", other)
		m.giveUp(name, c, s, cluster.Failure)
	case !m.ready().Has(j.On) || !j.Last && !m.willing().Has(j.On):
		s.State = cluster.Recovering
		m.startFailed(name, c, s)
	case j.Kind == recovery && strings.EqualFold(c.Recovery, "disable"):
		s.State = cluster.Disabled
		m.finish(name, c, s, cluster.Success)
	default:
		m.startNow(name, s)
	}
}

// whyBlocked is what a request is told that has to wait for these nodes.
func (m *Machine) whyBlocked(ids cluster.NodeIDs) cluster.Result {
	for _, id := range ids {
		if n := m.Nodes[id]; n != nil && n.Victim != nil {
			return cluster.FencePending
		}
	}
	return cluster.TryAgain
}

// find adds a question to those that the same event has led to.
func (m *Machine) find(id cluster.NodeID, q Sought) {
	if i, ok := m.finds[id]; ok {
		a := m.actions[i].(Find)
		a.Services = append(a.Services, q)
		m.actions[i] = a
		return
	}
	if m.finds == nil {
		m.finds = map[cluster.NodeID]int{}
	}
	m.finds[id] = len(m.actions)
	m.do(Find{On: id, Services: []Sought{q}})
}

// found takes a node's answers.
func (m *Machine) found(ev Found) {
	asked := map[Op]Sighting{}
	for _, s := range ev.Services {
		asked[s.Op] = s
	}
	m.inOrder(func(name string, c *conf.Service, s *service) {
		j := s.Job
		if j == nil || j.Phase != finding && j.Phase != settling || !j.Asked.Has(ev.Node) {
			return
		}
		seen, ok := asked[j.Op]
		if !ok {
			return
		}
		j.Asked = j.Asked.Without(ev.Node)
		m.learn(s, ev.Node, seen.Definition)
		switch {
		case seen.Error != "":
			j.Unsure = j.Unsure.With(ev.Node)
		case seen.Running:
			j.FoundOn, s.MayRun = j.FoundOn.With(ev.Node), s.MayRun.With(ev.Node)
		default:
			s.without(ev.Node)
		}
		if len(j.Asked) == 0 {
			m.sought(name, c, s)
		}
	})
}
