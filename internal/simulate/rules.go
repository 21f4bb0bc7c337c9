package simulate

import (
	"slices"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
)

// rules remembers what it takes to see that a service is not put where
// cluster.conf or an administrator does not want it. What has changed only just
// now is left alone: a decision may be older.
type rules struct {
	stands  map[string]stand // services that are started, and that nothing is being done with
	ran     map[string]int64 // when a service last had an owner
	drained map[cluster.NodeID]int64
	locked  int64
}

// stand is where a service is, and since when.
type stand struct {
	on    cluster.NodeID
	since int64
}

const (
	brief = 20_000 // a decision that waits for an answer
	long  = 60_000 // one that waits for a slot, too
)

func newRules() rules {
	return rules{stands: map[string]stand{}, ran: map[string]int64{}, drained: map[cluster.NodeID]int64{}}
}

// saw takes in how a service stands.
func (r *rules) saw(name string, rec rgmanager.Record, now int64) {
	if rec.Owner != 0 {
		r.ran[name] = now
	}
	switch {
	case !rec.Started:
		delete(r.stands, name)
	case r.stands[name].on != rec.Owner:
		r.stands[name] = stand{rec.Owner, now}
	}
}

// asked takes in a request for the whole of the cluster or a node.
func (r *rules) asked(w *wish, now int64) {
	switch w.verb {
	case "drain", "undrain":
		r.drained[w.target] = now
	case "lock", "unlock":
		r.locked = now
	}
}

// placed looks whether a service may be started on a node, or moved there. One
// that somebody wanted started or moved may end as a last resort where the
// request was made; one that was moved with virsh may be restarted there.
func (s *Sim) placed(p *process, name string, on cluster.NodeID, start bool) {
	c := p.core.Conf()
	svc := c.Service(name)
	if svc == nil || s.split || s.tampered[svc.Name] || s.wanted["enable "+name] || s.wanted["relocate "+name] || s.wanted["restart "+name] {
		return
	}
	if d := domainOf(c, svc); d != nil && d.Restricted && !lists(c, d, on) {
		s.fail("rule", "%s is put on node %d, which its domain does not have", name, on)
	}
	for i := range c.Services {
		o := &c.Services[i]
		at := s.stands[o.FullName()]
		now, _ := p.core.Machine().Record(o.FullName())
		if o != svc && now.Started && now.Owner == on && at.on == on && at.since < s.now-brief && (svc.Exclusive > 0 || o.Exclusive > 0) && !s.tampered[o.Name] && lastOwner(p.core.Machine().Status(p.h.id), name) != on {
			s.fail("rule", "%s is put on node %d, where %s is: one of them is exclusive", name, on, o.FullName())
		}
	}
	listed := func(o service) bool { return "vm:"+o.name == svc.Depend } // else it is about to go
	if start && slices.ContainsFunc(s.settings(p.core.Text()).services, listed) && s.ran[svc.Depend] < s.now-long {
		s.fail("rule", "%s is started on node %d, and depends on %s, which is not", name, on, svc.Depend)
	}
	st := p.core.Machine().Status(p.h.id)
	for _, m := range st.Members {
		if m.ID == on && m.Drained && s.drained[on] < s.now-long && (!start || lastOwner(st, name) != on) {
			s.fail("rule", "%s is put on node %d, which is drained", name, on)
		}
	}
	if start && st.Manager.Locked && s.locked < s.now-long {
		s.fail("rule", "%s is started on node %d, though services are locked", name, on)
	}
}

func domainOf(c *conf.Config, svc *conf.Service) *conf.FailoverDomain {
	for i := range c.Domains {
		if svc.Domain != "" && c.Domains[i].Name == svc.Domain {
			return &c.Domains[i]
		}
	}
	return nil
}

func lists(c *conf.Config, d *conf.FailoverDomain, id cluster.NodeID) bool {
	for _, m := range d.Members {
		if n := c.NodeByName(m.Node); n != nil && n.ID == id {
			return true
		}
	}
	return false
}

func lastOwner(st cluster.Status, service string) cluster.NodeID {
	for _, svc := range st.Services {
		if svc.Name == service {
			return svc.LastOwner
		}
	}
	return 0
}
