package main

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
	"fangnetz/internal/wiretest"
)

// (clusvcadm, "Member names"), with the members that each name is held against.
func TestTarget(t *testing.T) {
	for name, c := range map[string]struct {
		members string // id=name, in list order
		typed   string
		found   string // empty: refused
		said    string
	}{
		"whole name":                     {"1=node1 2=node2", "node2", "node2", ""},
		"whole name in another case":     {"1=node1 2=node2", "NODE2", "NODE2", ""},
		"longest beginning":              {"1=node1.example.com 2=node2.example.com", "node2", "node2.example.com", "'node2' not in membership list\nClosest match: 'node2.example.com'\n"},
		"beginning is compared by case":  {"1=node1.example.com", "NODE1", "", "'NODE1' not in membership list\nNo matches for 'NODE1' found\n"},
		"one letter is enough":           {"1=abc 2=xyz", "aq", "abc", "'aq' not in membership list\nClosest match: 'abc'\n"},
		"two equally long":               {"1=node1 2=node2", "node", "", "'node' not in membership list\nMore than one possible match for 'node' found\n"},
		"last two records tie":           {"1=no 2=nod1 3=nod2", "nodx", "", "'nodx' not in membership list\nMore than one possible match for 'nodx' found\n"},
		"shorter one after is no record": {"1=nod1 2=no", "nodx", "nod1", "'nodx' not in membership list\nClosest match: 'nod1'\n"},
		"quorum device is no target":     {"1=node1 0=/dev/sdb1", "/dev/sdb", "", "'/dev/sdb' not in membership list\nClosest match: '/dev/sdb1'\n"},
		"quorum device by its name":      {"1=node1 0=/dev/sdb1", "/dev/sdb1", "", "'/dev/sdb1' not in membership list\nClosest match: '/dev/sdb1'\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var members []cluster.Member
			for _, word := range bytes.Fields([]byte(c.members)) {
				members = append(members, cluster.Member{ID: cluster.NodeID(word[0] - '0'), Name: string(word[2:])})
			}
			var out bytes.Buffer
			m, ok := (&command{stdout: &out}).target(members, c.typed)
			if ok != (c.found != "") || ok && m.Name != c.found || out.String() != c.said {
				t.Errorf("target(%q) = %q, %v, saying %q; want %q, saying %q", c.typed, m.Name, ok, out.String(), c.found, c.said)
			}
		})
	}
}

func TestOrdinaryUserIsDenied(t *testing.T) {
	fake := new(fakeCmand)
	fake.Rgmanager.Reachable = true
	wiretest.Serve(t, fake, false)
	for _, c := range []struct {
		option, said string
		exit         int
	}{
		{"-e", "Local machine trying to enable service:web...Permission denied\n", 238},
		{"-l", "Lock operation failed\n", 1},
		{"-S", "Resource groups unlocked\n", 0},
	} {
		if got := clusvcadm(c.option, "web"); got != (result{c.said, "", c.exit}) {
			t.Errorf("clusvcadm %s = %+v; want %q and %d", c.option, got, c.said, c.exit)
		}
	}
	if asked := fake.seen(); asked != nil {
		t.Errorf("cmand was asked to %v", asked)
	}
}

// (clusvcadm, "RHEL 5 differences"), "root"
func TestRelease2IsForRootAlone(t *testing.T) {
	c := fixed()
	c.form, c.root = formOf(cluster.Release2), false
	want := result{"", "clusvcadm must be run as the root user.\n", 1}
	for _, args := range [][]string{{"-h"}, {"-v"}, {"-z"}, {"-e", "web"}} {
		if got := runAs(c, args...); got != want {
			t.Errorf("clusvcadm %q = %+v; want %+v", args, got, want)
		}
	}
}

// Who hangs is not waited for, but for what may take long.
func TestHungCmand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path) // the kernel accepts, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("CMAND_SOCKET", path)
	for option, want := range map[string]string{
		"-S": "Receive failed\nQuery operation failed\n",
		"-l": "Receive failed\nLock operation failed\n",
		"-u": "Receive failed\nUnlock operation failed\n",
		"-e": "Could not connect to cluster service\n",
	} {
		c := fixed()
		c.patience = 50 * time.Millisecond
		if got := runAs(c, option, "web"); got != (result{want, "", 1}) {
			t.Errorf("clusvcadm %s = %+v; want %q and 1", option, got, want)
		}
	}
}

// hung knows the status, and hangs when it is to act.
type hung struct{ fakeCmand }

func (*hung) Act(ctx context.Context, _ wire.Action) (wire.Answer, error) {
	<-ctx.Done()
	return wire.Answer{}, ctx.Err()
}

func TestHungLock(t *testing.T) {
	h := new(hung)
	h.Rgmanager.Reachable = true
	serve(t, h)
	c := fixed()
	c.patience = 50 * time.Millisecond
	if got, want := runAs(c, "-l"), (result{"Receive failed\nLock operation failed\n", "", 1}); got != want {
		t.Errorf("clusvcadm -l = %+v; want %+v", got, want)
	}
}

// A status that breaks off is not one without locks.
func TestShowLockLosesTheConnection(t *testing.T) {
	fake := &fakeCmand{breaks: true}
	serve(t, fake)
	if got, want := clusvcadm("-S"), (result{"Receive failed\nQuery operation failed\n", "", 1}); got != want {
		t.Errorf("clusvcadm -S = %+v; want %+v", got, want)
	}
}

// broken fails instead of answering.
type broken struct{ fakeCmand }

func (b *broken) Act(context.Context, wire.Action) (wire.Answer, error) {
	return wire.Answer{}, context.Canceled
}

func TestFailureOfTheDaemonIsNoSuccess(t *testing.T) {
	b := new(broken)
	b.Rgmanager.Reachable = true
	serve(t, b)
	want := result{"Local machine stopping vm:web...", "msg_receive: context canceled\nError receiving reply!\n", 1}
	if got := clusvcadm("-s", "vm:web"); got != want {
		t.Errorf("clusvcadm -s = %+v; want %+v", got, want)
	}
}
