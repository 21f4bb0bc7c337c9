package hypervisor

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"libvirt.org/go/libvirt"

	"fangnetz/internal/conf"
)

// image is the file that holds the saved state of svc: DIR/NAME, DIR being
// the attribute snapshot; empty when there is none (rgmanager, "Virtual
// machines: attributes").
//
// While it is being written its name ends in .saving, while a machine is being
// restored from it in .restoring: a state is never half there, and never
// restored twice, whatever happens to this process.
func image(svc conf.Service) string {
	if svc.VM.Snapshot == "" {
		return ""
	}
	return filepath.Join(svc.VM.Snapshot, svc.Name)
}

// tooLate is how much newer than a saved state its disks may be: two file
// servers' clocks may differ.
const tooLate = 10 * time.Second

// restore starts the machine from its saved state, and removes that; restored
// is false when there is none. After an error the file is where it was,
// except when libvirtd gave no answer and may be reading it yet.
func (h *Host) restore(ctx context.Context, c *conn, svc conf.Service, from source) (restored bool, err error) {
	file := image(svc)
	if file == "" {
		return false, nil
	}
	saved, err := bounded(ctx, func() (time.Time, error) {
		st, err := os.Stat(file)
		if err != nil {
			return time.Time{}, err
		}
		return st.ModTime(), nil
	})
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("cannot look for its saved state: %w", err)
	}
	taken := file + ".restoring"
	_, err = do(ctx, c, 0, func(ctx context.Context, l *link) (struct{}, error) {
		return struct{}{}, restore(ctx, l, svc.Name, from, saved, file, taken)
	})
	if err == nil {
		if err := os.Remove(taken); err != nil {
			h.note(svc.Name, "restored, but its saved state cannot be removed: "+err.Error())
		}
		return true, nil
	}
	left := file
	if _, serr := os.Stat(taken); serr == nil {
		m, _, lerr := h.look(context.WithoutCancel(ctx), svc.Name)
		if lerr == nil && !m.Running {
			serr = os.Rename(taken, file)
		}
		if lerr != nil || m.Running || serr != nil {
			left = taken
		}
	}
	return false, fmt.Errorf("cannot restore it from its saved state, which is left in %s: %w", left, err)
}

func restore(ctx context.Context, l *link, name string, from source, saved time.Time, file, taken string) error {
	text, err := l.DomainSaveImageGetXMLDesc(file, libvirt.DOMAIN_SAVE_IMAGE_XML_SECURE)
	if err != nil {
		return err
	}
	if err := fits(text, name, from.uuid, saved); err != nil {
		return err
	}
	if !from.transient && from.xml != "" {
		d, err := define(l, name, from)
		if err != nil {
			return err
		}
		d.Free()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Rename(file, taken); err != nil {
		return err
	}
	return l.DomainRestoreFlags(taken, "", 0)
}

// fits tells whether a state that was saved then, of the definition text, is
// that machine's present one. What its disks went through since is not in
// that memory, and it would write the old over the new.
func fits(text, name, uuid string, saved time.Time) error {
	of, id, err := identity(text)
	switch {
	case err != nil:
		return err
	case of != name || uuid != "" && !strings.EqualFold(id, uuid):
		return fmt.Errorf("it is of another machine: %s, UUID %s", of, id)
	}
	var d struct {
		Disks []struct {
			ReadOnly *struct{} `xml:"readonly"`
			Source   struct {
				File string `xml:"file,attr"`
			} `xml:"source"`
		} `xml:"devices>disk"`
	}
	if err := xml.Unmarshal([]byte(text), &d); err != nil {
		return err
	}
	for _, disk := range d.Disks {
		if disk.ReadOnly != nil || disk.Source.File == "" {
			continue
		}
		st, err := os.Stat(disk.Source.File)
		if err == nil && st.ModTime().After(saved.Add(tooLate)) {
			return fmt.Errorf("its disk %s was written to since", disk.Source.File)
		}
	}
	return nil
}

// save ends the machine and leaves its state in the folder snapshot. It takes
// timeout at most. After an error the machine is as it was, if it is there.
func (h *Host) save(ctx context.Context, c *conn, svc conf.Service, timeout time.Duration) error {
	file := image(svc)
	part := file + ".saving"
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	call, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	done := make(chan error, 1)
	go func() {
		done <- act(call, c, 0, svc.Name, func(d *libvirt.Domain) error { return d.SaveFlags(part, "", 0) })
	}()
	var err error
	select {
	case err = <-done:
	case <-limited.Done():
		err = fmt.Errorf("it took more than %v", timeout)
		again := time.NewTicker(50 * time.Millisecond) // what has not begun yet cannot be aborted
		defer again.Stop()
		for late := time.After(askTimeout); late != nil; {
			act(call, c, askTimeout, svc.Name, (*libvirt.Domain).AbortJob)
			select {
			case derr := <-done:
				if derr == nil {
					err = nil // too late to abort it
				}
				late = nil
			case <-again.C:
			case <-late:
				late = nil
			}
		}
	}
	if err != nil {
		if m, _, lerr := h.look(call, svc.Name); lerr == nil && m.Running {
			bounded(limited, func() (struct{}, error) { return struct{}{}, os.Remove(part) })
		}
		return err
	}
	ctx, cancel = context.WithTimeout(call, askTimeout)
	defer cancel()
	_, err = bounded(ctx, func() (struct{}, error) { return struct{}{}, os.Rename(part, file) })
	if err != nil {
		h.note(svc.Name, "its saved state stays in "+part+", where the next start does not look: "+err.Error())
	}
	return nil
}
