package lab

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Enter()
	os.Exit(m.Run())
}

// start makes a rack of n hosts for the test and boots them.
func start(t testing.TB, n int, programs ...string) *Lab {
	t.Helper()
	l := rack(t, n, programs...)
	if err := l.PowerOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// rack makes a rack of n hosts for the test and takes it apart at its end: that
// nothing is left is part of every test.
func rack(t testing.TB, n int, programs ...string) *Lab {
	t.Helper()
	l, err := New(t.Context(), n, programs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("logs of the hosts: %s", l.Logs)
		} else if err := l.RemoveLogs(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// run runs a command that must succeed, within a minute.
func run(t testing.TB, h *Host, argv ...string) string {
	t.Helper()
	out := try(t, h, argv...)
	if err := out.Err(); err != nil {
		t.Fatalf("%s# %v", h.Name, err)
	}
	return out.Stdout
}

// try runs a command that may fail.
func try(t testing.TB, h *Host, argv ...string) Output {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := h.Run(ctx, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// eventually waits until holds says "", and fails with what it said last.
func eventually(t testing.TB, limit time.Duration, what string, holds func() string) {
	t.Helper()
	var said string
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		if said = holds(); said == "" {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("not within %s: %s: %s", limit, what, said)
}

// counts says "" once the guest counted further on the host than it had.
func counts(t *testing.T, h *Host, guest string) func() string {
	t.Helper()
	before, err := h.Console(guest)
	if err != nil {
		t.Fatal(err)
	}
	return func() string {
		now, err := h.Console(guest)
		switch {
		case err != nil:
			return err.Error()
		case len(now) < len(before)+5:
			return "its counter stands still"
		}
		return ""
	}
}

func TestHosts(t *testing.T) {
	l := rack(t, 2)
	began := time.Now()
	if err := l.PowerOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	boot := time.Since(began)
	t.Logf("two hosts booted in %s", boot)
	if boot > 10*time.Second {
		t.Errorf("two hosts took %s to boot; want less than 10 s", boot)
	}
	host1, host2 := l.Host("host1"), l.Host("host2")

	for _, name := range []string{"host2.example.com", "host2-cluster.example.com"} {
		run(t, host1, "ping", "-c1", "-W2", name)
	}
	if got := run(t, host1, "hostname"); got != "host1.example.com\n" {
		t.Errorf("hostname on host1 = %q", got)
	}

	t.Run("root reaches the other host by SSH without a password", func(t *testing.T) {
		for _, name := range []string{"host2.example.com", "host2-cluster.example.com"} {
			if got := run(t, host1, "ssh", "-o", "BatchMode=yes", name, "hostname"); got != "host2.example.com\n" {
				t.Errorf("ssh %s hostname = %q", name, got)
			}
		}
	})
	t.Run("each host has a libvirtd of its own", func(t *testing.T) {
		uuids := map[string]string{}
		for _, h := range l.Hosts {
			_, rest, _ := strings.Cut(run(t, h, "virsh", "capabilities"), "<uuid>")
			uuid, _, _ := strings.Cut(rest, "</uuid>")
			if other := uuids[uuid]; len(uuid) != 36 || other != "" {
				t.Errorf("%s has UUID %q, host %q too", h.Name, uuid, other)
			}
			uuids[uuid] = h.Name
		}
	})
	t.Run("hosts do not see each other's processes", func(t *testing.T) {
		if got := run(t, host1, "pgrep", "-c", "libvirtd"); got != "1\n" {
			t.Errorf("host1 sees %q libvirtd", got)
		}
	})
	t.Run("KVM is out of reach", func(t *testing.T) {
		if try(t, host1, "test", "-e", "/dev/kvm").Exit == 0 {
			t.Error("host1 has /dev/kvm")
		}
	})
	t.Run("a command that is killed leaves nothing that holds its host", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if out, err := host2.Run(ctx, "sh", "-c", "sleep 60 & sleep 60; echo"); err == nil {
			t.Fatalf("a command of a minute ended within its time: %+v", out)
		}
		if err := host2.PowerOff(); err != nil {
			t.Fatal(err)
		}
		if err := host2.PowerOn(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a guest counts, and stops at the power button", func(t *testing.T) {
		guest := Guest{Name: "vm1"}
		if err := host1.Define(t.Context(), guest); err != nil {
			t.Fatal(err)
		}
		run(t, host1, "virsh", "start", "vm1")
		eventually(t, 60*time.Second, "vm1 counts on host1", counts(t, host1, "vm1"))
		run(t, host1, "virsh", "shutdown", "vm1")
		eventually(t, 30*time.Second, "vm1 is off", func() string {
			if state := strings.TrimSpace(run(t, host1, "virsh", "domstate", "vm1")); state != "shut off" {
				return state
			}
			return ""
		})
	})
	t.Run("a guest migrates and goes on counting", func(t *testing.T) {
		guest := Guest{Name: "vm2", Unit: 2}
		if err := host1.Define(t.Context(), guest); err != nil {
			t.Fatal(err)
		}
		run(t, host1, "virsh", "start", "vm2")
		eventually(t, 60*time.Second, "vm2 counts on host1", counts(t, host1, "vm2"))
		w := l.Watch("vm2")
		run(t, host1, "virsh", "migrate", "--live", "--p2p", "--tunnelled", "--persistent", "--undefinesource", "vm2", "qemu+ssh://host2-cluster.example.com/system")
		eventually(t, 30*time.Second, "vm2 counts on host2", counts(t, host2, "vm2"))
		seen, err := w.Stop()
		if err != nil {
			t.Fatal(err)
		}
		checkOneRun(t, seen)
		t.Logf("the longest pause between two ticks was %s", longestPause(seen))
	})

	t.Run("corosync finds the other host by the article's multicast", func(t *testing.T) { testCorosync(t, host1, host2) })
	t.Run("the power switch kills a host and its guests", func(t *testing.T) { testPower(t, host1, host2) })
	t.Run("a cut link is cut and mends", func(t *testing.T) {
		if err := host2.Cut(t.Context(), Cluster); err != nil {
			t.Fatal(err)
		}
		if try(t, host1, "ping", "-c1", "-W1", "host2-cluster.example.com").Exit == 0 {
			t.Error("host2 answers on the cluster link that was cut")
		}
		run(t, host1, "ping", "-c1", "-W2", "host2.example.com")
		if err := host2.Mend(t.Context(), Cluster); err != nil {
			t.Fatal(err)
		}
		eventually(t, 10*time.Second, "host2 answers again", func() string {
			if out := try(t, host1, "ping", "-c1", "-W1", "host2-cluster.example.com"); out.Exit != 0 {
				return out.Stdout
			}
			return ""
		})
	})
}

// testCorosync starts a ring by hand, to show that hosts give corosync what it
// needs: shared memory, multicast, names.
func testCorosync(t *testing.T, hosts ...*Host) {
	nodes := ""
	for _, h := range hosts {
		nodes += fmt.Sprintf("  node {\n    nodeid: %d\n    ring0_addr: %s\n  }\n", h.number, h.ClusterName())
	}
	for _, h := range hosts {
		if err := h.WriteFile("/etc/corosync/corosync.conf", `totem {
  version: 2
  cluster_name: byhand
  transport: udp
  interface {
    linknumber: 0
    bindnetaddr: `+h.Address(Cluster)+`
    mcastaddr: 225.0.0.250
    mcastport: 5405
  }
}
nodelist {
`+nodes+`}
quorum {
  provider: corosync_votequorum
  two_node: 1
}
logging {
  to_logfile: yes
  logfile: /var/log/corosync.log
  to_syslog: no
}
`, 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, h, "corosync")
	}
	for _, h := range hosts {
		eventually(t, 20*time.Second, h.Name+" has two votes", func() string {
			out := try(t, h, "corosync-quorumtool", "-s")
			if !strings.Contains(out.Stdout, "Total votes:      2") || !strings.Contains(out.Stdout, "Quorate:          Yes") {
				return out.Stdout + out.Stderr
			}
			return ""
		})
	}
	for _, h := range hosts {
		run(t, h, "pkill", "-x", "corosync")
		if err := h.Remove("/etc/corosync/corosync.conf"); err != nil {
			t.Fatal(err)
		}
	}
}

// testPower fences host2 with the real agent while its guest runs.
func testPower(t *testing.T, host1, host2 *Host) {
	fence := func(action string) Output {
		return try(t, host1, "fence_ipmilan", "-a", host2.PowerAddress(), "-l", PowerUser, "-p", PowerPassword, "-P", "-C", "3", "-o", action)
	}
	if out := fence("status"); !strings.Contains(out.Stdout, "ON") {
		t.Fatalf("status of a running host: %+v", out)
	}
	if err := host2.WriteFile("/etc/kept", "kept\n", 0o644); err != nil {
		t.Fatal(err)
	}
	if err := host2.WriteFile("/run/gone", "gone\n", 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "vm2 counts on host2", counts(t, host2, "vm2"))
	if err := fence("off").Err(); err != nil {
		t.Fatal(err)
	}
	if host2.On() {
		t.Fatal("host2 is on after fence_ipmilan said it is off")
	}
	before, _ := host2.Console("vm2")
	time.Sleep(500 * time.Millisecond)
	if after, _ := host2.Console("vm2"); len(after) != len(before) {
		t.Error("vm2 still counts after its host's power was cut")
	}
	if out := fence("status"); out.Exit != 2 || !strings.Contains(out.Stdout, "OFF") {
		t.Errorf("status of a host without power: %+v", out)
	}
	if wrong := try(t, host1, "fence_ipmilan", "-a", host2.PowerAddress(), "-l", PowerUser, "-p", "wrong", "-P", "-C", "3", "-o", "on"); wrong.Exit == 0 {
		t.Errorf("a wrong password switched host2 on: %+v", wrong)
	}
	if err := fence("on").Err(); err != nil {
		t.Fatal(err)
	}
	if err := host2.PowerOn(t.Context()); err != nil { // waits for the boot that is on its way
		t.Fatal(err)
	}
	if got := run(t, host2, "cat", "/etc/kept"); got != "kept\n" {
		t.Errorf("/etc/kept after the boot = %q", got)
	}
	if try(t, host2, "test", "-e", "/run/gone").Exit == 0 {
		t.Error("/run outlived the boot")
	}
	if got := strings.TrimSpace(run(t, host2, "virsh", "domstate", "vm2")); got != "shut off" {
		t.Errorf("vm2 after the boot is %q", got)
	}
	run(t, host2, "virsh", "start", "vm2")
	eventually(t, 60*time.Second, "vm2's disk remembers its first boot, on host1", func() string {
		text, err := host2.ConsoleText("vm2")
		if err != nil || !strings.Contains(text, "disk boots=2\r\n") {
			return fmt.Sprintf("%v in %q", err, text)
		}
		return ""
	})
}

// checkOneRun fails when the guest was started anew, when a number came twice
// or when one is missing: it ran in two places, or not on.
//
// The line on the way while a migration changes hosts may be cut in two, one
// half on each console, and is then missing as a whole.
func checkOneRun(t *testing.T, seen []Seen) {
	t.Helper()
	if len(seen) == 0 {
		t.Fatal("the guest said nothing")
	}
	for i, s := range seen[1:] {
		before := seen[i]
		switch step := s.Seq - before.Seq; {
		case s.Boot != before.Boot:
			t.Errorf("another boot, %s on %s after %s on %s", s.Boot, s.Host, before.Boot, before.Host)
		case step == 1, step == 2 && s.Host != before.Host:
		default:
			t.Errorf("%d on %s came after %d on %s", s.Seq, s.Host, before.Seq, before.Host)
		}
	}
}

func longestPause(seen []Seen) time.Duration {
	var longest time.Duration
	for i := range len(seen) - 1 {
		longest = max(longest, seen[i+1].At.Sub(seen[i].At))
	}
	return longest
}
