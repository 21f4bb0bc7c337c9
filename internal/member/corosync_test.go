package member

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fangnetz/internal/cluster"
)

func left(reason cluster.Reason, nodes ...cluster.NodeID) (all []cluster.Departure) {
	for _, id := range nodes {
		all = append(all, cluster.Departure{Node: id, Reason: reason})
	}
	return all
}

// sameView compares all but the ring, whose number is corosync's business.
func sameView(t *testing.T, who string, got, want cluster.View) {
	t.Helper()
	got.Ring = cluster.RingID{}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: view (-want +got):\n%s", who, d)
	}
}

// messages are what the reports say of messages, as comparable lines.
func messages(all []report) (lines []string) {
	for _, r := range all {
		if r.From != 0 {
			lines = append(lines, fmt.Sprintf("%d %s %d %x", r.From, r.Text, r.Size, r.Sum[:4]))
		}
	}
	return lines
}

func TestThreeNodes(t *testing.T) {
	t.Parallel()
	net, s := newNetwork(t, 3), settings(3)
	one, two, three := cluster.NodeIDs{1}, cluster.NodeIDs{1, 2}, cluster.NodeIDs{1, 2, 3}

	// One after the other, each by its own cmand.
	c1 := net.hosts[0].start(s)
	sameView(t, "node1 alone", c1.view(1), cluster.View{Online: one, Members: one, Joined: one})
	c2 := net.hosts[1].start(s)
	v2 := c2.view(1, 2) // not always its first: corosync may form a ring of its own before it finds node1
	if v2.Joined.Has(1) != true || !v2.Quorate || !slices.Equal(v2.Online, two) {
		t.Errorf("node2: %+v; want two quorate nodes", v2)
	}
	v1 := c1.view(1, 2)
	sameView(t, "node1, node2 came", v1, cluster.View{Online: two, Members: two, Joined: cluster.NodeIDs{2}, Quorate: true})
	if v1.Ring != v2.Ring {
		t.Errorf("node1 is in ring %v, node2 in %v; want the same", v1.Ring, v2.Ring)
	}
	c3 := net.hosts[2].start(s)
	all := []*client{c1, c2, c3}
	for _, c := range all {
		v := c.view(1, 2, 3)
		if !v.Quorate || !slices.Equal(v.Online, three) {
			t.Errorf("%s: %+v; want three quorate nodes", c.h.name, v)
		}
		if v.Ring.Seq <= v2.Ring.Seq {
			t.Errorf("%s: ring %v does not come after %v", c.h.name, v.Ring, v2.Ring)
		}
	}

	// Everybody talks at once: one order for all.
	for i, c := range all {
		c.order(order{Send: fmt.Sprintf("n%d.", i+1), Times: 200})
		c.order(order{Send: fmt.Sprintf("big%d", i+1), Size: 5 << 20})
	}
	var first []string
	for i, c := range all {
		seen := 0
		got := messages(c.until("three big messages", func(r report) bool {
			if strings.HasPrefix(r.Text, "big") {
				seen++
			}
			return seen == 3 && r.From != 0
		}))
		if i == 0 {
			first = got
			if len(got) != 603 {
				t.Errorf("%d messages arrived; want 603", len(got))
			}
			for n := 1; n <= 3; n++ {
				var own []string
				for _, line := range got {
					if strings.HasPrefix(line, fmt.Sprintf("%d n%d.", n, n)) {
						own = append(own, strings.Fields(line)[1])
					}
				}
				for i, text := range own {
					if want := fmt.Sprintf("n%d.%d", n, i); text != want {
						t.Fatalf("message %d of node %d is %q; want %q", i, n, text, want)
					}
				}
			}
			continue
		}
		if d := cmp.Diff(first, got); d != "" {
			t.Errorf("%s delivered another order than node1 (-node1 +%[1]s):\n%s", c.h.name, d)
		}
	}

	// A cmand dies; its corosync goes on, and its successor takes it over.
	pid := net.hosts[2].run("cat", lockFile)
	c3.kill()
	for _, c := range all[:2] {
		sameView(t, c.h.name+", cmand of node3 died", c.view(1, 2), cluster.View{Online: three, Members: two,
			Left: left(cluster.ProcessDied, 3), Quorate: true})
	}
	c3 = net.hosts[2].start(s)
	sameView(t, "node3 again", c3.view(1, 2, 3), cluster.View{Online: three, Members: three, Joined: three, Quorate: true})
	if again := net.hosts[2].run("cat", lockFile); again != pid {
		t.Errorf("corosync is process %q now, was %q; want it taken over", again, pid)
	}
	for _, c := range all[:2] {
		sameView(t, c.h.name+", node3 again", c.view(1, 2, 3), cluster.View{Online: three, Members: three,
			Joined: cluster.NodeIDs{3}, Quorate: true})
	}

	// It leaves.
	c3.order(order{Close: true})
	if r := c3.until("end", func(r report) bool { return r.Ended }); r[len(r)-1].Err != "" {
		t.Errorf("after Close: Err() = %q; want none", r[len(r)-1].Err)
	}
	for _, c := range all[:2] {
		sameView(t, c.h.name+", node3 left", c.view(1, 2), cluster.View{Online: three, Members: two,
			Left: left(cluster.LeftCleanly, 3), Quorate: true})
	}
	// A node without a cmand leaves the ring and comes back.
	net.cut(3)
	for _, c := range all[:2] {
		sameView(t, c.h.name+", ring without node3", c.view(1, 2), cluster.View{Online: two, Members: two, Quorate: true})
	}
	net.join(3)
	for _, c := range all[:2] {
		sameView(t, c.h.name+", ring with node3", c.view(1, 2), cluster.View{Online: three, Members: two, Quorate: true})
	}
	c3 = net.hosts[2].start(s)
	for _, c := range []*client{c1, c2, c3} {
		c.view(1, 2, 3)
	}

	// Its link is cut: each side sees the other go, the larger stays quorate.
	net.cut(3)
	for _, c := range all[:2] {
		sameView(t, c.h.name+", link of node3 cut", c.view(1, 2), cluster.View{Online: two, Members: two,
			Left: left(cluster.NodeDown, 3), Quorate: true})
	}
	sameView(t, "node3, cut off", c3.view(3), cluster.View{Online: cluster.NodeIDs{3}, Members: cluster.NodeIDs{3},
		Left: left(cluster.NodeDown, 1, 2)})
	net.join(3)
	sameView(t, "node1, healed", c1.view(1, 2, 3), cluster.View{Online: three, Members: three, Joined: cluster.NodeIDs{3}, Quorate: true})
	c2.view(1, 2, 3)
	sameView(t, "node3, healed", c3.view(1, 2, 3), cluster.View{Online: three, Members: three, Joined: two, Quorate: true})

	// Its corosync dies.
	net.hosts[2].run("sh", "-c", "kill -KILL $(cat "+lockFile+")")
	end := c3.until("loss", func(r report) bool { return r.Ended })
	if r := end[len(end)-1]; !r.Lost || r.Err == "" {
		t.Errorf("without corosync: %+v; want a LostError", r)
	}
	for _, c := range all[:2] {
		sameView(t, c.h.name+", corosync of node3 died", c.view(1, 2), cluster.View{Online: two, Members: two,
			Left: left(cluster.NodeDown, 3), Quorate: true})
	}

	// A node stops with its corosync: its cmand leaves, then the ring shrinks.
	c2.order(order{Close: true, Stop: true})
	sameView(t, "node1, node2 left", c1.view(1), cluster.View{Online: two, Members: one, Left: left(cluster.LeftCleanly, 2), Quorate: true})
	sameView(t, "node1 alone again", c1.view(1), cluster.View{Online: one, Members: one})
	c2.until("stop", func(r report) bool { return r.Done })
	if out := net.hosts[1].run("sh", "-c", "pidof corosync || echo none"); out != "none\n" {
		t.Errorf("after Stop corosync runs on: %s", out)
	}
}

func TestTwoNode(t *testing.T) {
	t.Parallel()
	net, s := newNetwork(t, 3), settings(2)
	one := cluster.NodeIDs{1}

	// cman's lone node of two comes up quorate, and fences the other.
	c1 := net.hosts[0].start(s)
	sameView(t, "node1 alone", c1.view(1), cluster.View{Online: one, Members: one, Joined: one, Quorate: true})
	c2 := net.hosts[1].start(s)
	c1.view(1, 2)
	c2.view(1, 2)

	// A third node, by reload of both.
	s = settings(3)
	for i, c := range []*client{c1, c2} {
		s.Local = cluster.NodeID(i + 1)
		c.order(order{Reload: &s})
		c.until("reload", func(r report) bool { return r.Done })
	}
	c3 := net.hosts[2].start(s)
	for _, c := range []*client{c1, c2, c3} {
		if v := c.view(1, 2, 3); !v.Quorate {
			t.Errorf("%s: three nodes are inquorate", c.h.name)
		}
	}
	net.cut(1)
	if v := c1.view(1); v.Quorate {
		t.Error("one node of three is quorate: two_node outlived its reload")
	}
}

func TestOutdatedNodeList(t *testing.T) {
	t.Parallel()
	net, s := newNetwork(t, 3), settings(3)
	c1, c2 := net.hosts[0].start(s), net.hosts[1].start(s)
	c1.view(1, 2)
	c2.view(1, 2)
	// node3 was away while node2 came: alone it would be quorate.
	old := settings(3)
	old.Nodes, old.TwoNode = []Node{s.Nodes[0], s.Nodes[2]}, true
	if r := net.hosts[2].tryStart(old, time.Minute).next(); !strings.Contains(r.Err, "node1 answers, but not in the ring") {
		t.Errorf("Start with an outdated list = %q; want it refused", r.Err)
	}
	for len(c1.reports) > 0 {
		if r := c1.next(); r.View != nil && (len(r.View.Members) != 2 || !r.View.Quorate) {
			t.Errorf("meanwhile node1 saw %+v; want it undisturbed", r.View)
		}
	}
}

func TestVerdictWithoutRing(t *testing.T) {
	t.Parallel()
	net, s := newNetwork(t, 1), settings(3)
	c1 := net.hosts[0].start(s)
	before := c1.view(1)
	if before.Quorate {
		t.Fatal("one node of three is quorate")
	}
	net.hosts[0].run("corosync-quorumtool", "-e", "1")
	after := c1.view(1)
	sameView(t, "expected votes lowered", after, cluster.View{Online: before.Online, Members: before.Members, Quorate: true})
	if after.Ring != before.Ring {
		t.Errorf("ring went from %v to %v; want the same", before.Ring, after.Ring)
	}
}

func TestNewcomerGetsMessagesWhole(t *testing.T) {
	t.Parallel()
	net, s := newNetwork(t, 2), settings(2)
	c1 := net.hosts[0].start(s)
	c1.view(1)
	c2 := net.hosts[1].start(s)
	c1.view(1, 2)
	c2.view(1, 2)
	for round := range 4 {
		c2.order(order{Close: true})
		c1.view(1)
		c1.order(order{Send: "big", Size: 8 << 20, Times: 6})
		last := func(r report) bool { return r.Text == "big5" }
		before := c1.until("the first big one", func(r report) bool { return r.From != 0 })
		c2 = net.hosts[1].start(s)
		rest := c1.until("big5", last)
		var texts []string
		for _, r := range append(before, rest...) {
			if r.From != 0 {
				texts = append(texts, r.Text)
			}
		}
		if want := []string{"big0", "big1", "big2", "big3", "big4", "big5"}; !slices.Equal(texts, want) {
			t.Errorf("round %d: node1 delivered %q; want %q", round, texts, want)
		}
		both := slices.IndexFunc(rest, func(r report) bool { return r.View != nil && r.View.Members.Has(2) })
		if both < 0 {
			t.Fatalf("round %d: node2 joined too late to be in the way", round)
		}
		c2.view(1, 2)
		want, got := messages(rest[both:]), messages(c2.until("big5", last))
		if d := cmp.Diff(want, got); d != "" || len(got) == 0 {
			t.Errorf("round %d: after the view of both (-node1 +node2):\n%s", round, d)
		}
	}
}

func TestStrangerIsRefused(t *testing.T) {
	t.Parallel()
	net, s := newNetwork(t, 1), settings(1)
	s.Nodes[0].Addresses[0] = "10.0.0.1"
	h := net.hosts[0]
	c := h.start(s)
	c.view(1)
	c.kill()
	renamed := s
	renamed.Name = "beta"
	if r := h.tryStart(renamed, time.Minute).next(); !strings.Contains(r.Err, `corosync is in cluster "alpha"`) {
		t.Errorf("Start in another cluster = %q; want it refused", r.Err)
	}
	c = h.start(s)
	c.order(order{Close: true, Stop: true})
	c.until("stop", func(r report) bool { return r.Done })

	h.run("sh", "-c", "cp /run/cluster/corosync.conf /run/own.conf && corosync -c /run/own.conf")
	if r := h.tryStart(s, time.Minute).next(); !strings.Contains(r.Err, "not ours") {
		t.Errorf("Start beside a stranger's corosync = %q; want it refused", r.Err)
	}
}

// A corosync that does not answer holds nobody up.
func TestHangingCorosync(t *testing.T) {
	t.Parallel()
	net, s := newNetwork(t, 1), settings(1)
	h := net.hosts[0]
	c := h.start(s)
	c.view(1)
	h.run("sh", "-c", "kill -STOP $(cat "+lockFile+")")
	c.order(order{Within: time.Second, Close: true, Stop: true})
	r := c.next()
	for !r.Done {
		r = c.next()
	}
	if !strings.Contains(r.Err, "cannot leave the channel") || !strings.Contains(r.Err, "corosync had to be killed") {
		t.Errorf("Close and Stop = %q; want both to say that corosync hangs", r.Err)
	}
	if out := h.run("sh", "-c", "pidof corosync || echo none"); out != "none\n" {
		t.Errorf("after Stop corosync runs on: %s", out)
	}
	c = h.start(s)
	c.view(1)
	c.kill()
	h.run("sh", "-c", "kill -STOP $(cat "+lockFile+")")
	s.Token = 0
	if r := h.tryStart(s, time.Second).next(); !strings.Contains(r.Err, "corosync does not answer") {
		t.Errorf("Start = %q; want it to give up", r.Err)
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	net, s := newNetwork(t, 1), settings(1)
	s.Consensus = time.Millisecond // corosync refuses it
	s.Nodes[0].Addresses[0] = "10.0.0.1"
	if r := net.hosts[0].tryStart(s, time.Minute).next(); !strings.Contains(r.Err, "corosync did not start") || !strings.Contains(r.Err, "consensus") {
		t.Errorf("Start = %q; want corosync's complaint about consensus", r.Err)
	}
}

func TestTransports(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"udpu": func(s *Settings) { s.Transport, s.SecAuth = "udpu", false },
		"udp":  func(s *Settings) { s.Transport, s.SecAuth, s.ID = "udp", false, 3169 },
		"udp over IPv6": func(s *Settings) {
			s.Transport, s.SecAuth, s.ID = "udp", false, 3169
			for i := range s.Nodes {
				s.Nodes[i].Addresses[0] = fmt.Sprintf("fd00::%d", i+1)
			}
		},
		"two links": func(s *Settings) {
			for i := range s.Nodes {
				s.Nodes[i].Addresses = append(s.Nodes[i].Addresses, fmt.Sprintf("10.1.0.%d", i+1))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			net, s := newNetwork(t, 2), settings(2)
			change(&s)
			var all []*client
			for i, h := range net.hosts {
				h.run("ip", "addr", "add", fmt.Sprintf("10.1.0.%d/24", i+1), "dev", "eth0")
				h.run("ip", "addr", "add", fmt.Sprintf("fd00::%d/64", i+1), "dev", "eth0", "nodad")
				all = append(all, h.start(s))
			}
			for _, c := range all {
				c.view(1, 2)
			}
			all[0].order(order{Send: "a", Size: 1 << 20})
			for _, c := range all {
				c.until("message", func(r report) bool { return r.Text == "a" && r.Size == 1<<20 })
			}
			if links := net.hosts[0].run("corosync-cfgtool", "-s"); strings.Contains(links, "LINK ID 1") != (name == "two links") {
				t.Errorf("corosync has these links:\n%s", links)
			}
		})
	}
}

// BenchmarkMember measures one message to all of three nodes and back to its
// sender, and what one sender gets through with large ones.
func BenchmarkMember(b *testing.B) {
	for _, size := range []int{100, 64 << 10, 1 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			net, s := newNetwork(b, 3), settings(3)
			var all []*client
			for _, h := range net.hosts {
				all = append(all, h.start(s))
			}
			for _, c := range all {
				c.view(1, 2, 3)
			}
			b.SetBytes(int64(size))
			for b.Loop() {
				all[0].order(order{Send: "m", Size: size})
				all[0].until("message", func(r report) bool { return r.From != 0 })
			}
		})
	}
}
