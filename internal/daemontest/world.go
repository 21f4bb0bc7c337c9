package daemontest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// World is a fake of all hypervisors and power switches of a cluster. It fails
// the test when a machine runs twice.
type World struct {
	t  testing.TB
	mu sync.Mutex

	running map[string]cluster.NodeIDs
	defined map[string]cluster.NodeIDs
	starts  map[string]int
	watch   map[cluster.NodeID]func(cluster.MachineEvent)
	health  map[string]cluster.Health // of those that run and are not well
	plain   map[string]int            // status checks
	deep    map[string]int            // the same at depth 10
	// Down are hypervisors that do not answer, Broken switches that fail.
	down, broken cluster.NodeIDs
	off          func(cluster.NodeID) // cuts a node's power
}

// NewWorld returns a world where all machines are defined on all nodes named.
func NewWorld(t testing.TB, off func(cluster.NodeID)) *World {
	return &World{t: t, off: off, running: map[string]cluster.NodeIDs{}, defined: map[string]cluster.NodeIDs{},
		starts: map[string]int{}, watch: map[cluster.NodeID]func(cluster.MachineEvent){}, health: map[string]cluster.Health{},
		plain: map[string]int{}, deep: map[string]int{}}
}

// Checks returns how often a machine's status was checked, at depth 0 and 10.
func (w *World) Checks(name string) (plain, deep int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.plain[name], w.deep[name]
}

// Ail has a machine that runs be in that health until it is stopped.
func (w *World) Ail(name string, health cluster.Health) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.health[name] = health
}

// Define makes a machine known on one node.
func (w *World) Define(name string, id cluster.NodeID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.defined[name] = w.defined[name].With(id)
}

// Running returns where a machine runs, and how often it was started.
func (w *World) Running(name string) (cluster.NodeIDs, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running[name], w.starts[name]
}

// Kill ends a machine, and tells its node.
func (w *World) Kill(name string) {
	w.mu.Lock()
	ids := w.running[name]
	delete(w.running, name)
	var tell []func(cluster.MachineEvent)
	for _, id := range ids {
		if f := w.watch[id]; f != nil {
			tell = append(tell, f)
		}
	}
	w.mu.Unlock()
	for _, f := range tell {
		f(cluster.MachineEvent{Machine: cluster.Machine{Name: name, State: "shutoff", Reason: "crashed"}})
	}
}

// PowerOff ends all that runs on a node.
func (w *World) PowerOff(id cluster.NodeID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, ids := range w.running {
		w.running[name] = ids.Without(id)
	}
}

// Mute makes a node's hypervisor answer nothing, or answer again.
func (w *World) Mute(id cluster.NodeID, mute bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = set(w.down, id, mute)
}

// Break makes a node's power switch fail, or work again.
func (w *World) Break(id cluster.NodeID, broken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = set(w.broken, id, broken)
}

func set(ids cluster.NodeIDs, id cluster.NodeID, in bool) cluster.NodeIDs {
	if in {
		return ids.With(id)
	}
	return ids.Without(id)
}

// Fence cuts a node's power.
func (w *World) Fence(ctx context.Context, _ *conf.Config, id cluster.NodeID) ([]string, error) {
	time.Sleep(time.Second)
	w.mu.Lock()
	broken := w.broken.Has(id)
	w.mu.Unlock()
	if broken || ctx.Err() != nil {
		return nil, errors.New("the fake switch does not answer")
	}
	w.off(id)
	return []string{"fence success"}, nil
}

// Host is one node's fake hypervisor.
type Host struct {
	w  *World
	id cluster.NodeID
}

// Host returns a node's hypervisor.
func (w *World) Host(id cluster.NodeID) *Host { return &Host{w, id} }

var errMute = errors.New("the fake libvirtd does not answer")

func (h *Host) machine(name string) cluster.Machine {
	m := cluster.Machine{Name: name, State: "shutoff", Reason: "unknown"}
	if h.w.defined[name].Has(h.id) {
		m.Definition = "<domain><name>" + name + "</name></domain>"
	}
	if h.w.running[name].Has(h.id) {
		m.Running, m.State, m.Reason = true, "running", "booted"
	}
	return m
}

// List returns what is defined or runs here.
func (h *Host) List(context.Context) ([]cluster.Machine, error) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if h.w.down.Has(h.id) {
		return nil, errMute
	}
	var list []cluster.Machine
	for name, ids := range h.w.defined {
		if ids.Has(h.id) || h.w.running[name].Has(h.id) {
			list = append(list, h.machine(name))
		}
	}
	slices.SortFunc(list, func(a, b cluster.Machine) int { return len(a.Name) - len(b.Name) })
	return list, nil
}

// Machine returns one machine.
func (h *Host) Machine(_ context.Context, name string) (cluster.Machine, bool, error) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if h.w.down.Has(h.id) {
		return cluster.Machine{}, false, errMute
	}
	m := h.machine(name)
	return m, m.Definition != "" || m.Running, nil
}

// Check looks at a machine.
func (h *Host) Check(ctx context.Context, svc conf.Service, deep bool) (cluster.Health, error) {
	m, _, err := h.Machine(ctx, svc.Name)
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if deep {
		h.w.deep[svc.Name]++
	} else {
		h.w.plain[svc.Name]++
	}
	health, ails := h.w.health[svc.Name]
	switch {
	case err != nil:
		return cluster.Health{}, err
	case !m.Running:
		return cluster.Health{Detail: m.State + ", " + m.Reason}, nil
	case ails:
		return health, nil
	}
	return cluster.Health{OK: true}, nil
}

// Start takes a second, and a definition.
func (h *Host) Start(_ context.Context, svc conf.Service, definition string) error {
	time.Sleep(time.Second)
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	switch others := h.w.running[svc.Name].Without(h.id); {
	case h.w.down.Has(h.id):
		return errMute
	case len(others) > 0:
		h.w.t.Errorf("%s is started on node %d while it runs on %v", svc.Name, h.id, others)
	case h.w.running[svc.Name].Has(h.id):
		return nil
	case definition == "" && !h.w.defined[svc.Name].Has(h.id):
		return fmt.Errorf("no domain %s", svc.Name)
	}
	h.w.defined[svc.Name] = h.w.defined[svc.Name].With(h.id)
	h.w.running[svc.Name] = h.w.running[svc.Name].With(h.id)
	h.w.starts[svc.Name]++
	return nil
}

// Stop takes a second.
func (h *Host) Stop(ctx context.Context, svc conf.Service) error {
	time.Sleep(time.Second)
	return h.Destroy(ctx, svc.Name)
}

// Destroy takes no time.
func (h *Host) Destroy(_ context.Context, name string) error {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if h.w.down.Has(h.id) {
		return errMute
	}
	h.w.running[name] = h.w.running[name].Without(h.id)
	delete(h.w.health, name)
	return nil
}

// Migrate takes two seconds and reports half-way. A node is named "nodeN".
func (h *Host) Migrate(ctx context.Context, svc conf.Service, node string, progress func(cluster.Progress)) (bool, error) {
	time.Sleep(time.Second)
	progress(cluster.Progress{Total: 2 << 20, Processed: 1 << 20, Remaining: 1 << 20, Rate: 1 << 20})
	time.Sleep(time.Second)
	var to cluster.NodeID
	if _, err := fmt.Sscanf(node, "node%d", &to); err != nil {
		return true, err
	}
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	switch {
	case ctx.Err() != nil || !h.w.running[svc.Name].Has(h.id):
		return false, errors.New("not running")
	case h.w.down.Has(to):
		return true, errMute
	}
	h.w.running[svc.Name] = h.w.running[svc.Name].Without(h.id).With(to)
	h.w.defined[svc.Name] = h.w.defined[svc.Name].Without(h.id).With(to)
	return false, nil
}

// Watch reports what Kill does.
func (h *Host) Watch(ctx context.Context, f func(cluster.MachineEvent)) error {
	h.w.mu.Lock()
	h.w.watch[h.id] = f
	h.w.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}
