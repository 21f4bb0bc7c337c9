package hypervisor

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"libvirt.org/go/libvirt"

	"fangnetz/internal/conf"
)

// Start starts the machine of svc and returns when libvirt says that it runs;
// when it runs already nothing is done. In this order the first that exists
// is used (rgmanager, "Virtual machines: actions"): the xmlfile, or a file in
// path, created as a transient domain; definition, which becomes the
// persistent one; the persistent definition on this host.
//
// Autostart is switched off for what is started from a persistent definition:
// libvirtd must not start it at boot behind the cluster's back. A managed
// save image is discarded, because its disks may have run elsewhere since.
//
// A domain of that name with another UUID than the definition's is an error,
// running or not. Start waits for svc.VM.StartTimeout.
func (h *Host) Start(ctx context.Context, svc conf.Service, definition string) error {
	if err := h.start(ctx, svc, definition); err != nil {
		return fmt.Errorf("cannot start machine %q: %w", svc.Name, err)
	}
	return nil
}

func (h *Host) start(ctx context.Context, svc conf.Service, definition string) error {
	file, err := definitionFile(svc)
	if err != nil {
		return err
	}
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		definition = string(b)
	}
	var uuid string
	if definition != "" {
		name, id, err := identity(definition)
		if err != nil {
			return fmt.Errorf("unreadable definition: %v", err)
		}
		if name != svc.Name {
			return fmt.Errorf("its definition is for %q", name)
		}
		uuid = id
	}
	m, found, err := h.Machine(ctx, svc.Name)
	switch {
	case err != nil:
		return err
	case found && uuid != "" && !strings.EqualFold(m.UUID, uuid):
		return fmt.Errorf("another machine has that name here: UUID %s, want %s", m.UUID, uuid)
	case found && m.Running:
		return nil
	}
	_, err = do(ctx, h, limit(svc, startTimeout), func(ctx context.Context, c *link) (struct{}, error) {
		return struct{}{}, create(ctx, c, svc.Name, definition, file != "")
	})
	return err
}

// create starts a domain that does not run.
func create(ctx context.Context, c *link, name, definition string, transient bool) error {
	if transient {
		d, err := c.DomainCreateXML(definition, 0)
		if err == nil {
			d.Free()
		}
		return err
	}
	var d *libvirt.Domain
	var err error
	if definition != "" {
		d, err = c.DomainDefineXML(definition)
	} else {
		d, err = c.LookupDomainByName(name)
	}
	if err != nil {
		return err
	}
	defer d.Free()
	if err := d.SetAutostart(false); err != nil {
		return err
	}
	var flags libvirt.DomainCreateFlags
	if saved, err := d.HasManagedSaveImage(0); err == nil && saved {
		flags = libvirt.DOMAIN_START_FORCE_BOOT
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return d.CreateWithFlags(flags)
}

// definitionFile returns the file that svc is to be created from; empty when
// there is none.
func definitionFile(svc conf.Service) (string, error) {
	if svc.VM == nil {
		return "", fmt.Errorf("%s is not a virtual machine", svc.FullName())
	}
	if f := svc.VM.XMLFile; f != "" {
		if _, err := os.Stat(f); err == nil {
			return f, nil
		}
		return "", nil
	}
	if svc.VM.Path == "" || svc.VM.Path == "/etc/xen" {
		return "", nil
	}
	for _, dir := range filepath.SplitList(svc.VM.Path) {
		for _, f := range []string{filepath.Join(dir, svc.Name), filepath.Join(dir, svc.Name+".xml")} {
			b, err := os.ReadFile(f)
			if err != nil {
				continue
			}
			if !bytes.HasPrefix(bytes.TrimSpace(b), []byte("<")) {
				return "", fmt.Errorf("%s is not XML; xm's files are not supported", f)
			}
			return f, nil
		}
	}
	return "", nil
}

// limit is the service's own start time-out, or the vm agent's.
func limit(svc conf.Service, otherwise time.Duration) time.Duration {
	if svc.VM.StartTimeout > 0 {
		return svc.VM.StartTimeout
	}
	return otherwise
}
