package hypervisor

import (
	"fmt"
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
	"--persistent":        0,
	"--undefinesource":    0,
	"--unsafe":            libvirt.MIGRATE_UNSAFE,
	"--auto-converge":     libvirt.MIGRATE_AUTO_CONVERGE,
	"--compressed":        libvirt.MIGRATE_COMPRESSED,
	"--abort-on-error":    libvirt.MIGRATE_ABORT_ON_ERROR,
	"--change-protection": libvirt.MIGRATE_CHANGE_PROTECTION,
	"--suspend":           libvirt.MIGRATE_PAUSED,
}

// migration translates a vm's attributes for libvirt. A persistent domain
// moves as a whole: afterwards it is defined on the target and not here.
func migration(vm *conf.VM, persistent bool) (libvirt.DomainMigrateFlags, *libvirt.DomainMigrateParameters, error) {
	flags := libvirt.MIGRATE_PEER2PEER
	if vm.Migrate != "pause" {
		flags |= libvirt.MIGRATE_LIVE
	}
	if persistent {
		flags |= libvirt.MIGRATE_PERSIST_DEST | libvirt.MIGRATE_UNDEFINE_SOURCE
	}
	params := &libvirt.DomainMigrateParameters{}
	words := strings.Fields(vm.MigrateOptions)
	for i := 0; i < len(words); i++ {
		word, value, given := strings.Cut(words[i], "=")
		if word == "--bandwidth" {
			if !given && i+1 < len(words) {
				i++
				value = words[i]
			}
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil || n == 0 {
				return 0, nil, fmt.Errorf("migrate_options: --bandwidth %q is not a number of MiB/s", value)
			}
			params.BandwidthSet, params.Bandwidth = true, n
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
