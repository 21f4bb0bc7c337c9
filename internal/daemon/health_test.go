package daemon_test

import (
	"testing"
	"testing/synctest"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/daemontest"
	"fangnetz/internal/wire"
)

func TestMachineThatIsThereButNotWell(t *testing.T) {
	for _, test := range []struct {
		name     string
		health   cluster.Health
		restarts int
	}{
		{"its check fails: it is restarted in place", cluster.Health{Detail: "crashed, panicked: its QEMU is still there"}, 1},
		{"it is paused: it is left alone", cluster.Health{OK: true, Detail: "paused, I/O error"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, 2, 1, func(t *testing.T, c *daemontest.Cluster) {
				c.World.Ail("a", test.health)
				c.Pass(5 * time.Minute)
				if s := c.Service(2, "vm:a"); s.State != cluster.Started || s.Owner != 1 || s.Restarts != test.restarts {
					t.Errorf("shown as %+v; want %d restarts on node 1", s, test.restarts)
				}
				if _, starts := c.World.Running("a"); starts != 1+test.restarts {
					t.Errorf("started %d times", starts)
				}
			})
		})
	}
}

func TestFrozenServiceIsNotChecked(t *testing.T) {
	bubble(t, 2, 1, func(t *testing.T, c *daemontest.Cluster) {
		act(t, c, 1, wire.Action{Verb: wire.Freeze, Service: "vm:a"}, cluster.Success)
		c.World.Ail("a", cluster.Health{Detail: "crashed, panicked"})
		c.Pass(5 * time.Minute)
		runs(t, c, "a", 1)
		if _, starts := c.World.Running("a"); starts != 1 {
			t.Errorf("started %d times", starts)
		}
		act(t, c, 1, wire.Action{Verb: wire.Unfreeze, Service: "vm:a"}, cluster.Success)
		c.Pass(time.Minute)
		if _, starts := c.World.Running("a"); starts != 2 {
			t.Errorf("after unfreeze: started %d times; want 2", starts)
		}
	})
}

// Every 30 s, and at depth 10 every 60 s where there is a program to ask
// (rgmanager, "Virtual machines: actions"); of two that are due the deeper one
// is run (rgmanager, "Status checks").
func TestStatusIntervals(t *testing.T) {
	for _, test := range []struct {
		vm          string
		plain, deep int // in ten minutes, give or take one
	}{
		{`<vm name="a"/>`, 20, 0},
		{`<vm name="a" status_program="p"/>`, 10, 10},
		{`<vm name="a" status_program="p"><action name="status" depth="10" interval="5m"/></vm>`, 18, 2},
		{`<vm name="a" status_program="p"><action name="status" depth="*" interval="20"/></vm>`, 0, 30},
	} {
		t.Run(test.vm, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := daemontest.New(t, 1)
				defer c.Close()
				c.World.Define("a", 1)
				c.Write(config(1, 1, test.vm), 1)
				c.Start(1)
				c.Pass(3 * time.Minute)
				plain, deep := c.World.Checks("a")
				c.Pass(10 * time.Minute)
				p, d := c.World.Checks("a")
				if p, d = p-plain, d-deep; max(p-test.plain, test.plain-p, d-test.deep, test.deep-d) > 1 {
					t.Errorf("%d checks at depth 0, %d at depth 10; want %d, %d", p, d, test.plain, test.deep)
				}
			})
		})
	}
}
