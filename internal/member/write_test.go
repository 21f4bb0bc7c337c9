package member

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hosts is /etc/hosts for a test: names and addresses in turn.
func hosts(lines ...string) resolver {
	return func(_ context.Context, name string) (all []netip.Addr, err error) {
		for _, l := range lines {
			if n, a, _ := strings.Cut(l, " "); n == name {
				all = append(all, netip.MustParseAddr(a))
			}
		}
		if a, err := netip.ParseAddr(name); err == nil {
			all = append(all, a)
		}
		if all == nil {
			err = errors.New("no such host")
		}
		return all, err
	}
}

// write is corosync.conf without its logging section.
func write(t *testing.T, s Settings, resolve resolver) string {
	t.Helper()
	b, err := s.corosyncConf(t.Context(), resolve, "/run/cluster/authkey", "/log")
	if err != nil {
		t.Fatal(err)
	}
	conf, _, _ := strings.Cut(string(b), "logging {")
	return conf
}

func TestCorosyncConf(t *testing.T) {
	s := settings(2)
	s.Local, s.Token, s.Port = 1, 10*time.Second, 6000
	s.Nodes[0].Addresses = []string{"alpha1", "10.1.0.1"}
	s.Nodes[1].Addresses = []string{"10.0.0.2", "10.1.0.2"}
	const want = `totem {
	version: 2
	cluster_name: alpha
	transport: knet
	token: 10000
	token_coefficient: 0
	consensus: 2000
	crypto_cipher: aes256
	crypto_hash: sha256
	keyfile: /run/cluster/authkey
	interface {
		linknumber: 0
		mcastport: 6000
	}
	interface {
		linknumber: 1
		mcastport: 6000
	}
}
quorum {
	provider: corosync_votequorum
	two_node: 1
	wait_for_all: 0
}
nodelist {
	node {
		nodeid: 1
		name: node1
		quorum_votes: 1
		ring0_addr: 10.0.0.1
		ring1_addr: 10.1.0.1
	}
	node {
		nodeid: 2
		name: node2
		quorum_votes: 1
		ring0_addr: 10.0.0.2
		ring1_addr: 10.1.0.2
	}
}
`
	if d := cmp.Diff(want, write(t, s, hosts("alpha1 fd00::1", "alpha1 127.0.1.1", "alpha1 10.0.0.1"))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestCorosyncConfLines(t *testing.T) {
	for name, tc := range map[string]struct {
		change    func(*Settings)
		has, lack string
	}{
		"three nodes leave consensus to corosync":       {func(*Settings) {}, "wait_for_all: 0\n}", "consensus"},
		"expected_votes is written":                     {func(s *Settings) { s.ExpectedVotes = 5 }, "\texpected_votes: 5\n", "two_node"},
		"udp with encryption is knet":                   {func(s *Settings) { s.Transport = "udp" }, "transport: knet", "mcastaddr"},
		"udp in the clear has cman's address":           {func(s *Settings) { s.Transport, s.SecAuth, s.ID = "udp", false, 3169 }, "mcastaddr: 239.192.12.109\n", "crypto"},
		"udp takes the address given":                   {func(s *Settings) { s.Transport, s.SecAuth, s.Multicast = "udp", false, "239.1.2.3" }, "mcastaddr: 239.1.2.3\n", "keyfile"},
		"udpb broadcasts":                               {func(s *Settings) { s.Transport, s.SecAuth = "udpb", false }, "transport: udp\n", "mcastaddr"},
		"udpu in the clear is udpu":                     {func(s *Settings) { s.Transport, s.SecAuth = "udpu", false }, "transport: udpu\n", "crypto"},
		"no transport in the clear is knet":             {func(s *Settings) { s.SecAuth = false }, "transport: knet\n", "crypto"},
		"the port is 5405":                              {func(*Settings) {}, "mcastport: 5405\n", "linknumber: 1"},
		"a consensus that is given is written":          {func(s *Settings) { s.Consensus = 1500 * time.Millisecond }, "consensus: 1500\n", "5000"},
		"a token that is not given is left to corosync": {func(s *Settings) { s.Token = 0 }, "token_coefficient: 0\n", "\ttoken:"},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings(3)
			s.Local = 1
			tc.change(&s)
			conf := write(t, s, hosts())
			if !strings.Contains(conf, tc.has) || strings.Contains(conf, tc.lack) {
				t.Errorf("want %q and no %q in:\n%s", tc.has, tc.lack, conf)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Settings)
		want   string
	}{
		"a name that would open a section": {func(s *Settings) { s.Name = "a{" }, `cluster name "a{"`},
		"a name that would be a line":      {func(s *Settings) { s.Nodes[1].Name = "a\nkey: b" }, `node name "a\nkey: b"`},
		"no cluster name":                  {func(s *Settings) { s.Name = "" }, `cluster name ""`},
		"a node twice":                     {func(s *Settings) { s.Nodes[1].ID = 1 }, `node "node2" has no nodeid of its own: 1`},
		"a link that one node lacks":       {func(s *Settings) { s.Nodes[0].Addresses = []string{"10.0.0.1", "10.1.0.1"} }, `node "node2" has 1 links, the nodes before it 2`},
		"three links":                      {func(s *Settings) { s.Nodes[0].Addresses = make([]string, 3) }, `node "node1" has 3 links`},
		"this node is not in the list":     {func(s *Settings) { s.Local = 9 }, "this node, nodeid 9"},
		"two_node with three nodes":        {func(s *Settings) { s.TwoNode = true }, "two_node is set but there are 3 nodes"},
		"negative votes":                   {func(s *Settings) { s.Nodes[0].Votes = -1 }, `node "node1" has -1 votes`},
		"a port that is none":              {func(s *Settings) { s.Port = 65536 }, "port 65536"},
		"a loopback address":               {func(s *Settings) { s.Nodes[0].Addresses[0] = "127.0.1.1" }, `node address "127.0.1.1" resolves to localhost`},
		"an unknown name":                  {func(s *Settings) { s.Nodes[0].Addresses[0] = "nobody" }, `cannot resolve node address "nobody"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings(3)
			s.Local = 1
			tc.change(&s)
			if b, err := s.corosyncConf(t.Context(), hosts(), "k", "l"); err == nil || !strings.Contains(err.Error(), tc.want) || b != nil {
				t.Errorf("corosyncConf = %q, %v; want an error with %q", b, err, tc.want)
			}
		})
	}
}

func TestAuthkey(t *testing.T) {
	file := func(n int) string {
		name := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(name, bytes.Repeat([]byte("k"), n), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	key := func(s Settings) []byte {
		k, err := s.authkey()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	alpha := key(Settings{Name: "alpha"})
	if len(alpha) < minKey || !bytes.Equal(alpha, key(Settings{Name: "alpha"})) || bytes.Equal(alpha, key(Settings{Name: "beta"})) {
		t.Errorf("key of a name: %d bytes; want %d or more, the same for the same name only", len(alpha), minKey)
	}
	if bytes.Equal(alpha[:32], alpha[32:64]) {
		t.Error("the stretched key repeats itself")
	}
	for size, want := range map[int]int{1: 2 * minKey, minKey: minKey, 5000: maxKey} {
		if got := len(key(Settings{KeyFile: file(size)})); got != want {
			t.Errorf("key of a file of %d bytes has %d bytes; want %d", size, got, want)
		}
	}
	for _, name := range []string{file(0), filepath.Join(t.TempDir(), "none")} {
		if k, err := (Settings{Name: "alpha", KeyFile: name}).authkey(); err == nil || k != nil {
			t.Errorf("authkey with file %q = %d bytes, %v; want an error", name, len(k), err)
		}
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "key")
	for _, text := range []string{"old", "new"} {
		if err := replace(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); string(got) != text {
			t.Errorf("file holds %q, %v; want %q", got, err, text)
		}
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if err := replace(filepath.Join(dir, "none", "key"), nil, 0o600); err == nil {
		t.Error("replace in a folder that is not there succeeds")
	}
	if left, err := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files left, %v; want the one", len(left), err)
	}
}
