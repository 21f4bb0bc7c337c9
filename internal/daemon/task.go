package daemon

import (
	"log/slog"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/rgmanager"
)

// lostTime is how long a machine may go on that a cmand finds which has come up
// without quorum.
const lostTime = 30 * time.Second

// configKey is what tasks touch that write cluster.conf.
const configKey = "cluster.conf"

// probePause is how long libvirt is left alone that could not say what runs.
const probePause = 2 * time.Second

// rewritePause is how long a node waits that could not write cluster.conf, as
// when its disk is full.
const rewritePause = 30 * time.Second

// act carries out an action of this node, or begins it.
func (c *Core) act(a rgmanager.Action) {
	switch a := a.(type) {
	case rgmanager.Note, rgmanager.History:
		c.do(a)
	case rgmanager.Reply:
		if _, ok := c.open[a.ID]; ok { // else it was answered before, or by an earlier life of cmand's
			delete(c.open, a.ID)
			c.do(a)
		}
	case rgmanager.Probe:
		c.probing = c.task(a, "")
		c.probe()
	case rgmanager.Find:
		c.start(c.task(a, ""))
	case rgmanager.Start:
		c.queue(c.task(a, a.Service))
	case rgmanager.Stop:
		if under := c.work[a.Service]; a.Hard && len(under) > 0 { // its quorum is gone
			c.do(Cancel{under[0]})
		}
		c.queue(c.task(a, a.Service))
	case rgmanager.Migrate:
		c.queue(c.task(a, a.Service))
	case rgmanager.Fence:
		t := c.task(a, "")
		c.fencing[a.Op] = t
		c.start(t)
	case rgmanager.StopFencing:
		if t := c.fencing[a.Op]; t != nil {
			t.void = true
			c.do(Cancel{t})
			delete(c.fencing, a.Op)
		}
	case rgmanager.Stage:
		c.queue(c.task(a, configKey))
	case rgmanager.Activate:
		c.replica.config, c.rewriteAt = a.Text, time.Time{}
		c.queue(c.task(a, configKey))
		c.do(InForce{c.Conf()})
	case rgmanager.Wait:
		c.waits = append(c.waits, wait{c.now.Add(a.For), a.ID})
	case rgmanager.Depart:
		c.depart = true
	default:
		c.log(slog.LevelError, "no way to carry out", "what", a.String())
	}
}

func (c *Core) task(a rgmanager.Action, key string) *Task {
	return &Task{Action: a, Conf: c.Conf(), key: key}
}

func (c *Core) start(t *Task) {
	t.begun = true
	c.do(t)
}

// queue begins a task, as soon as no other one touches the same: a machine
// that is being started cannot be stopped before that has ended.
func (c *Core) queue(t *Task) {
	c.work[t.key] = append(c.work[t.key], t)
	if len(c.work[t.key]) == 1 {
		c.start(t)
	}
}

// probe begins the latest probe, once all has ended that may start or end a
// machine.
func (c *Core) probe() {
	idle := len(c.work) == 0 || len(c.work) == 1 && c.work[configKey] != nil
	if t := c.probing; t != nil && !t.begun && idle {
		c.start(t)
	}
}

// Ended takes the end of a task: what Hands.Perform has returned.
func (c *Core) Ended(now time.Time, t *Task, ev rgmanager.Event) []Effect {
	c.begin(now)
	c.next(t)
	switch a := t.Action.(type) {
	case Look:
		if seen, ok := ev.(Looked); ok && c.looking[a.Machine] == t {
			delete(c.looking, a.Machine)
			c.looked(t, seen)
		}
		return c.end()
	case Check:
		if end, ok := ev.(Checked); ok {
			c.checked(t, a, end)
		}
		return c.end()
	case rgmanager.Probe:
		switch {
		case c.probing != t:
			ev = nil // there is a newer one, or a newer picture
		case ev == nil:
			c.probeAt = now.Add(probePause)
		default:
			c.probing = nil
		}
	case rgmanager.Fence:
		if c.fencing[a.Op] == t {
			delete(c.fencing, a.Op)
		}
	case rgmanager.Stage:
		if a.Text == "" {
			ev = nil // nobody waits for it
		}
	case rgmanager.Activate:
		if d, ok := ev.(rgmanager.Done); ok && d.Error != "" && a.Text == c.replica.config {
			c.log(slog.LevelError, "cluster.conf is not the one in force, and will be written again", "version", a.Version, "err", d.Error)
			c.rewriteAt = now.Add(rewritePause)
		}
		if a.Op == (rgmanager.Op{}) {
			ev = nil // our own
		}
	}
	if ev != nil && !t.void {
		c.multicast(c.stamped(t.Action, ev))
	}
	return c.end()
}

// next begins the task that waited for t.
func (c *Core) next(t *Task) {
	tasks := c.work[t.key]
	if t.key == "" || len(tasks) == 0 || tasks[0] != t {
		return
	}
	if c.work[t.key] = tasks[1:]; len(tasks) > 1 {
		c.start(tasks[1])
		return
	}
	delete(c.work, t.key)
	c.probe()
}

// stamped completes the event that an action has led to.
func (c *Core) stamped(a rgmanager.Action, ev rgmanager.Event) rgmanager.Event {
	switch ev := ev.(type) {
	case rgmanager.Done:
		ev.Node, ev.At = c.local, c.stamp()
		switch a := a.(type) {
		case rgmanager.Start:
			ev.Op = a.Op
		case rgmanager.Stop:
			ev.Op = a.Op
		case rgmanager.Migrate:
			ev.Op = a.Op
		case rgmanager.Stage:
			ev.Op = a.Op
		case rgmanager.Activate:
			ev.Op = a.Op
		}
		return ev
	case rgmanager.Found:
		ev.Node, ev.At = c.local, c.stamp()
		return ev
	case rgmanager.Probed:
		ev.Node, ev.At = c.local, c.stamp()
		return ev
	case rgmanager.Fenced:
		ev.At = c.stamp()
		return ev
	}
	return ev
}

// Changed takes what libvirt says of its own accord.
func (c *Core) Changed(now time.Time, ev cluster.MachineEvent) []Effect {
	c.begin(now)
	m := c.replica.machine
	if m == nil {
		return nil
	}
	if ev.Refresh {
		c.look("")
		return c.end()
	}
	name := "vm:" + ev.Machine.Name
	record, ok := m.Record(name)
	if !ok {
		return nil
	}
	if def := ev.Machine.Definition; def != "" && def != m.Definition(name) {
		c.multicast(rgmanager.Defined{Node: c.local, At: c.stamp(), Service: name, Definition: def})
	}
	if record.Started && record.Owner == c.local && !ev.Machine.Running || !m.Expects(c.local, name, ev.Machine.Running) {
		c.look(ev.Machine.Name)
	}
	if ev.Machine.Running && (ev.Machine.State != "running" || c.checks.said[name] != "") {
		c.recheck(name)
	}
	return c.end()
}

// look begins a status check of one machine, or of all.
func (c *Core) look(machine string) {
	m := c.replica.machine
	if m == nil || c.looking[machine] != nil {
		return
	}
	t := c.task(Look{c.local, machine}, "")
	t.records = map[string]rgmanager.Record{}
	for i := range t.Conf.Services {
		if svc := &t.Conf.Services[i]; svc.VM != nil && (machine == "" || machine == svc.Name) {
			t.records[svc.FullName()], _ = m.Record(svc.FullName())
		}
	}
	c.looking[machine] = t
	c.start(t)
}

// looked tells all nodes what a status check has found that should not be.
// What was begun meanwhile is left alone.
func (c *Core) looked(t *Task, seen Looked) {
	m := c.replica.machine
	if m == nil {
		return
	}
	if seen.Err != nil {
		c.log(slog.LevelWarn, "status check got no answer", "service", t.Action.(Look).Machine, "err", seen.Err)
		return
	}
	for i := range t.Conf.Services {
		svc := &t.Conf.Services[i]
		name := svc.FullName()
		before, asked := t.records[name]
		if now, ok := m.Record(name); !asked || !ok || now.Op != before.Op {
			continue
		}
		machine, found := seen.Machines[svc.Name]
		if machine.Running && !c.lostAt.IsZero() && (c.hadQuorum || c.now.Sub(c.lostAt) > lostTime) {
			c.act(rgmanager.Stop{On: c.local, Service: name, Hard: true})
			continue
		}
		switch {
		case before.Started && before.Owner == c.local && !machine.Running:
			reason := "undefined"
			if found {
				reason = machine.State + ", " + machine.Reason
			}
			c.multicast(rgmanager.Broken{Node: c.local, At: c.stamp(), Service: name, Op: before.Op, Reason: reason})
		case incoming(machine): // it does not run here yet
		case !m.Expects(c.local, name, machine.Running):
			c.multicast(rgmanager.Sighted{Node: c.local, At: c.stamp(), Service: name, Running: machine.Running})
		}
	}
}

// incoming reports whether a machine is only the end of a migration, which
// may yet come to nothing.
func incoming(m cluster.Machine) bool { return m.State == "paused" && m.Reason == "migrating" }

// Looked is the end of a Look.
type Looked struct {
	rgmanager.Event                            // none: nobody else hears of it
	Machines        map[string]cluster.Machine // by name
	Err             error
}
