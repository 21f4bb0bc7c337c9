package rgmanager

import (
	"slices"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// broken takes a service that does not run any more where it should. A report
// that is older than the service's newest operation says nothing.
func (m *Machine) broken(ev Broken) {
	c, s := m.service(ev.Service)
	if s == nil || s.Owner != ev.Node || s.State != cluster.Started ||
		s.LastOp != ev.Op || s.Flags&cluster.Frozen != 0 || !m.Nodes[ev.Node].Ready {
		return
	}
	if j := s.Job; j != nil {
		if j.Phase != queued {
			return
		}
		m.finish(ev.Service, c, s, cluster.Failure) // it waited for its turn, and has nothing to move now
		if s.Job != nil {
			return
		}
	}
	m.note(ev.Node, "notice", "status on %s %q returned 7 (unspecified): %s", c.Type, c.Name, ev.Reason)
	if len(s.Seen) > 0 {
		m.begin(ev.Service, c, s, &job{Kind: look, Home: ev.Node, Why: "it ended on " + m.nodeName(ev.Node)})
		return
	}
	m.fail(ev.Service, c, s, "status check on "+m.nodeName(ev.Node)+": "+ev.Reason)
}

// fail stops a service whose check failed; recover decides what is next.
func (m *Machine) fail(name string, c *conf.Service, s *service, why string) {
	m.begin(name, c, s, &job{Kind: recovery, Home: s.Owner, Why: why})
}

// recover applies the recovery policy to a service that failed and has been
// stopped (rgmanager, "Failure, recovery policy, restart limits").
func (m *Machine) recover(name string, c *conf.Service, s *service) {
	j := s.Job
	policy := strings.ToLower(c.Recovery)
	switch {
	case policy == "disable" && len(s.MayRun) == 0: // else it is looked for first: it may have moved
		s.State = cluster.Disabled
		m.finish(name, c, s, cluster.Success)
	case m.Locked:
		m.note(j.Home, "warning", "Not initiating failover of %s: Resource groups locked!", name)
		s.State = cluster.Stopped
		m.finish(name, c, s, cluster.TryAgain)
	case !m.dependencyMet(c):
		m.note(j.Home, "info", "Dependency for %s missing during recovery; marking as stopped", name)
		s.State = cluster.Stopped
		m.finish(name, c, s, cluster.DependencyRule)
	case policy == "relocate":
		j.Walking = true
		m.walk(name, c, s)
	case !m.exceeded(c, s, j.Home):
		m.startOn(name, s, j.Home)
	case strings.Contains(policy, "disable"):
		m.note(j.Home, "notice", "Restart threshold for %s exceeded; disabling", name)
		j.because("restart threshold exceeded")
		s.State = cluster.Disabled
		m.finish(name, c, s, cluster.Success)
	default:
		m.note(j.Home, "notice", "Restart threshold for %s exceeded; attempting to relocate", name)
		j.because("restart threshold exceeded")
		j.Walking = true
		m.walk(name, c, s)
	}
}

// exceeded counts one more restart on a node and reports whether that is more
// than max_restarts within restart_expire_time; the count then begins anew.
func (m *Machine) exceeded(c *conf.Service, s *service, id cluster.NodeID) bool {
	if c.MaxRestarts <= 0 {
		return false
	}
	recent := s.History[id]
	if c.RestartExpire > 0 {
		limit := m.Now - c.RestartExpire.Milliseconds()
		recent = slices.DeleteFunc(recent, func(t Time) bool { return t <= limit })
	}
	if len(recent) >= c.MaxRestarts {
		delete(s.History, id)
		return true
	}
	if s.History == nil {
		s.History = map[cluster.NodeID][]Time{}
	}
	s.History[id] = append(recent, m.Now)
	return false
}
