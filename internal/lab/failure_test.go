package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// 5: QEMU dies under vm1, on host2 since the migration.
func (s *story) recoverMachine(t *testing.T) {
	before := clustat(t, s.host1).restarts("vm:vm1")
	run(t, s.host2, "pkill", "-9", "-f", "guest=vm1,")
	eventually(t, 30*time.Second, "the restart is counted", func() string {
		if st := clustat(t, s.host1); st == nil || st.restarts("vm:vm1") != before+1 {
			return fmt.Sprintf("%+v", st)
		}
		return ""
	})
	awaitService(t, 30*time.Second, "vm:vm1", "started "+s.host2.ClusterName(), s.Hosts...)
	eventually(t, 60*time.Second, "vm1 counts on host2", counts(t, s.host2, "vm1"))
	s.checkNeverTwice(t, "vm1")
}

// 6: both machines are on host2 when it loses its power.
func (s *story) recoverHost(t *testing.T) {
	cut := time.Now()
	if err := s.host2.PowerOff(); err != nil {
		t.Fatal(err)
	}
	started := map[string]time.Time{} // on host1, by guest
	for _, guest := range []string{"vm1", "vm2"} {
		eventually(t, 60*time.Second, guest+" is started on host1", func() string {
			at, err := s.host1.Started(guest)
			if err != nil || at.Before(cut) {
				return fmt.Sprintf("last started %v, %v", at, err)
			}
			started[guest] = at
			return ""
		})
	}
	off := s.confirmedOff(t, cut)
	for guest, at := range started {
		if at.Before(off) {
			t.Errorf("%s was started on host1 at %s, before host2 was known to be off at %s", guest, at, off)
		}
	}
	t.Logf("detection and fencing took %s, starts followed after %s and %s", off.Sub(cut).Round(time.Millisecond),
		started["vm1"].Sub(cut).Round(time.Millisecond), started["vm2"].Sub(cut).Round(time.Millisecond))

	s.awaitMembers(t, 60*time.Second, s.Hosts...)
	awaitService(t, 60*time.Second, "vm:vm2", "started "+s.host2.ClusterName(), s.Hosts...)
	awaitService(t, 10*time.Second, "vm:vm1", "started "+s.host1.ClusterName(), s.Hosts...)
	eventually(t, 60*time.Second, "vm1 counts on host1", counts(t, s.host1, "vm1"))
	eventually(t, 60*time.Second, "vm2 counts on host2", counts(t, s.host2, "vm2"))
	s.checkNeverTwice(t, "vm1")
	s.checkNeverTwice(t, "vm2")
}

// confirmedOff is when host2's power switch first told a fence agent that the
// host is off.
func (s *story) confirmedOff(t *testing.T, since time.Time) time.Time {
	t.Helper()
	for _, e := range s.PowerEvents(since) {
		if e.Host == "host2" && e.Answer == "power:0" {
			return e.At
		}
	}
	t.Fatalf("no fence agent found host2 off; the power switches were asked: %+v", s.PowerEvents(since))
	return time.Time{}
}

// 7: the two can no longer hear each other; host1 has the delay in its favour.
func (s *story) split(t *testing.T) {
	cut := time.Now()
	if err := s.host2.Cut(t.Context(), Cluster); err != nil {
		t.Fatal(err)
	}
	for _, guest := range []string{"vm1", "vm2"} {
		awaitService(t, 60*time.Second, "vm:"+guest, "started "+s.host1.ClusterName(), s.host1)
		eventually(t, 60*time.Second, guest+" counts on host1", counts(t, s.host1, guest))
	}
	// host2 comes up again, alone on its side: it must neither fence nor start.
	eventually(t, 60*time.Second, "host2 is up again", func() string {
		if !s.host2.On() || clustat(t, s.host2) == nil {
			return "no"
		}
		return ""
	})
	select {
	case <-t.Context().Done():
	case <-time.After(15 * time.Second): // longer than post_join_delay and the fence agent's own delay
	}
	for _, e := range s.PowerEvents(cut) {
		if e.Host == "host1" && strings.HasPrefix(e.Asked, "set") {
			t.Errorf("the survivor was fenced: %+v", e)
		}
	}
	for _, guest := range []string{"vm1", "vm2"} {
		if at := s.runs(t, guest); at != "host1" {
			t.Errorf("%s runs on %q; want host1", guest, at)
		}
		s.checkNeverTwice(t, guest)
	}
	if err := s.host2.Mend(t.Context(), Cluster); err != nil {
		t.Fatal(err)
	}
	s.awaitMembers(t, 60*time.Second, s.Hosts...)
	awaitService(t, 60*time.Second, "vm:vm2", "started "+s.host2.ClusterName(), s.Hosts...)
	eventually(t, 20*time.Second, "vm2 counts on host2", counts(t, s.host2, "vm2"))
	s.checkNeverTwice(t, "vm1")
	s.checkNeverTwice(t, "vm2")
}

// 8: cmand dies and is back within its grace time.
func (s *story) restartDaemon(t *testing.T) {
	watches := map[string]*Watch{"vm1": s.Watch("vm1"), "vm2": s.Watch("vm2")}
	began := time.Now()
	run(t, s.host1, "pkill", "-9", "-x", "cmand")
	if err := s.host1.Start(t.Context(), "cmand"); err != nil {
		t.Fatal(err)
	}
	s.awaitMembers(t, 30*time.Second, s.Hosts...)
	awaitService(t, 20*time.Second, "vm:vm1", "started "+s.host1.ClusterName(), s.Hosts...)
	awaitService(t, 20*time.Second, "vm:vm2", "started "+s.host2.ClusterName(), s.Hosts...)
	eventually(t, 10*time.Second, "vm1 counts on host1", counts(t, s.host1, "vm1"))
	for guest, w := range watches {
		seen, err := w.Stop()
		if err != nil {
			t.Fatal(err)
		}
		checkOneRun(t, seen)
		t.Logf("%s paused for %s at most", guest, longestPause(seen))
	}
	s.notFenced(t, began)
}

// 9: host2's power switch refuses the password.
func (s *story) acknowledge(t *testing.T) {
	s.configure(t, Article{Services: true, Password: "wrong"})
	if err := s.host2.PowerOff(); err != nil {
		t.Fatal(err)
	}
	s.awaitMembers(t, 30*time.Second, s.host1)
	failures := func() int {
		log, err := s.host1.ReadFile("/var/log/cmand.log")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(log, "fence "+s.host2.ClusterName()+" failed")
	}
	eventually(t, 60*time.Second, "fencing is tried again", func() string {
		if n := failures(); n < 2 {
			return fmt.Sprintf("%d failures in host1's log", n)
		}
		return ""
	})
	if got := clustat(t, s.host1).service("vm:vm2"); got == "started "+s.host1.ClusterName() {
		t.Errorf("clustat says that vm:vm2 is %s, though host2 was not fenced", got)
	}
	if at := s.runs(t, "vm2"); at != "" {
		t.Errorf("vm2 runs on %s, though host2 was not fenced", at)
	}
	out, err := s.host1.RunInput(t.Context(), "absolutely\n", "fence_ack_manual", s.host2.ClusterName())
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Err(); err != nil {
		t.Fatal(err)
	}
	awaitService(t, 30*time.Second, "vm:vm2", "started "+s.host1.ClusterName(), s.host1)
	eventually(t, 60*time.Second, "vm2 counts on host1", counts(t, s.host1, "vm2"))
	s.checkNeverTwice(t, "vm2")

	s.configure(t, Article{Services: true})
	if err := s.host2.PowerOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.awaitMembers(t, 60*time.Second, s.Hosts...)
	want, err := s.host1.ReadFile(confFile)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.host2.ReadFile(confFile); err != nil || got != want {
		t.Errorf("host2 was away and has not taken the newer cluster.conf: %v\n%s", err, got)
	}
}
