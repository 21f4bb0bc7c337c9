package hypervisor

import (
	"context"
	"fmt"
	"time"

	"libvirt.org/go/libvirt"

	"fangnetz/internal/conf"
)

const (
	stopTimeout    = 120 * time.Second // the vm agent's
	destroyTimeout = 60 * time.Second  // libvirt itself gives up on a QEMU after some 25 s
	pollStop       = 500 * time.Millisecond
)

// Stop shuts the machine of svc down and returns when no QEMU is left of it;
// when it does not run nothing is done. A guest that is still there after
// svc.VM.StopTimeout, or that cannot hear the request because it is not
// executing, is destroyed, unless no_kill is set (rgmanager, "Virtual
// machines: actions"). With snapshot set its state is saved instead; when that
// fails it is shut down all the same.
//
// After an error the machine must be taken for running.
func (h *Host) Stop(ctx context.Context, svc conf.Service) error {
	if svc.VM == nil {
		return fmt.Errorf("%s is not a virtual machine", svc.FullName())
	}
	for _, c := range h.at(svc.Name) {
		if err := h.stop(ctx, c, svc); err != nil {
			return fmt.Errorf("cannot stop machine %q: %w", svc.Name, err)
		}
	}
	return nil
}

func (h *Host) stop(ctx context.Context, c *conn, svc conf.Service) error {
	m, _, err := c.machine(ctx, svc.Name)
	if err != nil {
		return err
	}
	if !m.Running {
		return nil
	}
	timeout := or(svc.VM.StopTimeout, stopTimeout)
	if svc.VM.Snapshot != "" && saves(m.State) {
		err := h.save(ctx, c, svc, timeout)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		h.note(svc.Name, fmt.Sprintf("cannot save its state to %s, so it is shut down: %v", image(svc), err))
		if m, _, err = c.machine(ctx, svc.Name); err != nil {
			return err
		}
		if !m.Running {
			return nil
		}
	}
	shutdown := "it is " + m.State
	if hears(m.State) {
		gone, err := c.shutdown(ctx, svc.Name, timeout)
		if gone {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		shutdown = fmt.Sprintf("it is still there after %v", timeout)
		if err != nil {
			shutdown = err.Error()
		}
	}
	if svc.VM.NoKill {
		return fmt.Errorf("%s, and no_kill is set", shutdown)
	}
	if err := c.destroy(ctx, svc.Name); err != nil {
		return fmt.Errorf("%s; cannot destroy it: %w", shutdown, err)
	}
	return nil
}

// saves reports whether the state of a machine is worth saving: a crashed
// guest would be restored crashed.
func saves(state string) bool { return state == "running" || state == "idle" || state == "paused" }

// hears reports whether a guest in that state can act on a power button.
func hears(state string) bool { return state == "running" || state == "idle" || state == "in shutdown" }

// shutdown asks the guest to power off and waits until it is gone, or until
// it is clear that it will not go.
func (c *conn) shutdown(ctx context.Context, name string, timeout time.Duration) (gone bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = act(ctx, c, askTimeout, name, (*libvirt.Domain).Shutdown)
	if err != nil && !isNoDomain(err) {
		return false, err
	}
	tick := time.NewTicker(pollStop)
	defer tick.Stop()
	for {
		m, found, err := c.machine(ctx, name)
		switch {
		case err == nil && (!found || !m.Running):
			return true, nil
		case err == nil && !hears(m.State):
			return false, fmt.Errorf("it became %s (%s)", m.State, m.Reason)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, err
		}
	}
}

// Destroy ends the machine's QEMU at once, as pulling its plug does, and
// returns when it is gone; when it does not run nothing is done. It takes a
// minute at most.
func (h *Host) Destroy(ctx context.Context, name string) error {
	for _, c := range h.at(name) {
		if err := c.destroy(ctx, name); err != nil {
			return fmt.Errorf("cannot destroy machine %q: %w", name, err)
		}
	}
	return nil
}

func (c *conn) destroy(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, destroyTimeout)
	defer cancel()
	err := act(ctx, c, 0, name, (*libvirt.Domain).Destroy)
	// Not running is what was wanted, whoever did it.
	if err != nil && !isNoDomain(err) && !hasCode(err, libvirt.ERR_OPERATION_INVALID) {
		return err
	}
	m, found, err := c.machine(ctx, name)
	if err != nil {
		return err
	}
	if found && m.Running {
		return fmt.Errorf("it is still %s (%s)", m.State, m.Reason)
	}
	return nil
}
