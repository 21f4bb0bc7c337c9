package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/rgmanager"
)

// maxChecks is how many status checks run at a time (rgmanager, "Status
// checks": status_child_max).
const maxChecks = 5

// Check asks how a service is that should run here; Deep asks its
// status_program too.
type Check struct {
	On      cluster.NodeID
	Service string
	Deep    bool
}

// Node is this node.
func (a Check) Node() cluster.NodeID { return a.On }

func (a Check) String() string { return "check " + a.Service }

// Checked is the end of a Check.
type Checked struct {
	rgmanager.Event // none: nobody else hears of it
	Health          cluster.Health
	Err             error
}

// checks are the status checks of the services that should run here, by
// service.
type checks struct {
	due     []string // waiting for their turn, the longest due first
	running map[string]*Task
	last    map[string]time.Time // when one was last begun
	deep    map[string]time.Time // the same of those at depth 10
	said    map[string]string    // what was logged of it; none: it is well
}

func newChecks() checks {
	return checks{running: map[string]*Task{}, last: map[string]time.Time{}, deep: map[string]time.Time{}, said: map[string]string{}}
}

// check returns the next check of a service, false when it should not run
// here or nothing is due. A frozen service is left alone.
func (c *Core) check(name string) (a Check, due bool) {
	m := c.replica.machine
	if record, ok := m.Record(name); !ok || !record.Started || record.Owner != c.local || m.Services[name].Flags&cluster.Frozen != 0 {
		delete(c.checks.last, name)
		delete(c.checks.deep, name)
		delete(c.checks.said, name)
		return a, false
	}
	svc := m.Conf().Service(name)
	if svc.VM == nil {
		return a, false
	}
	past := func(last time.Time, interval time.Duration) bool { return !c.now.Before(last.Add(interval)) }
	a = Check{On: c.local, Service: name, Deep: svc.VM.StatusProgram != "" && past(c.checks.deep[name], svc.VM.DeepInterval)}
	return a, c.checks.running[name] == nil && (a.Deep || past(c.checks.last[name], svc.VM.StatusInterval))
}

// gather looks which checks are due, and begins them.
func (c *Core) gather() {
	m := c.replica.machine
	if m == nil {
		return
	}
	c.checks.due = c.checks.due[:0]
	for i := range m.Conf().Services {
		name := m.Conf().Services[i].FullName()
		if _, due := c.check(name); due {
			c.checks.due = append(c.checks.due, name)
		}
	}
	slices.SortStableFunc(c.checks.due, func(a, b string) int { return c.checks.last[a].Compare(c.checks.last[b]) })
	c.checkNext()
}

// recheck has a service checked at once.
func (c *Core) recheck(name string) {
	delete(c.checks.last, name)
	c.checks.due = slices.Insert(c.checks.due, 0, name)
	c.checkNext()
}

// checkNext begins checks up to their limit.
func (c *Core) checkNext() {
	for len(c.checks.due) > 0 && len(c.checks.running) < maxChecks {
		name := c.checks.due[0]
		c.checks.due = c.checks.due[1:]
		a, due := c.check(name)
		if !due {
			continue
		}
		t := c.task(a, "")
		t.records = map[string]rgmanager.Record{}
		t.records[name], _ = c.replica.machine.Record(name)
		c.checks.running[name], c.checks.last[name] = t, c.now
		if a.Deep {
			c.checks.deep[name] = c.now
		}
		c.start(t)
	}
}

// checked tells all nodes of a service that is not as it should be, and the
// log of one that is there but needs a look. No answer says nothing.
func (c *Core) checked(t *Task, a Check, end Checked) {
	if c.replica.machine == nil || c.checks.running[a.Service] != t {
		return
	}
	delete(c.checks.running, a.Service)
	defer c.checkNext()
	if now, ok := c.replica.machine.Record(a.Service); !ok || now != t.records[a.Service] {
		return // something was begun meanwhile
	}
	said, text := c.checks.said[a.Service], end.Health.Detail
	if end.Err != nil {
		text = "status check got no answer: " + end.Err.Error()
	}
	switch {
	case end.Err == nil && !end.Health.OK:
		delete(c.checks.said, a.Service)
		c.multicast(rgmanager.Broken{Node: c.local, At: c.stamp(), Service: a.Service, Op: t.records[a.Service].Op, Reason: text})
		return
	case text == said:
		return
	case text == "":
		c.log(slog.LevelInfo, "running again", "service", a.Service, "was", said)
	default:
		c.log(slog.LevelWarn, "needs attention", "service", a.Service, "state", text)
	}
	c.checks.said[a.Service] = text
}

// check asks the hypervisor how a machine is.
func (h *Hands) check(ctx context.Context, a Check, t *Task) rgmanager.Event {
	svc := t.Conf.Service(a.Service)
	if svc == nil {
		return Checked{Err: fmt.Errorf("%s is not configured", a.Service)}
	}
	health, err := h.Hypervisor.Check(ctx, *svc, a.Deep)
	return Checked{Health: health, Err: err}
}
