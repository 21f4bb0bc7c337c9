package rgmanager

import (
	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// request begins what an administrator asked for, or refuses it with the
// original's code (clusvcadm, "What each request does, by service state").
func (m *Machine) request(r Request) {
	c, s := m.service(r.Service)
	switch {
	case (r.Verb == "lock" || r.Verb == "unlock") && r.Service == "":
		m.lock(r)
	case (r.Verb == "drain" || r.Verb == "undrain") && r.Service == "":
		m.drain(r)
	case s == nil || m.retired(r.Service) && r.Verb != "disable":
		m.refuse(&r, cluster.NoService, 0, "")
	case !m.Quorate:
		m.refuse(&r, cluster.NoQuorum, 0, "")
	case s.Job != nil && s.Job.Kind == relocate && (r.Verb == "enable" || r.Verb == "relocate"):
		m.refuse(&r, cluster.Deadlock, 0, "")
	case s.Job != nil && s.Job.Kind == relocate:
		m.refuse(&r, cluster.TryAgain, 0, "it is being relocated")
	case s.Job != nil && s.Job.Phase == queued && s.Job.Then == migrating && s.Job.Request == nil:
		s.Queue = append(s.Queue, r) // ahead of a move of ours that has not begun
		m.finish(r.Service, c, s, cluster.Failure)
	case s.Job != nil:
		s.Queue = append(s.Queue, r)
	default:
		j, result := m.plan(r, c, s)
		if j == nil {
			m.refuse(&r, result, m.ownerFor(r, s, result), m.objection(r, c, s, result))
			return
		}
		j.Request = &r
		m.begin(r.Service, c, s, j)
	}
}

// objection says in words what stands against a request, where its result
// alone does not; empty: nothing more is to be said.
func (m *Machine) objection(r Request, c *conf.Service, s *service, result cluster.Result) string {
	node := r.Target
	if node == 0 && r.Verb == "enable" && !r.ByDomain {
		node = r.From
	}
	switch blocked := m.blockers(s, 0); {
	case result == cluster.Success || result == cluster.AlreadyRunning || result == cluster.FrozenService:
		return ""
	case len(s.Seen) > 1:
		return "it runs on " + m.names(s.Seen) + " at once"
	case len(blocked) > 0:
		return "it may run on " + m.names(blocked) + ", which is neither heard nor fenced"
	case !m.dependencyMet(c):
		return c.Depend + ", which it depends on, is not started"
	case m.Locked:
		return "resource groups are locked"
	case s.State == cluster.Failed || s.State == cluster.Recoverable:
		return "it is " + s.State.String()
	case m.Nodes[node] != nil:
		if _, why := m.suits(r.Service, c, s, node, m.willing()); why != "" {
			return m.nodeName(node) + ": " + why
		}
	}
	if s.State != cluster.Started && s.State != cluster.Stopped {
		return "it is " + s.State.String()
	}
	return ""
}

// ownerFor is the owner that an answer names that needed no work.
func (m *Machine) ownerFor(r Request, s *service, result cluster.Result) cluster.NodeID {
	if result == cluster.Success && s.State == cluster.Recovering {
		return r.From
	}
	return s.Owner
}

// plan returns the job for a request, or the answer when there is none.
func (m *Machine) plan(r Request, c *conf.Service, s *service) (*job, cluster.Result) {
	switch r.Verb {
	case "stop", "disable":
		return m.planStop(r, s)
	case "freeze", "unfreeze":
		return nil, freeze(s, r.Verb == "freeze")
	case "convalesce":
		return nil, convalesce(s)
	}
	if blocked := m.blockers(s, 0); len(blocked) > 0 {
		return nil, m.whyBlocked(blocked)
	}
	if len(s.Seen) > 1 {
		return nil, cluster.Failure
	}
	if m.Locked && r.Verb != "migrate" && s.Flags&cluster.Frozen == 0 && s.Owner == 0 {
		return nil, cluster.TryAgain
	}
	switch r.Verb {
	case "enable":
		if r.ByDomain {
			return m.planByDomain(s)
		}
		return m.planEnable(r, c, s)
	case "relocate":
		return m.planRelocate(r, c, s)
	case "restart":
		return m.planRestart(r, s)
	case "migrate":
		return m.planMigrate(r, c, s)
	}
	return nil, cluster.InvalidOperation
}

// lock sets or clears the administrator's lock (clusvcadm, "Locking").
func (m *Machine) lock(r Request) {
	if !m.Quorate {
		m.refuse(&r, cluster.NoQuorum, 0, "")
		return
	}
	word := "Unlocked"
	if m.Locked = r.Verb == "lock"; m.Locked {
		word = "Locked"
	}
	for _, id := range m.nodeIDs() {
		if m.Nodes[id].Up {
			m.note(id, "notice", "Resource Groups %s", word)
		}
	}
	m.refuse(&r, cluster.Success, 0, "")
}

// freeze forbids, or allows again, that anything is done to a service.
func freeze(s *service, frozen bool) cluster.Result {
	switch s.State {
	case cluster.Stopped, cluster.Started, cluster.Disabled:
	default:
		return cluster.TryAgain
	}
	s.Flags &^= cluster.Frozen
	if frozen {
		s.Flags |= cluster.Frozen
	}
	return cluster.Success
}

// convalesce would start resources that were stopped as not critical. A
// machine has none.
func convalesce(s *service) cluster.Result {
	switch {
	case s.Flags&cluster.Frozen != 0:
		return cluster.FrozenService
	case s.State == cluster.Started:
		return cluster.AlreadyRunning
	case s.State == cluster.Starting, s.State == cluster.Stopping, s.State == cluster.Recoverable,
		s.State == cluster.Recovering, s.State == cluster.Migrating:
		return cluster.TryAgain
	}
	return cluster.InvalidOperation
}

func (m *Machine) planEnable(r Request, c *conf.Service, s *service) (*job, cluster.Result) {
	home := r.From
	if r.Target != 0 && r.Target != r.From {
		switch {
		case s.Owner == r.Target:
			return nil, cluster.AlreadyRunning
		case s.Owner != 0 || !m.willing().Has(r.Target):
			return nil, cluster.TryAgain
		}
		home = r.Target
	}
	n := m.Nodes[home]                                // nil: it has left meanwhile, and was removed
	drained := r.Target == 0 && n != nil && n.Drained // then any other node will do
	conflict := drained || m.conflict(r.Service, c, home)
	switch {
	case !drained && m.score(c, s, home, m.willing()) == illegal:
		return nil, cluster.Failure
	case conflict && !drained && (s.State == cluster.Disabled || s.State == cluster.Uninitialized):
		return nil, cluster.InvalidOperation
	case !m.dependencyMet(c):
		return nil, cluster.DependencyRule
	case s.Flags&cluster.Frozen != 0:
		return nil, cluster.FrozenService
	}
	switch s.State {
	case cluster.Stopped, cluster.Recoverable, cluster.Disabled, cluster.Uninitialized:
		return &job{Kind: enable, Home: home, Walking: conflict}, 0
	case cluster.Recovering:
		return nil, cluster.Success
	case cluster.Failed:
		return nil, cluster.Aborted
	}
	return nil, cluster.AlreadyRunning
}

func (m *Machine) planByDomain(s *service) (*job, cluster.Result) {
	switch {
	case s.Flags&cluster.Frozen != 0:
		return nil, cluster.FrozenService
	case s.Owner != 0:
		return nil, cluster.AlreadyRunning
	case s.State == cluster.Failed:
		return nil, cluster.Failure
	}
	return &job{Kind: enableByDomain}, 0
}

func (m *Machine) planRelocate(r Request, c *conf.Service, s *service) (*job, cluster.Result) {
	target := r.Target
	if !m.willing().Has(target) {
		target = 0
	}
	switch {
	case s.State == cluster.Disabled || s.State == cluster.Uninitialized:
		return nil, cluster.InvalidOperation
	case s.Flags&cluster.Frozen != 0:
		return nil, cluster.FrozenService
	case s.State == cluster.Failed || s.State == cluster.Recoverable:
		s.State = cluster.Failed
		return nil, cluster.Aborted
	case target != 0 && target != s.Owner && m.conflict(r.Service, c, target):
		return nil, cluster.DependencyRule
	}
	home := r.From
	if s.Owner != 0 {
		home = s.Owner
	}
	return &job{Kind: relocate, Home: home, Prefer: target}, 0
}

func (m *Machine) planRestart(r Request, s *service) (*job, cluster.Result) {
	switch {
	case s.Flags&cluster.Frozen != 0:
		return nil, cluster.FrozenService
	case s.State == cluster.Disabled || s.State == cluster.Uninitialized:
		return nil, cluster.InvalidOperation
	case s.State == cluster.Failed || s.State == cluster.Recoverable:
		return nil, cluster.Failure
	case s.Owner != 0:
		return &job{Kind: restart, Home: s.Owner}, 0
	}
	return &job{Kind: restart, Home: r.From}, 0
}

func (m *Machine) planMigrate(r Request, c *conf.Service, s *service) (*job, cluster.Result) {
	online := m.willing()
	switch {
	case !migratory(c) || m.conf.NodeByID(r.Target) == nil:
		return nil, cluster.InvalidOperation
	case !online.Has(r.Target):
		return nil, cluster.TargetDead
	case m.score(c, s, r.Target, online) == illegal || m.conflict(r.Service, c, r.Target):
		return nil, cluster.DependencyRule
	case s.Owner == r.Target && s.State == cluster.Started:
		return nil, cluster.Success
	case s.State != cluster.Started: // without an owner the original asked the target, which is not it either
		return nil, cluster.TryAgain
	case s.Flags&cluster.Frozen != 0:
		return nil, cluster.FrozenService
	}
	return &job{Kind: migrate, Home: s.Owner, Prefer: r.Target}, 0
}

func (m *Machine) planStop(r Request, s *service) (*job, cluster.Result) {
	k := stop
	if r.Verb == "disable" {
		k = disable
	}
	on := s.Owner
	switch {
	case s.Flags&cluster.Frozen != 0:
		return nil, cluster.FrozenService
	case k == stop && (s.State == cluster.Stopped || s.State == cluster.Disabled || s.State == cluster.Uninitialized):
		return nil, cluster.Success
	case k == stop && (s.State == cluster.Failed || s.State == cluster.Recoverable):
		return nil, cluster.Failure
	case on == 0 && s.LastOwner != 0 && s.MayRun.Has(s.LastOwner):
		on = s.LastOwner // ours: a failed service is stopped where it is
	case on == 0 && len(s.MayRun) > 0 && s.State != cluster.Disabled: // where nobody has looked yet
		if blocked := m.blockers(s, 0); len(blocked) > 0 && s.State != cluster.Failed {
			return nil, m.whyBlocked(blocked)
		}
		on = s.MayRun[0]
	case on == 0:
		on = r.From
	}
	if n := m.Nodes[on]; n == nil || !n.Ready {
		if s.State == cluster.Failed && k == disable {
			s.State = cluster.Disabled // its node is fenced or will be; MayRun remembers
			return nil, cluster.Warning
		}
		return nil, m.whyBlocked(cluster.NodeIDs{on})
	}
	return &job{Kind: k, Home: on, Walking: s.State == cluster.Failed}, 0
}
