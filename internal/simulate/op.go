package simulate

import (
	"context"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/daemon"
	"fangnetz/internal/rgmanager"
)

// op is a task on its way: after a while it takes effect, all at once, and a
// while later its end is told.
type op struct {
	p     *process
	task  *daemon.Task
	ring  cluster.RingID // in which it was decided
	taken bool           // effect
	at    int64          // when
}

func (p *process) begin(t *daemon.Task) {
	h, s := p.h, p.h.s
	o := &op{p: p, task: t, ring: p.ring}
	p.tasks = append(p.tasks, o)
	if s.Trace != nil {
		s.trace(h.id, "begins: %s", t.Action)
	}
	var d int64
	switch a := t.Action.(type) {
	case rgmanager.Start:
		s.begun(p, a.Service, "start")
		s.placed(p, a.Service, h.id, true)
		d = between(h.rng, 100, 3000)
	case rgmanager.Stop:
		d = between(h.rng, 10, 200)
		if !a.Hard {
			s.begun(p, a.Service, "stop")
			d = between(h.rng, 100, 4000)
		}
	case rgmanager.Migrate:
		s.begun(p, a.Service, "migrate")
		s.placed(p, a.Service, a.To, false)
		d = between(h.rng, 300, 10000)
		s.incoming(a, 1)
	case rgmanager.Fence:
		d = between(h.rng, 500, 5000)
	default:
		d = between(h.rng, 1, 50)
	}
	s.after(d, o.effect)
}

// machineOf is the machine that a service is.
func machineOf(service string) string { return service[len("vm:"):] }

// incoming has a migration's target hold a QEMU for it, or hold it no more.
func (s *Sim) incoming(a rgmanager.Migrate, n int) {
	if to := s.host(a.To); to != nil && to.powered {
		to.incoming[machineOf(a.Service)] = max(0, to.incoming[machineOf(a.Service)]+n)
	}
}

// effect does what the task is about.
func (o *op) effect() {
	if o.taken {
		return
	}
	h, s := o.p.h, o.p.h.s
	if f, ok := o.task.Action.(rgmanager.Fence); ok && s.host(f.Victim).agent == "hangs" {
		s.after(5000, o.effect)
		return
	}
	end := o.perform(context.Background())
	tell := between(h.rng, 0, 20)
	if h.mutedUntil > s.now {
		tell = between(h.rng, 1000, 10000) // until it gave up
	}
	s.after(tell, func() { o.ended(end) })
}

// perform has the hands carry the task out, now.
func (o *op) perform(ctx context.Context) rgmanager.Event {
	h := o.p.h
	o.taken, o.at = true, o.p.h.s.now
	if h.s.Trace != nil {
		h.s.trace(h.id, "does: %s", o.task.Action)
	}
	hands := daemon.Hands{Fencer: h.hypervisor(), Hypervisor: h.hypervisor(),
		Kept: func(svc *conf.Service) string { return h.disk.definitions[svc.Name] },
		Log:  func(string, ...any) {}, Warn: func(string, ...any) {}}
	switch a := o.task.Action.(type) {
	case rgmanager.Stage:
		if a.Text != "" && h.fails["stage "] != "" {
			return rgmanager.Done{Error: errFailed.Error()}
		}
		h.disk.staged = a.Text
		return rgmanager.Done{}
	case rgmanager.Activate:
		if a.Text != h.disk.staged && h.fails["stage "] != "" { // else the file is there, and is given its name
			return rgmanager.Done{Error: errFailed.Error()}
		}
		h.disk.conf, h.disk.staged = a.Text, ""
		return rgmanager.Done{}
	case rgmanager.Migrate:
		if h.rng.IntN(3) > 0 {
			h.s.incoming(a, -1)
		} else { // the target takes a while to clean up
			h.s.after(between(h.rng, 100, 20000), func() { h.s.incoming(a, -1) })
		}
	}
	end := hands.Perform(ctx, o.task)
	h.s.performed(o, end)
	return end
}

// ended tells the core.
func (o *op) ended(end rgmanager.Event) {
	p := o.p
	if p.dead {
		return
	}
	for i, other := range p.tasks {
		if other == o {
			p.tasks = append(p.tasks[:i:i], p.tasks[i+1:]...)
			break
		}
	}
	p.input(func() []daemon.Effect {
		p.h.s.told(o, end)
		return p.core.Ended(p.h.s.time(), o.task, end)
	})
}

// cancel ends the task soon: it is not done, or was done already.
func (o *op) cancel() {
	if o.taken {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var end rgmanager.Event
	switch a := o.task.Action.(type) {
	case rgmanager.Fence:
		if o.p.h.rng.IntN(3) == 0 {
			o.perform(ctx) // the agent had told the switch already
		}
	case rgmanager.Start, rgmanager.Stop, rgmanager.Migrate:
		if o.p.h.rng.IntN(2) == 0 {
			o.perform(ctx)
		} else if m, ok := a.(rgmanager.Migrate); ok {
			o.p.h.s.incoming(m, -1)
		}
		end = rgmanager.Done{Error: "cancelled"}
	}
	o.taken = true
	o.p.h.s.after(between(o.p.h.rng, 0, 20), func() { o.ended(end) })
}

// orphan is what becomes of a task whose cmand has died: what was asked of
// libvirt or of a switch is done, or not. A guest that was asked to shut down
// may do so later.
func (o *op) orphan() {
	if o.taken {
		return
	}
	h := o.p.h
	switch a := o.task.Action.(type) {
	case rgmanager.Stop:
		if !a.Hard && h.powered && h.rng.IntN(2) == 0 {
			o.taken = true
			name := machineOf(a.Service)
			m := h.machines[name]
			h.s.after(between(h.rng, 100, 20000), func() {
				if m != nil && h.machines[name] == m {
					h.vanish(name, "shutdown")
				}
			})
			return
		}
	case rgmanager.Start, rgmanager.Migrate, rgmanager.Fence, rgmanager.Stage, rgmanager.Activate:
	default:
		o.taken = true
		return
	}
	if h.powered && h.rng.IntN(2) == 0 {
		o.perform(context.Background())
		return
	}
	o.taken = true
	if m, ok := o.task.Action.(rgmanager.Migrate); ok {
		h.s.after(between(h.rng, 0, 20000), func() { h.s.incoming(m, -1) })
	}
}

// changed tells a core what libvirt says of its own accord.
func (p *process) changed(m cluster.Machine) {
	p.input(func() []daemon.Effect { return p.core.Changed(p.h.s.time(), cluster.MachineEvent{Machine: m}) })
}
