package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
)

// tasks are the operations under way. After a reset, the end of those that
// began before is nobody's business any more.
type tasks struct {
	mu      sync.Mutex
	era     int
	running sync.WaitGroup // that touch machines
	checks  map[string]bool
	fencing map[rgmanager.Op]context.CancelFunc // the loop's alone
}

func (t *tasks) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.era++
	for _, cancel := range t.fencing {
		cancel()
	}
}

func (t *tasks) now() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.era
}

// checking begins or ends the check of a service; it reports false when one is
// under way already.
func (t *tasks) checking(name string, on bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if on && t.checks[name] {
		return false
	}
	if t.checks == nil {
		t.checks = map[string]bool{}
	}
	t.checks[name] = on
	return true
}

// findTime bounds one question to the hypervisor.
const findTime = 10 * time.Second

// do carries out an action of this node. What takes time runs in a goroutine
// of its own, whose end is multicast.
func (d *Daemon) do(ctx context.Context, a rgmanager.Action) {
	switch a := a.(type) {
	case rgmanager.Note:
		d.note(a)
		return
	case rgmanager.Reply:
		d.log.Info("action", "what", a.String())
		if ch := d.waiting[a.ID]; ch != nil {
			ch <- a
			delete(d.waiting, a.ID)
		}
		return
	}
	d.log.Info("action", "what", a.String())
	c := d.conf()
	switch a := a.(type) {
	case rgmanager.Probe:
		d.wg.Go(func() { d.probe(ctx, a, c) })
	case rgmanager.Find:
		d.wg.Go(func() { d.multicast(ctx, d.find(ctx, a, c)) })
	case rgmanager.Start:
		d.machine(ctx, a.Op, func() rgmanager.Done {
			return done(d.start(ctx, c.Service(a.Service), a.Definition))
		})
	case rgmanager.Stop:
		d.machine(ctx, a.Op, func() rgmanager.Done { return done(d.stop(ctx, c.Service(a.Service), a.Hard)) })
	case rgmanager.Migrate:
		d.machine(ctx, a.Op, func() rgmanager.Done { return d.migrate(ctx, a, c) })
	case rgmanager.Fence:
		d.fence(ctx, a, c)
	case rgmanager.StopFencing:
		if cancel := d.tasks.fencing[a.Op]; cancel != nil {
			cancel()
			delete(d.tasks.fencing, a.Op)
		}
	case rgmanager.Stage:
		if a.Text == "" {
			if err := conf.Discard(d.o.Config); err != nil {
				d.log.Warn("cannot remove the refused configuration", "err", err)
			}
			return
		}
		d.work(ctx, a.Op, func() rgmanager.Done {
			_, err := conf.Stage(d.o.Config, []byte(a.Text))
			return done(err)
		})
	case rgmanager.Activate:
		d.activate(ctx, a)
	case rgmanager.Wait:
		time.AfterFunc(a.For, func() { d.multicast(ctx, rgmanager.Elapsed{Wait: a.ID, At: now()}) })
	case rgmanager.Depart:
		d.depart = true
	default:
		d.log.Error("no way to carry out", "what", a.String())
	}
}

func done(err error) rgmanager.Done {
	if err != nil {
		return rgmanager.Done{Error: err.Error()}
	}
	return rgmanager.Done{}
}

// work runs f and multicasts its end.
func (d *Daemon) work(ctx context.Context, op rgmanager.Op, f func() rgmanager.Done) {
	era := d.tasks.now()
	d.wg.Go(func() {
		end := f()
		if d.tasks.now() != era {
			return
		}
		end.Op, end.Node, end.At = op, d.local, now()
		d.multicast(ctx, end)
	})
}

// machine is work that may start or end a machine: a probe waits for it.
func (d *Daemon) machine(ctx context.Context, op rgmanager.Op, f func() rgmanager.Done) {
	d.tasks.running.Add(1)
	d.work(ctx, op, func() rgmanager.Done {
		defer d.tasks.running.Done()
		return f()
	})
}

// probe tells all nodes what runs here, as soon as libvirt says so and what
// was under way has ended.
func (d *Daemon) probe(ctx context.Context, a rgmanager.Probe, c *conf.Config) {
	d.tasks.running.Wait()
	for {
		machines, err := d.machines(ctx)
		if err == nil {
			d.multicast(ctx, d.probed(a, c, machines))
			return
		}
		d.log.Warn("cannot tell what runs here; this node gets no work before", "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * time.Second):
		}
	}
}

// machines returns what libvirt knows here, by name.
func (d *Daemon) machines(ctx context.Context) (map[string]cluster.Machine, error) {
	list, err := d.o.Hypervisor.List(ctx)
	machines := map[string]cluster.Machine{}
	for _, m := range list {
		machines[m.Name] = m
	}
	return machines, err
}

func (d *Daemon) probed(a rgmanager.Probe, c *conf.Config, machines map[string]cluster.Machine) rgmanager.Probed {
	ev := rgmanager.Probed{Op: a.Op, Node: d.local, At: now(), Definitions: map[string]rgmanager.Definition{}}
	for i := range c.Services {
		svc := &c.Services[i]
		if svc.VM == nil {
			continue
		}
		m := machines[svc.Name]
		if m.Running {
			ev.Running = append(ev.Running, svc.FullName())
		}
		if def := d.definition(m, svc); def.XML != "" {
			ev.Definitions[svc.FullName()] = def
		}
	}
	slices.Sort(ev.Running)
	return ev
}

// find looks for services here. One look at all machines answers for all.
func (d *Daemon) find(ctx context.Context, a rgmanager.Find, c *conf.Config) rgmanager.Found {
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	machines, err := d.machines(ctx)
	ev := rgmanager.Found{Node: d.local, At: now()}
	for _, q := range a.Services {
		seen := rgmanager.Sighting{Op: q.Op}
		switch svc := c.Service(q.Service); {
		case svc == nil || svc.VM == nil:
		case err != nil:
			seen.Error = err.Error()
		default:
			m := machines[svc.Name]
			seen.Running, seen.Definition = m.Running, d.definition(m, svc)
			if m.State == "paused" && m.Reason == "migrating" {
				seen.Running, seen.Error = false, "it is being migrated"
			}
		}
		ev.Services = append(ev.Services, seen)
	}
	return ev
}

// definition is libvirt's of a machine, or what was kept of it.
func (d *Daemon) definition(m cluster.Machine, svc *conf.Service) rgmanager.Definition {
	if m.Definition != "" {
		return rgmanager.Definition{XML: m.Definition}
	}
	return rgmanager.Definition{XML: d.kept(svc), Kept: true}
}

// errNoAgents answers for services that are not machines.
func errNoAgents(svc *conf.Service) error {
	return fmt.Errorf("this release runs virtual machines only, not %s", svc.FullName())
}

// errRemoved answers for a service that a new configuration has just removed.
var errRemoved = errors.New("the service is not in cluster.conf any more")

func (d *Daemon) start(ctx context.Context, svc *conf.Service, definition string) error {
	switch {
	case svc == nil:
		return errRemoved
	case svc.VM == nil:
		return errNoAgents(svc)
	}
	return d.o.Hypervisor.Start(ctx, *svc, definition)
}

func (d *Daemon) stop(ctx context.Context, svc *conf.Service, hard bool) error {
	switch {
	case svc == nil:
		return errRemoved
	case svc.VM == nil:
		return nil // never started, see start
	case hard:
		return d.o.Hypervisor.Destroy(ctx, svc.Name)
	}
	return d.o.Hypervisor.Stop(ctx, *svc)
}

func (d *Daemon) fence(ctx context.Context, a rgmanager.Fence, c *conf.Config) {
	ctx2, cancel := context.WithCancel(ctx)
	d.tasks.fencing[a.Op] = cancel
	d.wg.Go(func() {
		defer cancel()
		lines, err := d.o.Fencer.Fence(ctx2, c, a.Victim)
		for _, l := range lines {
			d.log.Info(l)
		}
		if ctx2.Err() != nil {
			return // not wanted any more
		}
		d.ask(ctx, func() { delete(d.tasks.fencing, a.Op) }) // attempts may go on for days
		ev := rgmanager.Fenced{Op: a.Op, Victim: a.Victim, At: now()}
		if err != nil {
			d.log.Error("fencing failed", "node", a.Victim, "err", err)
			ev.Error = err.Error()
		}
		d.multicast(ctx, ev)
	})
}

// activate puts a configuration in force.
func (d *Daemon) activate(ctx context.Context, a rgmanager.Activate) {
	d.replica.config = a.Text
	d.work(ctx, a.Op, func() rgmanager.Done {
		return done(conf.Activate(d.o.Config, []byte(a.Text)))
	})
	d.reconfigure(ctx)
}

// reconfigure tells the drivers of a configuration that is in force.
func (d *Daemon) reconfigure(ctx context.Context) {
	d.keepConfig()
	c := d.conf()
	d.wg.Go(func() {
		if err := d.o.Reconfigure(ctx, c); err != nil {
			d.log.Error("cannot hand the configuration on", "version", c.Version, "err", err)
		}
	})
}

func (d *Daemon) note(a rgmanager.Note) {
	level := slog.LevelInfo
	switch a.Level {
	case "warning":
		level = slog.LevelWarn
	case "err", "crit", "alert", "emerg":
		level = slog.LevelError
	}
	d.log.Log(context.Background(), level, a.Text)
}
