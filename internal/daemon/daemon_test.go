package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/daemon"
	"fangnetz/internal/daemontest"
	"fangnetz/internal/wire"
)

func config(nodes, version int, rm string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<cluster name="c" config_version="%d"><clusternodes>`, version)
	for i := 1; i <= nodes; i++ {
		fmt.Fprintf(&b, `<clusternode name="node%d" nodeid="%d"/>`, i, i)
	}
	fmt.Fprintf(&b, `</clusternodes><rm>%s</rm></cluster>`, rm)
	return b.String()
}

// bubble runs a test on a cluster of n nodes where votes make a quorum, all up
// and settled. Machine "a" is defined on node 1 alone.
func bubble(t *testing.T, n, votes int, test func(t *testing.T, c *daemontest.Cluster)) {
	synctest.Test(t, func(t *testing.T) {
		c := daemontest.New(t, votes)
		defer c.Close()
		c.World.Define("a", 1)
		for id := cluster.NodeID(1); id <= cluster.NodeID(n); id++ {
			c.Write(config(n, 1, `<vm name="a"/>`), id)
			c.Start(id)
		}
		c.Pass(30 * time.Second)
		test(t, c)
	})
}

func runs(t *testing.T, c *daemontest.Cluster, name string, want ...cluster.NodeID) {
	t.Helper()
	if got, _ := c.World.Running(name); !slices.Equal(got, want) {
		t.Errorf("machine %s runs on %v, want %v", name, got, want)
	}
}

func act(t *testing.T, c *daemontest.Cluster, id cluster.NodeID, a wire.Action, want cluster.Result) wire.Answer {
	t.Helper()
	got, err := c.Node(id).Act(t.Context(), a)
	if err != nil || got.Result != want {
		t.Errorf("node %d: %v = %v, %v; want %v", id, a, got.Result, err, want)
	}
	return got
}

func TestAllNodesShowTheSame(t *testing.T) {
	bubble(t, 3, 2, func(t *testing.T, c *daemontest.Cluster) {
		runs(t, c, "a", 1)
		act(t, c, 2, wire.Action{Verb: wire.Migrate, Service: "vm:a", Target: 3}, cluster.Success)
		c.Pass(time.Second)
		runs(t, c, "a", 3)
		for id := cluster.NodeID(1); id <= 3; id++ {
			if s := c.Service(id, "vm:a"); s.State != cluster.Started || s.Owner != 3 || s.LastOwner != 1 {
				t.Errorf("node %d shows %+v", id, s)
			}
		}
	})
}

func TestDaemonRestartIsNoOutage(t *testing.T) {
	bubble(t, 3, 2, func(t *testing.T, c *daemontest.Cluster) {
		c.Kill(1)
		c.Pass(5 * time.Second)
		runs(t, c, "a", 1)
		c.Start(1)
		c.Pass(5 * time.Second)
		if ids, starts := c.World.Running("a"); len(ids) != 1 || starts != 1 {
			t.Errorf("after a restart of cmand the machine runs on %v and was started %d times; want once, untouched", ids, starts)
		}
		if s := c.Service(2, "vm:a"); s.State != cluster.Started || s.Owner != 1 || s.Restarts != 0 {
			t.Errorf("shown as %+v", s)
		}
	})
}

func TestDaemonThatStaysAwayCostsItsNode(t *testing.T) {
	bubble(t, 3, 2, func(t *testing.T, c *daemontest.Cluster) {
		c.Kill(1)
		c.Pass(30 * time.Second)
		runs(t, c, "a", 2)
	})
}

func TestNothingStartsBeforeTheFence(t *testing.T) {
	bubble(t, 3, 2, func(t *testing.T, c *daemontest.Cluster) {
		c.World.Break(1, true)
		c.Net.Part(map[cluster.NodeID]int{1: 1})
		c.Pass(time.Second)
		st, err := c.Node(2).Status(t.Context())
		if err != nil || len(st.Fencing) != 1 || st.Fencing[0].Node != 1 {
			t.Fatalf("status shows no fencing: %+v, %v", st, err)
		}
		if s := c.Service(2, "vm:a"); s.State == cluster.Started {
			t.Errorf("a machine on a lost node is shown as %+v", s)
		}
		act(t, c, 2, wire.Action{Verb: wire.Enable, Service: "vm:a"}, cluster.FencePending)
		if err := c.Node(2).AckFence(t.Context(), "nosuch"); !errors.Is(err, &wire.Refusal{Code: wire.UnknownNode}) {
			t.Errorf("AckFence of an unknown node: %v", err)
		}
		if err := c.Node(2).AckFence(t.Context(), "node3"); !errors.Is(err, &wire.Refusal{Code: wire.NotWaiting}) {
			t.Errorf("AckFence of a healthy node: %v", err)
		}
		c.Pass(time.Minute)
		runs(t, c, "a") // the minority has stopped it, the majority may not start it
		c.PowerOff(1)
		if err := c.Node(2).AckFence(t.Context(), "NODE1"); err != nil {
			t.Errorf("AckFence: %v", err)
		}
		c.Pass(5 * time.Second)
		runs(t, c, "a", 2)
	})
}

func TestMinorityStopsAndComesBack(t *testing.T) {
	bubble(t, 3, 2, func(t *testing.T, c *daemontest.Cluster) {
		c.World.Break(1, true)
		c.Net.Part(map[cluster.NodeID]int{1: 1})
		c.Pass(time.Second)
		runs(t, c, "a")
		act(t, c, 1, wire.Action{Verb: wire.Enable, Service: "vm:a"}, cluster.NoQuorum)
		c.Net.Part(nil)
		c.Pass(30 * time.Second)
		if ids, _ := c.World.Running("a"); len(ids) != 1 {
			t.Errorf("after the partition the machine runs on %v", ids)
		}
		for id := cluster.NodeID(1); id <= 3; id++ {
			if st, _ := c.Node(id).Status(t.Context()); len(st.Fencing) != 0 || !st.Quorate {
				t.Errorf("node %d: %+v", id, st)
			}
		}
	})
}

func TestMachineThatDiesIsRestarted(t *testing.T) {
	bubble(t, 2, 1, func(t *testing.T, c *daemontest.Cluster) {
		c.World.Kill("a")
		c.Pass(5 * time.Second)
		if s := c.Service(2, "vm:a"); s.State != cluster.Started || s.Restarts != 1 {
			t.Errorf("shown as %+v", s)
		}
		runs(t, c, "a", 1)
	})
}

func TestSilentHypervisorIsNotADeadMachine(t *testing.T) {
	bubble(t, 2, 1, func(t *testing.T, c *daemontest.Cluster) {
		c.World.Mute(1, true)
		c.Pass(5 * time.Minute)
		if s := c.Service(2, "vm:a"); s.State != cluster.Started || s.Owner != 1 {
			t.Errorf("shown as %+v", s)
		}
		if _, starts := c.World.Running("a"); starts != 1 {
			t.Errorf("started %d times", starts)
		}
	})
}

func TestLeavingHandsServicesOver(t *testing.T) {
	bubble(t, 2, 1, func(t *testing.T, c *daemontest.Cluster) {
		n := c.Node(1)
		n.Leave()
		c.Pass(20 * time.Second)
		if !errors.Is(n.Err, daemon.ErrLeft) {
			t.Errorf("Run = %v, want ErrLeft", n.Err)
		}
		runs(t, c, "a", 2)
		c.Pass(time.Minute)
		if st, _ := c.Node(2).Status(t.Context()); len(st.Fencing) != 0 {
			t.Errorf("a node that left in good order is fenced: %+v", st.Fencing)
		}
	})
}

func TestLostChannelEndsTheMachines(t *testing.T) {
	bubble(t, 2, 1, func(t *testing.T, c *daemontest.Cluster) {
		n := c.Node(1)
		c.Net.Leave(1, cluster.NodeDown)
		c.Pass(500 * time.Millisecond)
		runs(t, c, "a")
		if n.Err == nil || !strings.Contains(n.Err.Error(), "left the fake network") {
			t.Errorf("Run = %v", n.Err)
		}
	})
}

func TestDefinitionSurvivesTheClustersDeath(t *testing.T) {
	bubble(t, 2, 1, func(t *testing.T, c *daemontest.Cluster) {
		c.PowerOff(1)
		c.PowerOff(2)
		c.Start(2) // which never had the machine
		c.Pass(time.Minute)
		runs(t, c, "a", 2)
	})
}

func TestUpdateReachesAllOrNone(t *testing.T) {
	bubble(t, 2, 1, func(t *testing.T, c *daemontest.Cluster) {
		push := func(text string) wire.UpdateAnswer {
			t.Helper()
			a, err := c.Node(1).Update(t.Context(), "new.conf", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		same := func(want string) {
			t.Helper()
			for id := cluster.NodeID(1); id <= 2; id++ {
				if got, err := os.ReadFile(c.ConfigFile(id)); err != nil || string(got) != want {
					t.Errorf("node %d has %q, %v; want %q", id, got, err, want)
				}
			}
		}
		two := config(2, 2, `<vm name="a"/><vm name="b"/>`)
		if a := push(two); a.Problem != "" || a.From != 1 || a.To != 2 {
			t.Errorf("update = %+v", a)
		}
		same(two)
		for _, text := range []string{two, config(2, 1, "")} {
			if a := push(text); !strings.Contains(a.Problem, "greater version number") {
				t.Errorf("an update that is not newer = %+v", a)
			}
		}
		if a := push("<cluster"); len(a.Faults) == 0 || !strings.HasPrefix(a.Faults[0], "new.conf:1:") {
			t.Errorf("a broken file = %+v", a)
		}
		same(two)

		// Node 2 cannot store it: nobody takes it.
		if err := os.MkdirAll(c.ConfigFile(2)+"-update/in the way", 0o700); err != nil {
			t.Fatal(err)
		}
		if a := push(config(2, 3, "")); a.Problem == "" || len(a.Nodes) != 1 || a.Nodes[0].Node != "node2" {
			t.Errorf("an update that node 2 cannot store = %+v", a)
		}
		same(two)
		if err := os.RemoveAll(c.ConfigFile(2) + "-update"); err != nil {
			t.Fatal(err)
		}

		// Node 2 is away, and catches up.
		c.PowerOff(2)
		c.Pass(5 * time.Second)
		four := config(2, 4, `<vm name="a"/>`)
		if a := push(four); a.Problem != "" || a.To != 4 {
			t.Errorf("update = %+v", a)
		}
		c.Start(2)
		c.Pass(5 * time.Second)
		same(four)
	})
}

func TestRequestOfACallerThatGoesAway(t *testing.T) {
	bubble(t, 2, 1, func(t *testing.T, c *daemontest.Cluster) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := c.Node(1).Act(ctx, wire.Action{Verb: wire.Restart, Service: "vm:a"}); err == nil {
			t.Error("an abandoned request succeeded")
		}
		c.Pass(10 * time.Second)
		runs(t, c, "a", 1) // it was carried out all the same
	})
}

func TestWatchersHearOfAMigration(t *testing.T) {
	bubble(t, 2, 1, func(t *testing.T, c *daemontest.Cluster) {
		ctx, cancel := context.WithCancel(t.Context())
		var owners []cluster.NodeID
		var migrations []wire.Migration
		done := make(chan error)
		go func() {
			done <- c.Node(2).Watch(ctx, func(ev wire.Event) error {
				owners = append(owners, ev.Status.Services[0].Owner)
				migrations = append(migrations, ev.Migrations...)
				return nil
			})
		}()
		c.Pass(time.Second)
		act(t, c, 2, wire.Action{Verb: wire.Migrate, Service: "vm:a", Target: 2}, cluster.Success)
		c.Pass(time.Second)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch = %v", err)
		}
		if len(owners) < 3 || owners[0] != 1 || owners[len(owners)-1] != 2 {
			t.Errorf("watched owners %v, want 1 to become 2", owners)
		}
		if len(migrations) == 0 || migrations[0].Service != "vm:a" || migrations[0].From != 1 || migrations[0].To != 2 || migrations[0].Total == 0 {
			t.Errorf("watched migrations %+v", migrations)
		}
	})
}

func TestHungDaemonCostsItsNode(t *testing.T) {
	bubble(t, 3, 2, func(t *testing.T, c *daemontest.Cluster) {
		n := c.Node(1)
		c.World.Break(1, true)
		c.Net.Hang(1, true)
		c.Pass(10 * time.Second)
		if st, err := c.Node(2).Status(t.Context()); err != nil || !st.Members[0].Manager {
			t.Errorf("after a short silence: %+v, %v", st, err)
		}
		c.Pass(30 * time.Second)
		st, err := c.Node(2).Status(t.Context())
		if err != nil || st.Members[0].Manager || len(st.Fencing) != 1 {
			t.Errorf("after a long silence: %+v, %v", st, err)
		}
		if _, starts := c.World.Running("a"); starts != 1 {
			t.Errorf("the machine was started %d times before the fence succeeded", starts)
		}
		c.Net.Hang(1, false) // it wakes, finds itself put out, and ends its machines
		c.Pass(time.Second)
		if n.Err == nil || !strings.Contains(n.Err.Error(), "put this node out") {
			t.Errorf("Run = %v", n.Err)
		}
		runs(t, c, "a")
		c.World.Break(1, false)
		c.Pass(10 * time.Second)
		runs(t, c, "a", 2)
		for _, id := range []cluster.NodeID{2, 3} {
			if st, _ := c.Node(id).Status(t.Context()); !st.Members[1].Manager || !st.Members[2].Manager {
				t.Errorf("node %d: %+v", id, st.Members)
			}
		}
	})
}
