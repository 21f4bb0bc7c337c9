package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const confFile = "/etc/cluster/cluster.conf"

// programs are the installed commands, as `make build` left them.
func programs(t testing.TB) []string {
	t.Helper()
	var paths []string
	for _, name := range []string{"clustat", "clusvcadm", "ccs_tool", "cman_tool", "fence_ack_manual", "cmand"} {
		p := filepath.Join("../../bin", name)
		if _, err := os.Stat(p); err != nil {
			t.Fatalf("%v: run `make build` first", err)
		}
		paths = append(paths, p)
	}
	return paths
}

// story is the article's cluster on its way through the steps, which follow
// one another: each begins where the last one ended.
type story struct {
	*Lab
	host1, host2 *Host
	version      int
	machines     map[string]*Watch // by guest, from its first start to the end
}

func TestStory(t *testing.T) {
	s := &story{Lab: start(t, 2, programs(t)...), machines: map[string]*Watch{}}
	s.host1, s.host2 = s.Host("host1"), s.Host("host2")
	for _, step := range []struct {
		fact string
		do   func(*story, *testing.T)
	}{
		{"1 both hosts are members, and no service is there", (*story).members},
		{"2 ccs_tool carries a newer configuration to both, and no other", (*story).update},
		{"3 machines start where they are asked to", (*story).enable},
		{"4 a machine migrates without a pause worth noticing", (*story).migrate},
		{"5 a machine that dies is started again in its place", (*story).recoverMachine},
		{"6 a host that dies is fenced before its machines start elsewhere", (*story).recoverHost},
		{"7 a cut cluster link leaves one survivor and no machine twice", (*story).split},
		{"8 the daemon's death leaves the machines running", (*story).restartDaemon},
		{"9 while fencing fails nothing starts, until an administrator answers", (*story).acknowledge},
		{"a daemon that is told to end hands its services over", (*story).handOver},
		{"a libvirtd that hangs or dies is not a dead machine", (*story).libvirtHangs},
		{"a full disk refuses an update everywhere", (*story).diskFull},
		{"corosync's death costs its host", (*story).corosyncDies},
		{"a daemon that hangs costs its host", (*story).daemonHangs},
	} {
		if !t.Run(step.fact, func(t *testing.T) { step.do(s, t) }) {
			t.FailNow() // the next would begin from nowhere
		}
	}
	for guest := range s.machines {
		s.checkNeverTwice(t, guest)
	}
}

// configure writes a newer article configuration on host1 and lets ccs_tool
// carry it to all.
func (s *story) configure(t *testing.T, a Article) {
	t.Helper()
	s.version++
	a.Version = s.version
	if err := s.host1.WriteFile(confFile, a.Text(s.Hosts), 0o640); err != nil {
		t.Fatal(err)
	}
	run(t, s.host1, "ccs_tool", "update", confFile)
}

// 1: the article's cluster without its services.
func (s *story) members(t *testing.T) {
	s.version = 1
	for _, h := range s.Hosts {
		if err := h.WriteFile(confFile, Article{Version: 1}.Text(s.Hosts), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := h.Enable(true); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range s.Hosts {
		if err := h.Start(t.Context(), "cmand"); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	s.awaitMembers(t, 30*time.Second, s.Hosts...)
	t.Logf("both hosts were members after %s", time.Since(began).Round(time.Millisecond))
	for _, h := range s.Hosts {
		text := run(t, h, "clustat")
		if !strings.Contains(text, "Member Status: Quorate") || strings.Contains(text, "Service Name") {
			t.Errorf("%s# clustat\n%s", h.Name, text)
		}
	}
	for _, e := range s.PowerEvents(began) {
		if strings.HasPrefix(e.Asked, "set") {
			t.Errorf("a cluster that came up whole fenced: %+v", e)
		}
	}
}

// 2: only a newer, well-formed file replaces the old one, and then everywhere.
func (s *story) update(t *testing.T) {
	s.configure(t, Article{Services: true})
	want, err := s.host1.ReadFile(confFile)
	if err != nil {
		t.Fatal(err)
	}
	unchanged := func(after string) {
		t.Helper()
		for _, h := range s.Hosts {
			if got, err := h.ReadFile(confFile); err != nil || got != want {
				t.Errorf("%s's cluster.conf differs after %s: %v\n%s", h.Name, after, err, got)
			}
		}
	}
	unchanged("the update")
	for _, c := range []struct{ fact, file, text, says string }{
		{"the same version", "same.conf", want, "greater version number"},
		{"a lower version", "lower.conf", Article{Version: 1, Services: true}.Text(s.Hosts), "greater version number"},
		{"a broken file", "broken.conf", strings.Replace(Article{Version: 9}.Text(s.Hosts), `two_node="1">`, `two_node="1"`, 1), "broken.conf:"},
	} {
		if err := s.host1.WriteFile("/root/"+c.file, c.text, 0o640); err != nil {
			t.Fatal(err)
		}
		out := try(t, s.host1, "ccs_tool", "update", "/root/"+c.file)
		if out.Exit == 0 || !strings.Contains(out.Stderr, c.says) {
			t.Errorf("%s: exit status %d, stderr %q; want a refusal with %q", c.fact, out.Exit, out.Stderr, c.says)
		}
		unchanged(c.fact)
	}
	for _, name := range []string{"vm:vm1", "vm:vm2"} {
		awaitService(t, 20*time.Second, name, "disabled", s.Hosts...)
	}
}

// 3: the names are the article's, not those of the file.
func (s *story) enable(t *testing.T) {
	for i, guest := range []string{"vm1", "vm2"} {
		if err := s.host1.Define(t.Context(), Guest{Name: guest, Unit: i + 1}); err != nil {
			t.Fatal(err)
		}
		s.machines[guest] = s.Watch(guest)
		h := s.Hosts[i]
		text := run(t, s.host1, "clusvcadm", "-e", "vm:"+guest, "-m", h.FQDN())
		if want := "Closest match: '" + h.ClusterName() + "'\n"; !strings.Contains(text, want) {
			t.Errorf("clusvcadm said\n%swant %s", text, want)
		}
		awaitService(t, 10*time.Second, "vm:"+guest, "started "+h.ClusterName(), s.Hosts...)
		if at := s.runs(t, guest); at != h.Name {
			t.Errorf("%s runs on %q; want %s", guest, at, h.Name)
		}
		eventually(t, 60*time.Second, guest+" counts on "+h.Name, counts(t, h, guest))
	}
	// Anyone may look; who may not act is told so in the original's words.
	nobody := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
	if text := run(t, s.host1, append(nobody, "clustat")...); !strings.Contains(text, " vm:vm1 ") {
		t.Errorf("clustat shows an ordinary user\n%s", text)
	}
	out := try(t, s.host1, append(nobody, "clusvcadm", "-d", "vm:vm1")...)
	if want := "Local machine disabling vm:vm1...Permission denied\n"; out.Exit != 238 || out.Stdout != want {
		t.Errorf("clusvcadm tells an ordinary user %+v; want %q and 238", out, want)
	}
}

// 4: the guest goes on counting, and nothing listens for it.
func (s *story) migrate(t *testing.T) {
	before, err := s.host2.Listeners()
	if err != nil {
		t.Fatal(err)
	}
	w := s.Watch("vm1")
	stop, sampled := make(chan struct{}), make(chan string, 1)
	go func() { sampled <- s.newListener(before, stop) }()
	run(t, s.host1, "clusvcadm", "-M", "vm:vm1", "-m", s.host2.FQDN())
	close(stop)
	if said := <-sampled; said != "" {
		t.Error(said)
	}
	awaitService(t, 2*time.Second, "vm:vm1", "started "+s.host2.ClusterName(), s.Hosts...)
	eventually(t, 20*time.Second, "vm1 counts on host2", counts(t, s.host2, "vm1"))
	if out := run(t, s.host1, "virsh", "list", "--name"); strings.Contains(out, "vm1") {
		t.Errorf("vm1 is still active on host1:\n%s", out)
	}
	if at := s.runs(t, "vm1"); at != "host2" {
		t.Errorf("vm1 runs on %q; want host2", at)
	}
	seen, err := w.Stop()
	if err != nil {
		t.Fatal(err)
	}
	checkOneRun(t, seen)
	pause := longestPause(seen)
	t.Logf("the longest pause between two ticks was %s", pause)
	if pause > time.Second {
		t.Errorf("the guest paused for %s; want less than 1 s", pause)
	}
}

// newListener watches host2's TCP ports until stop and names one that was not
// there before.
func (s *story) newListener(before []int, stop <-chan struct{}) string {
	known := map[int]bool{}
	for _, p := range before {
		known[p] = true
	}
	for {
		ports, err := s.host2.Listeners()
		if err != nil {
			return err.Error()
		}
		for _, p := range ports {
			if !known[p] {
				return fmt.Sprintf("host2 listened on TCP port %d during the migration", p)
			}
		}
		select {
		case <-stop:
			return ""
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// 10: one clusternode needs no corosync.
func TestOneHost(t *testing.T) {
	l := start(t, 1, programs(t)...)
	h := l.Host("host1")
	if err := h.WriteFile(confFile, Article{Version: 1, Services: true}.Text(l.Hosts), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := h.Define(t.Context(), Guest{Name: "vm1"}); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context(), "cmand"); err != nil {
		t.Fatal(err)
	}
	awaitService(t, 30*time.Second, "vm:vm1", "disabled", h)
	run(t, h, "clusvcadm", "-e", "vm:vm1")
	awaitService(t, 10*time.Second, "vm:vm1", "started "+h.ClusterName(), h)
	eventually(t, 60*time.Second, "vm1 counts", counts(t, h, "vm1"))
	if try(t, h, "pgrep", "corosync").Exit == 0 {
		t.Error("corosync runs for a single node")
	}
	run(t, h, "clusvcadm", "-d", "vm:vm1")
	awaitService(t, 10*time.Second, "vm:vm1", "disabled", h)
	if out := run(t, h, "virsh", "list", "--name"); strings.TrimSpace(out) != "" {
		t.Errorf("still active: %s", out)
	}
}
