package hypervisor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"libvirt.org/go/libvirt"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

const (
	statusTimeout = 10 * time.Second // the vm agent's
	deepTimeout   = 20 * time.Second // the same at depth 10
)

// endMeans puts libvirt's reasons for "shut off" in other words.
var endMeans = map[string]string{
	"shutdown":      "the guest shut itself down",
	"crashed":       "its QEMU died",
	"destroyed":     "it was destroyed from outside",
	"migrated":      "it was migrated away from outside",
	"saved":         "it was saved from outside",
	"failed":        "its QEMU failed",
	"from snapshot": "it was reverted to a snapshot of a stopped machine",
	"daemon":        "libvirtd lost it when it started anew",
}

// onPurpose are libvirt's reasons for a pause that somebody or something
// wanted: the guest is not asked how it is meanwhile.
var onPurpose = []string{"user", "migrating", "saving", "dumping", "from snapshot", "creating snapshot", "starting up", "post-copy"}

// Check looks at the machine of svc (rgmanager, "Virtual machines: actions").
// It counts as running while libvirt calls it running, idle or paused, for
// whatever reason it is paused: a QEMU is there and has its disks open. It
// does not when it is shut off or unknown, crashed (its QEMU may have been
// kept), suspended by its guest, or still "in shutdown" at the end of
// svc.VM.StatusTimeout.
//
// With deep set the status_program must succeed too, within
// svc.VM.DeepTimeout, unless the machine was paused on purpose.
//
// An error means that there was no answer: it says nothing about the machine.
// Autostart is switched off for a machine that has it on.
func (h *Host) Check(ctx context.Context, svc conf.Service, deep bool) (cluster.Health, error) {
	health, err := h.check(ctx, svc, deep)
	if err != nil {
		return cluster.Health{}, fmt.Errorf("cannot check machine %q: %w", svc.Name, err)
	}
	return health, nil
}

func (h *Host) check(ctx context.Context, svc conf.Service, deep bool) (cluster.Health, error) {
	if svc.VM == nil {
		return cluster.Health{}, fmt.Errorf("%s is not a virtual machine", svc.FullName())
	}
	m, at, err := h.settled(ctx, svc)
	if err != nil {
		return cluster.Health{}, err
	}
	switch {
	case !m.Running:
		return cluster.Health{Detail: h.whyGone(svc.Name, m)}, nil
	case m.State == "running" || m.State == "idle" || m.State == "no state" || m.State == "paused":
	default:
		return cluster.Health{Detail: m.State + ", " + m.Reason + ": its QEMU is still there"}, nil
	}
	if m.Definition != "" {
		h.tame(ctx, at, svc.Name)
	}
	health := cluster.Health{OK: true}
	if m.State == "paused" {
		health.Detail = "paused, " + m.Reason
	}
	if !deep || svc.VM.StatusProgram == "" || m.State == "paused" && slices.Contains(onPurpose, m.Reason) {
		return health, nil
	}
	if err := askProgram(ctx, svc); ctx.Err() != nil {
		return cluster.Health{}, context.Cause(ctx)
	} else if err != nil {
		health = cluster.Health{Detail: m.State + ", " + m.Reason + ": " + err.Error()}
	}
	return health, nil
}

// settled looks for the machine and waits for the end of a passage: a guest
// that has shut down, whose QEMU has not ended or restarts.
func (h *Host) settled(ctx context.Context, svc conf.Service) (cluster.Machine, *conn, error) {
	ctx, cancel := context.WithTimeout(ctx, or(svc.VM.StatusTimeout, statusTimeout))
	defer cancel()
	tick := time.NewTicker(pollStop)
	defer tick.Stop()
	for {
		m, at, err := h.look(ctx, svc.Name)
		if err != nil || m.State != "in shutdown" {
			return m, at, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return m, at, nil
		}
	}
}

// tame switches autostart off. What libvirtd would start at boot the cluster
// may have started elsewhere.
func (h *Host) tame(ctx context.Context, at *conn, name string) {
	err := act(ctx, at, askTimeout, name, func(d *libvirt.Domain) error {
		on, err := d.GetAutostart()
		if err != nil || !on {
			return err
		}
		if err := d.SetAutostart(false); err != nil {
			return err
		}
		h.note(name, "its autostart is switched off: the cluster starts it")
		return nil
	})
	if err != nil {
		h.note(name, "cannot switch its autostart off: "+err.Error())
	}
}

// whyGone says what became of a machine that does not run, in libvirt's words
// and ours. A machine that libvirt has forgotten ended as Watch heard.
func (h *Host) whyGone(name string, m cluster.Machine) string {
	state, reason := m.State, m.Reason
	if state == "" {
		h.mu.Lock()
		reason = h.ends[name]
		h.mu.Unlock()
		if reason == "" {
			return "undefined"
		}
		state = stateWord(libvirt.DOMAIN_SHUTOFF)
	}
	words := state + ", " + reason
	if means := endMeans[reason]; means != "" {
		words += ": " + means
	}
	return words
}

// ended keeps libvirt's reason for the end of a machine that it forgets.
func (h *Host) ended(name, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ends[name] = reason
}
