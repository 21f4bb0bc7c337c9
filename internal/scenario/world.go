package scenario

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
)

// World is the machine and a fake of everything outside it: nodes, what they
// run, and how operations end. It carries actions out at once, save fencing
// and waiting. The zero World waits for the command `cluster`.
type World struct {
	// Check compares each step with one of a replica that went through a
	// snapshot: both must act alike. That is slow in large clusters.
	Check bool
	// Auto counts the votes when nodes come and go, lets fencing succeed and
	// time pass: after each command everything comes to rest.
	Auto bool
	// Read returns the file that `update FILE` names; nil: there are none.
	Read func(name string) ([]byte, error)

	m       *rgmanager.Machine
	config  string          // the text of cluster.conf in force
	up      cluster.NodeIDs // cmand takes part
	reached cluster.NodeIDs // in the ring
	boots   map[cluster.NodeID]int
	ring    uint64
	quorate bool
	wary    bool
	left    []cluster.Departure

	running map[string]cluster.NodeIDs // by service
	defined map[string]cluster.NodeIDs // where it is defined; nil: everywhere
	behind  map[string]cluster.NodeIDs // where it was started behind our back, until found
	twice   map[string]bool            // made to run twice, behind our back
	known   map[string]bool            // services that some configuration had
	failing map[string]bool            // "start vm:web 1", "fence 2"
	holding map[string]bool            // "start": operations that do not end
	held    []rgmanager.Action
	fences  []rgmanager.Fence
	waits   []rgmanager.Wait
	now     rgmanager.Time

	actions  []rgmanager.Action // of the latest command
	requests int
	steps    int   // of the latest command
	begun    bool  // something has happened
	broken   error // what must always hold does not
}

// maxSteps bounds the events of one command; what takes more goes round in
// circles.
const maxSteps = 100_000

// New returns a cluster of which no node is up. The text is a cluster.conf.
func New(config string) (*World, error) {
	w := &World{config: config, now: 1_000_000, boots: map[cluster.NodeID]int{}, running: map[string]cluster.NodeIDs{},
		behind: map[string]cluster.NodeIDs{}, twice: map[string]bool{}, known: map[string]bool{},
		failing: map[string]bool{}, holding: map[string]bool{}}
	doc, err := conf.Parse("cluster.conf", []byte(config))
	if err != nil {
		return nil, err
	}
	c, faults := doc.Config()
	for _, f := range faults {
		if f.Severity == conf.Error {
			return nil, errors.New(f.String())
		}
	}
	for _, n := range c.Nodes {
		if n.ID == 0 {
			return nil, fmt.Errorf("clusternode %q has no nodeid", n.Name)
		}
	}
	if w.m, err = rgmanager.New(config); err != nil {
		return nil, err
	}
	w.know()
	return w, nil
}

// know remembers the names of the configured services.
func (w *World) know() {
	for _, s := range w.m.Conf().Services {
		w.known[s.FullName()] = true
	}
}

// Machine is the machine, to be asked. Its state is not to be changed.
func (w *World) Machine() *rgmanager.Machine { return w.m }

// Actions are those that the latest command led to, in order.
func (w *World) Actions() []rgmanager.Action { return w.actions }

// step feeds one event to the machine and carries out what it says.
func (w *World) step(ev rgmanager.Event) {
	w.begun = true
	limit := maxSteps
	if w.Check {
		limit /= 50 // each is costly
	}
	if w.steps++; w.broken == nil && w.steps > limit {
		w.broken = fmt.Errorf("no rest after %d events", limit)
	}
	if w.broken != nil {
		return
	}
	var twin *rgmanager.Machine
	if w.Check {
		if twin = w.twin(); w.broken != nil {
			return
		}
	}
	actions := w.m.Step(ev)
	if w.Check {
		w.compare(ev, twin, actions)
	}
	w.act(actions)
}

// act carries out what the machine says.
func (w *World) act(actions []rgmanager.Action) {
	w.actions = append(w.actions, actions...)
	for _, a := range actions {
		w.carryOut(a)
	}
	w.check()
}

// twin is a copy of the machine that went through a snapshot.
func (w *World) twin() *rgmanager.Machine {
	state, err := w.m.Snapshot()
	if err == nil {
		var twin *rgmanager.Machine
		if twin, err = rgmanager.Restore(state); err == nil {
			return twin
		}
	}
	w.broken = err
	return nil
}

// compare wants a replica from a snapshot to act and to end up alike.
func (w *World) compare(ev rgmanager.Event, twin *rgmanager.Machine, actions []rgmanager.Action) {
	if others := twin.Step(ev); !reflect.DeepEqual(actions, others) {
		w.broken = fmt.Errorf("after %s a replica from a snapshot differs: %v, not %v", ev, others, actions)
		return
	}
	one, err1 := w.m.Hash()
	two, err2 := twin.Hash()
	if one != two || err1 != nil || err2 != nil {
		w.broken = fmt.Errorf("after %s the hash of a replica from a snapshot differs", ev)
	}
}

// check wants what must always hold: no service runs twice, and a machine that
// has had a quorum knows of each node that runs one.
func (w *World) check() {
	for name, ids := range w.running {
		if w.broken != nil {
			return
		}
		if len(ids) < 2 {
			delete(w.twice, name)
		}
		if len(ids) > 1 && !w.twice[name] && !w.m.Moving(name) {
			w.broken = fmt.Errorf("%s runs on %v at once", name, ids)
		}
		if _, known := w.m.Record(name); !known || !w.m.Formed() {
			continue
		}
		may := w.m.MayRunOn(name)
		for _, id := range ids {
			if may.Has(id) {
				w.behind[name] = w.behind[name].Without(id)
			} else if !w.behind[name].Has(id) && w.broken == nil {
				w.broken = fmt.Errorf("%s runs on %s, and the machine does not know that it may: %v", name, w.name(id), may)
			}
		}
	}
}

// view tells the machine who is there now.
func (w *World) view() {
	if w.Auto {
		w.quorate = w.votes()
	}
	w.ring += 4
	ev := rgmanager.Membership{Ring: cluster.RingID{Node: 1, Seq: w.ring}, Online: w.reached, Quorate: w.quorate,
		Left: w.left, Wary: w.wary}
	w.left, w.wary = nil, false
	for _, id := range w.up {
		ev.Members = append(ev.Members, rgmanager.Member{Node: id, Boot: fmt.Sprint(w.boots[id])})
	}
	w.step(ev)
	if len(w.up) == 0 && w.broken == nil { // nobody is left who knows anything
		w.m, w.broken = rgmanager.New(w.config)
	}
}

// votes reports whether those who reach each other have a quorum.
func (w *World) votes() bool {
	c := w.m.Conf()
	have, all := 0, 0
	for _, n := range c.Nodes {
		all += n.Votes
		if w.reached.Has(n.ID) {
			have += n.Votes
		}
	}
	if c.TwoNode {
		return have > 0
	}
	return have > max(all, c.ExpectedVotes)/2
}

// join brings nodes up, all in one view. Those that are up start anew.
func (w *World) join(ids ...cluster.NodeID) {
	for _, id := range ids {
		w.forget(id)
		w.up, w.reached = w.up.With(id), w.reached.With(id)
		w.boots[id]++
	}
	w.view()
}

// gone takes a node's cmand away.
func (w *World) gone(id cluster.NodeID, why cluster.Reason) {
	w.up = w.up.Without(id)
	w.left = append(w.left, cluster.Departure{Node: id, Reason: why})
	w.forget(id)
}

// forget ends what a node's cmand was doing.
func (w *World) forget(id cluster.NodeID) {
	w.fences = slices.DeleteFunc(w.fences, func(f rgmanager.Fence) bool { return f.On == id })
	w.waits = slices.DeleteFunc(w.waits, func(a rgmanager.Wait) bool { return a.On == id })
	w.held = slices.DeleteFunc(w.held, func(a rgmanager.Action) bool { return a.Node() == id })
}

// powerOff takes a node away with all that it runs.
func (w *World) powerOff(id cluster.NodeID) {
	w.reached = w.reached.Without(id)
	for name, ids := range w.running {
		w.running[name] = ids.Without(id)
	}
}

// name is a node's name.
func (w *World) name(id cluster.NodeID) string {
	if n := w.m.Conf().NodeByID(id); n != nil {
		return n.Name
	}
	return "node" + id.String()
}
