package rgmanager

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// victim is a node on its way to being fenced.
type victim struct {
	Since    Time
	Op       Op             // of the Fence under way; 0: none
	By       cluster.NodeID // the member that carries it out
	Attempts int            // that failed
	Error    string         // of the latest
	Why      string         // it must be fenced
}

// condemn decides that a node is to be fenced, after a delay in which it may
// still come back (cman, "Fencing semantics").
func (m *Machine) condemn(id cluster.NodeID, delay time.Duration, why string) {
	n := m.Nodes[id]
	if n.Victim != nil {
		return
	}
	n.Victim = &victim{Since: m.Now, Why: why}
	m.unwait("grace", id)
	m.inOrder(func(name string, _ *conf.Service, s *service) {
		if s.Job != nil && s.Job.On == id {
			s.Job.because("%s went down", m.nodeName(id))
			unwanted := s.Job.Kind == disable || s.Job.Kind == remove
			m.abandon(name, s, cluster.TargetDead)
			if unwanted { // it must not be recovered elsewhere
				s.Owner, s.LastOwner, s.State = 0, cmp.Or(s.Owner, s.LastOwner), cluster.Disabled
			}
		}
		if s.Owner == id && s.Job == nil {
			s.Owner, s.LastOwner, s.State = 0, id, cluster.Recoverable
		}
		if len(s.MayRun) == 0 { // cut off from us, it may have a quorum of its own and start it
			s.MayRun = cluster.NodeIDs{id}
		}
	})
	if delay > 0 {
		m.wait(delay, "fence", id)
		return
	}
	m.fence(id)
}

// fence has the senior member fence a victim.
func (m *Machine) fence(id cluster.NodeID) {
	n := m.Nodes[id]
	if n == nil || n.Victim == nil || n.Victim.Op != (Op{}) || !m.Quorate {
		return
	}
	n.Victim.Op, n.Victim.By = m.nextOp(), m.senior()
	m.note(n.Victim.By, "info", "fencing node %s", m.nodeName(id))
	m.do(Fence{Op: n.Victim.Op, On: n.Victim.By, Victim: id})
}

// spare drops a victim that needs no fencing any more.
func (m *Machine) spare(id cluster.NodeID) {
	n := m.Nodes[id]
	m.unwait("grace", id)
	m.unwait("fence", id)
	if n.Victim == nil {
		return
	}
	if n.Victim.Op != (Op{}) {
		m.do(StopFencing{Op: n.Victim.Op, On: n.Victim.By, Victim: id})
	}
	n.Victim = nil
}

// fenced ends an attempt: the victim's services are free, or it is tried
// again after override_time, for ever.
func (m *Machine) fenced(ev Fenced) {
	n := m.Nodes[ev.Victim]
	if n == nil || n.Victim == nil || n.Victim.Op != ev.Op {
		return
	}
	v := n.Victim
	if ev.Error != "" {
		m.note(v.By, "err", "fence %s failed", m.nodeName(ev.Victim))
		if ev.Error != v.Error { // attempts may go on for days
			m.record(cluster.Entry{Began: v.Since, What: "fence", From: v.By, To: ev.Victim, Result: cluster.Failure, Reason: ev.Error})
		}
		v.Op, v.By, v.Error = Op{}, 0, ev.Error
		v.Attempts++
		m.wait(max(m.conf.FenceDaemon.OverrideTime, time.Second), "fence", ev.Victim)
		return
	}
	m.note(v.By, "notice", "fence %s success", m.nodeName(ev.Victim))
	m.record(cluster.Entry{Began: v.Since, What: "fence", From: v.By, To: ev.Victim, Reason: v.Why})
	v.Op = Op{}
	m.off(ev.Victim)
}

// acknowledged is fence_ack_manual: the administrator says that the victim is
// off.
func (m *Machine) acknowledged(ev Acknowledged) {
	n := m.Nodes[ev.Node]
	switch {
	case !m.Quorate:
		m.do(Reply{On: ev.From, ID: ev.ID, Result: cluster.NoQuorum})
		return
	case n == nil || n.Victim == nil && (n.Up || len(m.leftBehind(ev.Node)) == 0):
		m.do(Reply{On: ev.From, ID: ev.ID, Result: cluster.InvalidOperation,
			Problem: "node " + m.nodeName(ev.Node) + " is not waiting to be fenced"})
		return
	}
	m.note(0, "notice", "fence %s overridden by administrator intervention", m.nodeName(ev.Node))
	e := cluster.Entry{What: "fence", By: ev.By, To: ev.Node, Reason: "overridden"}
	if v := n.Victim; v != nil {
		e.Began, e.Reason = v.Since, "overridden: "+v.Why
	}
	m.record(e)
	m.do(Reply{On: ev.From, ID: ev.ID, Result: cluster.Success})
	m.off(ev.Node)
}

// leftBehind lists what a node may run of ours, or of what was ours.
func (m *Machine) leftBehind(id cluster.NodeID) []string {
	var names []string
	for name, s := range m.Services {
		if s.MayRun.Has(id) {
			names = append(names, name)
		}
	}
	for name, ids := range m.Loose {
		if ids.Has(id) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// off takes over what a node ran that is known to be off now.
func (m *Machine) off(id cluster.NodeID) {
	m.spare(id)
	m.Nodes[id].Clean = true
	m.inOrder(func(name string, c *conf.Service, s *service) {
		m.release(s, id)
		m.sent(name, c, s, id)
	})
	for name, ids := range m.Loose {
		m.Loose[name] = ids.Without(id)
	}
	maps.DeleteFunc(m.Loose, func(_ string, ids cluster.NodeIDs) bool { return len(ids) == 0 })
	m.evaluate()
}

// release marks a service as stopped if a node had it that is known to run it
// no more; a failed or disabled one stays so.
func (m *Machine) release(s *service, id cluster.NodeID) {
	s.without(id)
	s.Seen = s.Seen.Without(id)
	if s.Job != nil {
		s.Job.FoundOn = s.Job.FoundOn.Without(id) // it had answered before
	}
	if s.Job == nil && (s.Owner == id || s.State == cluster.Recoverable && s.LastOwner == id) {
		s.Owner, s.LastOwner, s.State = 0, id, cluster.Stopped
	}
}
