package lab

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const confFile = "/etc/cluster/cluster.conf"

// programs are the installed commands, as `make build` left them.
func programs(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, name := range []string{"clustat", "clusvcadm", "ccs_tool", "fence_ack_manual", "cmand"} {
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
	} {
		if !t.Run(step.fact, func(t *testing.T) { step.do(s, t) }) {
			t.FailNow() // the next would begin from nowhere
		}
	}
	for guest := range s.machines {
		s.checkNeverTwice(t, guest)
	}
}

// status is what clustat -x says.
type status struct {
	Quorum struct {
		Quorate int `xml:"quorate,attr"`
	} `xml:"quorum"`
	Nodes []struct {
		Name    string `xml:"name,attr"`
		Online  int    `xml:"state,attr"`
		Manager int    `xml:"rgmanager,attr"`
	} `xml:"nodes>node"`
	Services []struct {
		Name      string `xml:"name,attr"`
		State     string `xml:"state_str,attr"`
		Owner     string `xml:"owner,attr"`
		LastOwner string `xml:"last_owner,attr"`
		Restarts  int    `xml:"restarts,attr"`
	} `xml:"groups>group"`
}

// clustat asks the host's daemon; nil while it does not answer.
func clustat(t *testing.T, h *Host) *status {
	t.Helper()
	out := try(t, h, "clustat", "-x")
	// A line of words may come before the document.
	_, document, found := strings.Cut(out.Stdout, "<?xml")
	if out.Exit != 0 || !found {
		return nil
	}
	var st status
	if err := xml.Unmarshal([]byte("<?xml"+document), &st); err != nil {
		t.Fatalf("%s: clustat -x: %v in:\n%s", h.Name, err, out.Stdout)
	}
	return &st
}

// member describes a node as clustat sees it.
func (st *status) member(name string) string {
	for _, n := range st.Nodes {
		if n.Name == name {
			return fmt.Sprintf("online %d, manager %d", n.Online, n.Manager)
		}
	}
	return "not listed"
}

// service describes a service as clustat sees it: its state and its owner, or
// its last owner in brackets where it has none.
func (st *status) service(name string) string {
	for _, s := range st.Services {
		switch {
		case s.Name != name:
		case s.State == "started", s.State == "starting", s.State == "stopping":
			return s.State + " " + s.Owner
		default:
			return s.State
		}
	}
	return "not listed"
}

func (st *status) restarts(name string) int {
	for _, s := range st.Services {
		if s.Name == name {
			return s.Restarts
		}
	}
	return -1
}

// awaitMembers waits until each of hosts sees exactly them online, quorate.
func (s *story) awaitMembers(t *testing.T, limit time.Duration, hosts ...*Host) {
	t.Helper()
	online := map[string]bool{}
	for _, h := range hosts {
		online[h.Name] = true
	}
	for _, at := range hosts {
		eventually(t, limit, at.Name+" sees the members", func() string {
			st := clustat(t, at)
			if st == nil {
				return "clustat has no answer"
			}
			for _, h := range s.Hosts {
				want := "online 0, manager 0"
				if online[h.Name] {
					want = "online 1, manager 1"
				}
				if got := st.member(h.ClusterName()); got != want {
					return h.ClusterName() + ": " + got
				}
			}
			if st.Quorum.Quorate != 1 {
				return "not quorate"
			}
			return ""
		})
	}
}

// awaitService waits until all of at see the service so.
func awaitService(t *testing.T, limit time.Duration, name, want string, at ...*Host) {
	t.Helper()
	for _, h := range at {
		eventually(t, limit, h.Name+" sees "+name+" "+want, func() string {
			st := clustat(t, h)
			if st == nil {
				return "clustat has no answer"
			}
			if got := st.service(name); got != want {
				return got
			}
			return ""
		})
	}
}

// runs returns the hosts on which the guest's QEMU runs.
func (s *story) runs(t *testing.T, guest string) string {
	t.Helper()
	var at []string
	for _, h := range s.Hosts {
		if h.On() && try(t, h, "pgrep", "-f", "guest="+guest+",").Exit == 0 {
			at = append(at, h.Name)
		}
	}
	return strings.Join(at, " and ")
}

// checkNeverTwice holds all that the guest ever said against the one promise:
// a boot that ended never speaks again, and no number comes twice.
func (s *story) checkNeverTwice(t *testing.T, guest string) {
	t.Helper()
	seen, err := s.machines[guest].Seen()
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) == 0 {
		t.Fatalf("%s said nothing", guest)
	}
	ended := map[string]bool{}
	for i, k := range seen[1:] {
		before := seen[i]
		if k.Boot != before.Boot {
			ended[before.Boot] = true
		}
		if ended[k.Boot] || k.Boot == before.Boot && k.Seq <= before.Seq {
			t.Fatalf("%s ran twice: %d of boot %s on %s at %s, after %d of boot %s on %s at %s", guest,
				k.Seq, k.Boot, k.Host, k.At.Format(time.StampMilli), before.Seq, before.Boot, before.Host, before.At.Format(time.StampMilli))
		}
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
	for _, guest := range []string{"vm1", "vm2"} {
		awaitService(t, 60*time.Second, "vm:"+guest, "started "+s.host1.ClusterName(), s.host1)
	}
	recovered := time.Now()
	off := s.confirmedOff(t, cut)
	for _, guest := range []string{"vm1", "vm2"} {
		began := s.startTime(t, s.host1, guest)
		if began.Before(off) {
			t.Errorf("%s was started on host1 at %s, before host2 was known to be off at %s", guest, began, off)
		}
		eventually(t, 60*time.Second, guest+" counts on host1", counts(t, s.host1, guest))
	}
	t.Logf("detection and fencing took %s, all %s", off.Sub(cut).Round(time.Millisecond), recovered.Sub(cut).Round(time.Millisecond))

	s.awaitMembers(t, 60*time.Second, s.Hosts...)
	awaitService(t, 60*time.Second, "vm:vm2", "started "+s.host2.ClusterName(), s.Hosts...)
	awaitService(t, 10*time.Second, "vm:vm1", "started "+s.host1.ClusterName(), s.Hosts...)
	eventually(t, 20*time.Second, "vm2 counts on host2", counts(t, s.host2, "vm2"))
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

// startTime is when the host's libvirtd last started a QEMU for the guest:
// lines like "2026-01-02 03:04:05.678+0000: starting up libvirt version: ...".
func (s *story) startTime(t *testing.T, h *Host, guest string) time.Time {
	t.Helper()
	log, err := h.ReadFile("/var/log/libvirt/qemu/" + guest + ".log")
	if err != nil {
		t.Fatal(err)
	}
	var last time.Time
	for line := range strings.Lines(log) {
		stamp, _, found := strings.Cut(line, ": starting up libvirt")
		if !found {
			continue
		}
		if last, err = time.Parse("2006-01-02 15:04:05.999-0700", stamp); err != nil {
			t.Fatal(err)
		}
	}
	if last.IsZero() {
		t.Fatalf("%s never started %s", h.Name, guest)
	}
	return last
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
	for _, e := range s.PowerEvents(began) {
		if strings.HasPrefix(e.Asked, "set") {
			t.Errorf("a daemon's restart led to fencing: %+v", e)
		}
	}
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
