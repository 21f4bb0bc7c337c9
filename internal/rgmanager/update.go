package rgmanager

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// update is a new cluster.conf on its way: first every member stores it
// durably (staging), then all activate it, or all drop it.
type update struct {
	ID      string
	From    cluster.NodeID
	By      string
	Began   Time
	Text    string
	Version int
	Old     int             // the version before
	Active  bool            // all have stored it: being activated
	Op      Op              // of the phase
	Waiting cluster.NodeIDs // who has not ended the phase
	Errors  map[cluster.NodeID]string
}

// proposed begins to distribute a configuration that has a higher version.
// Its text was checked by the node that was asked.
func (m *Machine) proposed(ev Proposed) {
	refuse := func(r cluster.Result, problem string) {
		m.do(Reply{On: ev.From, ID: ev.ID, Result: r, From: m.conf.Version, Problem: problem})
	}
	doc, err := conf.Parse("cluster.conf", []byte(ev.Text))
	switch {
	case !m.Quorate:
		refuse(cluster.NoQuorum, "")
		return
	case m.Update != nil:
		refuse(cluster.TryAgain, "another update is under way")
		return
	case err != nil:
		refuse(cluster.Failure, err.Error())
		return
	}
	c, _ := doc.Config()
	switch {
	case c.Name != m.conf.Name:
		refuse(cluster.Failure, fmt.Sprintf("Cluster names for current and update configs do not match.\n"+
			"  Current cluster name:: <%s>\n  Proposed update name:: <%s>", m.conf.Name, c.Name))
		return
	case c.Version <= m.conf.Version:
		m.do(Reply{On: ev.From, ID: ev.ID, Result: cluster.InvalidOperation, From: m.conf.Version, To: c.Version,
			Problem: "Proposed updated config file does not have greater version number."})
		return
	}
	if problem := m.unfit(c); problem != "" {
		refuse(cluster.Failure, problem)
		return
	}
	m.Update = &update{ID: ev.ID, From: ev.From, By: ev.By, Began: m.Now, Text: ev.Text, Version: c.Version, Old: m.conf.Version,
		Errors: map[cluster.NodeID]string{}}
	m.updatePhase(func(op Op, id cluster.NodeID) Action { return Stage{Op: op, On: id, Text: ev.Text} })
}

// unfit says why a configuration cannot come into force as things stand; empty:
// it can. A node that is removed must be known to run nothing, for nobody could
// ask or fence it any more. The members must keep their quorum; and those whose
// cmand takes part must have one too, so that whoever forms a cluster later has
// one of them with it and learns of the new version.
func (m *Machine) unfit(c *conf.Config) string {
	var online, up cluster.NodeIDs
	for _, id := range m.nodeIDs() {
		n := m.Nodes[id]
		switch {
		case m.conf.NodeByID(id) == nil || c.NodeByID(id) != nil:
		case n.Up:
			return fmt.Sprintf("Node %s is a member: stop its cmand before it is removed.", m.nodeName(id))
		case !n.Clean:
			return fmt.Sprintf("Node %s is neither a member nor known to be off: it cannot be removed before it is fenced.", m.nodeName(id))
		default:
			if left := m.leftBehind(id); len(left) > 0 {
				return fmt.Sprintf("Node %s left and may still run %s: it cannot be removed before it is back, or off and fence_ack_manual says so.",
					m.nodeName(id), strings.Join(left, ", "))
			}
		}
		if n.Online {
			online = online.With(id)
		}
		if n.Up {
			up = up.With(id)
		}
	}
	if had, needed := votes(m.conf, online); had < needed {
		return "" // quorate by other means: the arithmetic says nothing
	}
	for _, conf := range []*conf.Config{m.conf, c} {
		if has, needed := votes(conf, up); has < needed && len(up) < len(online) {
			return fmt.Sprintf("Only %s can store the file now: these have %d of the votes, and %d are needed.", m.names(up), has, needed)
		}
	}
	if has, needed := votes(c, online); has < needed {
		return fmt.Sprintf("With this file %d of the votes are here and %d are needed: the cluster would lose its quorum and stop all services.", has, needed)
	}
	return ""
}

// votes counts the votes of some nodes, and those that a quorum needs (cman,
// "Quorum arithmetic").
func votes(c *conf.Config, online cluster.NodeIDs) (has, needed int) {
	sum := 0
	for _, n := range c.Nodes {
		sum += n.Votes
		if online.Has(n.ID) {
			has += n.Votes
		}
	}
	if c.TwoNode {
		return has, 1
	}
	return has, cmp.Or(c.ExpectedVotes, sum)/2 + 1
}

// updatePhase gives every member its part of the next phase.
func (m *Machine) updatePhase(action func(op Op, id cluster.NodeID) Action) {
	u := m.Update
	u.Op, u.Waiting = m.nextOp(), nil
	for _, id := range m.nodeIDs() {
		if m.Nodes[id].Up {
			u.Waiting = u.Waiting.With(id)
			m.do(action(u.Op, id))
		}
	}
}

// updateDone reports whether the operation was part of an update.
func (m *Machine) updateDone(ev Done) bool {
	u := m.Update
	if u == nil || u.Op != ev.Op {
		return false
	}
	if ev.Error != "" {
		u.Errors[ev.Node] = ev.Error
	}
	u.Waiting = u.Waiting.Without(ev.Node)
	m.updateNext()
	return true
}

// updateMembers takes nodes that are gone out of a running update: they fetch
// the agreed configuration when they come back.
func (m *Machine) updateMembers() {
	if m.Update == nil {
		return
	}
	for _, id := range m.Update.Waiting {
		if m.Nodes[id].Up {
			continue
		}
		m.Update.Waiting = m.Update.Waiting.Without(id)
		if m.Update.Active {
			m.Update.Errors[id] = "it went away; it takes the new version when it comes back"
		}
	}
	m.updateNext()
}

// unstage has every member drop what it has stored of an update that came to
// nothing.
func (m *Machine) unstage() {
	for _, id := range m.nodeIDs() {
		if m.Nodes[id].Up {
			m.do(Stage{On: id})
		}
	}
}

func (m *Machine) updateNext() {
	u := m.Update
	if len(u.Waiting) > 0 {
		return
	}
	reply := Reply{On: u.From, ID: u.ID, From: u.Old, To: u.Version}
	reply.Errors = u.Errors
	entry := cluster.Entry{Began: u.Began, What: "update", By: u.By, From: u.From, Reason: fmt.Sprintf("version %d to %d", u.Old, u.Version)}
	for _, id := range slices.Sorted(maps.Keys(u.Errors)) {
		entry.Reason += fmt.Sprintf(", %s: %s", m.nodeName(id), u.Errors[id])
	}
	if !u.Active && len(u.Errors) == 0 {
		doc, _ := conf.Parse("cluster.conf", []byte(u.Text)) // it was parsed when it was proposed
		c, _ := doc.Config()
		if reply.Problem = m.unfit(c); reply.Problem != "" { // by now
			entry.Reason += ": " + reply.Problem
		}
	}
	switch {
	case u.Active:
		m.Update = nil
		if len(u.Errors) > 0 {
			reply.Result = cluster.Warning
		}
		m.do(reply)
		entry.Result = reply.Result
		m.record(entry)
	case len(u.Errors) > 0 || reply.Problem != "":
		m.Update = nil
		m.unstage()
		reply.Result = cluster.Failure
		m.do(reply)
		entry.Result = reply.Result
		m.record(entry)
	default:
		u.Active, u.Errors = true, map[cluster.NodeID]string{}
		m.updatePhase(func(op Op, id cluster.NodeID) Action {
			return Activate{Op: op, On: id, Text: u.Text, Version: u.Version}
		})
		m.reconfigure(u.Text)
	}
}

// reconfigure puts a new configuration in force (rgmanager, "Configuration
// changes while running"). Services that stay are not touched; new ones are
// started when every node has said that it does not run them; those that were
// removed are stopped, save a frozen one, which is left running and not ours
// any more.
func (m *Machine) reconfigure(text string) {
	old := m.conf
	if err := m.load(text); err != nil {
		return // checked when it was proposed
	}
	m.note(0, "notice", "Reconfiguring")
	m.freeSlot() // the limits may have changed
	for _, n := range m.conf.Nodes {
		if m.Nodes[n.ID] == nil {
			m.Nodes[n.ID] = &node{Clean: true} // new: it never ran anything of ours
		}
	}
	for _, n := range old.Nodes {
		if gone := m.Nodes[n.ID]; m.conf.NodeByID(n.ID) == nil && !gone.Up {
			m.spare(n.ID)
			delete(m.Nodes, n.ID)
		}
	}
	for _, c := range old.Services {
		name := c.FullName()
		if s := m.Services[name]; s == nil || m.conf.Service(name) != nil {
			continue
		} else if s.Flags&cluster.Frozen != 0 {
			m.note(s.Owner, "notice", "%s removed from the config, but I am not stopping it.", name)
			m.record(cluster.Entry{Service: name, What: "remove", From: s.Owner, To: s.Owner, Reason: "it is frozen, and left running"})
			m.forget(name, s)
		} else {
			m.note(s.Owner, "notice", "%s was removed from the config", name)
			m.Retired = append(m.Retired, c)
			m.list(append(slices.Clone(m.conf.Services), c))
		}
	}
	var unknown cluster.NodeIDs
	for _, id := range m.nodeIDs() {
		if !m.Nodes[id].Clean {
			unknown = unknown.With(id)
		}
	}
	for _, c := range m.conf.Services {
		name := c.FullName()
		if m.Services[name] == nil {
			m.note(0, "notice", "%s was added to the config, but I am not initializing it.", name)
			m.Services[name] = newService()
			m.Services[name].MayRun = unknown
			for _, id := range m.Loose[name] {
				m.Services[name].MayRun = m.Services[name].MayRun.With(id)
			}
			delete(m.Loose, name)
		}
	}
	m.index()
	for _, id := range m.ready() {
		m.probe(id)
	}
}

// forget drops the record of a service that is not ours any more. A frozen one,
// and one that an administrator started although it is disabled, goes on.
func (m *Machine) forget(name string, s *service) {
	m.abandon(name, s, cluster.NoService)
	delete(m.Services, name)
	if len(s.MayRun) > 0 {
		if m.Loose == nil {
			m.Loose = map[string]cluster.NodeIDs{}
		}
		m.Loose[name] = s.MayRun
	}
}

// list changes the services of the configuration in force. Those who hold the
// one before may go on reading it.
func (m *Machine) list(services []conf.Service) {
	c := *m.conf
	c.Services = services
	m.conf = &c
}

// retired reports whether a service is not in cluster.conf any more.
func (m *Machine) retired(name string) bool {
	return slices.ContainsFunc(m.Retired, func(c conf.Service) bool { return c.FullName() == name })
}

// sweep stops what cluster.conf does not list any more, and forgets what is
// known to run nowhere. A failed one stays to be seen until an administrator
// has disabled it.
func (m *Machine) sweep() {
	if len(m.Retired) == 0 || !m.Quorate {
		return
	}
	for _, c := range slices.Clone(m.Retired) {
		name := c.FullName()
		s := m.Services[name]
		if s != nil && s.Job == nil && s.State == cluster.Started && m.ready().Has(s.Owner) {
			m.begin(name, &c, s, &job{Kind: remove, Home: s.Owner, Why: "it was removed from the configuration"})
		}
		if s == nil || s.Job == nil && (len(s.MayRun) == 0 && s.State != cluster.Failed || s.State == cluster.Disabled) {
			if s != nil {
				m.forget(name, s)
			}
			gone := func(o conf.Service) bool { return o.FullName() == name }
			m.Retired = slices.DeleteFunc(m.Retired, gone)
			m.list(slices.DeleteFunc(slices.Clone(m.conf.Services), gone))
			m.index()
		}
	}
}
