package scenario

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/rgmanager"
)

// carryOut does what a node is told; one that is down does nothing.
func (w *World) carryOut(a rgmanager.Action) {
	if !w.up.Has(a.Node()) {
		return
	}
	word, _, _ := strings.Cut(a.String(), " ")
	if name := service(a); name != "" { // what it was told before is cancelled
		w.held = slices.DeleteFunc(w.held, func(b rgmanager.Action) bool { return b.Node() == a.Node() && service(b) == name })
	}
	switch a := a.(type) {
	case rgmanager.Fence:
		w.fences = append(w.fences, a)
	case rgmanager.StopFencing:
		w.fences = slices.DeleteFunc(w.fences, func(f rgmanager.Fence) bool { return f.Op == a.Op })
	case rgmanager.Wait:
		w.waits = append(slices.DeleteFunc(w.waits, func(o rgmanager.Wait) bool { return o.ID == a.ID }), a)
	case rgmanager.Probe, rgmanager.Find, rgmanager.Start, rgmanager.Stop, rgmanager.Migrate, rgmanager.Stage, rgmanager.Activate:
		if w.holding[word] {
			w.held = append(w.held, a)
			return
		}
		w.end(a)
	}
}

// service is what an action starts, stops or migrates; empty: it does not.
func service(a rgmanager.Action) string {
	switch a := a.(type) {
	case rgmanager.Start:
		return a.Service
	case rgmanager.Stop:
		return a.Service
	case rgmanager.Migrate:
		return a.Service
	}
	return ""
}

// end carries out an action and feeds back its end.
func (w *World) end(a rgmanager.Action) {
	w.now += 10
	switch a := a.(type) {
	case rgmanager.Probe:
		w.step(w.probed(a))
	case rgmanager.Find:
		w.step(w.found(a))
	case rgmanager.Start:
		err := w.failure("start", a.Service, a.On)
		if w.defined != nil && a.Definition == "" {
			err = "not defined"
		}
		for _, id := range w.running[a.Service].Without(a.On) {
			if err == "" && !w.behind[a.Service].Has(id) {
				w.broken = fmt.Errorf("%s while it runs on %s", w.m.Named(a.String()), w.name(id))
				return
			}
		}
		if err == "" {
			w.running[a.Service] = w.running[a.Service].With(a.On)
			w.twice[a.Service] = len(w.running[a.Service]) > 1
		}
		w.done(a.Op, a.On, err)
	case rgmanager.Stop:
		err := w.failure("stop", a.Service, a.On)
		if err == "" {
			w.running[a.Service] = w.running[a.Service].Without(a.On)
		}
		w.done(a.Op, a.On, err)
	case rgmanager.Migrate:
		err := w.failure("migrate", a.Service, a.On)
		switch {
		case err != "":
		case !w.running[a.Service].Has(a.On):
			err = "domain is not running"
		case !w.reached.Has(a.To):
			err = "no route to host"
		}
		if err == "" {
			w.running[a.Service] = cluster.NodeIDs{a.To}
		}
		w.step(rgmanager.Done{Op: a.Op, Node: a.On, At: w.now, Error: err, Running: w.running[a.Service].Has(a.On)})
	case rgmanager.Stage:
		if a.Text != "" {
			w.done(a.Op, a.On, w.failure("stage", "configuration", a.On))
		}
	case rgmanager.Activate:
		w.config = a.Text
		w.done(a.Op, a.On, w.failure("activate", "configuration", a.On))
	}
}

func (w *World) done(op rgmanager.Op, id cluster.NodeID, err string) {
	w.step(rgmanager.Done{Op: op, Node: id, At: w.now, Error: err})
}

// probed is what a node says that it runs.
func (w *World) probed(a rgmanager.Probe) rgmanager.Probed {
	ev := rgmanager.Probed{Op: a.Op, Node: a.On, At: w.now, Definitions: map[string]rgmanager.Definition{}}
	for _, name := range slices.Sorted(maps.Keys(w.running)) {
		if w.running[name].Has(a.On) {
			ev.Running = append(ev.Running, name)
		}
	}
	for name, ids := range w.defined {
		if ids.Has(a.On) {
			ev.Definitions[name] = definition(name)
		}
	}
	return ev
}

// found is whether a node runs the services that it is asked for.
func (w *World) found(a rgmanager.Find) rgmanager.Found {
	ev := rgmanager.Found{Node: a.On, At: w.now}
	for _, q := range a.Services {
		seen := rgmanager.Sighting{Op: q.Op, Running: w.running[q.Service].Has(a.On), Error: w.failure("find", q.Service, a.On)}
		if w.defined[q.Service].Has(a.On) {
			seen.Definition = definition(q.Service)
		}
		ev.Services = append(ev.Services, seen)
	}
	return ev
}

func definition(service string) rgmanager.Definition {
	return rgmanager.Definition{XML: "definition of " + service}
}

// failure is why an operation fails; empty: it does not.
func (w *World) failure(op, subject string, id cluster.NodeID) string {
	if w.failing[fmt.Sprintf("%s %s %d", op, subject, id)] || w.failing[op+" "+subject] {
		return "told to fail"
	}
	return ""
}

// fenced ends the fencing of a node.
func (w *World) fenced(victim cluster.NodeID, why string) error {
	for _, a := range w.fences {
		if a.Victim != victim {
			continue
		}
		w.fences = slices.DeleteFunc(w.fences, func(b rgmanager.Fence) bool { return a == b })
		if why == "" {
			w.powerOff(victim)
		}
		w.step(rgmanager.Fenced{Op: a.Op, Victim: victim, At: w.now, Error: why})
		return nil
	}
	return fmt.Errorf("nobody is fencing %s", w.name(victim))
}

// elapse ends the oldest wait that still matters.
func (w *World) elapse() error {
	w.waits = slices.DeleteFunc(w.waits, func(a rgmanager.Wait) bool { return !w.m.Awaits(a.ID) })
	if len(w.waits) == 0 {
		return errors.New("nothing is waited for")
	}
	a := w.waits[0]
	w.waits = w.waits[1:]
	w.now += a.For.Milliseconds()
	w.step(rgmanager.Elapsed{Wait: a.ID, At: w.now})
	return nil
}

// settle lets fencing end and time pass until nothing is waited for, or only
// another attempt at a fencing that fails.
func (w *World) settle() {
	failed := false
	for w.broken == nil {
		switch {
		case len(w.fences) > 0:
			victim, why := w.fences[0].Victim, ""
			if w.failing["fence "+victim.String()] {
				failed, why = true, "told to fail"
			}
			if err := w.fenced(victim, why); err != nil {
				return
			}
		case failed || w.elapse() != nil:
			return
		}
	}
}
