package rgmanager

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// world is a fake of everything outside the machine: nodes, what they run,
// and how operations end. It carries actions out at once, save fencing and
// waiting, and checks after each step what must always hold.
type world struct {
	t       testing.TB
	m       *Machine
	up      cluster.NodeIDs // cmand takes part
	powered cluster.NodeIDs
	boots   map[cluster.NodeID]int
	quorate bool
	wary    bool
	left    []cluster.Departure

	running map[string]cluster.NodeIDs // by service
	defined map[string]cluster.NodeIDs // where it is defined; nil: everywhere
	behind  map[string]bool            // started behind our back, until found
	failing map[string]bool            // "start vm:web node1"
	holding map[string]bool            // "start": operations that do not end
	held    []Action
	fences  []Fence
	waits   []Wait
	now     Time

	actions  []Action // of the latest command, answered or not
	replies  map[string]Reply
	requests int
}

func newWorld(t testing.TB, config string) *world {
	m, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, m: m, boots: map[cluster.NodeID]int{}, running: map[string]cluster.NodeIDs{},
		behind: map[string]bool{}, failing: map[string]bool{}, holding: map[string]bool{}, replies: map[string]Reply{}, now: 1_000_000}
}

// step feeds one event to the machine, and to a copy that went through a
// snapshot: both must act alike.
func (w *world) step(ev Event) {
	w.t.Helper()
	before, err := w.m.Snapshot()
	if err != nil {
		w.t.Fatal(err)
	}
	twin, err := Restore(before)
	if err != nil {
		w.t.Fatal(err)
	}
	actions := w.m.Step(ev)
	if others := twin.Step(ev); !reflect.DeepEqual(actions, others) {
		w.t.Fatalf("after %s a replica from a snapshot differs:\n%v\n%v", ev, actions, others)
	}
	one, _ := w.m.Hash()
	two, _ := twin.Hash()
	if one != two {
		w.t.Fatalf("after %s the hash of a replica from a snapshot differs", ev)
	}
	w.actions = append(w.actions, actions...)
	for _, a := range actions {
		w.carryOut(a)
	}
	w.check()
}

// check asserts what must always hold.
func (w *world) check() {
	w.t.Helper()
	for name, ids := range w.running {
		s := w.m.Services[name]
		if len(ids) > 1 && (s == nil || s.Job == nil || s.Job.Phase != migrating) {
			w.t.Fatalf("%s runs on %v at once", name, ids)
		}
		for _, id := range ids {
			if s == nil || s.MayRun.Has(id) {
				delete(w.behind, name)
				continue
			}
			if !w.behind[name] {
				w.t.Fatalf("%s runs on %d, and the machine does not know that it may: %v", name, id, s.MayRun)
			}
		}
	}
}

func (w *world) carryOut(a Action) {
	if !w.up.Has(a.Node()) {
		return
	}
	word, _, _ := strings.Cut(a.String(), " ")
	switch a := a.(type) {
	case Fence:
		w.fences = append(w.fences, a)
	case StopFencing:
		w.fences = slices.DeleteFunc(w.fences, func(f Fence) bool { return f.Op == a.Op })
	case Wait:
		w.waits = append(slices.DeleteFunc(w.waits, func(o Wait) bool { return o.ID == a.ID }), a)
	case Reply:
		w.replies[a.ID] = a
	case Note, Depart:
	default:
		if w.holding[word] {
			w.held = append(w.held, a)
			return
		}
		w.end(a)
	}
}

// end carries out an action and feeds back its end.
func (w *world) end(a Action) {
	w.now += 10
	switch a := a.(type) {
	case Probe:
		ev := Probed{Op: a.Op, Node: a.On, At: w.now, Definitions: map[string]Definition{}}
		for _, name := range slices.Sorted(maps.Keys(w.running)) {
			if w.running[name].Has(a.On) {
				ev.Running = append(ev.Running, name)
			}
		}
		for name, ids := range w.defined {
			if ids.Has(a.On) {
				ev.Definitions[name] = Definition{XML: "definition of " + name}
			}
		}
		w.step(ev)
	case Find:
		ev := Found{Node: a.On, At: w.now}
		for _, q := range a.Services {
			seen := Sighting{Op: q.Op, Running: w.running[q.Service].Has(a.On), Error: w.failure("find", q.Service, a.On)}
			if w.defined[q.Service].Has(a.On) {
				seen.Definition.XML = "definition of " + q.Service
			}
			ev.Services = append(ev.Services, seen)
		}
		w.step(ev)
	case Start:
		err := w.failure("start", a.Service, a.On)
		if w.defined != nil && a.Definition == "" {
			err = "not defined"
		}
		if err == "" {
			if others := w.running[a.Service].Without(a.On); len(others) > 0 {
				w.t.Fatalf("%s while it runs on %v", a, others)
			}
			w.running[a.Service] = cluster.NodeIDs{a.On}
		}
		w.step(Done{Op: a.Op, Node: a.On, At: w.now, Error: err})
	case Stop:
		err := w.failure("stop", a.Service, a.On)
		if err == "" {
			w.running[a.Service] = w.running[a.Service].Without(a.On)
		}
		w.step(Done{Op: a.Op, Node: a.On, At: w.now, Error: err})
	case Migrate:
		err := w.failure("migrate", a.Service, a.On)
		if err == "" {
			w.running[a.Service] = cluster.NodeIDs{a.To}
		}
		w.step(Done{Op: a.Op, Node: a.On, At: w.now, Error: err, Running: w.running[a.Service].Has(a.On)})
	case Stage:
		if a.Text != "" {
			w.step(Done{Op: a.Op, Node: a.On, At: w.now, Error: w.failure("stage", "configuration", a.On)})
		}
	case Activate:
		w.step(Done{Op: a.Op, Node: a.On, At: w.now, Error: w.failure("activate", "configuration", a.On)})
	}
}

func (w *world) failure(op, service string, id cluster.NodeID) string {
	if w.failing[fmt.Sprintf("%s %s %d", op, service, id)] || w.failing[fmt.Sprintf("%s %s", op, service)] {
		return "told to fail"
	}
	return ""
}

// view tells the machine who is there now.
func (w *world) view() {
	ev := Membership{Ring: cluster.RingID{Node: 1, Seq: w.m.Ring.Seq + 4}, Online: w.powered, Quorate: w.quorate, Left: w.left, Wary: w.wary}
	w.left, w.wary = nil, false
	for _, id := range w.up {
		ev.Members = append(ev.Members, Member{Node: id, Boot: fmt.Sprint(w.boots[id])})
	}
	w.step(ev)
}

// join brings nodes up, all in one view.
func (w *world) join(ids ...cluster.NodeID) {
	for _, id := range ids {
		w.up, w.powered = w.up.With(id), w.powered.With(id)
		w.boots[id]++
	}
	w.view()
}

// gone ends what a node was doing.
func (w *world) gone(id cluster.NodeID, why cluster.Reason) {
	w.up = w.up.Without(id)
	w.left = append(w.left, cluster.Departure{Node: id, Reason: why})
	w.fences = slices.DeleteFunc(w.fences, func(f Fence) bool { return f.On == id })
	w.waits = slices.DeleteFunc(w.waits, func(a Wait) bool { return a.On == id })
	w.held = slices.DeleteFunc(w.held, func(a Action) bool { return a.Node() == id })
}

// powerOff takes a node away with all that it runs.
func (w *world) powerOff(id cluster.NodeID) {
	w.powered = w.powered.Without(id)
	for name, ids := range w.running {
		w.running[name] = ids.Without(id)
	}
}

func (w *world) ask(r Request) string {
	w.requests++
	w.now += 10
	r.ID, r.At = fmt.Sprint(w.requests), w.now
	if r.From == 0 {
		r.From = w.up[0]
	}
	w.step(r)
	return r.ID
}

// status is one line a service.
func (w *world) status() string {
	var b strings.Builder
	name := func(id cluster.NodeID) string {
		if id == 0 {
			return "none"
		}
		return w.m.nodeName(id)
	}
	w.m.inOrder(func(full string, _ *conf.Service, s *service) {
		owner := name(s.Owner)
		if s.Owner == 0 {
			owner = "(" + name(s.LastOwner) + ")"
		}
		fmt.Fprintf(&b, "%s %s %s", full, owner, s.State)
		if s.Restarts > 0 {
			fmt.Fprintf(&b, " restarts %d", s.Restarts)
		}
		if s.Job != nil {
			fmt.Fprintf(&b, " [%s]", s.Job)
		}
		b.WriteString("\n")
	})
	return b.String()
}
