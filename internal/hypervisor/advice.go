package hypervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Advice returns what this host's settings leave to chance, a sentence each:
// without a lock manager nothing but QEMU's own image locks keeps two hosts
// from one disk, and libvirt-guests would handle machines that the cluster
// manages. etc is /etc.
func Advice(etc string) []string {
	var advice []string
	switch lock, err := lockManager(filepath.Join(etc, "libvirt/qemu.conf")); {
	case err != nil:
		advice = append(advice, fmt.Sprintf("cannot tell whether libvirt locks disks: %v", err))
	case lock == "" || lock == "nop":
		advice = append(advice, "no storage lock: lock_manager is not set in qemu.conf; lockd or sanlock would keep a disk from being used by two hosts")
	}
	if on, where := libvirtGuests(etc); on {
		advice = append(advice, fmt.Sprintf("libvirt-guests is enabled (%s): it may start, stop or save machines that the cluster manages; disable it", where))
	}
	return advice
}

// lockManager returns the lock_manager that qemu.conf sets; empty: none.
func lockManager(file string) (string, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	lock := ""
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		if key, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(key) == "lock_manager" {
			lock = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return lock, nil
}

// libvirtGuests tells whether that service starts with the host: a unit that
// some target wants, or a link of the older init.
func libvirtGuests(etc string) (on bool, where string) {
	units, _ := filepath.Glob(filepath.Join(etc, "systemd/system/*.wants/libvirt-guests.service"))
	links, _ := filepath.Glob(filepath.Join(etc, "rc[2-5].d/S[0-9][0-9]libvirt-guests"))
	if all := slices.Concat(units, links); len(all) > 0 {
		return true, all[0]
	}
	return false, ""
}
