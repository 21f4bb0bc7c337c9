package member

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// resolver turns a name of a node into addresses.
type resolver func(ctx context.Context, name string) ([]netip.Addr, error)

func lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

// address picks the one that all nodes should use for name: IPv4 before IPv6,
// never a loopback address unless the node is alone. Debian's installer maps
// a host's own name to 127.0.1.1, where no other node could answer.
func address(ctx context.Context, resolve resolver, name string, alone bool) (netip.Addr, error) {
	found, err := resolve(ctx, name)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("cannot resolve node address %q: %v", name, err)
	}
	slices.SortFunc(found, func(a, b netip.Addr) int {
		a, b = a.Unmap(), b.Unmap()
		return cmp.Or(cmp.Compare(a.BitLen(), b.BitLen()), a.Compare(b))
	})
	for _, a := range found {
		if a = a.Unmap(); alone || !a.IsLoopback() {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("node address %q resolves to localhost, please check /etc/hosts and assign this node a network IP address", name)
}

// corosyncConf is corosync.conf for s: one key per line, a closing bracket
// alone on its line, as corosync's parser wants it (corosync.conf(5)).
func (s Settings) corosyncConf(ctx context.Context, resolve resolver, keyFile, logFile string) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	millis := func(key string, d time.Duration) {
		if d > 0 {
			line("\t%s: %d", key, d.Milliseconds())
		}
	}
	transport := s.transport()
	alone := len(s.Nodes) == 1
	addrs := make([][]netip.Addr, len(s.Nodes)) // by node, then link
	for i, n := range s.Nodes {
		for _, name := range n.Addresses {
			a, err := address(ctx, resolve, name, alone)
			if err != nil {
				return nil, err
			}
			addrs[i] = append(addrs[i], a)
		}
	}
	six := addrs[0][0].Is6()

	line("totem {")
	line("\tversion: 2")
	line("\tcluster_name: %s", s.Name)
	line("\ttransport: %s", transport)
	millis("token", s.Token)
	line("\ttoken_coefficient: 0") // the token that cluster.conf gives is the token
	millis("consensus", s.consensus())
	if s.SecAuth {
		line("\tcrypto_cipher: aes256")
		line("\tcrypto_hash: sha256")
		line("\tkeyfile: %s", keyFile)
	}
	if transport == "udp" && six {
		line("\tip_version: ipv6")
	}
	for link := range addrs[0] {
		line("\tinterface {")
		line("\t\tlinknumber: %d", link)
		switch {
		case transport != "udp":
		case s.Transport == "udpb":
			line("\t\tbroadcast: yes")
		default:
			line("\t\tmcastaddr: %s", cmp.Or(s.Multicast, multicast(s.ID, six)))
		}
		line("\t\tmcastport: %d", cmp.Or(s.Port, 5405))
		line("\t}")
	}
	line("}")

	line("quorum {")
	line("\tprovider: corosync_votequorum")
	if s.TwoNode {
		// votequorum would otherwise wait for both nodes at the start, where
		// cman's lone node came up and fenced its peer. It takes two_node
		// only with the two votes that it counts itself.
		line("\ttwo_node: 1")
	} else if s.ExpectedVotes > 0 {
		line("\texpected_votes: %d", s.ExpectedVotes)
	}
	line("\twait_for_all: 0")
	line("}")

	line("nodelist {")
	for i, n := range s.Nodes {
		line("\tnode {")
		line("\t\tnodeid: %d", n.ID)
		line("\t\tname: %s", n.Name)
		line("\t\tquorum_votes: %d", n.Votes)
		for link, a := range addrs[i] {
			line("\t\tring%d_addr: %s", link, a)
		}
		line("\t}")
	}
	line("}")

	line("logging {")
	line("\tto_stderr: no")
	line("\tto_syslog: no")
	line("\tto_logfile: yes")
	line("\tlogfile: %s", logFile)
	line("\ttimestamp: on")
	line("}")
	return b.Bytes(), nil
}

// multicast is cman's default address for a cluster id (cman, "Cluster id,
// multicast address, ports, node ids and names").
func multicast(id uint32, six bool) string {
	if six {
		return fmt.Sprintf("ff15::%x", id)
	}
	return fmt.Sprintf("239.192.%d.%d", id>>8&0xff, id%255)
}

// Bounds of corosync's key, bytes.
const (
	minKey = 128
	maxKey = 4096
)

// authkey is the key of the ring. cman took the cluster name when it was
// given no file, and so do we: it keeps two clusters on one network apart,
// and keeps nobody out who knows the name. A name, and a file that is shorter
// than corosync wants, is stretched: block n is SHA-256 of n and the secret.
func (s Settings) authkey() ([]byte, error) {
	secret := []byte(s.Name)
	if s.KeyFile != "" {
		var err error
		if secret, err = os.ReadFile(s.KeyFile); err != nil {
			return nil, fmt.Errorf("cannot read the cluster key: %v", err)
		}
		if len(secret) == 0 {
			return nil, fmt.Errorf("cluster key %q is empty", s.KeyFile)
		}
	}
	if len(secret) >= minKey {
		return secret[:min(len(secret), maxKey)], nil
	}
	var key []byte
	for n := uint32(0); len(key) < 2*minKey; n++ {
		sum := sha256.Sum256(append(binary.BigEndian.AppendUint32(nil, n), secret...))
		key = append(key, sum[:]...)
	}
	return key, nil
}

// replace puts data into the file in one step: whoever opens it sees the old
// or the new bytes, after a crash as well.
func replace(name string, data []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return nil // it is in place; only its survival of a power cut is in doubt
	}
	defer dir.Close()
	return dir.Sync()
}
