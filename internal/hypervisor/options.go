package hypervisor

import (
	"fmt"

	"libvirt.org/go/libvirt"

	"fangnetz/internal/conf"
)

// migrateFlags are the migrate_options without a number. Those with 0 ask for
// what is done anyway.
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

// migrateNumbers are those with one.
var migrateNumbers = map[string]func(p *libvirt.DomainMigrateParameters, n uint64){
	"--bandwidth": func(p *libvirt.DomainMigrateParameters, n uint64) {
		p.BandwidthSet, p.Bandwidth = true, n
	},
	"--auto-converge-initial": func(p *libvirt.DomainMigrateParameters, n uint64) {
		p.AutoConvergeInitialSet, p.AutoConvergeInitial = true, int(n)
	},
	"--auto-converge-increment": func(p *libvirt.DomainMigrateParameters, n uint64) {
		p.AutoConvergeIncrementSet, p.AutoConvergeIncrement = true, int(n)
	},
	"--comp-xbzrle-cache": func(p *libvirt.DomainMigrateParameters, n uint64) {
		p.CompressionXBZRLECacheSet, p.CompressionXBZRLECache = true, n
	},
}

// migration translates a vm's attributes for libvirt. A persistent domain
// moves as a whole: afterwards it is defined on the target and not here.
// tunnelled needs nothing: every migration travels through SSH.
func migration(vm *conf.VM, persistent bool) (libvirt.DomainMigrateFlags, *libvirt.DomainMigrateParameters, error) {
	options, err := vm.MigrateFlags()
	if err != nil {
		return 0, nil, err
	}
	flags, params := libvirt.MIGRATE_PEER2PEER, &libvirt.DomainMigrateParameters{}
	if vm.Migrate != "pause" {
		flags |= libvirt.MIGRATE_LIVE
	}
	if persistent {
		flags |= libvirt.MIGRATE_PERSIST_DEST | libvirt.MIGRATE_UNDEFINE_SOURCE
	}
	for _, o := range options {
		set, number := migrateNumbers[o.Name]
		flag, known := migrateFlags[o.Name]
		switch {
		case number:
			set(params, o.Number)
		case known:
			flags |= flag
		default:
			return 0, nil, fmt.Errorf("migrate_options: libvirt has nothing for %s", o.Name)
		}
	}
	return flags, params, nil
}
