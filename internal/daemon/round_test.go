package daemon

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"fangnetz/internal/cluster"
)

// TestFormingWaitsForTheRing has all cmands die after one of them alone had put
// a new configuration in force: the first that is back waits for the others,
// as long as a round may last.
func TestFormingWaitsForTheRing(t *testing.T) {
	const older = `<cluster name="a" config_version="1"><clusternodes><clusternode name="n1" nodeid="1"/><clusternode name="n2" nodeid="2"/></clusternodes></cluster>`
	const newer = `<cluster name="a" config_version="2"><clusternodes><clusternode name="n1" nodeid="1"/><clusternode name="n2" nodeid="2"/></clusternodes></cluster>`
	ring := cluster.RingID{Node: 1, Seq: 8}
	view := func(members ...cluster.NodeID) cluster.Delivery {
		v := &cluster.View{Ring: ring, Online: cluster.NodeIDs{1, 2}, Quorate: true}
		for _, id := range members {
			v.Members, v.Joined = v.Members.With(id), v.Joined.With(id)
		}
		return cluster.Delivery{View: v}
	}
	// said delivers what one replica has sent to some.
	said := func(from cluster.NodeID, out output, to ...*replica) {
		for _, m := range out.Send {
			data, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range to {
				r.deliver(cluster.Delivery{Message: &cluster.Message{From: from, Data: data}})
			}
		}
	}

	one := newReplica(1, "boot1", older, false, nil)
	said(1, one.deliver(view(1)), one)
	if one.machine != nil {
		t.Fatal("node 1 formed a cluster before node 2, which is in the ring, could say what it has")
	}
	two := newReplica(2, "boot2", newer, false, nil)
	hello1, hello2 := one.deliver(view(1, 2)), two.deliver(view(1, 2))
	said(1, hello1, one, two)
	said(2, hello2, one, two)
	for _, r := range []*replica{one, two} {
		if r.machine == nil || r.machine.Conf().Version != 2 {
			t.Errorf("node %d did not form the cluster with the newer configuration", r.local)
		}
	}

	alone := newReplica(1, "boot1", older, false, nil)
	said(1, alone.deliver(view(1)), alone)
	said(1, alone.overdue(alone.inRound()), alone)
	if alone.machine == nil {
		t.Error("node 1 waits for a cmand that does not come")
	}
}

// TestUnlistedNodeEnds has a node join a cluster whose cluster.conf does not
// list it: it takes no part, and keeps its file.
func TestUnlistedNodeEnds(t *testing.T) {
	const without = `<cluster name="a" config_version="2"><clusternodes><clusternode name="n1" nodeid="1"/></clusternodes></cluster>`
	const with = `<cluster name="a" config_version="1"><clusternodes><clusternode name="n1" nodeid="1"/><clusternode name="n2" nodeid="2"/></clusternodes></cluster>`
	v := cluster.View{Ring: cluster.RingID{Node: 1, Seq: 4}, Online: cluster.NodeIDs{1, 2}, Members: cluster.NodeIDs{1, 2},
		Joined: cluster.NodeIDs{1, 2}, Quorate: true}
	one, two := newReplica(1, "boot1", without, false, nil), newReplica(2, "boot2", with, false, nil)
	last := map[*replica]output{}
	for from, out := range map[cluster.NodeID]output{1: one.deliver(cluster.Delivery{View: &v}), 2: two.deliver(cluster.Delivery{View: &v})} {
		data, err := json.Marshal(out.Send[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*replica{one, two} {
			last[r] = r.deliver(cluster.Delivery{Message: &cluster.Message{From: from, Data: data}})
		}
	}
	if out := last[two]; out.Fatal == nil || out.Config != "" {
		t.Errorf("node 2 is not listed, and goes on: %+v", out)
	}
	if last[one].Fatal != nil || len(one.machine.Status(1).Members) != 1 {
		t.Errorf("node 1 is disturbed by node 2: %v, members %+v", last[one].Fatal, one.machine.Status(1).Members)
	}
}

// TestSenior says from whom a cluster takes its configuration.
func TestSenior(t *testing.T) {
	for name, pair := range map[string][2]hello{ // the first of each is senior
		"a running cluster's member":   {{Quorate: true}, {Blank: true, Epoch: 9, Version: 9}},
		"of the latest quorum":         {{Blank: true, Epoch: 5, Version: 1}, {Epoch: 4, Version: 2, Applied: 9}},
		"with the highest version":     {{Blank: true, Epoch: 5, Version: 2}, {Epoch: 5, Version: 1, Applied: 9}},
		"that has a machine":           {{Epoch: 5, Version: 2}, {Blank: true, Epoch: 5, Version: 2}},
		"that has seen most":           {{Epoch: 5, Version: 2, Applied: 7}, {Epoch: 5, Version: 2, Applied: 6}},
		"both alike: the lower number": {{}, {}},
	} {
		r := round{hellos: map[cluster.NodeID]hello{1: pair[0], 2: pair[1]}}
		if !r.before(1, 2) || r.before(2, 1) {
			t.Errorf("%s: not senior", name)
		}
		if r.hellos[1], r.hellos[2] = pair[1], pair[0]; name[:4] != "both" && (!r.before(2, 1) || r.before(1, 2)) {
			t.Errorf("%s: not senior with the higher number", name)
		}
	}
}

// TestEpochIsRemembered reads back what is written, and takes nothing for it
// that is damaged.
func TestEpochIsRemembered(t *testing.T) {
	var log bytes.Buffer
	const ours, other = `<cluster name="a" config_version="1"/>`, `<cluster name="b" config_version="1"/>`
	d := &Daemon{o: Options{StateDir: t.TempDir(), Log: slog.New(slog.NewTextHandler(&log, nil))},
		core: NewCore(1, "boot", ours, false, 0, nil, time.Now())}
	d.replica = d.core.replica
	if n := epoch(d.o, ours); n != 0 || log.Len() > 0 {
		t.Errorf("without a file: epoch %d, log %q", n, log.String())
	}
	if err := d.carryOut(t.Context(), Remember{42}); err != nil {
		t.Fatal(err)
	}
	if n := epoch(d.o, ours); n != 42 {
		t.Errorf("epoch %d, want 42", n)
	}
	if n := epoch(d.o, other); n != 0 || log.Len() > 0 {
		t.Errorf("of another cluster: epoch %d, log %q", n, log.String())
	}
	if err := os.WriteFile(epochFile(d.o), []byte("4x a\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if n := epoch(d.o, ours); n != 0 || !strings.Contains(log.String(), "4x") {
		t.Errorf("damaged: epoch %d, log %q", n, log.String())
	}
}
