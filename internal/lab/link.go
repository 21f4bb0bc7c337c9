package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// Link is one of the networks that each host has a foot in.
type Link int

const (
	Public  Link = iota // eth0: users, administrators, power switches
	Cluster             // eth1: corosync
)

var links = [...]struct {
	bridge, device, prefix string
}{
	{"public", "eth0", "192.168.10."},
	{"cluster", "eth1", "192.168.20."},
}

func (l Link) String() string { return links[l].bridge }

// Address of the host on that link.
func (h *Host) Address(l Link) string { return fmt.Sprintf("%s%d", links[l].prefix, 10+h.number) }

// PowerAddress is where the host's power switch answers IPMI, on the public
// link.
func (h *Host) PowerAddress() string {
	return fmt.Sprintf("%s%d", links[Public].prefix, 100+h.number)
}

// port is the name of the bridge's end of the host's cable.
func (h *Host) port(l Link) string { return fmt.Sprintf("%s-%s", h.Name, links[l].device) }

// cable makes the rack's bridges and puts the addresses of power switches and
// storage on the public one.
func cable(ctx context.Context, hosts []*Host) error {
	var b strings.Builder
	fmt.Fprintln(&b, "link set lo up")
	for i, l := range links {
		// No snooping: corosync's multicast passes without a querier. An address
		// of its own: else a bridge takes that of a port, changes it whenever a
		// host comes or goes, and storage and switches are out of reach until
		// the neighbours ask anew.
		fmt.Fprintf(&b, "link add %s address 52:54:00:0a:%02x:ff type bridge mcast_snooping 0\nlink set %s up\n", l.bridge, i, l.bridge)
	}
	fmt.Fprintf(&b, "addr add %s/24 dev %s\n", storageAddress, Public)
	for _, h := range hosts {
		fmt.Fprintf(&b, "addr add %s/24 dev %s\n", h.PowerAddress(), Public)
	}
	return ip(ctx, b.String())
}

func uncable() error {
	var b strings.Builder
	for _, l := range links {
		if _, err := net.InterfaceByName(l.bridge); err == nil {
			fmt.Fprintf(&b, "link del %s\n", l.bridge)
		}
	}
	return ip(context.Background(), b.String())
}

// plugIn lays the host's cables, one from each bridge. A device has the same
// hardware address after each boot, or its peers would ask for the old one.
func (h *Host) plugIn(ctx context.Context, pid int) error {
	h.unplug() // what a boot that was cut short may have left
	var outside, inside strings.Builder
	fmt.Fprintln(&inside, "link set lo up")
	for i, l := range links {
		port := h.port(Link(i))
		state := "up"
		if h.isCut(Link(i)) {
			state = "down"
		}
		fmt.Fprintf(&outside, "link add %s type veth peer name %s address 52:54:00:0a:%02x:%02x netns %d\nlink set %s master %s %s\n",
			port, l.device, i, h.number, pid, port, l.bridge, state)
		fmt.Fprintf(&inside, "addr add %s/24 dev %s\nlink set %s up\n", h.Address(Link(i)), l.device, l.device)
	}
	if err := ip(ctx, outside.String()); err != nil {
		return err
	}
	return ip(ctx, inside.String(), "nsenter", "-n", "-t", fmt.Sprint(pid), "--")
}

// unplug removes the host's cables at once; the kernel would take its time.
func (h *Host) unplug() {
	for i := range links {
		_ = ip(context.Background(), "link del "+h.port(Link(i))+"\n")
	}
}

// Cut pulls the host's cable of that link out of the switch: its device loses
// the carrier. It stays out through boots until [Host.Mend].
func (h *Host) Cut(ctx context.Context, l Link) error { return h.setCut(ctx, l, true, "down") }

// Mend plugs the cable in again.
func (h *Host) Mend(ctx context.Context, l Link) error { return h.setCut(ctx, l, false, "up") }

func (h *Host) setCut(ctx context.Context, l Link, cut bool, state string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cut[l] = cut
	if h.init == nil {
		return nil
	}
	return ip(ctx, fmt.Sprintf("link set %s %s\n", h.port(l), state))
}

// Deafen makes the host lose a share, in percent, of all that comes from the
// others on the cluster link, while they go on hearing it; until [Host.Hear] or
// its next boot.
func (h *Host) Deafen(ctx context.Context, percent int, others ...*Host) error {
	rules := "table inet deaf {\n chain input {\n  type filter hook input priority 0\n"
	share := ""
	if percent < 100 {
		share = fmt.Sprintf("numgen random mod 100 < %d ", percent)
	}
	for _, o := range others {
		rules += fmt.Sprintf("  ip saddr %s %sdrop\n", o.Address(Cluster), share)
	}
	out, err := h.RunInput(ctx, rules+" }\n}\n", "nft", "-f", "-")
	if err == nil {
		err = out.Err()
	}
	return err
}

// Hear ends Deafen; that the host hears already is no error.
func (h *Host) Hear(ctx context.Context) error {
	_, err := h.Run(ctx, "nft", "delete", "table", "inet", "deaf")
	return err
}

func (h *Host) isCut(l Link) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cut[l]
}

// Listeners returns the TCP ports, sorted, on which something listens on the
// host, loopback included.
func (h *Host) Listeners() ([]int, error) {
	var ports []int
	for _, family := range []string{"tcp", "tcp6"} {
		// sl local_address rem_address st ...; 0A: listening (proc(5))
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", h.pid(), family))
		if err != nil {
			return nil, fmt.Errorf("%s: cannot list listeners: %v", h.Name, err)
		}
		for line := range strings.Lines(string(table)) {
			f := strings.Fields(line)
			if len(f) < 4 || f[3] != "0A" {
				continue
			}
			_, hex, _ := strings.Cut(f[1], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			if err != nil {
				return nil, fmt.Errorf("%s: no port in %q", h.Name, f[1])
			}
			ports = append(ports, int(port))
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports), nil
}

// ip feeds lines to ip(8), run behind prefix.
func ip(ctx context.Context, lines string, prefix ...string) error {
	argv := append(prefix, "ip", "-batch", "-")
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(lines)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot set up links with %q: %v: %s", lines, err, strings.TrimSpace(string(out)))
	}
	return nil
}
