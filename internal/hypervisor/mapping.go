package hypervisor

import (
	"strings"

	"fangnetz/internal/conf"
)

// destination is what a node is called on an ssh command line.
type destination struct {
	node string // a name for ~/.ssh/config to translate
	user string // empty: as configured
	port string // empty: as configured
}

// target says where the machine of svc is sent when it migrates to node.
//
// migration_mapping gives a node another name. A node that it does not list
// keeps its own; the vm agent took the mapping's first entry then, which no
// ssh could reach. migration_uri (qemu+ssh://%s/system) may add user and
// port; its transport does not matter, the machine always travels through
// SSH.
func target(vm *conf.VM, node string) (destination, error) {
	to := destination{node: mapped(vm.Mapping, node)}
	u, err := vm.PeerURI(to.node)
	if u == nil {
		return to, err
	}
	to.node = u.Hostname()
	if strings.HasSuffix(u.Scheme, "+ssh") {
		to.user, to.port = u.User.Username(), u.Port()
	}
	return to, nil
}

// mapped looks node up in member:target,member2:target2 (rgmanager, "Virtual
// machines: attributes").
func mapped(mapping, node string) string {
	for entry := range strings.SplitSeq(mapping, ",") {
		member, name, ok := strings.Cut(strings.TrimSpace(entry), ":")
		if ok && member == node && name != "" {
			return name
		}
	}
	return node
}
