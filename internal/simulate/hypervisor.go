package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
)

// hypervisor is a host's libvirt, as package daemon wants it. What is asked of
// it happens at once; op says when that is.
type hypervisor struct{ *host }

func (h *host) hypervisor() hypervisor { return hypervisor{h} }

// failures are the ways in which an operation fails: it does nothing and says
// so, or it does its work and says that it failed. A migration that fails
// `lost` does nothing and does not know that.
var failures = []string{"cleanly", "anyway", "lost"}

var (
	errMuted  = errors.New("libvirtd does not answer")
	errFailed = errors.New("told to fail")
	errLost   = errors.New("the cluster channel ended")
)

func (h hypervisor) muted() bool { return h.mutedUntil > h.s.now }

func (h hypervisor) machine(name string) cluster.Machine {
	m := cluster.Machine{Name: name, State: "shut off", Reason: "unknown"}
	if h.disk.defined[name] {
		m.Definition = definitionOf(name)
	}
	switch {
	case h.machines[name] != nil:
		m.Running, m.State, m.Reason = true, "running", "booted"
	case h.incoming[name] > 0:
		m.Running, m.State, m.Reason = true, "paused", "migrating"
	}
	return m
}

func definitionOf(name string) string { return "<domain>" + name + "</domain>" }

// List returns what is defined or runs here.
func (h hypervisor) List(context.Context) ([]cluster.Machine, error) {
	if h.muted() {
		return nil, errMuted
	}
	var list []cluster.Machine
	for _, name := range universe {
		if m := h.machine(name); m.Definition != "" || m.Running {
			list = append(list, m)
		}
	}
	return list, nil
}

// Machine returns one machine.
func (h hypervisor) Machine(_ context.Context, name string) (cluster.Machine, bool, error) {
	if h.muted() {
		return cluster.Machine{}, false, errMuted
	}
	m := h.machine(name)
	return m, m.Definition != "" || m.Running, nil
}

// Check is the status check.
func (h hypervisor) Check(_ context.Context, svc conf.Service, _ bool) (cluster.Health, error) {
	m := h.machine(svc.Name)
	switch {
	case h.muted():
		return cluster.Health{}, errMuted
	case m.Running:
		return cluster.Health{OK: true}, nil
	}
	return cluster.Health{Detail: m.State + ", " + m.Reason}, nil
}

// Start needs a definition, here or with it.
func (h hypervisor) Start(_ context.Context, svc conf.Service, definition string) error {
	how := h.fails["start "+svc.Name]
	switch {
	case h.muted():
		return errMuted
	case h.machines[svc.Name] != nil:
		return nil
	case definition == "" && !h.disk.defined[svc.Name]:
		return fmt.Errorf("no definition of %s", svc.Name)
	case definition != "" && definition != definitionOf(svc.Name):
		return fmt.Errorf("the definition is another machine's: %s", definition)
	case how != "" && how != "anyway":
		return errFailed
	}
	h.disk.defined[svc.Name] = true
	h.begin(svc.Name, false)
	if how != "" {
		return errFailed
	}
	return nil
}

// Stop ends a machine, politely or not.
func (h hypervisor) Stop(ctx context.Context, svc conf.Service) error {
	return h.Destroy(ctx, svc.Name)
}

// Destroy ends a machine.
func (h hypervisor) Destroy(_ context.Context, name string) error {
	how := h.fails["stop "+name]
	switch {
	case h.muted():
		return errMuted
	case h.machines[name] == nil:
		delete(h.incoming, name)
		return nil
	case how != "" && how != "anyway":
		return errFailed
	}
	h.finish(name)
	if how != "" {
		return errFailed
	}
	return nil
}

// Migrate hands a machine over in one instant.
func (h hypervisor) Migrate(_ context.Context, svc conf.Service, node string, _ func(cluster.Progress)) (here bool, err error) {
	how := h.fails["migrate "+svc.Name]
	i := slices.IndexFunc(h.s.hosts, func(o *host) bool { return o.name() == node })
	switch to := h.s.hosts[i]; {
	case h.muted():
		return true, errMuted
	case h.machines[svc.Name] == nil:
		return false, errors.New("it does not run here")
	case !to.powered || to.group != h.group || h.parted.Has(to.id) || to.hypervisor().muted() || to.machines[svc.Name] != nil:
		return true, errors.New("the target cannot take it")
	case how == "cleanly":
		return true, errFailed
	case how == "lost":
		return false, errFailed
	default:
		m := h.machines[svc.Name]
		delete(h.machines, svc.Name)
		delete(h.disk.defined, svc.Name)
		to.disk.defined[svc.Name] = true
		to.begin(svc.Name, m.admin)
	}
	if how == "anyway" {
		return false, errFailed
	}
	return false, nil
}

// Watch hears nothing: package simulate tells the core itself.
func (h hypervisor) Watch(context.Context, func(cluster.MachineEvent)) error { return nil }

// begin has a machine run here from now on.
func (h *host) begin(name string, admin bool) {
	h.s.trace(h.id, "machine %s runs", name)
	h.s.started(h, name, admin)
	h.machines[name] = &machine{since: h.s.now, admin: admin, looks: map[rgmanager.Op]int64{}}
}

// finish ends a machine.
func (h *host) finish(name string) {
	h.s.trace(h.id, "machine %s ends", name)
	delete(h.machines, name)
}

// vanish ends a machine by itself; mostly libvirt says so.
func (h *host) vanish(name, reason string) {
	if h.machines[name] == nil {
		return
	}
	h.finish(name)
	if p := h.proc; p != nil && h.rng.IntN(4) > 0 {
		m := h.hypervisor().machine(name)
		m.Reason = reason
		p.changed(m)
	}
}

// agents are the ways in which fencing a host goes wrong: the agent fails, it
// cuts the power and says that it failed, it fails and the power goes later,
// it does not end.
//
// One that reports a success without having cut the power is not among them:
// against that no rule of ours can do anything, only locks below the machines.
var agents = []string{"fails", "anyway", "late", "hangs"}

// Fence cuts a host's power; it comes back by itself, or not.
func (h hypervisor) Fence(ctx context.Context, _ *conf.Config, id cluster.NodeID) ([]string, error) {
	victim := h.s.host(id)
	h.s.fences = append(h.s.fences, h.s.now)
	cut := func() {
		h.s.trace(id, "is fenced by %d", h.id)
		victim.off()
		if h.rng.IntN(2) == 0 {
			h.s.after(between(h.rng, 5000, 40000), victim.boot)
		}
	}
	switch victim.agent {
	case "fails", "hangs":
		return nil, errFailed
	case "anyway":
		cut()
		return nil, errFailed
	case "late":
		h.s.after(between(h.rng, 1000, 15000), victim.off)
		return nil, errFailed
	}
	cut()
	return nil, nil
}
