package rgmanager

import (
	"slices"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// service is the record of one service (rgmanager, "Objects and names").
type service struct {
	State     cluster.State
	Flags     cluster.Flags
	Owner     cluster.NodeID // 0: nobody
	LastOwner cluster.NodeID
	Restarts  int
	Changed   Time // of the latest transition; 0: never

	// MayRun holds every node that may be running it. See the package comment.
	MayRun     cluster.NodeIDs
	Sending    *sending                  `json:",omitempty"` // the migration that may bring it to another node
	Definition string                    // libvirt's XML, for the node that starts it next
	DefinedOn  cluster.NodeID            // the node whose libvirt has it; 0: not known
	History    map[cluster.NodeID][]Time `json:",omitempty"` // restarts in place
	LastOp     Op                        // newest operation on it
	Seen       cluster.NodeIDs           `json:",omitempty"` // it runs on all of these at once: the alarm
	Drained    cluster.NodeID            `json:",omitempty"` // the node that it left because that was drained
	Held       *held                     `json:",omitempty"` // the slot that it waits for
	Job        *job                      `json:",omitempty"` // what is being done with it
	Queue      []Request                 `json:",omitempty"` // what is to be done next
}

func newService() *service { return &service{State: cluster.Uninitialized} }

// score says how well a node suits a service.
type score int

const (
	illegal score = iota
	good
	better
	best
)

func (s score) String() string { return [...]string{"illegal", "good", "better", "best"}[s] }

// domain returns the failover domain that binds a service, or nil.
func (m *Machine) domain(c *conf.Service) *conf.FailoverDomain {
	for i := range m.conf.Domains {
		if d := &m.conf.Domains[i]; c.Domain != "" && strings.EqualFold(d.Name, c.Domain) {
			return d
		}
	}
	return nil
}

// score rates node id for a service (rgmanager, "Failover domains and choice
// of node"). online are the nodes that count as members.
func (m *Machine) score(c *conf.Service, s *service, id cluster.NodeID, online cluster.NodeIDs) score {
	if !online.Has(id) {
		return illegal
	}
	d := m.domain(c)
	if d == nil {
		return best
	}
	var mine *conf.DomainMember
	others, ahead := false, false // members online; members online that come before id
	for i := range d.Members {
		if n := m.conf.NodeByName(d.Members[i].Node); n != nil && n.ID == id {
			mine = &d.Members[i]
		}
	}
	for _, member := range d.Members {
		if !m.isOnline(member.Node, online) {
			continue
		}
		others = true
		ahead = ahead || mine != nil && member.Priority < mine.Priority
	}
	switch {
	case mine == nil && d.Restricted:
		return illegal
	case mine == nil && others:
		return good
	case mine == nil:
		return best
	case d.NoFailback && s.Owner == id:
		return best
	case d.NoFailback && s.Owner != 0 && online.Has(s.Owner):
		return better
	case d.Ordered && ahead:
		return better
	}
	return best
}

// isOnline looks a domain's node up without regard to case, while score wants
// the exact name: so did the original.
func (m *Machine) isOnline(name string, online cluster.NodeIDs) bool {
	return slices.ContainsFunc(m.conf.Nodes, func(n conf.Node) bool {
		return strings.EqualFold(n.Name, name) && online.Has(n.ID)
	})
}

// bestTarget chooses among candidates the node that suits a service best; of
// equals the last, as the original did. It reports false when none may run it.
func (m *Machine) bestTarget(name string, c *conf.Service, s *service, candidates, online cluster.NodeIDs) (cluster.NodeID, bool) {
	var target cluster.NodeID
	high := illegal
	for _, id := range candidates {
		sc := m.score(c, s, id, online)
		if sc == illegal || m.conflict(name, c, id) {
			continue
		}
		if sc >= high {
			target, high = id, sc
		}
	}
	return target, target != 0
}

// conflict reports whether exclusive forbids a service on a node
// (rgmanager, "Exclusive services").
func (m *Machine) conflict(name string, c *conf.Service, id cluster.NodeID) bool {
	return m.rival(name, c, id) != ""
}

// rival returns the first service because of which exclusive forbids another
// one on a node; empty: none does.
func (m *Machine) rival(name string, c *conf.Service, id cluster.NodeID) string {
	if !m.exclusive {
		return ""
	}
	for _, e := range m.order {
		if o := e.s; o != nil && e.name != name && (c.Exclusive > 0 || e.conf.Exclusive > 0) &&
			(o.Owner == id && (o.State == cluster.Started || o.State == cluster.Starting) || o.bound(id)) {
			return e.name
		}
	}
	return ""
}

// bound reports whether the service is about to be started on a node, or on its
// way there.
func (s *service) bound(id cluster.NodeID) bool {
	j := s.Job
	if j == nil {
		return false
	}
	switch j.Phase {
	case finding:
		return j.On == id && j.Kind != look
	case migrating, settling:
		return j.Prefer == id
	}
	return false
}

// dependencyMet reports whether what a service depends on is started; what
// nobody knows counts as met.
func (m *Machine) dependencyMet(c *conf.Service) bool {
	o := m.Services[c.Depend]
	return c.Depend == "" || o == nil || o.State == cluster.Started
}

// blockers returns the nodes that keep a service from being started on id:
// they may run it, and cannot be asked.
func (m *Machine) blockers(s *service, id cluster.NodeID) cluster.NodeIDs {
	var ids cluster.NodeIDs
	for _, n := range s.MayRun {
		if n != id && (m.Nodes[n] == nil || !m.Nodes[n].Ready) {
			ids = append(ids, n)
		}
	}
	return ids
}

// learn takes over a node's definition of a machine: of the node that had the
// machine last, where an administrator edits it, or of the first that has one.
func (m *Machine) learn(s *service, from cluster.NodeID, d Definition) {
	switch {
	case d.XML == "":
	case d.Kept && s.Definition == "":
		s.Definition = d.XML
	case !d.Kept && (s.DefinedOn == 0 || s.DefinedOn == from):
		s.Definition, s.DefinedOn = d.XML, from
	}
}

func (m *Machine) defined(ev Defined) {
	if s := m.Services[ev.Service]; s != nil {
		m.learn(s, ev.Node, Definition{XML: ev.Definition})
	}
}

// evaluate considers starting every service, on every ready node, lowest id
// first (rgmanager, "Events and what they trigger"). The lowest priority number
// gets the first slot.
func (m *Machine) evaluate() {
	online := m.willing()
	for _, e := range m.ranked {
		if e.s != nil {
			m.consider(e.name, e.conf, e.s, online)
		}
	}
}

// halfWay reports whether a state is one of passage: without a job it would
// never end.
func halfWay(st cluster.State) bool {
	switch st {
	case cluster.Starting, cluster.Stopping, cluster.Recoverable, cluster.Recovering:
		return true
	}
	return false
}

// lost reports whether a service may run, nobody knows where, and there will
// be no start that finds it: cluster.conf does not list it any more, or without
// autostart.
func (m *Machine) lost(name string, c *conf.Service, s *service) bool {
	if len(s.MayRun) == 0 {
		return false
	}
	return s.State == cluster.Uninitialized && !c.Autostart ||
		(s.State == cluster.Uninitialized || s.State == cluster.Stopped) && m.retired(name)
}

// consider starts a service that is stopped, or has it looked for when its job
// was given up as a node went down. What is blocked is considered again when
// the nodes have answered or are fenced.
func (m *Machine) consider(name string, c *conf.Service, s *service, online cluster.NodeIDs) {
	if !m.Quorate || s.Job != nil || len(s.Seen) > 1 || len(m.blockers(s, 0)) > 0 {
		return
	}
	if halfWay(s.State) || m.lost(name, c, s) {
		if len(s.MayRun) > 0 {
			m.begin(name, c, s, &job{Kind: look, Home: s.MayRun[0], Why: "it was left half-way"})
			return
		}
		s.State = cluster.Stopped
	}
	if s.State != cluster.Stopped && s.State != cluster.Uninitialized || m.Locked || len(online) == 0 || m.retired(name) {
		return
	}
	ids := m.candidates(name, c, s, online)
	switch {
	case s.Changed == 0 && !c.Autostart && s.Flags&cluster.Frozen == 0:
		s.State = cluster.Disabled
	case s.State == cluster.Uninitialized:
		s.State = cluster.Stopped
	}
	if len(ids) == 0 {
		return
	}
	for _, id := range ids {
		if m.hasSlot(startSlot, id) {
			m.begin(name, c, s, &job{Kind: start, Home: id, Why: m.why(name, c, s, id, online)})
			return
		}
	}
	m.hold(name, s, startSlot, ids...)
}

// candidates returns the nodes that would by themselves start a service that
// does not run.
func (m *Machine) candidates(name string, c *conf.Service, s *service, online cluster.NodeIDs) cluster.NodeIDs {
	switch {
	case s.Flags&cluster.Frozen != 0, s.State == cluster.Disabled, s.State == cluster.Failed,
		s.State == cluster.Recovering, s.Changed == 0 && !c.Autostart, !m.dependencyMet(c):
		return nil
	}
	return slices.DeleteFunc(slices.Clone(online), func(id cluster.NodeID) bool {
		return id == s.Owner || m.score(c, s, id, online) != best || m.conflict(name, c, id)
	})
}

// failback moves services to a node that came up where they belong. One that
// something is being done with is looked at when that has ended.
func (m *Machine) failback(id cluster.NodeID) {
	m.inOrder(func(name string, c *conf.Service, s *service) {
		if s.Job != nil {
			s.Job.Came = s.Job.Came.With(id)
			return
		}
		m.moveTo(name, c, s, id)
	})
}

// moveTo moves a service to a node, if it runs and that node suits it better.
func (m *Machine) moveTo(name string, c *conf.Service, s *service, id cluster.NodeID) {
	online := m.willing()
	if m.Locked || len(s.Seen) > 1 || s.Job != nil || s.State != cluster.Started || s.Flags&cluster.Frozen != 0 || s.Owner == id ||
		m.conflict(name, c, id) || m.score(c, s, id, online) <= m.score(c, s, s.Owner, online) {
		return
	}
	word, kind := "Relocating", relocate
	if migratory(c) {
		word, kind = "Migrating", migrate
	}
	m.note(s.Owner, "notice", "%s %s to better node %s", word, name, m.nodeName(id))
	m.begin(name, c, s, &job{Kind: kind, Home: s.Owner, Prefer: id, Why: m.why(name, c, s, id, online)})
}

// dependants reacts to a service that was started or stopped.
func (m *Machine) dependants(name string) {
	online := m.willing()
	m.inOrder(func(other string, c *conf.Service, s *service) {
		if c.Depend != name {
			return
		}
		if m.dependencyMet(c) {
			m.consider(other, c, s, online)
		} else if s.Job == nil && s.State == cluster.Started && s.Flags&cluster.Frozen == 0 {
			m.note(s.Owner, "warning", "Stopping service %s: Dependency missing", other)
			m.begin(other, c, s, &job{Kind: stop, Home: s.Owner, Why: "it depends on " + name})
		}
	})
}

// migratory reports whether a service can be moved while it runs.
func migratory(c *conf.Service) bool { return c.VM != nil && !c.Children }
