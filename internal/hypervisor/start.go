package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"libvirt.org/go/libvirt"

	"fangnetz/internal/conf"
)

const (
	startTimeout = 300 * time.Second // the vm agent's
	tryProgram   = 5 * time.Second   // from one try of a status_program to the next
)

// Start starts the machine of svc and returns when libvirt says that it runs,
// and its status_program succeeds; when it runs already nothing is done. In
// this order the first that exists is used (rgmanager, "Virtual machines:
// actions"): the saved state in the folder snapshot; the xmlfile, or a file in
// path, created as a transient domain; definition, which becomes the
// persistent one; the persistent definition on this host. A file of these
// that exists and cannot be read is an error.
//
// Autostart is switched off for what has a persistent definition: libvirtd
// must not start it at boot behind the cluster's back. A managed save image
// is discarded, because its disks may have run elsewhere since.
//
// A domain of that name with another UUID than the definition's is an error,
// running or not. Start takes svc.VM.StartTimeout at most.
func (h *Host) Start(ctx context.Context, svc conf.Service, definition string) error {
	if svc.VM == nil {
		return fmt.Errorf("%s is not a virtual machine", svc.FullName())
	}
	ctx, cancel := context.WithTimeout(ctx, or(svc.VM.StartTimeout, startTimeout))
	defer cancel()
	if err := h.start(ctx, svc, definition); err != nil {
		return fmt.Errorf("cannot start machine %q: %w", svc.Name, err)
	}
	return nil
}

// or is a time-out as configured, or the vm agent's.
func or(configured, otherwise time.Duration) time.Duration {
	if configured > 0 {
		return configured
	}
	return otherwise
}

func (h *Host) start(ctx context.Context, svc conf.Service, definition string) error {
	if err := errors.Join(svc.VM.StartRefusals()...); err != nil {
		return err
	}
	own, err := h.place(svc)
	if err != nil {
		return err
	}
	from, err := sourceOf(ctx, svc, definition)
	if err != nil {
		return err
	}
	m, at, err := h.look(ctx, svc.Name)
	switch {
	case err != nil:
		return err
	case at != nil && m.Running && at != own:
		return fmt.Errorf("it runs under %s", at.uri)
	case at == own && from.uuid != "" && !strings.EqualFold(m.UUID, from.uuid):
		return fmt.Errorf("another machine has that name here: UUID %s, want %s", m.UUID, from.uuid)
	case m.Running:
		return nil
	}
	h.ended(svc.Name, "") // the next end has a reason of its own
	restored, err := h.restore(ctx, own, svc, from)
	if err != nil {
		return err
	}
	if !restored {
		_, err = do(ctx, own, 0, func(ctx context.Context, l *link) (struct{}, error) {
			return struct{}{}, h.create(ctx, l, svc.Name, from)
		})
		if err != nil {
			return err
		}
	}
	if svc.VM.StatusProgram == "" {
		return nil
	}
	return h.await(ctx, svc)
}

// create starts a domain that does not run.
func (h *Host) create(ctx context.Context, l *link, name string, from source) error {
	if from.transient {
		d, err := l.DomainCreateXML(from.xml, 0)
		if err == nil {
			d.Free()
		}
		return err
	}
	d, err := define(l, name, from)
	if err != nil {
		return err
	}
	defer d.Free()
	var flags libvirt.DomainCreateFlags
	if saved, err := d.HasManagedSaveImage(0); err == nil && saved {
		h.note(name, "its managed save image is discarded: its disks may have been used since")
		flags = libvirt.DOMAIN_START_FORCE_BOOT
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return d.CreateWithFlags(flags)
}

// define returns the persistent domain called name, as from has it, with
// autostart off.
func define(l *link, name string, from source) (d *libvirt.Domain, err error) {
	if from.xml != "" {
		d, err = l.DomainDefineXML(from.xml)
	} else {
		d, err = l.LookupDomainByName(name)
	}
	if err != nil {
		return nil, err
	}
	if err := d.SetAutostart(false); err != nil {
		d.Free()
		return nil, err
	}
	return d, nil
}

// await runs the status_program until it succeeds, for as long as the machine
// is there and the start may take.
func (h *Host) await(ctx context.Context, svc conf.Service) error {
	tick := time.NewTicker(tryProgram)
	defer tick.Stop()
	for {
		err := askProgram(ctx, svc)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return context.Cause(ctx)
			}
			return fmt.Errorf("status_program: Timeout exceeded while waiting for %q: %w", programName(svc), err)
		}
		m, _, merr := h.look(ctx, svc.Name)
		if merr == nil && !m.Running {
			return fmt.Errorf("it has ended again: %s", h.whyGone(svc.Name, m))
		}
	}
}
