package conf

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"
)

// maxVotes is the most a node may have (cluster.conf, "clusternodes,
// clusternode, altname").
const maxVotes = 255

// transports are the values of <cman transport>; empty: not given.
var transports = []string{"", "udp", "udpb", "udpu", "rdma"}

// ClusterID derives the cluster id from the name: with hash by the FNV way
// that the RHEL 6 packages use, else by shift and add as RHEL 5 did (cman,
// "Cluster id, multicast address, ports, node ids and names").
func ClusterID(name string, hash bool) uint32 {
	if hash {
		h := fnv.New32a()
		h.Write([]byte(name)) // never fails
		return h.Sum32()>>16 ^ h.Sum32()&0xffff
	}
	var id uint32
	for _, b := range []byte(name) {
		id = id<<1 + uint32(b)
	}
	return id & 0xffff
}

// MulticastAddr is the address that the cluster id stands for when <multicast>
// names none; a second ring uses id+1 (same section). The remainder is by
// 255, as in the original.
func MulticastAddr(id uint32, ipv6 bool) netip.Addr {
	if ipv6 {
		return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x15,
			12: byte(id >> 24), 13: byte(id >> 16), 14: byte(id >> 8), 15: byte(id)})
	}
	return netip.AddrFrom4([4]byte{239, 192, byte(id >> 8), byte(id % 255)})
}

// LocalNode returns the node that a host is, or nil (same section, "Which
// clusternode am I"). hostname is uname's. addrs holds further names of the
// host in the order in which they are to be tried: the names that its
// addresses resolve to, then the addresses themselves as text.
func (c *Config) LocalNode(hostname string, addrs []string) *Node {
	short, _, _ := strings.Cut(hostname, ".")
	for _, name := range []string{hostname, short} {
		if n := c.NodeByName(name); n != nil {
			return n
		}
	}
	for i := range c.Nodes {
		first, _, _ := strings.Cut(c.Nodes[i].Name, ".")
		if _, err := netip.ParseAddr(c.Nodes[i].Name); err != nil && first == short && short != "" {
			return &c.Nodes[i]
		}
	}
	for _, name := range addrs {
		if n := c.NodeByName(name); n != nil {
			return n
		}
		if _, err := netip.ParseAddr(name); err == nil {
			continue // an address has no short form
		}
		short, _, _ := strings.Cut(name, ".")
		if n := c.NodeByName(short); n != nil {
			return n
		}
	}
	return nil
}

// Runnable returns why no node can start from the file, nil when one can. The
// words are those that cman_tool join prints (cman, "Start-up checks and
// their texts"). A file that is pushed to a cluster must pass too.
func (c *Config) Runnable() error {
	switch {
	case c.Name == "":
		return words("Can't find cluster name in CCS")
	case len(c.Name) > maxName:
		return words("Invalid cluster name. It must be %d characters or fewer", maxName)
	case len(c.Nodes) == 0:
		return words("Cannot find node name in cluster.conf")
	}
	for _, n := range c.Nodes {
		switch {
		case n.ID == 0:
			return words("No node ID for %s, run 'ccs_tool addnodeids' to fix", n.Name)
		case n.Votes < 0:
			return words("Found negative votes for this node in CCS")
		case n.Votes > maxVotes:
			return words("Found invalid votes for node in CCS")
		}
	}
	switch {
	case !slices.Contains(transports, c.Transport):
		return words("Transport option value can be one of udp, udpb, udpu, rdma")
	case c.Broadcast && c.Transport != "" && c.Transport != "udpb":
		return words("Transport and broadcast option are mutually exclusive")
	case c.TTL < 0 || c.TTL > 255:
		return words("TTL value (%d) out of range (0 - 255)", c.TTL)
	case c.TwoNode && len(c.Nodes) != 2:
		return words("two_node is set but there are not 2 nodes in cluster.conf")
	case c.TwoNode && slices.ContainsFunc(c.Nodes, func(n Node) bool { return n.Votes != 1 }):
		return words("two_node set but votes not set to 1")
	}
	return nil
}

// words makes an error of the original's text, capitals and all.
func words(format string, args ...any) error {
	return fmt.Errorf(format, args...)
}
