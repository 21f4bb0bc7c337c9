package daemon_test

import (
	"fmt"
	"testing"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/daemontest"
	"fangnetz/internal/wire"
)

// told is a node's history of a service, in short.
func told(t *testing.T, c *daemontest.Cluster, id cluster.NodeID, service string) []string {
	t.Helper()
	entries, err := c.Node(id).History(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range entries {
		if e.Ended < e.Began || e.Began == 0 {
			t.Errorf("%+v has no time", e)
		}
		lines = append(lines, fmt.Sprintf("%s %d-%d %v by %q", e.What, e.From, e.To, e.Result, e.By))
	}
	return lines
}

func TestHistoryIsTheSameOnAllNodesAndOutlivesCmand(t *testing.T) {
	bubble(t, 3, 2, func(t *testing.T, c *daemontest.Cluster) {
		act(t, c, 2, wire.Action{Verb: wire.Migrate, Service: "vm:a", Target: 3}, cluster.Success)
		act(t, c, 2, wire.Action{Verb: wire.Migrate, Service: "vm:a", Target: 9}, cluster.InvalidOperation)
		c.Pass(time.Second) // until node 1 has heard of it too
		c.Kill(1)
		c.Start(1)
		c.Pass(20 * time.Second)
		last := ""
		for id := cluster.NodeID(1); id <= 3; id++ {
			got := fmt.Sprint(told(t, c, id, "vm:a"))
			if last != "" && got != last {
				t.Errorf("node %d tells %s, another node %s", id, got, last)
			}
			last = got
		}
		const want = `[start 0-1 Success by "" migrate 1-3 Success by "unknown@node2" migrate 3-9 Invalid operation for resource by "unknown@node2"]`
		if last != want {
			t.Errorf("the history is\n%s\nwant\n%s", last, want)
		}
	})
}

func TestDryRunChangesNothing(t *testing.T) {
	bubble(t, 3, 2, func(t *testing.T, c *daemontest.Cluster) {
		before := fmt.Sprint(told(t, c, 2, ""))
		answer := act(t, c, 2, wire.Action{Verb: wire.Relocate, Service: "vm:a", Target: 3, DryRun: true}, cluster.Success)
		if answer.Owner != 3 || answer.Trial == nil || len(answer.Trial.Steps) < 2 || len(answer.Trial.Candidates) != 3 {
			t.Errorf("the answer is %+v, %+v", answer, answer.Trial)
		}
		act(t, c, 2, wire.Action{Verb: wire.Stop, Service: "vm:none", DryRun: true}, cluster.NoService)
		act(t, c, 2, wire.Action{Verb: wire.Drain, Target: 1, DryRun: true}, cluster.Success)
		c.Pass(time.Minute)
		runs(t, c, "a", 1)
		if after := fmt.Sprint(told(t, c, 2, "")); after != before {
			t.Errorf("the history goes on: %s, before %s", after, before)
		}
	})
}

func TestDrain(t *testing.T) {
	bubble(t, 3, 2, func(t *testing.T, c *daemontest.Cluster) {
		act(t, c, 2, wire.Action{Verb: wire.Drain, Target: 1}, cluster.Success)
		c.Pass(time.Second)
		if on, starts := c.World.Running("a"); len(on) != 1 || on[0] == 1 || starts != 1 {
			t.Errorf("after a drain of node 1 the machine runs on %v and was started %d times", on, starts)
		}
		act(t, c, 2, wire.Action{Verb: wire.Undrain, Target: 1}, cluster.Success)
		c.Pass(time.Second)
		runs(t, c, "a", 1)
	})
}
