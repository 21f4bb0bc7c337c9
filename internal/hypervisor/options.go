package hypervisor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"libvirt.org/go/libvirt"

	"fangnetz/internal/conf"
)

// migrateFlags are the words of migrate_options that are understood: flags of
// virsh migrate(1). Those with 0 ask for what is done anyway. Copying storage,
// post-copy and parallel connections need more than the two sockets we carry.
var migrateFlags = map[string]libvirt.DomainMigrateFlags{
	"--live":              0,
	"--p2p":               0,
	"--tunnelled":         0,
	"--verbose":           0,
	"--undefinesource":    0,
	"--persistent":        libvirt.MIGRATE_PERSIST_DEST,
	"--unsafe":            libvirt.MIGRATE_UNSAFE,
	"--auto-converge":     libvirt.MIGRATE_AUTO_CONVERGE,
	"--compressed":        libvirt.MIGRATE_COMPRESSED,
	"--abort-on-error":    libvirt.MIGRATE_ABORT_ON_ERROR,
	"--change-protection": libvirt.MIGRATE_CHANGE_PROTECTION,
	"--suspend":           libvirt.MIGRATE_PAUSED,
}

// migrateNumbers are the words that a number follows, as the next word or
// after "=", with its unit.
var migrateNumbers = map[string]struct {
	unit string
	set  func(p *libvirt.DomainMigrateParameters, n uint64)
}{
	"--bandwidth": {"MiB/s", func(p *libvirt.DomainMigrateParameters, n uint64) {
		p.BandwidthSet, p.Bandwidth = true, n
	}},
	"--auto-converge-initial": {"percent", func(p *libvirt.DomainMigrateParameters, n uint64) {
		p.AutoConvergeInitialSet, p.AutoConvergeInitial = true, int(n)
	}},
	"--auto-converge-increment": {"percent", func(p *libvirt.DomainMigrateParameters, n uint64) {
		p.AutoConvergeIncrementSet, p.AutoConvergeIncrement = true, int(n)
	}},
	"--comp-xbzrle-cache": {"bytes", func(p *libvirt.DomainMigrateParameters, n uint64) {
		p.CompressionXBZRLECacheSet, p.CompressionXBZRLECache = true, n
	}},
}

// migration translates a vm's attributes for libvirt. A persistent domain
// moves as a whole: afterwards it is defined on the target and not here.
// tunnelled needs nothing: every migration travels through SSH.
func migration(vm *conf.VM, persistent bool) (libvirt.DomainMigrateFlags, *libvirt.DomainMigrateParameters, error) {
	flags := libvirt.MIGRATE_PEER2PEER
	switch vm.Migrate {
	case "live", "":
		flags |= libvirt.MIGRATE_LIVE
	case "pause":
	default:
		return 0, nil, fmt.Errorf("migrate %q: expected live or pause", vm.Migrate)
	}
	if persistent {
		flags |= libvirt.MIGRATE_PERSIST_DEST | libvirt.MIGRATE_UNDEFINE_SOURCE
	}
	params := &libvirt.DomainMigrateParameters{}
	words := strings.Fields(vm.MigrateOptions)
	for i := 0; i < len(words); i++ {
		word, value, given := strings.Cut(words[i], "=")
		if number, ok := migrateNumbers[word]; ok {
			if !given && i+1 < len(words) {
				i++
				value = words[i]
			}
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil || n == 0 {
				return 0, nil, fmt.Errorf("migrate_options: %s %q is not a number of %s", word, value, number.unit)
			}
			number.set(params, n)
			continue
		}
		flag, ok := migrateFlags[word]
		if !ok || given {
			return 0, nil, fmt.Errorf("migrate_options: %q is not supported", words[i])
		}
		flags |= flag
	}
	return flags, params, nil
}

// movable tells whether machines of that libvirtd can migrate: a peer is
// reached at its system-wide socket.
func movable(uri string) error {
	if !slices.Contains([]string{"qemu:///system", "qemu+unix:///system"}, strings.SplitN(uri, "?", 2)[0]) {
		return fmt.Errorf("hypervisor_uri %q: only machines of qemu:///system can be migrated", uri)
	}
	return nil
}
