package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What follows the story: single faults, after each of which the cluster
// comes back to what it was.

// handOver: cmand on host2 is told to end.
func (s *story) handOver(t *testing.T) {
	began := time.Now()
	awaitService(t, 60*time.Second, "vm:vm2", "started "+s.host2.ClusterName(), s.Hosts...)
	run(t, s.host2, "pkill", "-TERM", "-x", "cmand")
	awaitService(t, 60*time.Second, "vm:vm2", "started "+s.host1.ClusterName(), s.host1)
	eventually(t, 30*time.Second, "cmand and corosync have ended on host2", func() string {
		return try(t, s.host2, "pgrep", "-l", "cmand|corosync").Stdout
	})
	if got := clustat(t, s.host1).member(s.host2.ClusterName()); got != "online 0, manager 0" {
		t.Errorf("host2 has left; clustat says %s", got)
	}
	time.Sleep(time.Until(began.Add(25 * time.Second))) // longer than cmand's grace time and a fence
	s.notFenced(t, began)
	if err := s.host2.Start(t.Context(), "cmand"); err != nil {
		t.Fatal(err)
	}
	s.settled(t)
}

// libvirtHangs: host1's libvirtd answers nothing for a while, and then dies.
func (s *story) libvirtHangs(t *testing.T) {
	began := time.Now()
	w := s.Watch("vm1")
	before := clustat(t, s.host1).restarts("vm:vm1")
	run(t, s.host1, "pkill", "-STOP", "-x", "libvirtd")
	time.Sleep(25 * time.Second)
	if got := clustat(t, s.host2).service("vm:vm1"); got != "started "+s.host1.ClusterName() {
		t.Errorf("with a hanging libvirtd vm1 is %s", got)
	}
	run(t, s.host1, "pkill", "-CONT", "-x", "libvirtd")
	run(t, s.host1, "pkill", "-9", "-x", "libvirtd")
	time.Sleep(5 * time.Second)
	if err := s.host1.Start(t.Context(), "libvirtd"); err != nil {
		t.Fatal(err)
	}
	s.settled(t)
	seen, err := w.Stop()
	if err != nil {
		t.Fatal(err)
	}
	checkOneRun(t, seen)
	if got := clustat(t, s.host1).restarts("vm:vm1"); got != before {
		t.Errorf("vm1 was restarted %d times while libvirtd was away", got-before)
	}
	s.notFenced(t, began)
}

// corosyncDies: host2 is no member any more, whatever its cmand thinks.
func (s *story) corosyncDies(t *testing.T) {
	began := time.Now()
	run(t, s.host2, "pkill", "-9", "-x", "corosync")
	awaitService(t, 60*time.Second, "vm:vm2", "started "+s.host1.ClusterName(), s.host1)
	if off := s.confirmedOff(t, began); off.IsZero() {
		t.Error("host2 was not fenced")
	}
	s.settled(t)
}

// daemonHangs: host2's cmand is stopped, and nobody else notices but by its
// silence.
func (s *story) daemonHangs(t *testing.T) {
	began := time.Now()
	run(t, s.host2, "pkill", "-STOP", "-x", "cmand")
	awaitService(t, 90*time.Second, "vm:vm2", "started "+s.host1.ClusterName(), s.host1)
	s.confirmedOff(t, began)
	t.Logf("a daemon that hangs was noticed, fenced and replaced within %s", time.Since(began).Round(time.Second))
	s.settled(t)
}

// diskFull: host2 cannot store a new configuration, so nobody takes it.
func (s *story) diskFull(t *testing.T) {
	before, err := s.host1.ReadFile(confFile)
	if err != nil {
		t.Fatal(err)
	}
	shell(t, s.host2, "cp /etc/cluster/cluster.conf /root/kept && mount -t tmpfs -o size=16k small /etc/cluster && "+
		"cp /root/kept /etc/cluster/cluster.conf && ! dd if=/dev/zero of=/etc/cluster/fill bs=1k count=64 2>/dev/null")
	if err := s.host1.WriteFile("/root/next.conf", Article{Version: s.version + 1, Services: true}.Text(s.Hosts), 0o640); err != nil {
		t.Fatal(err)
	}
	out := try(t, s.host1, "ccs_tool", "update", "/root/next.conf")
	if out.Exit == 0 || !strings.Contains(out.Stderr, s.host2.ClusterName()) || !strings.Contains(out.Stderr, "no space left") {
		t.Errorf("an update that does not fit on host2: %+v", out)
	}
	for _, h := range s.Hosts {
		if got := run(t, h, "cat", confFile); got != before {
			t.Errorf("%s: cluster.conf was changed by a refused update:\n%s", h.Name, got)
		}
	}
	shell(t, s.host2, "umount /etc/cluster")
	s.configure(t, Article{Services: true})
	s.settled(t)
}

// settled waits until each machine is at home, and asserts that none has run
// twice.
func (s *story) settled(t *testing.T) {
	t.Helper()
	s.awaitMembers(t, 90*time.Second, s.Hosts...)
	for guest, home := range map[string]*Host{"vm1": s.host1, "vm2": s.host2} {
		awaitService(t, 90*time.Second, "vm:"+guest, "started "+home.ClusterName(), s.Hosts...)
		eventually(t, 60*time.Second, fmt.Sprintf("%s counts on %s", guest, home.Name), counts(t, home, guest))
		s.checkNeverTwice(t, guest)
	}
}

func (s *story) notFenced(t *testing.T, since time.Time) {
	t.Helper()
	for _, e := range s.PowerEvents(since) {
		if strings.HasPrefix(e.Asked, "set") {
			t.Errorf("a host was fenced: %+v", e)
		}
	}
}

func shell(t *testing.T, h *Host, script string) {
	t.Helper()
	run(t, h, "sh", "-c", script)
}
