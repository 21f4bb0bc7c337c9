package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
)

// loop owns the replica.
func (d *Daemon) loop(ctx context.Context) error {
	audit := time.NewTicker(auditTime)
	defer audit.Stop()
	check := time.NewTicker(d.conf().StatusPollInterval)
	defer check.Stop()
	d.timer = time.NewTimer(time.Hour)
	defer d.timer.Stop()
	beat := time.NewTicker(beatTime)
	defer beat.Stop()
	leave := d.leave
	for {
		var out output
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case f := <-d.asks:
			f()
			continue
		case <-leave:
			leave = nil
			if d.replica.machine == nil {
				return ErrLeft
			}
			d.log.Info("Shutting down")
			d.multicast(ctx, rgmanager.Leaving{Node: d.local, At: now()})
			continue
		case <-check.C:
			d.check(ctx)
			continue
		case <-beat.C:
			d.beat(ctx)
			continue
		case <-audit.C:
			out = d.replica.audit()
		case <-d.timer.C:
			out = d.replica.overdue(d.timerKey)
		case delivery, ok := <-d.o.Channel.Deliveries():
			if !ok {
				return fmt.Errorf("the cluster channel ended: %w", d.o.Channel.Err())
			}
			if delivery.View != nil {
				d.entered.note(*delivery.View, time.Now())
			} else {
				d.heard[delivery.Message.From] = time.Now()
			}
			out = d.replica.deliver(delivery)
		}
		if err := d.carryOut(ctx, out); err != nil {
			return err
		}
		if d.depart {
			return ErrLeft
		}
	}
}

// carryOut does what a delivery led to.
func (d *Daemon) carryOut(ctx context.Context, out output) error {
	for _, w := range out.Warn {
		d.log.Warn(w)
	}
	if out.Fatal != nil {
		return out.Fatal
	}
	if out.Reset {
		d.log.Warn("this node's picture of the cluster was given up for that of the other members")
		d.tasks.reset()
	}
	if out.Config != "" {
		if err := conf.WriteFile(d.o.Config, []byte(out.Config), 0o640); err != nil {
			return fmt.Errorf("cannot take over the cluster's configuration: %w", err)
		}
		d.log.Info("took over the cluster's configuration", "version", d.conf().Version)
		d.reconfigure(ctx)
	}
	for _, m := range out.Send {
		d.send(ctx, m)
	}
	for _, ev := range out.Events {
		d.log.Info("event", "what", ev.String())
	}
	d.configs.saw(out.Events)
	for _, a := range out.Actions {
		if h, ok := a.(rgmanager.History); ok {
			d.past.add(h.Entry)
		} else if a.Node() == d.local {
			d.do(ctx, a)
		}
	}
	if key := d.replica.inRound(); key != d.timerKey {
		d.timerKey = key
		if key != "" {
			d.timer.Reset(roundTime)
		}
	}
	if len(out.Events) > 0 { // nothing else changes what the machine knows
		d.keepDefinitions()
	}
	d.tell(out)
	return nil
}

// sender hands messages to the channel, in order, off the loop: the channel
// may hold them back.
func (d *Daemon) sender(ctx context.Context) {
	var queue [][]byte
	for {
		if len(queue) == 0 {
			select {
			case <-ctx.Done():
				return
			case data := <-d.outbox:
				queue = append(queue, data)
			}
			continue
		}
		sent := make(chan error, 1)
		next := queue[0]
		queue = queue[1:]
		go func() { sent <- d.o.Channel.Send(ctx, next) }()
		for waiting := true; waiting; {
			select {
			case data := <-d.outbox:
				queue = append(queue, data)
			case err := <-sent:
				waiting = false
				if err != nil && ctx.Err() == nil {
					d.log.Error("cannot send to the cluster", "err", err)
				}
			}
		}
	}
}

func (d *Daemon) send(ctx context.Context, m message) {
	data, err := json.Marshal(m)
	if err != nil {
		d.log.Error("cannot encode a message", "err", err)
		return
	}
	select {
	case d.outbox <- data:
	case <-ctx.Done():
	}
}

// multicast makes ev the next event of all nodes.
func (d *Daemon) multicast(ctx context.Context, ev rgmanager.Event) {
	data, err := rgmanager.EncodeEvent(ev)
	if err != nil {
		d.log.Error("cannot encode an event", "err", err)
		return
	}
	d.send(ctx, message{Event: data})
}

// watch hears of machines that change by themselves.
func (d *Daemon) watch(ctx context.Context) {
	err := d.o.Hypervisor.Watch(ctx, func(ev cluster.MachineEvent) {
		d.ask(ctx, func() { d.seen(ctx, ev) })
	})
	if err != nil && ctx.Err() == nil {
		d.log.Error("cannot watch the hypervisor; relying on status checks", "err", err)
	}
}

// ask has the loop run f. It returns when f has run, or false when it will
// not: ctx or the loop has ended.
func (d *Daemon) ask(ctx context.Context, f func()) bool {
	done := make(chan struct{})
	select {
	case d.asks <- func() { f(); close(done) }:
		<-done
		return true
	case <-ctx.Done():
		return false
	case <-d.stopped:
		return false
	}
}

// seen looks at a machine that changed.
func (d *Daemon) seen(ctx context.Context, ev cluster.MachineEvent) {
	m := d.replica.machine
	switch {
	case m == nil:
		return
	case ev.Refresh:
		d.check(ctx)
		return
	}
	name := "vm:" + ev.Machine.Name
	record, ok := m.Record(name)
	if !ok {
		return
	}
	if def := ev.Machine.Definition; def != "" && def != m.Definition(name) {
		d.multicast(ctx, rgmanager.Defined{Node: d.local, At: now(), Service: name, Definition: def})
	}
	if record.Started && record.Owner == d.local && !ev.Machine.Running {
		d.checkOne(ctx, name, record)
	}
}

// check looks at all services that should run here.
func (d *Daemon) check(ctx context.Context) {
	m := d.replica.machine
	if m == nil {
		return
	}
	for i := range m.Conf().Services {
		name := m.Conf().Services[i].FullName()
		if record, ok := m.Record(name); ok && record.Started && record.Owner == d.local && m.Conf().Services[i].VM != nil {
			d.checkOne(ctx, name, record)
		}
	}
}

// checkOne asks the hypervisor for a machine, and tells all nodes if it does
// not run. No answer says nothing.
func (d *Daemon) checkOne(ctx context.Context, name string, r rgmanager.Record) {
	svc := *d.replica.machine.Conf().Service(name)
	if !d.tasks.checking(name, true) {
		return
	}
	d.wg.Go(func() {
		defer d.tasks.checking(name, false)
		m, found, err := d.o.Hypervisor.Machine(ctx, svc.Name)
		if err != nil {
			d.log.Warn("status check got no answer", "service", name, "err", err)
			return
		}
		if m.Running {
			return
		}
		reason := "undefined"
		if found {
			reason = m.State + ", " + m.Reason
		}
		d.multicast(ctx, rgmanager.Broken{Node: d.local, At: now(), Service: name, Op: r.Op, Reason: reason})
	})
}

// keepDefinitions writes definitions that changed to the state directory, so
// that they outlive a stop of the whole cluster.
func (d *Daemon) keepDefinitions() {
	m := d.replica.machine
	if m == nil {
		return
	}
	for i := range m.Conf().Services {
		c := &m.Conf().Services[i]
		name := c.FullName()
		def := m.Definition(name)
		if def == "" || def == d.written[name] {
			continue
		}
		d.written[name] = def
		path := d.definitionFile(c)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = conf.WriteFile(path, []byte(def), 0o600)
		}
		if err != nil {
			d.log.Warn("cannot keep a definition", "service", name, "err", err)
		}
	}
}

// kept reads a definition from the state directory; empty when there is none.
func (d *Daemon) kept(c *conf.Service) string {
	data, err := os.ReadFile(d.definitionFile(c))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.log.Warn("cannot read a kept definition", "service", c.FullName(), "err", err)
	}
	return string(data)
}

func now() rgmanager.Time { return time.Now().UnixMilli() }
