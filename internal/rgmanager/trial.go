package rgmanager

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"fangnetz/internal/cluster"
)

// maxSteps bounds a trial; what takes more goes round in circles.
const maxSteps = 100_000

// Try says what a request would lead to from now on, if all goes well: its
// answer, where the service would run then, and each operation on the way. The
// machine itself stays as it is.
func (m *Machine) Try(r Request) (cluster.Result, cluster.NodeID, cluster.Trial) {
	t := &trial{request: r, Trial: cluster.Trial{Steps: []string{}, Candidates: m.Candidates(r.Service)}}
	state, err := m.Snapshot()
	if err == nil {
		t.m, err = Restore(state)
	}
	if err != nil {
		return cluster.Failure, 0, cluster.Trial{Steps: []string{err.Error()}}
	}
	t.request.At = max(r.At, m.Now)
	t.underWay()
	t.step(t.request)
	for i := 0; t.reply == nil && len(t.todo) > 0 && i < maxSteps; i++ {
		next := t.todo[0]
		t.todo = t.todo[1:]
		t.end(next)
	}
	if t.reply == nil {
		return cluster.TryAgain, 0, t.Trial
	}
	t.Problem = t.reply.Problem
	return t.reply.Result, t.reply.Owner, t.Trial
}

// trial is a world in which every operation succeeds.
type trial struct {
	cluster.Trial
	m       *Machine // a copy
	request Request
	todo    []Action
	reply   *Reply
}

func (t *trial) step(ev Event) {
	for _, a := range t.m.Step(ev) {
		switch a := a.(type) {
		case Reply:
			if a.ID == t.request.ID {
				t.reply = &a
			}
		case Start, Stop, Migrate:
			t.Steps = append(t.Steps, t.m.Named(a.String())) // of other services too: it has led to them
			t.todo = append(t.todo, a)
		case Find, Probe:
			t.todo = append(t.todo, a)
		}
	}
}

// underWay lists what services are being done with already.
func (t *trial) underWay() {
	for _, name := range t.m.Names() {
		s := t.m.Services[name]
		j := s.Job
		if j == nil {
			continue
		}
		switch j.Phase {
		case starting:
			t.todo = append(t.todo, Start{Op: j.Op, On: j.On, Service: name})
		case stopping, cleaning:
			t.todo = append(t.todo, Stop{Op: j.Op, On: j.On, Service: name})
		case migrating:
			t.todo = append(t.todo, Migrate{Op: j.Op, On: j.On, Service: name, To: j.Prefer})
		case finding, settling:
			for _, id := range j.Asked {
				t.todo = append(t.todo, Find{On: id, Services: []Sought{{j.Op, name}}})
			}
		default:
			continue
		}
		if name == t.request.Service {
			t.Steps = append(t.Steps, fmt.Sprintf("wait for what is under way: %s on %s", j.Kind, t.m.nodeName(j.On)))
		}
	}
}

func (t *trial) end(a Action) {
	now := t.m.Now + 1
	switch a := a.(type) {
	case Start:
		t.step(Done{Op: a.Op, Node: a.On, At: now})
	case Stop:
		t.step(Done{Op: a.Op, Node: a.On, At: now})
	case Migrate:
		t.step(Done{Op: a.Op, Node: a.On, At: now})
	case Probe:
		ev := Probed{Op: a.Op, Node: a.On, At: now}
		for _, name := range t.m.Names() {
			if s := t.m.Services[name]; s.Owner == a.On && s.State == cluster.Started {
				ev.Running = append(ev.Running, name)
			}
		}
		t.step(ev)
	case Find:
		ev := Found{Node: a.On, At: now}
		for _, q := range a.Services {
			s := t.m.Services[q.Service]
			ev.Services = append(ev.Services, Sighting{Op: q.Op, Running: s != nil && s.Owner == a.On && s.State == cluster.Started})
		}
		t.step(ev)
	}
}

// Named writes the names of nodes for their ids, in the text of an event or
// an action.
func (m *Machine) Named(text string) string {
	return nodeIDRef.ReplaceAllStringFunc(text, func(ref string) string {
		word, id, _ := strings.Cut(ref, " ")
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return ref
		}
		return word + " " + m.nodeName(cluster.NodeID(n))
	})
}

var nodeIDRef = regexp.MustCompile(`\b(on|by|to|from|fence|fencing|probe|depart) (\d+)\b`)
