package conf

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// DefaultURI is what hypervisor_uri="auto" means for KVM (rgmanager, "Virtual
// machines: actions").
const DefaultURI = "qemu:///system"

// Refusals returns what the machine asks for and will not get, one error for
// each attribute, with its name (rgmanager, "Virtual machines: attributes").
// Those of StartRefusals make its start fail, the others its migration.
func (vm *VM) Refusals() []error {
	refusals := vm.StartRefusals()
	_, migrate := vm.MigrateFlags()
	_, peer := vm.PeerURI("node")
	errs := []error{migrate, peer}
	if uri, err := vm.ConnectURI(DefaultURI); err == nil {
		errs = append(errs, Movable(uri))
	}
	return append(refusals, slices.DeleteFunc(errs, func(err error) bool { return err == nil })...)
}

// StartRefusals are what speaks against starting the machine, in the vm
// agent's words where it had some.
func (vm *VM) StartRefusals() (refusals []error) {
	refuse := func(format string, args ...any) { refusals = append(refusals, fmt.Errorf(format, args...)) }
	switch {
	case vm.UseVirsh == "" || vm.UseVirsh == "1":
	case vm.UseVirsh == "0" && vm.XMLFile != "":
		refuse(`Cannot use xmlfile if use_virsh is set to 0`)
	case vm.UseVirsh == "0":
		refuse(`use_virsh "0": Cannot use qemu hypervisor without using virsh`)
	default:
		refuse(`use_virsh %q: expected 1`, vm.UseVirsh)
	}
	switch strings.ToLower(vm.Hypervisor) {
	case "", "auto", "qemu":
	default:
		refuse(`hypervisor %q: expected auto or qemu`, vm.Hypervisor)
	}
	if _, err := vm.ConnectURI(DefaultURI); err != nil {
		refusals = append(refusals, err)
	}
	if vm.XMLFile != "" && !filepath.IsAbs(vm.XMLFile) {
		refuse(`xmlfile %q: expected a full path`, vm.XMLFile)
	}
	if vm.Snapshot != "" && !filepath.IsAbs(vm.Snapshot) {
		refuse(`snapshot %q: expected the full path of a folder`, vm.Snapshot)
	}
	return refusals
}

// ConnectURI is the libvirt URI that the machine asks for; auto is what "auto"
// stands for. It must lead to this host: a machine reached through another one
// would seem to run here and there. libvirt gives root, and cmand is root, the
// system-wide libvirtd for a session.
func (vm *VM) ConnectURI(auto string) (string, error) {
	uri := vm.HypervisorURI
	if uri == "" || uri == "auto" {
		return auto, nil
	}
	if uri == "qemu:///session" {
		return "qemu:///system", nil
	}
	u, err := url.Parse(uri)
	if err != nil {
		return "", fmt.Errorf("hypervisor_uri %q is no URI", uri)
	}
	switch {
	case u.Host != "":
		return "", fmt.Errorf("hypervisor_uri %q leads to another host", uri)
	case (u.Scheme == "qemu" || u.Scheme == "qemu+unix") && (u.Path == "/system" || u.Path == "/session"):
	case u.Scheme == "test" && u.Path != "":
	default:
		return "", fmt.Errorf("hypervisor_uri %q: expected qemu:///system or qemu:///session", uri)
	}
	return uri, nil
}

// Movable tells whether machines of that libvirtd can migrate: a peer is
// reached at its system-wide socket.
func Movable(uri string) error {
	if !slices.Contains([]string{"qemu:///system", "qemu+unix:///system"}, strings.SplitN(uri, "?", 2)[0]) {
		return fmt.Errorf("hypervisor_uri %q: only machines of qemu:///system can be migrated", uri)
	}
	return nil
}

// PeerURI is migration_uri with the node put in; nil when there is none. Only
// its host, and what ssh needs, is made use of.
func (vm *VM) PeerURI(node string) (*url.URL, error) {
	if vm.MigrationURI == "" || vm.MigrationURI == "auto" {
		return nil, nil
	}
	u, err := url.Parse(strings.ReplaceAll(vm.MigrationURI, "%s", node))
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("migration_uri %q names no host", vm.MigrationURI)
	}
	if strings.HasPrefix(u.Scheme, "xen") {
		return nil, fmt.Errorf("migration_uri %q is not for QEMU", vm.MigrationURI)
	}
	return u, nil
}

// MigrateFlag is one of migrate_options.
type MigrateFlag struct {
	Name   string // as virsh migrate(1) has it: --bandwidth
	Number uint64 // in its unit; 0: it takes none
}

// migrateUnits are the flags of virsh migrate(1) that are understood, each with
// the unit of the number that follows, as the next word or after "="; none
// follows where it is empty. Copying storage, post-copy and parallel
// connections need more than the two sockets that a migration has.
var migrateUnits = map[string]string{
	"--live": "", "--p2p": "", "--tunnelled": "", "--verbose": "", "--undefinesource": "", "--persistent": "",
	"--unsafe": "", "--auto-converge": "", "--compressed": "", "--abort-on-error": "", "--change-protection": "", "--suspend": "",
	"--bandwidth": "MiB/s", "--auto-converge-initial": "percent", "--auto-converge-increment": "percent", "--comp-xbzrle-cache": "bytes",
}

// MigrateFlags reads migrate_options. The error names the word, there or of
// migrate, that is not understood.
func (vm *VM) MigrateFlags() ([]MigrateFlag, error) {
	if vm.Migrate != "" && vm.Migrate != "live" && vm.Migrate != "pause" {
		return nil, fmt.Errorf("migrate %q: expected live or pause", vm.Migrate)
	}
	var flags []MigrateFlag
	words := strings.Fields(vm.MigrateOptions)
	for i := 0; i < len(words); i++ {
		name, value, given := strings.Cut(words[i], "=")
		unit, ok := migrateUnits[name]
		if !ok || unit == "" && given {
			return nil, fmt.Errorf("migrate_options: %q is not supported", words[i])
		}
		flag := MigrateFlag{Name: name}
		if unit != "" {
			if !given && i+1 < len(words) {
				i++
				value = words[i]
			}
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil || n == 0 {
				return nil, fmt.Errorf("migrate_options: %s %q is not a number of %s", name, value, unit)
			}
			flag.Number = n
		}
		flags = append(flags, flag)
	}
	return flags, nil
}
