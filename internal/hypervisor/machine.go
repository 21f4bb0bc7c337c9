package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"libvirt.org/go/libvirt"

	"fangnetz/internal/cluster"
)

// list returns all machines that this libvirtd knows.
func (c *conn) list(ctx context.Context) ([]cluster.Machine, error) {
	machines, err := do(ctx, c, askTimeout, func(_ context.Context, l *link) ([]cluster.Machine, error) {
		doms, err := l.ListAllDomains(0)
		if err != nil {
			return nil, err
		}
		defer func() {
			for i := range doms {
				doms[i].Free()
			}
		}()
		var machines []cluster.Machine
		for i := range doms {
			m, err := read(&doms[i])
			if isNoDomain(err) {
				continue // gone since it was listed
			}
			if err != nil {
				return nil, err
			}
			machines = append(machines, m)
		}
		return machines, nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list machines: %w", err)
	}
	return machines, nil
}

// machine returns the machine called name, and whether this libvirtd knows
// it. It reports false only when libvirtd says so itself.
func (c *conn) machine(ctx context.Context, name string) (m cluster.Machine, found bool, err error) {
	m, err = onDomain(ctx, c, askTimeout, name, read)
	switch {
	case isNoDomain(err):
		return cluster.Machine{}, false, nil
	case err != nil:
		return cluster.Machine{}, false, fmt.Errorf("cannot look up machine %q: %w", name, err)
	}
	return m, true, nil
}

// onDomain runs f, which makes one call, on the domain called name, in the
// way of do.
func onDomain[T any](ctx context.Context, c *conn, limit time.Duration, name string, f func(*libvirt.Domain) (T, error)) (T, error) {
	return do(ctx, c, limit, func(ctx context.Context, l *link) (v T, err error) {
		d, err := l.LookupDomainByName(name)
		if err != nil {
			return v, err
		}
		defer d.Free()
		if err := ctx.Err(); err != nil {
			return v, err
		}
		return f(d)
	})
}

// act is onDomain for a call without an answer.
func act(ctx context.Context, c *conn, limit time.Duration, name string, f func(*libvirt.Domain) error) error {
	_, err := onDomain(ctx, c, limit, name, func(d *libvirt.Domain) (struct{}, error) { return struct{}{}, f(d) })
	return err
}

// read asks libvirt what is to be known about d.
func read(d *libvirt.Domain) (cluster.Machine, error) {
	var m cluster.Machine
	var err error
	if m.Name, err = d.GetName(); err != nil {
		return m, err
	}
	if m.UUID, err = d.GetUUIDString(); err != nil {
		return m, err
	}
	state, reason, err := d.GetState()
	if err != nil {
		return m, err
	}
	m.State, m.Reason = stateWord(state), reasonWord(state, reason)
	// A crashed domain may or may not have been kept: active means that a
	// QEMU is there.
	if m.Running, err = d.IsActive(); err != nil {
		return m, err
	}
	persistent, err := d.IsPersistent()
	if err != nil || !persistent {
		return m, err
	}
	m.Definition, err = d.GetXMLDesc(libvirt.DOMAIN_XML_INACTIVE | libvirt.DOMAIN_XML_SECURE)
	return m, err
}

// isNoDomain reports whether libvirtd said that there is no such domain.
func isNoDomain(err error) bool { return hasCode(err, libvirt.ERR_NO_DOMAIN) }

func hasCode(err error, code libvirt.ErrorNumber) bool {
	var f fault
	if errors.As(err, &f) {
		return f.code == code
	}
	var v libvirt.Error
	return errors.As(err, &v) && v.Code == code
}
