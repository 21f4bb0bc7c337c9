package hypervisor

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"fangnetz/internal/conf"
)

// Faults returns what svc asks for and will not get, one error for each
// attribute, with its name; none of them is passed over in silence. Those
// about the machine itself make Start fail, those about migration make
// Migrate fail (rgmanager, "Virtual machines: attributes").
func Faults(svc conf.Service) []error {
	if svc.VM == nil {
		return nil
	}
	faults := startFaults(svc.VM)
	if _, _, err := migration(svc.VM, false); err != nil {
		faults = append(faults, err)
	}
	if _, err := target(svc.VM, "node"); err != nil {
		faults = append(faults, err)
	}
	if uri, err := connectURI(svc.VM, DefaultURI); err == nil && movable(uri) != nil {
		faults = append(faults, movable(uri))
	}
	return faults
}

// startFaults are what speaks against starting a machine, in the vm agent's
// words where it had some.
func startFaults(vm *conf.VM) (faults []error) {
	refuse := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
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
	if _, err := connectURI(vm, DefaultURI); err != nil {
		faults = append(faults, err)
	}
	if vm.XMLFile != "" && !filepath.IsAbs(vm.XMLFile) {
		refuse(`xmlfile %q: expected a full path`, vm.XMLFile)
	}
	if vm.Snapshot != "" && !filepath.IsAbs(vm.Snapshot) {
		refuse(`snapshot %q: expected the full path of a folder`, vm.Snapshot)
	}
	return faults
}

// connectURI is the libvirt URI that vm asks for; auto is what "auto" stands
// for. It must lead to this host: a machine reached through another one would
// seem to run here and there. libvirt gives root, and cmand is root, the
// system-wide libvirtd for a session.
func connectURI(vm *conf.VM, auto string) (string, error) {
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
