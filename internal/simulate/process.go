package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"fangnetz/internal/cluster"
	"fangnetz/internal/daemon"
	"fangnetz/internal/rgmanager"
)

// process is one life of a host's cmand.
type process struct {
	h    *host
	gen  int
	core *daemon.Core

	inbox        []func() []daemon.Effect // not looked at yet
	woken        bool                     // a look is scheduled
	stalledUntil int64                    // SIGSTOP
	timerAt      int64                    // the next tick; 0: none is scheduled
	fuse         int                      // it dies before its so manieth effect; 0: it does not
	cut          bool                     // and its host's power with it
	dead         bool

	joined    bool     // the ring has told of it, or will
	members   []member // of the view before
	quorate   bool     // of that view
	quorateAt int64    // since then
	viewAt    int64    // when that was
	hadQuorum bool     // and a machine, before
	ring      cluster.RingID
	lives     int                // of the members, in one number
	formed    bool               // what the machine was told of that view
	machine   *rgmanager.Machine // that the checks have seen
	applied   uint64             // events that it had seen
	version   int                // of cluster.conf in force
	shown     map[string]string

	tasks []*op            // under way, in the order of their beginning
	asked map[string]*wish // by id
}

func (p *process) boot() string { return fmt.Sprintf("b%d", p.gen) }

func (p *process) member() member { return member{p.h.id, p.gen} }

// spawn starts cmand.
func (h *host) spawn() {
	if h.proc != nil || !h.powered {
		return
	}
	s := h.s
	s.boots++
	wary := h.disk.mark && !h.mark
	h.disk.mark, h.mark, h.disk.staged = true, true, ""
	p := &process{h: h, gen: s.boots, asked: map[string]*wish{}, quorateAt: s.now, shown: map[string]string{}}
	p.core = daemon.NewCore(h.id, p.boot(), h.disk.conf, wary, h.disk.epoch, s.codec, s.time())
	h.proc = p
	s.trace(h.id, "cmand starts, wary %v", wary)
	if p.core.Conf().NodeByID(h.id) == nil {
		h.refuse("it is not a node of its cluster.conf")
		return
	}
	p.arm()
	if !h.corosync {
		h.listed = s.settings(h.disk.conf)
		h.corosync = true
		s.topology()
		return
	}
	h.relist(h.disk.conf)
	h.regroup()
}

// refuse ends a cmand that cannot take part with the cluster.conf that it has.
// systemd tries again.
func (h *host) refuse(why string) {
	s := h.s
	s.trace(h.id, "cmand does not start: %s", why)
	h.proc.die(cluster.LeftCleanly)
	h.leaveRing()
	s.after(between(h.rng, 4000, 6000), h.spawn)
}

// mend has an administrator help where the lists of nodes keep hosts apart: he
// switches off what the newest list does not have, and brings that to those
// who are outside.
func (s *Sim) mend() {
	if !slices.ContainsFunc(s.hosts, func(h *host) bool { return h.proc == nil || !h.proc.quorate }) {
		return
	}
	newest := ""
	for _, h := range s.hosts {
		if versionOf(h.disk.conf) > versionOf(newest) {
			newest = h.disk.conf
		}
	}
	if p := s.inStep(); p != nil {
		newest = p.core.Text()
	}
	nodes := s.settings(newest).nodes
	for _, h := range s.hosts {
		switch {
		case !nodes.Has(h.id):
			h.off()
		case !slices.Equal(h.listed.nodes, nodes):
			s.trace(h.id, "is brought version %d", versionOf(newest))
			h.disk.conf = newest
			h.kill()
			h.leaveRing()
			h.spawn()
		}
	}
}

// inStep returns a cmand that takes part in a cluster with quorum; nil: there
// is none.
func (s *Sim) inStep() *process {
	for _, h := range s.hosts {
		if p := h.proc; p != nil && p.core.InStep() && p.quorate && p.core.Conf().NodeByID(h.id) != nil {
			return p
		}
	}
	return nil
}

// input gives p something to think about.
func (p *process) input(f func() []daemon.Effect) {
	p.inbox = append(p.inbox, f)
	p.wake()
}

func (p *process) wake() {
	if p.woken || p.dead {
		return
	}
	p.woken = true
	s := p.h.s
	s.after(max(between(p.h.rng, 0, 3), p.stalledUntil-s.now), func() {
		p.woken = false
		switch {
		case p.dead || len(p.inbox) == 0:
			return
		case p.stalledUntil > s.now:
			p.wake()
			return
		}
		for n := 1 + p.h.rng.IntN(8); n > 0 && len(p.inbox) > 0 && !p.dead; n-- {
			f := p.inbox[0]
			p.inbox = p.inbox[1:]
			p.carryOut(f())
		}
		if !p.dead {
			p.arm()
			if len(p.inbox) > 0 {
				p.wake()
			}
		}
	})
}

// stall holds p up until then.
func (p *process) stall(until int64) {
	p.stalledUntil = until
	p.woken = false
	p.wake()
}

// arm schedules the core's next tick.
func (p *process) arm() {
	s := p.h.s
	at := max(p.core.Next().Sub(epoch).Milliseconds(), s.now)
	if p.timerAt != 0 && p.timerAt <= at {
		return
	}
	p.timerAt = at
	s.after(at-s.now, func() {
		if p.dead || p.timerAt != at {
			return
		}
		p.timerAt = 0
		p.input(func() []daemon.Effect { return p.core.Tick(s.time()) })
	})
}

func (p *process) carryOut(effects []daemon.Effect) {
	h, s := p.h, p.h.s
	for _, e := range effects {
		if p.fuse > 0 {
			if p.fuse--; p.fuse == 0 {
				s.trace(h.id, "dies before %T", e)
				if p.cut {
					h.off()
				} else {
					h.kill()
				}
				return
			}
		}
		switch e := e.(type) {
		case daemon.Send:
			h.send(e.Data)
		case daemon.Happened:
			if s.Trace != nil {
				s.trace(h.id, "event %d: %s", p.core.Applied(), e.Event)
			}
			if f, ok := e.Event.(rgmanager.Found); ok {
				s.heard(f)
			}
		case *daemon.Task:
			p.begin(e)
		case daemon.Cancel:
			for _, o := range p.tasks {
				if o.task == e.Task {
					o.cancel()
				}
			}
		case rgmanager.Reply:
			s.replied(p, e)
		case daemon.Remember:
			h.disk.epoch = e.Epoch
		case daemon.Store:
			s.trace(h.id, "stores version %d", p.core.Conf().Version)
			h.disk.conf = e.Text
		case daemon.InForce:
			s.configured(p, e.Conf)
			text := p.core.Text()
			s.after(between(h.rng, 0, pick[int64](h.rng, 50, 50, 50, 5000)), func() {
				if h.proc == p {
					h.relist(text)
				}
			})
		case daemon.Keep:
			h.disk.definitions[e.Service.Name] = e.Definition
		case daemon.Log:
			if s.Trace != nil {
				s.trace(h.id, "log: %s %v", e.Text, e.Args)
			}
		case rgmanager.Note:
			if s.Trace != nil {
				s.trace(h.id, "note: %s", e.Text)
			}
		case daemon.End:
			p.end(e.Err)
			return
		}
	}
	s.stepped(p, effects)
}

// end is the end of cmand's Run: unless it left, it destroys its machines. In
// both cases it leaves the ring in order; systemd starts it again if it failed.
func (p *process) end(err error) {
	h, s := p.h, p.h.s
	s.trace(h.id, "cmand ends: %v", err)
	left := errors.Is(err, daemon.ErrLeft)
	if left {
		h.disk.mark, h.mark = false, false
	} else {
		for _, o := range p.tasks {
			o.cancel()
		}
		for i := range p.core.Conf().Services {
			h.hypervisor().Destroy(context.Background(), p.core.Conf().Services[i].Name)
		}
		s.after(between(h.rng, 1000, 2000), h.spawn)
	}
	p.die(cluster.LeftCleanly)
	h.leaveRing()
}

// die takes p out of the world.
func (p *process) die(why cluster.Reason) {
	h := p.h
	p.dead = true
	h.s.gone[p.member()] = why
	h.proc, h.unsent = nil, nil
	p.inbox = nil
	for _, o := range p.tasks {
		o.orphan()
	}
	h.regroup()
}

// wish is a request that waits for its answer.
type wish struct {
	verb, service string
	target        cluster.NodeID
	at            int64
	answered      bool
}

// request has an administrator ask a host's cmand for something.
func (s *Sim) request(h *host, verb, service string, target cluster.NodeID, byDomain bool) {
	s.ask(h, &wish{verb: verb, service: service, target: target}, func(id string) rgmanager.Event {
		return rgmanager.Request{ID: id, From: h.id, At: s.time().UnixMilli(), By: "root", Verb: verb, Service: service,
			Target: target, ByDomain: byDomain}
	})
}

func (s *Sim) ask(h *host, w *wish, event func(id string) rgmanager.Event) {
	p := h.proc
	if p == nil {
		return
	}
	s.wished(w)
	p.input(func() []daemon.Effect {
		id, effects, ok := p.core.Request(s.time(), event)
		if ok {
			w.at = s.now
			p.asked[id] = w
		}
		return effects
	})
}
