package member

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"fangnetz/internal/cluster"
)

// Settings is what cluster.conf says about the ring (cluster.conf, "cman,
// multicast, altmulticast, uidgid", "totem" and "clusternode").
type Settings struct {
	Name  string // of the cluster
	ID    uint32 // cluster id: chooses the default multicast address
	Local cluster.NodeID
	Nodes []Node // in file order

	TwoNode       bool
	ExpectedVotes int // 0: sum of the nodes' votes

	// Transport is <cman transport>. Encryption and a second link exist in
	// corosync 3 over knet alone, so knet it is for every value as long as
	// SecAuth is on or a node has a second address. With neither, udp, udpb
	// and udpu are taken at their word; empty and rdma give knet.
	Transport string
	Multicast string // address for udp; empty: from ID
	Port      int    // UDP, on every link; 0: 5405

	Token     time.Duration // 0: corosync's
	Consensus time.Duration // 0: cman's for two nodes, else corosync's

	SecAuth bool   // encrypt and sign
	KeyFile string // empty: the key is made from the cluster name
}

// Node is one <clusternode>.
type Node struct {
	Name      string
	ID        cluster.NodeID
	Votes     int
	Addresses []string // name or address on link 0, then on link 1 if there is one
}

// check returns every fault that corosync would trip over, or misread.
func (s Settings) check() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	text := func(what, v string) {
		if v == "" || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r == '{' || r == '}' || r == 0x7f }) {
			fault("%s %q cannot be written to corosync.conf", what, v)
		}
	}
	text("cluster name", s.Name)
	if s.Port < 0 || s.Port > 65535 {
		fault("port %d is not a UDP port", s.Port)
	}
	seen, links, local := map[cluster.NodeID]bool{}, -1, false
	for _, n := range s.Nodes {
		text("node name", n.Name)
		if n.ID == 0 || seen[n.ID] {
			fault("node %q has no nodeid of its own: %d", n.Name, n.ID)
		}
		seen[n.ID] = true
		local = local || n.ID == s.Local
		if n.Votes < 0 {
			fault("node %q has %d votes", n.Name, n.Votes)
		}
		switch {
		case len(n.Addresses) < 1 || len(n.Addresses) > 2:
			fault("node %q has %d links; one or two are possible", n.Name, len(n.Addresses))
		case links >= 0 && links != len(n.Addresses):
			fault("node %q has %d links, the nodes before it %d", n.Name, len(n.Addresses), links)
		}
		links = len(n.Addresses)
	}
	if !local {
		fault("this node, nodeid %d, is not among the nodes", s.Local)
	}
	if s.TwoNode && len(s.Nodes) != 2 {
		fault("two_node is set but there are %d nodes", len(s.Nodes))
	}
	return errors.Join(errs...)
}

// transport is corosync's word for the transport.
func (s Settings) transport() string {
	links := 0
	for _, n := range s.Nodes {
		links = max(links, len(n.Addresses))
	}
	if s.SecAuth || links > 1 {
		return "knet"
	}
	switch s.Transport {
	case "udp", "udpb":
		return "udp"
	case "udpu":
		return "udpu"
	}
	return "knet"
}

// consensus is how long to wait for agreement on a new ring, 0 for
// corosync's 1.2 times the token. Two nodes need much less (cman, "Cluster
// id, multicast address, ports, node ids and names").
func (s Settings) consensus() time.Duration {
	if s.Consensus > 0 || len(s.Nodes) != 2 || s.Token == 0 {
		return s.Consensus
	}
	return min(max(s.Token/5, 200*time.Millisecond), 2*time.Second)
}
