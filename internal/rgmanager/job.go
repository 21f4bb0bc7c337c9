package rgmanager

import (
	"fmt"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// kind is what a job is for.
type kind string

const (
	start          kind = "start"            // our own decision
	enable         kind = "enable"           // clusvcadm -e
	enableByDomain kind = "enable by domain" // clusvcadm -e -F
	relocate       kind = "relocate"
	restart        kind = "restart"
	migrate        kind = "migrate"
	stop           kind = "stop"
	disable        kind = "disable"
	recovery       kind = "recover" // its status check failed
	leave          kind = "leave"   // its node is leaving
	remove         kind = "remove"  // it is not in cluster.conf any more
	look           kind = "look"    // it was seen where it is not expected
)

// phase is what a job is waiting for.
type phase string

const (
	queued    phase = "queued"    // a slot; the phase Then follows
	finding   phase = "finding"   // every ready node to say whether it runs the service
	settling  phase = "settling"  // the same, of both ends of a migration
	starting  phase = "starting"  // Start
	cleaning  phase = "cleaning"  // Stop, after a Start that failed
	stopping  phase = "stopping"  // Stop
	migrating phase = "migrating" // Migrate
)

// job is what is being done with one service. A service has one at a time.
type job struct {
	Kind    kind
	Request *Request        `json:",omitempty"` // who gets the answer; nil: our own decision
	Home    cluster.NodeID  // the node that handles it, and the last resort of a relocation
	Prefer  cluster.NodeID  // the node asked for; 0: any
	Tried   cluster.NodeIDs // where it failed
	Walking bool            // Home could not: others are tried in turn
	Last    bool            // others could not: Home is tried once more
	Came    cluster.NodeIDs // nodes that came up meanwhile
	Drain   cluster.NodeID  `json:",omitempty"` // the node that is being emptied, or filled again

	Began Time
	From  cluster.NodeID // the owner when it began
	Why   string         // its reasons, for the history

	Phase   phase
	Then    phase `json:",omitempty"`
	Op      Op
	On      cluster.NodeID  // where the phase happens, or will
	Asked   cluster.NodeIDs // finding, settling: who has not answered
	FoundOn cluster.NodeIDs // finding, settling: who runs it
	Unsure  cluster.NodeIDs // finding, settling: who could not tell
	Known   bool            `json:",omitempty"` // look: the alarm was raised before
	Rounds  int             // settling: how often they were asked
}

// begin starts a job on a service that has none.
func (m *Machine) begin(name string, c *conf.Service, s *service, j *job) {
	s.Job, s.Held = j, nil
	j.Began, j.From = m.Now, s.Owner
	switch j.Kind {
	case look:
		m.seek(name, s, finding, m.answering())
	case start, enable:
		if j.Walking {
			m.walk(name, c, s)
			return
		}
		m.startOn(name, s, j.Home)
	case enableByDomain:
		m.walk(name, c, s)
	case relocate:
		if s.Owner == 0 {
			s.State = cluster.Stopped
			m.walk(name, c, s)
			return
		}
		m.stopOn(name, s, s.Owner, cluster.Stopping)
	case restart:
		if s.Owner == 0 {
			m.startOn(name, s, j.Home)
			return
		}
		m.stopOn(name, s, s.Owner, cluster.Stopping)
	case recovery:
		m.stopOn(name, s, s.Owner, cluster.Recoverable)
	case stop, disable, leave, remove:
		m.stopOn(name, s, j.Home, cluster.Stopping)
	case migrate:
		m.migrateOn(name, c, s)
	}
}

// opOf numbers the job's next operation.
func (m *Machine) opOf(s *service) Op {
	s.LastOp = m.nextOp()
	s.Job.Op = s.LastOp
	return s.LastOp
}

func (m *Machine) startNow(name string, s *service) {
	j := s.Job
	switch s.State {
	case cluster.Disabled:
		m.note(j.On, "notice", "Starting disabled service %s", name)
	case cluster.Recovering:
		m.note(j.On, "notice", "Recovering failed service %s", name)
	default:
		m.note(j.On, "notice", "Starting stopped service %s", name)
	}
	s.Restarts++
	if s.State != cluster.Recovering {
		s.Restarts = 0
	}
	s.State, s.Owner, s.Changed = cluster.Starting, j.On, m.Now
	s.MayRun = cluster.NodeIDs{j.On}
	j.Phase = starting // in the slot of the search
	m.do(Start{Op: m.opOf(s), On: j.On, Service: name, Definition: s.Definition})
}

// stopOn stops the service on id; its state meanwhile is st.
func (m *Machine) stopOn(name string, s *service, id cluster.NodeID, st cluster.State) {
	s.State, s.Changed = st, m.Now
	if st == cluster.Recoverable {
		s.Owner, s.LastOwner = 0, id
	}
	s.Job.On = id
	if !m.hasSlot(stopSlot, id) {
		s.Job.Phase, s.Job.Then = queued, stopping
		m.hold(name, s, stopSlot, id)
		return
	}
	m.stopNow(name, s)
}

func (m *Machine) stopNow(name string, s *service) {
	j := s.Job
	j.Phase = stopping
	m.take(j)
	op := m.opOf(s)
	if n := m.Nodes[j.On]; n == nil || n.Clean { // it left, or is off
		c, _ := m.service(name)
		m.jobDone(name, c, s, Done{Op: op, Node: j.On})
		return
	}
	m.note(j.On, "notice", "Stopping service %s", name)
	m.do(Stop{Op: op, On: j.On, Service: name})
}

// done ends an operation.
func (m *Machine) done(ev Done) {
	if m.updateDone(ev) {
		return
	}
	for _, e := range m.order {
		if e.s != nil && e.s.Job != nil && e.s.Job.Op == ev.Op {
			m.jobDone(e.name, e.conf, e.s, ev)
			return
		}
	}
}

func (m *Machine) jobDone(name string, c *conf.Service, s *service, ev Done) {
	m.freeSlot()
	j := s.Job
	if ev.Error != "" {
		j.because("%s on %s failed: %s", j.Phase, m.nodeName(j.On), ev.Error)
	}
	switch j.Phase {
	case starting:
		if ev.Error != "" {
			m.note(j.On, "warning", "#68: Failed to start %s; %s", name, ev.Error)
			s.State, s.Owner, s.LastOwner = cluster.Recoverable, 0, j.On
			j.Phase = cleaning
			m.do(Stop{Op: m.opOf(s), On: j.On, Service: name})
			return
		}
		m.note(j.On, "notice", "Service %s started", name)
		s.State, s.DefinedOn = cluster.Started, j.On
		m.finish(name, c, s, cluster.Success)
	case cleaning, stopping:
		if ev.Error != "" {
			m.stopFailed(name, c, s, ev.Error)
			return
		}
		s.without(j.On)
		was := j.Phase
		j.Phase = "" // holds no slot
		if was == cleaning {
			s.State, s.Changed = cluster.Recovering, m.Now
			m.startFailed(name, c, s)
			return
		}
		m.afterStop(name, c, s)
	case migrating:
		m.migrated(name, c, s, ev)
	}
}

// stopFailed keeps the service where it is: nobody may start it again until
// an administrator has disabled it.
func (m *Machine) stopFailed(name string, c *conf.Service, s *service, why string) {
	j := s.Job
	result := cluster.Aborted
	s.State, s.Changed, s.Owner, s.LastOwner = cluster.Failed, m.Now, 0, j.On
	m.note(j.On, "crit", "#12: RG %s failed to stop; intervention required: %s", name, why)
	switch {
	case j.Kind == disable && j.Walking: // was failed before
		s.State, result = cluster.Disabled, cluster.Warning
		m.note(j.On, "alert", "Marking %s as 'disabled', but some resources may still be allocated!", name)
	case j.Kind == stop || j.Kind == disable || j.Kind == enableByDomain:
		result = cluster.Failure
	}
	m.finish(name, c, s, result)
}

// afterStop goes on with a job whose service has been stopped in good order.
func (m *Machine) afterStop(name string, c *conf.Service, s *service) {
	j := s.Job
	if s.Owner != 0 {
		s.Owner, s.LastOwner = 0, s.Owner
	}
	s.State, s.Changed = cluster.Stopped, m.Now
	s.Flags &^= cluster.Partial
	switch j.Kind {
	case disable, remove:
		for _, id := range s.MayRun { // it turned up there meanwhile
			if s.Sending == nil && m.Nodes[id] != nil && m.Nodes[id].Ready {
				m.stopOn(name, s, id, cluster.Stopping)
				return
			}
		}
		s.State = cluster.Disabled
		m.note(j.On, "notice", "Service %s is %s", name, s.State)
		m.finish(name, c, s, cluster.Success)
	case stop, leave:
		m.note(j.On, "notice", "Service %s is %s", name, s.State)
		m.finish(name, c, s, cluster.Success)
	case restart:
		m.startOn(name, s, j.Home)
	case relocate:
		m.walk(name, c, s)
	case recovery:
		s.State = cluster.Recovering
		m.recover(name, c, s)
	}
}

func (m *Machine) adopt(s *service, id cluster.NodeID) {
	if s.Owner != id && s.Owner != 0 {
		s.LastOwner = s.Owner
	}
	s.State, s.Owner, s.MayRun, s.DefinedOn = cluster.Started, id, cluster.NodeIDs{id}, id
}

// finish ends a service's job: the request is answered, services that depend
// on it are looked at, and the next request has its turn.
func (m *Machine) finish(name string, c *conf.Service, s *service, r cluster.Result) {
	j := s.Job
	if j.Last && r == cluster.Success {
		r = cluster.RunsOnOriginal
	}
	m.answer(j.Request, r, s.Owner)
	m.recordJob(name, j, r, s.Owner)
	s.Job = nil
	m.freeSlot()
	if j.Request != nil && j.From != s.Owner {
		s.Drained = 0 // somebody chose another place for it
	}
	for _, id := range j.Came {
		if j.Request == nil && !j.Tried.Has(id) { // else somebody had a reason
			m.moveTo(name, c, s, id)
		}
	}
	if s.Owner != 0 && j.Drain != s.Owner {
		m.evacuate(name, c, s)
	}
	m.dependants(name)
	if j.Kind == leave {
		m.consider(name, c, s, m.willing())
	}
	for s.Job == nil && len(s.Queue) > 0 {
		next := s.Queue[0]
		s.Queue = s.Queue[1:]
		m.request(next)
	}
	m.depart()
}

// abandon drops a service's job and queue, its operation's result unknown.
func (m *Machine) abandon(name string, s *service, r cluster.Result) {
	queue := s.Queue
	s.Queue = nil
	s.Held = nil
	if j := s.Job; j != nil {
		m.answer(j.Request, r, 0)
		s.Job = nil
		m.freeSlot()
		m.recordJob(name, j, r, 0)
	}
	for i := range queue {
		m.refuse(&queue[i], r, 0, "")
	}
}

// refuse answers a request that leads to no job, and says why in words where
// the result alone does not.
func (m *Machine) refuse(r *Request, result cluster.Result, owner cluster.NodeID, why string) {
	m.do(Reply{On: r.From, ID: r.ID, Result: result, Owner: owner, Problem: why})
	m.record(cluster.Entry{Service: r.Service, What: r.Verb, By: r.By, From: owner, To: r.Target, Result: result, Reason: why})
}

func (m *Machine) answer(r *Request, result cluster.Result, owner cluster.NodeID) {
	if r != nil {
		m.do(Reply{On: r.From, ID: r.ID, Result: result, Owner: owner})
	}
}

// resumeJob repeats the operation that a node was on when its cmand died;
// runs says whether the service runs there now.
func (m *Machine) resumeJob(name string, c *conf.Service, s *service, runs bool) {
	j := s.Job
	switch j.Phase {
	case starting:
		if runs {
			m.jobDone(name, c, s, Done{Op: j.Op, Node: j.On})
			return
		}
		// It may have been started elsewhere meanwhile, behind our back.
		s.State, s.Owner = cluster.Stopped, 0
		s.without(j.On)
		if s.Restarts > 0 {
			s.State, s.Restarts = cluster.Recovering, s.Restarts-1
		}
		m.seek(name, s, finding, m.answering())
	case stopping, cleaning:
		if !runs {
			m.jobDone(name, c, s, Done{Op: j.Op, Node: j.On})
			return
		}
		m.do(Stop{Op: m.opOf(s), On: j.On, Service: name})
	case migrating:
		j.because("cmand was restarted on %s", m.nodeName(j.On))
		m.migrated(name, c, s, Done{Op: j.Op, Node: j.On, Error: "cmand was restarted"})
	}
}

func (j *job) String() string { return fmt.Sprintf("%s, %s on %d", j.Kind, j.Phase, j.On) }
