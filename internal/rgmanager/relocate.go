package rgmanager

import (
	"slices"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// startFailed goes on after a failed start that was cleaned up.
func (m *Machine) startFailed(name string, c *conf.Service, s *service) {
	j := s.Job
	if j.Last {
		m.giveUp(name, c, s, cluster.Failure)
		return
	}
	j.Tried = j.Tried.With(j.On)
	if !j.Walking && j.Kind != relocate && j.Kind != enableByDomain {
		m.note(j.On, "warning", "#71: Relocating failed service %s", name)
		j.Walking = true
	}
	m.walk(name, c, s)
}

// walk tries the next node (rgmanager, "Failure, recovery policy, restart
// limits": Relocation).
func (m *Machine) walk(name string, c *conf.Service, s *service) {
	j := s.Job
	online := m.willing()
	others := slices.DeleteFunc(slices.Clone(online), func(id cluster.NodeID) bool {
		return j.Tried.Has(id) || id == j.Home && j.Kind != enableByDomain
	})
	if j.Prefer != 0 && !j.Tried.Has(j.Prefer) && online.Has(j.Prefer) {
		switch {
		case m.score(c, s, j.Prefer, online) == illegal:
			m.lastResort(name, c, s)
		default:
			m.startOn(name, s, j.Prefer)
		}
		return
	}
	switch target, ok := m.bestTarget(name, c, s, others, others); {
	case ok:
		m.startOn(name, s, target)
	case j.Kind == enableByDomain || j.Kind != relocate && len(others) == 0:
		m.giveUp(name, c, s, cluster.Failure)
	default:
		m.lastResort(name, c, s)
	}
}

func (m *Machine) lastResort(name string, c *conf.Service, s *service) {
	j := s.Job
	if !m.ready().Has(j.Home) { // a drained one is better than none
		m.giveUp(name, c, s, cluster.Failure)
		return
	}
	m.note(j.Home, "warning", "#70: Failed to relocate %s; restarting locally", name)
	j.Last = true
	m.startOn(name, s, j.Home)
}

// giveUp leaves the service stopped until the next transition, or disabled if
// it was so.
func (m *Machine) giveUp(name string, c *conf.Service, s *service, r cluster.Result) {
	if s.State != cluster.Disabled && s.State != cluster.Failed {
		s.State = cluster.Stopped
	}
	m.finish(name, c, s, r)
}
