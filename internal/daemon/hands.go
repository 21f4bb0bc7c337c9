package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
	"fangnetz/internal/wire"
)

// Hands carry out a core's tasks with the drivers, those that touch files left
// out. They are safe for concurrent use, and hold no state.
type Hands struct {
	Fencer     Fencer
	Hypervisor Hypervisor
	Kept       func(svc *conf.Service) string // a definition that was stored; empty: none
	Progress   func(wire.Migration)           // of a migration; often
	Log        func(text string, args ...any) // nothing is wrong
	Warn       func(text string, args ...any) //
}

// findTime bounds one question to the hypervisor.
const findTime = 10 * time.Second

// Perform carries out t, and returns when that has ended. The event is for
// Core.Ended, which adds time and sender; it is nil when there is nothing to
// tell: nobody could say what runs here, or ctx was cancelled.
func (h *Hands) Perform(ctx context.Context, t *Task) rgmanager.Event {
	switch a := t.Action.(type) {
	case rgmanager.Probe:
		return h.probe(ctx, a, t.Conf)
	case Look:
		return h.look(ctx, a)
	case Check:
		return h.check(ctx, a, t)
	case rgmanager.Find:
		return h.find(ctx, a, t.Conf)
	case rgmanager.Start:
		return done(h.start(ctx, t.Conf.Service(a.Service), a.Definition))
	case rgmanager.Stop:
		return done(h.stop(ctx, t.Conf.Service(a.Service), a.Hard))
	case rgmanager.Migrate:
		return h.migrate(ctx, a, t.Conf)
	case rgmanager.Fence:
		return h.fence(ctx, a, t.Conf)
	}
	return nil
}

func done(err error) rgmanager.Done {
	if err != nil {
		return rgmanager.Done{Error: err.Error()}
	}
	return rgmanager.Done{}
}

// machines returns what libvirt knows here, by name.
func (h *Hands) machines(ctx context.Context) (map[string]cluster.Machine, error) {
	list, err := h.Hypervisor.List(ctx)
	machines := map[string]cluster.Machine{}
	for _, m := range list {
		machines[m.Name] = m
	}
	return machines, err
}

// probe says what runs here.
func (h *Hands) probe(ctx context.Context, a rgmanager.Probe, c *conf.Config) rgmanager.Event {
	machines, err := h.machines(ctx)
	if err != nil {
		h.Warn("cannot tell what runs here; this node gets no work before", "err", err)
		return nil
	}
	ev := rgmanager.Probed{Op: a.Op, Definitions: map[string]rgmanager.Definition{}}
	for i := range c.Services {
		svc := &c.Services[i]
		if svc.VM == nil {
			continue
		}
		m := machines[svc.Name]
		if m.Running {
			ev.Running = append(ev.Running, svc.FullName())
		}
		if def := h.definition(m, svc); def.XML != "" {
			ev.Definitions[svc.FullName()] = def
		}
	}
	slices.Sort(ev.Running)
	return ev
}

// look checks one machine, or all.
func (h *Hands) look(ctx context.Context, a Look) rgmanager.Event {
	var seen Looked
	if a.Machine == "" {
		seen.Machines, seen.Err = h.machines(ctx)
		return seen
	}
	m, found, err := h.Hypervisor.Machine(ctx, a.Machine)
	seen.Machines, seen.Err = map[string]cluster.Machine{}, err
	if found {
		seen.Machines[a.Machine] = m
	}
	return seen
}

// find looks for services here. One look at all machines answers for all.
func (h *Hands) find(ctx context.Context, a rgmanager.Find, c *conf.Config) rgmanager.Event {
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	machines, err := h.machines(ctx)
	var ev rgmanager.Found
	for _, q := range a.Services {
		seen := rgmanager.Sighting{Op: q.Op}
		switch svc := c.Service(q.Service); {
		case svc == nil || svc.VM == nil:
		case err != nil:
			seen.Error = err.Error()
		default:
			m := machines[svc.Name]
			seen.Running, seen.Definition = m.Running, h.definition(m, svc)
			if incoming(m) {
				seen.Running, seen.Error = false, "it is being migrated"
			}
		}
		ev.Services = append(ev.Services, seen)
	}
	return ev
}

// definition is libvirt's of a machine, or what was kept of it.
func (h *Hands) definition(m cluster.Machine, svc *conf.Service) rgmanager.Definition {
	if m.Definition != "" {
		return rgmanager.Definition{XML: m.Definition}
	}
	return rgmanager.Definition{XML: h.Kept(svc), Kept: true}
}

// errNoAgents answers for services that are not machines.
func errNoAgents(svc *conf.Service) error {
	return fmt.Errorf("this release runs virtual machines only, not %s", svc.FullName())
}

// errRemoved answers for a service that a new configuration has just removed.
var errRemoved = errors.New("the service is not in cluster.conf any more")

func (h *Hands) start(ctx context.Context, svc *conf.Service, definition string) error {
	switch {
	case svc == nil:
		return errRemoved
	case svc.VM == nil:
		return errNoAgents(svc)
	}
	return h.Hypervisor.Start(ctx, *svc, definition)
}

func (h *Hands) stop(ctx context.Context, svc *conf.Service, hard bool) error {
	switch {
	case svc == nil:
		return errRemoved
	case svc.VM == nil:
		return nil // never started, see start
	case hard:
		return h.Hypervisor.Destroy(ctx, svc.Name)
	}
	return h.Hypervisor.Stop(ctx, *svc)
}

func (h *Hands) fence(ctx context.Context, a rgmanager.Fence, c *conf.Config) rgmanager.Event {
	lines, err := h.Fencer.Fence(ctx, c, a.Victim)
	for _, l := range lines {
		h.Log(l)
	}
	ev := rgmanager.Fenced{Op: a.Op, Victim: a.Victim}
	switch {
	case ctx.Err() != nil:
		return nil // not wanted any more
	case err != nil:
		h.Warn("fencing failed", "node", a.Victim, "err", err)
		ev.Error = err.Error()
	}
	return ev
}
