package lab

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestNodesComeAndGo makes a cluster of two nodes one of three and back, by
// a pushed file alone, while two machines run on.
func TestNodesComeAndGo(t *testing.T) {
	s := &story{Lab: start(t, 3, programs(t)...), machines: map[string]*Watch{}}
	s.host1, s.host2 = s.Host("host1"), s.Host("host2")
	host3, two, began := s.Host("host3"), s.Hosts[:2], time.Now()
	old := Article{Version: 1, Services: true}.Text(s.Hosts) // host3 has been away since
	for _, h := range s.Hosts {
		text := Article{Version: 2, Services: true}.Text(two)
		if h == host3 {
			text = old
		}
		if err := h.WriteFile(confFile, text, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range two {
		if err := h.Start(t.Context(), "cmand"); err != nil {
			t.Fatal(err)
		}
	}
	awaitNodes(t, two, "host1 host2", "votes 2 of 2, quorum 1, 2Node Quorate")
	for i, guest := range []string{"vm1", "vm2"} {
		if err := s.host1.Define(t.Context(), Guest{Name: guest, Unit: i + 1}); err != nil {
			t.Fatal(err)
		}
		s.machines[guest] = s.Watch(guest)
		run(t, s.host1, "clusvcadm", "-e", "vm:"+guest, "-m", two[i].FQDN())
		eventually(t, 60*time.Second, guest+" counts on "+two[i].Name, counts(t, two[i], guest))
	}
	watches := map[string]*Watch{"vm1": s.Watch("vm1"), "vm2": s.Watch("vm2")}

	s.version = 2
	s.push(t, s.Hosts, "ccs_tool", "update", confFile)
	awaitNodes(t, two, "host1 host2 (host3)", "votes 2 of 3, quorum 2, Quorate")

	if err := host3.Start(t.Context(), "cmand"); err != nil {
		t.Fatal(err)
	}
	awaitNodes(t, s.Hosts, "host1 host2 host3", "votes 3 of 3, quorum 2, Quorate")
	s.sameFile(t, s.Hosts)

	run(t, host3, "pkill", "-TERM", "-x", "cmand")
	awaitNodes(t, two, "host1 host2 (host3)", "votes 2 of 3, quorum 2, Quorate")
	s.push(t, two, "cman_tool", "version", "-r")
	awaitNodes(t, two, "host1 host2", "votes 2 of 2, quorum 1, 2Node Quorate")
	s.sameFile(t, two)

	for guest, w := range watches {
		seen, err := w.Stop()
		if err != nil {
			t.Fatal(err)
		}
		checkOneRun(t, seen)
		if n := clustat(t, s.host1).restarts("vm:" + guest); n != 0 {
			t.Errorf("%s was restarted %d times", guest, n)
		}
	}
	s.notFenced(t, began)

	// It is one of two again, in deed: the one that is left goes on.
	if err := s.host2.PowerOff(); err != nil {
		t.Fatal(err)
	}
	awaitService(t, 60*time.Second, "vm:vm2", "started "+s.host1.ClusterName(), s.host1)
	for guest := range watches {
		eventually(t, 60*time.Second, guest+" counts on host1", counts(t, s.host1, guest))
		s.checkNeverTwice(t, guest)
	}
}

// push makes hosts the nodes of the cluster, by that command.
func (s *story) push(t *testing.T, hosts []*Host, command ...string) {
	t.Helper()
	s.version++
	if err := s.host1.WriteFile(confFile, Article{Version: s.version, Services: true}.Text(hosts), 0o640); err != nil {
		t.Fatal(err)
	}
	run(t, s.host1, command...)
}

func (s *story) sameFile(t *testing.T, hosts []*Host) {
	t.Helper()
	want, err := s.host1.ReadFile(confFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hosts {
		if got, err := h.ReadFile(confFile); err != nil || got != want {
			t.Errorf("%s's cluster.conf differs from host1's: %v\n%s", h.Name, err, got)
		}
	}
}

// awaitNodes waits until all of at agree on the nodes, those that are not
// online in brackets, and corosync on the votes.
func awaitNodes(t *testing.T, at []*Host, nodes, votes string) {
	t.Helper()
	for _, h := range at {
		eventually(t, 60*time.Second, h.Name+" sees "+nodes+", "+votes, func() string {
			st := clustat(t, h)
			if st == nil {
				return "clustat has no answer"
			}
			var got []string
			for _, n := range st.Nodes {
				short, _, _ := strings.Cut(n.Name, "-")
				if n.Online == 0 {
					short = "(" + short + ")"
				}
				got = append(got, short)
			}
			if g := strings.Join(got, " "); g != nodes {
				return "clustat sees " + g
			}
			if st.Quorum.Quorate != 1 {
				return "clustat sees no quorum"
			}
			if g := quorum(t, h); g != votes {
				return "corosync counts " + g
			}
			return ""
		})
	}
}

var quorumLine = regexp.MustCompile(`(?m)^(Expected votes|Total votes|Quorum|Flags): +(.*?) *$`)

// quorum is what votequorum says of itself on the host.
func quorum(t *testing.T, h *Host) string {
	t.Helper()
	is := map[string]string{}
	for _, m := range quorumLine.FindAllStringSubmatch(try(t, h, "corosync-quorumtool", "-s").Stdout, -1) {
		is[m[1]] = m[2]
	}
	return fmt.Sprintf("votes %s of %s, quorum %s, %s", is["Total votes"], is["Expected votes"], is["Quorum"], is["Flags"])
}
