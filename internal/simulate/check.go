package simulate

import (
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/daemon"
	"fangnetz/internal/rgmanager"
)

// checks hold a cluster to the list of package safety, I1 to I11, and remember
// what they need for that.
type checks struct {
	broken error // the first invariant that was broken

	gone     map[member]cluster.Reason // how a life of a cmand ended
	inForce  map[int]string            // texts of cluster.conf, by version
	pushed   map[int]bool              // versions whose update was acknowledged by all
	digests  map[moment]uint64         // of what the machines know
	fences   []int64                   // when
	formedAt int64                     // when a cluster last formed anew, and forgot what was acknowledged
	split    bool                      // a two-node cluster was: each half has its own truth

	tampered map[string]bool  // machines that an administrator started or moved himself
	stuck    map[string]bool  // machines whose stop failed, or that nobody could tell of
	wanted   map[string]bool  // request and service: was asked for
	lifted   map[string]int64 // services: when something was asked for that ends frozen or disabled
	frozen   map[string]mark  // services for which that was acknowledged
	disabled map[string]mark

	rules
}

// moment is a place in the order that all replicas share.
type moment struct {
	ring    cluster.RingID
	lives   int // of those who take part
	applied uint64
}

// mark is where in that order something was acknowledged.
type mark struct{ applied uint64 }

func newChecks() checks {
	return checks{gone: map[member]cluster.Reason{}, inForce: map[int]string{}, pushed: map[int]bool{}, digests: map[moment]uint64{},
		tampered: map[string]bool{}, stuck: map[string]bool{}, wanted: map[string]bool{}, lifted: map[string]int64{},
		frozen: map[string]mark{}, disabled: map[string]mark{}, rules: newRules()}
}

func (s *Sim) fail(invariant, format string, args ...any) {
	if s.broken == nil {
		s.broken = fmt.Errorf("%s at %d ms: %s", invariant, s.now, fmt.Sprintf(format, args...))
		s.trace(0, "%v", s.broken)
	}
}

// started is told before a machine begins to run on a host: I1 and I2, by what
// is, not by what anybody believes. What an administrator started is held
// against the cluster only when it has asked there since: nothing helps against
// one who starts a machine at the same time.
func (s *Sim) started(h *host, name string, admin bool) {
	for _, o := range s.hosts {
		switch m := o.machines[name]; {
		case m == nil:
		case admin || m.admin && (m.asked < m.since || s.split):
			s.tampered[name] = true
		default:
			s.fail("I1", "machine %s begins on node %d while it runs on node %d", name, h.id, o.id)
		}
	}
}

// limited looks whether a node has more to do at a time than cluster.conf lets
// it have. What was decided in an earlier ring may be nobody's any more. A stop
// that cleans up after a start has the place of that.
func (s *Sim) limited(p *process) {
	if s.split {
		return
	}
	type load struct{ starts, stops, migrations int }
	loads, limits := map[cluster.NodeID]load{}, p.core.Conf().Limits
	for _, h := range s.hosts {
		if h.proc == nil || h.proc.ring != p.ring {
			continue
		}
		for _, o := range h.proc.tasks {
			if o.ring != p.ring {
				continue
			}
			l := loads[h.id]
			switch a := o.task.Action.(type) {
			case rgmanager.Start:
				l.starts++
			case rgmanager.Stop:
				if !a.Hard {
					l.stops++
				}
			case rgmanager.Migrate:
				l.migrations++
				to := loads[a.To]
				to.migrations++
				loads[a.To] = to
			}
			loads[h.id] = l
		}
	}
	for id, l := range loads {
		if l.starts > limits.Starts || l.stops > limits.Stops+limits.Starts || l.migrations > limits.Migrations {
			s.fail("I12", "node %d has too much to do at a time: %+v", id, l)
		}
	}
}

// begun is told when a node is told to do something: I3 and I11.
func (s *Sim) begun(p *process, service, what string) {
	s.limited(p)
	if what != "stop" && !p.quorate {
		s.fail("I3", "node %d is to %s %s without quorum", p.h.id, what, service)
	}
	if s.split {
		return
	}
	if f, ok := s.frozen[service]; ok && p.core.Applied() > f.applied {
		s.fail("I11", "node %d is to %s %s, which is frozen", p.h.id, what, service)
	}
	if d, ok := s.disabled[service]; ok && what != "stop" && p.core.Applied() > d.applied {
		s.fail("I11", "node %d is to %s %s, which is disabled", p.h.id, what, service)
	}
}

// performed is told of what an operation has led to.
func (s *Sim) performed(o *op, end rgmanager.Event) {
	d, _ := end.(rgmanager.Done)
	f, _ := end.(rgmanager.Found)
	switch a := o.task.Action.(type) {
	case rgmanager.Stop:
		if d.Error != "" {
			s.stuck[a.Service] = true
		}
	case rgmanager.Find:
		for i, q := range a.Services {
			if f.Services[i].Error != "" {
				s.stuck[q.Service] = true
			}
		}
	}
}

// told is told when a core has heard the end of an operation.
func (s *Sim) told(o *op, end rgmanager.Event) {
	f, ok := end.(rgmanager.Found)
	if !ok {
		return
	}
	for i, q := range o.task.Action.(rgmanager.Find).Services {
		if m := o.p.h.machines[machineOf(q.Service)]; m != nil && f.Services[i].Error == "" {
			m.looks[q.Op] = o.at
		}
	}
}

// heard is told when a cluster has heard what a node found.
func (s *Sim) heard(f rgmanager.Found) {
	for _, seen := range f.Services {
		for _, m := range s.host(f.Node).machines {
			if at, ok := m.looks[seen.Op]; ok {
				m.asked = at
			}
		}
	}
}

// wished is told of a request that is about to be made.
func (s *Sim) wished(w *wish) {
	s.wanted[w.verb+" "+w.service] = true
	s.asked(w, s.now)
	switch w.verb {
	case "unfreeze", "enable", "relocate", "restart", "migrate":
		delete(s.frozen, w.service)
		delete(s.disabled, w.service)
		s.lifted[w.service] = s.now
	}
}

// replied takes an answer: I9.
func (s *Sim) replied(p *process, r rgmanager.Reply) {
	w := p.asked[r.ID]
	switch {
	case w == nil && !strings.HasPrefix(r.ID, p.boot()+"-"):
		return // who asked is gone
	case w == nil:
		s.fail("I9", "node %d is told the answer %q, and has not asked", p.h.id, r)
		return
	case w.answered:
		s.fail("I9", "node %d is told the answer to %s %s twice, now %q", p.h.id, w.verb, w.service, r)
		return
	}
	w.answered = true
	s.trace(p.h.id, "answer to %s %s: %s", w.verb, w.service, r.Result)
	if w.verb == "update" && r.Result == cluster.Success {
		s.pushed[r.To] = true
	}
	const order = 45_000 // within that, requests may overtake each other
	if p.core.Conf().Service(w.service) == nil {
		return // taken out of cluster.conf meanwhile
	}
	if lifted, ok := s.lifted[w.service]; r.Result == cluster.Success && (!ok || lifted < w.at-order) && w.at >= s.formedAt {
		switch w.verb {
		case "freeze":
			s.frozen[w.service] = mark{p.core.Applied()}
		case "disable":
			s.disabled[w.service] = mark{p.core.Applied()}
		}
	}
}

// configured is told of a configuration that is in force on a node: I5.
func (s *Sim) configured(p *process, c *conf.Config) {
	s.trace(p.h.id, "version %d is in force", c.Version)
	for _, acknowledged := range []map[string]mark{s.frozen, s.disabled} {
		maps.DeleteFunc(acknowledged, func(name string, _ mark) bool { return c.Service(name) == nil })
	}
	if c.Version < p.version && s.pushed[p.version] && !s.wanted["wipe"] {
		s.fail("I5", "node %d went from version %d back to %d", p.h.id, p.version, c.Version)
	}
	p.version = c.Version
}

var seedOfDigest = maphash.MakeSeed()

// stepped is told of all that one delivery has led to: I4, and where a cluster
// that forms anew has forgotten what was acknowledged.
func (s *Sim) stepped(p *process, effects []daemon.Effect) {
	m := p.core.Machine()
	if m == nil || m == p.machine && p.core.Applied() == p.applied {
		return
	}
	if m != p.machine { // it may have formed anew, in the same ring
		maps.DeleteFunc(s.digests, func(at moment, _ uint64) bool { return at.ring == p.ring })
	}
	p.machine, p.applied = m, p.core.Applied()
	for _, e := range effects {
		if ev, ok := e.(daemon.Happened); ok {
			if ev, ok := ev.Event.(rgmanager.Membership); ok {
				if ev.Quorate && !p.formed {
					clear(s.frozen)
					clear(s.disabled)
					s.formedAt = s.now
				}
				p.formed = ev.Quorate
			}
		}
	}
	s.picture(p, m)
	if !p.core.InStep() {
		return
	}
	var d maphash.Hash
	d.SetSeed(seedOfDigest)
	for i := range m.Conf().Services {
		name := m.Conf().Services[i].FullName()
		r, _ := m.Record(name)
		if p.quorate {
			s.saw(name, r, s.now)
		}
		d.WriteString(name)
		write := func(n uint64) { d.WriteByte(byte(n)); d.WriteByte(byte(n >> 8)); d.WriteByte(byte(n >> 16)) }
		write(uint64(r.Owner))
		write(r.Op.N)
		write(r.Op.Ring.Seq)
		if r.Started {
			d.WriteByte(1)
		}
		for _, id := range m.MayRunOn(name) {
			write(uint64(id))
		}
	}
	at := moment{p.ring, p.lives, p.applied}
	sum := d.Sum64()
	if other, ok := s.digests[at]; ok && other != sum {
		s.fail("I4", "node %d has another picture than others after event %d in ring %s", p.h.id, p.applied, p.ring)
	}
	s.digests[at] = sum
}

// patrol looks now and then whether nodes without quorum have stopped what
// they ran: I3. Those whose libvirtd or cmand does not work cannot. One that
// lost quorum does so at once, when the members that are left have agreed on
// that; only a cmand that came up without it takes its time.
func (s *Sim) patrol() {
	for _, h := range s.hosts {
		p := h.proc
		bound := int64(60_000)
		if p != nil && p.hadQuorum && s.now-p.viewAt > 13_000 {
			bound = 28_000
		}
		if p == nil || p.core.Machine() == nil || p.quorate || s.now-p.quorateAt < bound || s.now-h.mutedUntil < bound || s.now-p.stalledUntil < bound {
			continue
		}
		for _, name := range sorted(h.machines) {
			ours := p.core.Conf().Service("vm:"+name) != nil // else a frozen one was taken out of cluster.conf
			if ours && !s.tampered[name] && !s.stuck["vm:"+name] {
				s.fail("I3", "machine %s runs on node %d, which has no quorum for %d s", name, h.id, (s.now-p.quorateAt)/1000)
			}
		}
	}
	s.after(5000, s.patrol)
}

// listed returns the hosts that the cluster.conf in force lists.
func (s *Sim) listed() []*host {
	p := s.inStep()
	if p == nil {
		return s.hosts
	}
	var list []*host
	for _, n := range p.core.Conf().Nodes {
		list = append(list, s.host(n.ID))
	}
	return list
}

// overruled reports whether a host has a cluster.conf with a higher version than
// the one in force: that was lost with a disk.
func (s *Sim) overruled() bool {
	p := s.inStep()
	return p != nil && slices.ContainsFunc(s.hosts, func(h *host) bool { return versionOf(h.disk.conf) > p.core.Conf().Version })
}

// even reports whether all machines are the same.
func (s *Sim) even() bool {
	last := ""
	for _, h := range s.listed() {
		if h.proc == nil || h.proc.core.Machine() == nil {
			return false
		}
		hash, err := h.proc.core.Machine().Hash()
		if err != nil || last != "" && hash != last {
			return false
		}
		last = hash
	}
	return true
}

// final looks whether a cluster without faults is whole again: I4, I5, I8, I9
// and I10.
func (s *Sim) final() {
	hash, ring, listed := "", cluster.RingID{}, s.listed()
	for _, h := range s.hosts {
		if slices.Contains(listed, h) {
			continue
		}
		for _, name := range sorted(h.machines) {
			if !s.tampered[name] && listed[0].proc.core.Conf().Service("vm:"+name) != nil {
				s.fail("I10", "machine %s runs on node %d, which is not in cluster.conf any more", name, h.id)
			}
		}
	}
	for _, h := range listed {
		p := h.proc
		if p == nil || !p.core.InStep() || !p.quorate {
			if s.wanted["wipe"] && s.overruled() {
				return // with another list of nodes, that keeps h apart
			}
			s.fail("I10", "node %d takes no part: %+v", h.id, p != nil)
			return
		}
		own, err := p.core.Machine().Hash()
		switch {
		case err != nil:
			s.fail("I4", "%v", err)
		case hash != "" && (own != hash || p.ring != ring):
			s.fail("I4", "node %d has another picture than node %d", h.id, listed[0].id)
		case h.disk.conf != p.core.Text() && versionOf(h.disk.conf) <= p.core.Conf().Version: // a higher one stays, and is told of
			s.fail("I5", "node %d has another cluster.conf than the one in force", h.id)
		case h.disk.staged != "":
			s.fail("I5", "node %d keeps a cluster.conf that was refused", h.id)
		}
		hash, ring = own, p.ring
		for _, id := range sorted(p.asked) {
			if w := p.asked[id]; !w.answered {
				s.fail("I9", "node %d was never told the answer to %s %s", h.id, w.verb, w.service)
			}
		}
	}
	if n := len(s.fences); n > 0 && s.fences[n-1] > s.now-settleTime {
		s.fail("I8", "nodes are fenced in a cluster without faults")
	}
	s.whole(listed[0].proc.core.Machine())
}

// whole looks whether every service is where it should be.
func (s *Sim) whole(m *rgmanager.Machine) {
	st := m.Status(1)
	if len(st.Fencing) > 0 {
		s.fail("I10", "node %d is still to be fenced: %s", st.Fencing[0].Node, st.Fencing[0].LastError)
	}
	doubled := slices.ContainsFunc(st.Services, func(svc cluster.Service) bool { return len(svc.Seen) > 0 })
	for _, svc := range st.Services {
		c, name := m.Conf().Service(svc.Name), machineOf(svc.Name)
		var on cluster.NodeIDs
		for _, h := range s.hosts {
			if h.machines[name] != nil {
				on = append(on, h.id)
			}
		}
		troubled := s.tampered[name] || s.stuck[svc.Name]
		depends := slices.IndexFunc(st.Services, func(o cluster.Service) bool { return o.Name == c.Depend && o.State != cluster.Started })
		switch {
		case m.Doing(svc.Name) != "" && len(svc.Seen) == 0:
			s.fail("I10", "%s is still busy: %s", svc.Name, m.Doing(svc.Name))
		case svc.Flags&cluster.Frozen != 0 || len(svc.Seen) > 0:
		case svc.State == cluster.Started && !slices.Equal(on, cluster.NodeIDs{svc.Owner}) && !troubled:
			s.fail("I10", "%s is shown on node %d and runs on %v", svc.Name, svc.Owner, on)
		case svc.State == cluster.Started:
		case len(on) > 0 && !troubled:
			s.fail("I10", "%s is shown as %s and runs on %v", svc.Name, svc.State, on)
		case svc.State == cluster.Stopped && c.Domain != "" && len(m.Conf().Nodes) < len(s.hosts): // no node of its domain is left
		case svc.State == cluster.Stopped && (depends >= 0 || s.set.exclusive() || doubled): // with a double a node cannot leave, nor come back
		case svc.State == cluster.Disabled && (s.wanted["disable "+svc.Name] || !c.Autostart || strings.Contains(c.Recovery, "disable") || s.wanted["update "]):
		case svc.State == cluster.Failed && (troubled || s.wanted["relocate "+svc.Name]):
		default:
			s.fail("I10", "%s is %s in a cluster without faults", svc.Name, svc.State)
		}
	}
}

// picture traces what a machine knows, where that has changed.
func (s *Sim) picture(p *process, m *rgmanager.Machine) {
	if s.Trace == nil {
		return
	}
	for _, svc := range m.Status(p.h.id).Services {
		line := fmt.Sprintf("%s %s on %d may run on %v %s", svc.Name, svc.State, svc.Owner, m.MayRunOn(svc.Name), m.Doing(svc.Name))
		if p.shown[svc.Name] != line {
			p.shown[svc.Name] = line
			s.trace(p.h.id, "    %s", line)
		}
	}
}
