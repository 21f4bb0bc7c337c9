package simulate

import (
	"cmp"
	"slices"

	"fangnetz/internal/cluster"
	"fangnetz/internal/daemon"
)

// ring is one membership of the simulated corosync. What is sent in it is
// ordered by it; while it is torn nothing is.
type ring struct {
	id      cluster.RingID
	hosts   []*host
	quorate bool
	torn    bool
}

// entry is what a ring has ordered: a message, or a change of the group.
type entry struct {
	from   *host
	data   []byte
	change *change
	at     int64 // when the receiver has it
}

// change is a new list of those who take part: as a view, or in a ring that
// goes on.
type change struct {
	ring    *ring
	members []member
	quorate bool
}

// member is one life of a node's cmand.
type member struct {
	id  cluster.NodeID
	gen int
}

// topology looks who reaches whom. Rings that do not fit are torn, and formed
// anew when that has been noticed.
func (s *Sim) topology() {
	stale := false
	for _, h := range s.hosts {
		if r := h.ring; r != nil {
			r.torn = r.torn || !r.fits(s)
		}
		stale = stale || h.corosync && (h.ring == nil || h.ring.torn)
	}
	if stale && !s.reform {
		s.reform = true
		s.after(between(s.rng, 100, 2500), func() {
			s.reform = false
			s.form()
		})
	}
}

// reaches reports whether two hosts hear each other: each has the other in its
// list.
func (h *host) reaches(o *host) bool {
	return h == o || h.corosync && o.corosync && h.group == o.group && !h.parted.Has(o.id) &&
		h.listed.nodes.Has(o.id) && o.listed.nodes.Has(h.id)
}

// whole reports whether all of some hosts hear each other.
func whole(hosts ...*host) bool {
	for i, h := range hosts {
		for _, o := range hosts[:i] {
			if !h.reaches(o) {
				return false
			}
		}
	}
	return true
}

// fits reports whether the hosts of a ring hear each other, and no others that
// could come along.
func (r *ring) fits(s *Sim) bool {
	if !whole(r.hosts...) {
		return false
	}
	for _, h := range s.hosts {
		if !h.corosync || h.ring == r {
			continue
		}
		along := []*host{h}
		if h.ring != nil {
			along = h.ring.hosts
		}
		if whole(slices.Concat(r.hosts, along)...) {
			return false
		}
	}
	return true
}

// count is votequorum's verdict on a ring.
func (r *ring) count() bool {
	has, expected, twoNode := 0, 0, false
	for _, h := range r.hosts {
		has += h.listed.votes(h.id)
		sum := 0
		for _, id := range h.listed.nodes {
			sum += h.listed.votes(id)
		}
		expected, twoNode = max(expected, sum), twoNode || h.listed.twoNode
	}
	return has >= expected/2+1 || twoNode
}

// relist has a host's corosync read its list of nodes. A verdict that changes
// with it gets its place in the ring's order.
func (h *host) relist(text string) {
	h.listed = h.s.settings(text)
	h.s.topology()
	if r := h.ring; r != nil && !r.torn && r.count() != r.quorate {
		r.quorate = !r.quorate
		h.regroup()
	}
}

// tear makes a host's ring form anew, with whom it reaches then.
func (s *Sim) tear(h *host) {
	if h.ring != nil {
		h.ring.torn = true
		s.topology()
	}
}

// form makes the rings that fit.
func (s *Sim) form() {
	for _, first := range s.hosts {
		if !first.corosync || first.ring != nil && !first.ring.torn {
			continue
		}
		hosts := []*host{first}
		for _, h := range s.hosts {
			if h != first && h.corosync && (h.ring == nil || h.ring.torn) && whole(append(hosts, h)...) {
				hosts = append(hosts, h)
			}
		}
		slices.SortFunc(hosts, func(a, b *host) int { return cmp.Compare(a.id, b.id) })
		if hosts = s.fitting(hosts); len(hosts) == 0 {
			continue
		}
		s.seqRing += 4
		r := &ring{id: cluster.RingID{Node: hosts[0].id, Seq: s.seqRing}, hosts: hosts}
		for _, h := range hosts {
			s.recover(h, hosts)
		}
		r.quorate = r.count()
		c := &change{ring: r, quorate: r.quorate}
		for _, h := range hosts {
			h.ring = r
			if h.proc != nil {
				c.members = append(c.members, h.proc.member())
			}
		}
		for _, h := range hosts {
			if h.proc != nil {
				h.proc.joined = true
				h.proc.enter(c)
			}
			h.order()
		}
	}
}

// fitting ends the cmands that have just started their corosync when that hears
// hosts which do not come along: their cluster.conf is not the cluster's.
func (s *Sim) fitting(hosts []*host) []*host {
	return slices.DeleteFunc(slices.Clone(hosts), func(h *host) bool {
		misfit := h.ring == nil && h.proc != nil && slices.ContainsFunc(s.hosts, func(o *host) bool {
			return h.reaches(o) && !slices.Contains(hosts, o)
		})
		if misfit {
			h.refuse("its list of nodes is not the cluster's")
		}
		return misfit
	})
}

// recover gives a host what was ordered in its old ring, in order: all that
// some host has which comes along into the new one, and nothing else.
func (s *Sim) recover(h *host, along []*host) {
	for _, e := range h.pending {
		held := slices.ContainsFunc(along, func(o *host) bool {
			if o.ring != h.ring {
				return false
			}
			return o == e.from || !slices.ContainsFunc(o.pending, func(p *entry) bool { return p.same(e) && p.at > s.now })
		})
		if held {
			h.deliver(e)
		}
	}
	h.pending = nil
}

func (e *entry) same(o *entry) bool {
	if e.change != nil || o.change != nil {
		return e.change == o.change
	}
	return &e.data[0] == &o.data[0]
}

// send multicasts data, as soon as the ring lets it.
func (h *host) send(data []byte) {
	h.unsent = append(h.unsent, data)
	h.order()
}

// order has the ring order what a host has to send.
func (h *host) order() {
	if h.ring == nil || h.ring.torn || h.ordering || len(h.unsent) == 0 {
		return
	}
	h.ordering = true
	h.s.after(between(h.rng, 1, 8), func() {
		h.ordering = false
		if h.ring == nil || h.ring.torn || h.proc == nil || !h.proc.joined {
			return
		}
		for _, data := range h.unsent {
			h.ring.order(entry{from: h, data: data})
		}
		h.unsent = nil
	})
}

// order gives an entry to all hosts of the ring.
func (r *ring) order(e entry) {
	for _, h := range r.hosts {
		if h.proc == nil || !h.proc.joined {
			continue
		}
		own := e
		own.at = h.s.now + between(h.rng, 0, 6)
		if n := len(h.pending); n > 0 {
			own.at = max(own.at, h.pending[n-1].at)
		}
		h.pending = append(h.pending, &own)
		if len(h.pending) == 1 {
			h.s.after(own.at-h.s.now, h.receive)
		}
	}
}

// receive takes what has arrived.
func (h *host) receive() {
	for len(h.pending) > 0 && h.pending[0].at <= h.s.now {
		e := h.pending[0]
		h.pending = h.pending[1:]
		h.deliver(e)
	}
	if len(h.pending) > 0 {
		h.s.after(h.pending[0].at-h.s.now, h.receive)
	}
}

// regroup tells a ring that goes on who takes part now.
func (h *host) regroup() {
	if h.ring == nil || h.ring.torn {
		return // the next ring tells it
	}
	c := &change{ring: h.ring, quorate: h.ring.quorate}
	for _, o := range h.ring.hosts {
		if o.proc != nil {
			o.proc.joined = true
			c.members = append(c.members, o.proc.member())
		}
	}
	h.ring.order(entry{from: h, change: c})
	h.order()
}

// deliver hands an entry to the host's cmand, which does not get what was
// ordered before it joined.
func (h *host) deliver(e *entry) {
	switch p := h.proc; {
	case p == nil:
	case e.change != nil:
		if slices.Contains(e.change.members, p.member()) {
			p.enter(e.change)
		}
	case p.members != nil:
		m := &cluster.Message{From: e.from.id, Data: e.data}
		p.input(func() []daemon.Effect { return p.core.Deliver(h.s.time(), cluster.Delivery{Message: m}) })
	}
}

// enter tells a cmand of a change, as a view against the one before.
func (p *process) enter(c *change) {
	s := p.h.s
	v := &cluster.View{Ring: c.ring.id, Quorate: c.quorate}
	for _, h := range c.ring.hosts {
		v.Online = append(v.Online, h.id)
	}
	for _, m := range c.members {
		v.Members = append(v.Members, m.id)
		if !slices.Contains(p.members, m) {
			v.Joined = append(v.Joined, m.id)
		}
	}
	for _, m := range p.members {
		if slices.Contains(c.members, m) {
			continue
		}
		reason := cluster.NodeDown
		if why := s.gone[m]; why != 0 && v.Online.Has(m.id) {
			reason = why
		}
		v.Left = append(v.Left, cluster.Departure{Node: m.id, Reason: reason})
	}
	p.members = c.members
	p.input(func() []daemon.Effect {
		s.trace(p.h.id, "view %s online %v members %v left %v quorate %v", v.Ring, v.Online, v.Members, v.Left, v.Quorate)
		if p.viewAt = s.now; p.quorate != v.Quorate {
			p.hadQuorum = p.hadQuorum || p.quorate && p.core.InStep()
			p.quorate, p.quorateAt = v.Quorate, s.now
		}
		p.ring, p.lives = v.Ring, 0
		for _, m := range c.members {
			p.lives = 1009*p.lives + m.gen
		}
		return p.core.Deliver(s.time(), cluster.Delivery{View: v})
	})
}
