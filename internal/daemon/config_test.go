package daemon_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/daemontest"
	"fangnetz/internal/wire"
)

// push makes node id update the cluster to a version with that content of rm.
func push(t *testing.T, c *daemontest.Cluster, id cluster.NodeID, version int, rm string) {
	t.Helper()
	a, err := c.Node(id).Update(t.Context(), "c", []byte(config(3, version, rm)))
	if err != nil || a.To != version || a.Problem != "" || len(a.Faults) > 0 {
		t.Fatalf("update to version %d: %+v, %v", version, a, err)
	}
	c.Pass(time.Second)
}

func TestEveryNodeKeepsWhatWasInForce(t *testing.T) {
	bubble(t, 3, 2, func(t *testing.T, c *daemontest.Cluster) {
		push(t, c, 2, 2, `<vm name="a"/><vm name="b"/>`)
		push(t, c, 3, 5, `<vm name="a" recovery="relocate"/><vm name="b"/>`)
		for id := cluster.NodeID(1); id <= 3; id++ {
			got, err := c.Node(id).ConfigHistory(t.Context())
			if err != nil || len(got) != 3 {
				t.Fatalf("node %d keeps %+v, %v; want three", id, got, err)
			}
			told := ""
			for _, e := range got {
				told += fmt.Sprintf("%d by %q, %d nodes, %d services: %s;", e.Version, e.Node, e.Nodes, e.Services, strings.Join(e.Changes, ", "))
			}
			want := `1 by "", 3 nodes, 1 services: ;2 by "node2", 3 nodes, 2 services: vm:b added;` +
				`5 by "node3", 3 nodes, 2 services: vm:a: recovery restart -> relocate;`
			if told != want {
				t.Errorf("node %d tells %s; want %s", id, told, want)
			}
			for version, text := range map[int]string{1: config(3, 1, `<vm name="a"/>`), 2: config(3, 2, `<vm name="a"/><vm name="b"/>`),
				0: config(3, 5, `<vm name="a" recovery="relocate"/><vm name="b"/>`)} {
				if got, err := c.Node(id).Config(t.Context(), version); err != nil || string(got.Text) != text {
					t.Errorf("node %d: version %d = %s, %v; want %s", id, version, got.Text, err, text)
				}
			}
			if _, err := c.Node(id).Config(t.Context(), 3); !errors.Is(err, &wire.Refusal{Code: wire.NotKept}) {
				t.Errorf("node %d: version 3, which never was: %v", id, err)
			}
		}
	})
}

// What ccs_tool check and diff say beforehand (conf.Effect) is what happens: a
// machine that is removed is stopped unless it is frozen, one that is added is
// started, and one that is changed is left alone.
func TestUpdateDoesWhatTheDiffSays(t *testing.T) {
	bubble(t, 3, 2, func(t *testing.T, c *daemontest.Cluster) {
		for _, name := range []string{"gone", "frozen", "new", "off"} {
			c.World.Define(name, 1)
		}
		push(t, c, 1, 2, `<vm name="a" path="/a"/><vm name="gone"/><vm name="frozen"/>`)
		c.Pass(10 * time.Second)
		act(t, c, 1, wire.Action{Verb: wire.Freeze, Service: "vm:frozen"}, cluster.Success)
		before, starts := c.World.Running("a")
		frozen, _ := c.World.Running("frozen")
		if gone, _ := c.World.Running("gone"); len(before) != 1 || len(gone) != 1 || len(frozen) != 1 {
			t.Fatalf("a runs on %v, gone on %v, frozen on %v; want one node for each", before, gone, frozen)
		}
		push(t, c, 2, 3, `<vm name="a" path="/b" recovery="relocate" migrate="pause" autostart="0"/><vm name="new"/><vm name="off" autostart="0"/>`)
		c.Pass(30 * time.Second)
		if after, now := c.World.Running("a"); !slices.Equal(before, after) || now != starts {
			t.Errorf("the machine that was changed ran on %v and runs on %v, after %d starts and %d", before, after, starts, now)
		}
		runs(t, c, "gone")
		runs(t, c, "frozen", frozen...)
		runs(t, c, "off")
		if on, _ := c.World.Running("new"); len(on) != 1 {
			t.Errorf("the machine that was added runs on %v; want one node", on)
		}
	})
}

// A node that was away keeps what it takes over, whoever pushed it.
func TestTakenOverConfigIsKept(t *testing.T) {
	bubble(t, 3, 2, func(t *testing.T, c *daemontest.Cluster) {
		c.PowerOff(3)
		c.Pass(30 * time.Second)
		push(t, c, 1, 2, `<vm name="a"/><vm name="b"/>`)
		c.Start(3)
		c.Pass(30 * time.Second)
		got, err := c.Node(3).ConfigHistory(t.Context())
		if err != nil || len(got) != 2 || got[1].Version != 2 || got[1].Node != "" || strings.Join(got[1].Changes, ", ") != "vm:b added" {
			t.Errorf("node 3 keeps %+v, %v; want versions 1 and 2", got, err)
		}
		if text, err := c.Node(3).Config(t.Context(), 1); err != nil || string(text.Text) != config(3, 1, `<vm name="a"/>`) {
			t.Errorf("version 1 = %s, %v", text.Text, err)
		}
	})
}

// A list that cannot be read costs no text.
func TestConfigListThatIsBroken(t *testing.T) {
	bubble(t, 1, 1, func(t *testing.T, c *daemontest.Cluster) {
		list := filepath.Join(filepath.Dir(c.ConfigFile(1)), "1", "config", "history.json")
		if err := os.WriteFile(list, []byte("[{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Node(1).ConfigHistory(t.Context()); err == nil {
			t.Errorf("ConfigHistory = %+v; want an error", got)
		}
		if a, err := c.Node(1).Update(t.Context(), "c", []byte(config(1, 2, ""))); err != nil || a.To != 2 {
			t.Fatalf("update: %+v, %v", a, err)
		}
		c.Pass(time.Second)
		if got, err := c.Node(1).ConfigHistory(t.Context()); err != nil || len(got) != 1 || got[0].Version != 2 {
			t.Errorf("ConfigHistory = %+v, %v; want it to begin anew", got, err)
		}
		if _, err := c.Node(1).Config(t.Context(), 1); err != nil {
			t.Errorf("version 1 is lost: %v", err)
		}
	})
}

// Fifty are kept, readable by root alone, and a restart neither loses nor adds
// one.
func TestKeptConfigsAreBounded(t *testing.T) {
	bubble(t, 1, 1, func(t *testing.T, c *daemontest.Cluster) {
		for version := 2; version <= 60; version++ {
			a, err := c.Node(1).Update(t.Context(), "c", []byte(config(1, version, "")))
			if err != nil || a.To != version {
				t.Fatalf("update to version %d: %+v, %v", version, a, err)
			}
			c.Pass(time.Second)
		}
		c.Kill(1)
		c.Start(1)
		c.Pass(30 * time.Second)
		got, err := c.Node(1).ConfigHistory(t.Context())
		if err != nil || len(got) != 50 || got[0].Version != 11 || got[49].Version != 60 {
			t.Errorf("%d are kept, %v", len(got), err)
		}
		dir := filepath.Join(filepath.Dir(c.ConfigFile(1)), "1", "config")
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 51 {
			t.Errorf("%d files, %v; want 50 texts and their list", len(files), err)
		}
		for _, f := range files {
			if fi, err := f.Info(); err != nil || fi.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v, %v", f.Name(), fi.Mode(), err)
			}
		}
	})
}
