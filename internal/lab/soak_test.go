package lab

import (
	"context"
	"encoding/xml"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var soakTime = flag.Duration("soak", 75*time.Second, "how long TestSoak goes on doing harm")

const (
	soakGuests = 6
	patience   = time.Minute     // then an administrator looks after what does not come back alone
	calmLimit  = 6 * time.Minute // then it is a failure
)

// soak is a cluster of three hosts with six machines to which things happen.
type soak struct {
	*Lab
	t       *testing.T
	rng     *rand.Rand
	began   time.Time
	watches map[string]*Watch

	mu      sync.Mutex
	version int
	hands   int // times that an administrator had to help
}

// TestSoak does one thing after another to the cluster, now and then two at
// once, for as long as -soak says, chosen by -seed: daemons, machines and hosts
// are killed, stopped and cut off, power switches break, and administrators
// push files and move machines meanwhile. No machine may ever run twice, as its
// console and the hosts' processes tell, and after each thing all must be well
// again within calmLimit.
func TestSoak(t *testing.T) {
	s := &soak{Lab: start(t, 3, programs(t)...), t: t, rng: rand.New(rand.NewPCG(*seed, 0)), began: time.Now(), watches: map[string]*Watch{}}
	defer func() {
		if t.Failed() {
			t.Logf("again with: make soak SOAK=%s SEED=%d", *soakTime, *seed)
		}
	}()
	s.say("seed %d", *seed)
	s.form()
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { s.watchProcesses(ctx) })
	defer watching.Wait()
	defer cancel()

	end := time.Now().Add(*soakTime)
	n := 0
	for ; time.Now().Before(end) && !t.Failed(); n++ {
		s.round(n)
		s.calm()
	}
	t.Logf("%d rounds, an administrator had to help %d times", n, s.hands)
}

// say notes what happens, with the time since the beginning.
func (s *soak) say(format string, args ...any) {
	s.t.Logf("%s +%.1fs %s", time.Now().UTC().Format("15:04:05.000"), time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// form makes the cluster and starts the machines.
func (s *soak) form() {
	s.t.Helper()
	s.version = 1
	for n := 1; n <= soakGuests; n++ {
		g := Guest{Name: fmt.Sprintf("vm%d", n), Unit: n}
		if err := s.Hosts[0].Define(s.t.Context(), g); err != nil {
			s.t.Fatal(err)
		}
		s.watches[g.Name] = s.Watch(g.Name)
	}
	for _, h := range s.Hosts {
		if err := h.WriteFile(confFile, s.text(1), 0o640); err != nil {
			s.t.Fatal(err)
		}
		if err := h.Enable(true); err != nil {
			s.t.Fatal(err)
		}
		if err := h.Start(s.t.Context(), "cmand"); err != nil {
			s.t.Fatal(err)
		}
	}
	s.calm()
}

// text is cluster.conf: each machine has a home and goes to the next host when
// that is away. With the version something changes that a service can feel.
func (s *soak) text(version int) string {
	var nodes, devices, domains, machines strings.Builder
	for i, h := range s.Hosts {
		fmt.Fprintf(&nodes, "    <clusternode name=%q nodeid=\"%d\"><fence><method name=\"1\"><device name=\"power-%s\"/></method></fence></clusternode>\n",
			h.ClusterName(), h.number, h.Name)
		fmt.Fprintf(&devices, "    <fencedevice name=\"power-%s\" agent=\"fence_ipmilan\" ipaddr=%q login=%q passwd=%q lanplus=\"1\" cipher=\"3\"/>\n",
			h.Name, h.PowerAddress(), PowerUser, PowerPassword)
		fmt.Fprintf(&domains, "      <failoverdomain name=\"home%d\" ordered=\"1\" nofailback=\"%d\">\n", i+1, i/2)
		for j := range s.Hosts {
			fmt.Fprintf(&domains, "        <failoverdomainnode name=%q priority=\"%d\"/>\n", s.Hosts[(i+j)%3].ClusterName(), j+1)
		}
		fmt.Fprintf(&domains, "      </failoverdomain>\n")
	}
	for n := 1; n <= soakGuests; n++ {
		recovery := []string{"restart", "relocate"}[(n+version)/3%2]
		fmt.Fprintf(&machines, "    <vm name=\"vm%d\" domain=\"home%d\" recovery=%q/>\n", n, (n-1)%3+1, recovery)
	}
	return fmt.Sprintf(`<?xml version="1.0"?>
<cluster name="soak" config_version="%d">
  <fence_daemon post_join_delay="6"/>
  <totem token="3000"/>
  <clusternodes>
%s  </clusternodes>
  <fencedevices>
%s  </fencedevices>
  <rm status_poll_interval="2">
    <failoverdomains>
%s    </failoverdomains>
%s  </rm>
</cluster>
`, version, nodes.String(), devices.String(), domains.String(), machines.String())
}

// watchProcesses looks for a machine that was started on two hosts. A QEMU that
// waits for a migration, or came by one, says so in its arguments, and is left
// to its console.
func (s *soak) watchProcesses(ctx context.Context) {
	for ctx.Err() == nil {
		at := map[string][]string{}
		for _, h := range s.Hosts {
			for _, p := range h.Processes(func(p Process) bool { return strings.Contains(p.Command, "\x00guest=") }) {
				_, guest, _ := strings.Cut(p.Command, "\x00guest=")
				guest, _, _ = strings.Cut(guest, ",")
				if !strings.Contains(p.Command, "\x00-incoming\x00") {
					at[guest] = append(at[guest], h.Name)
				}
			}
		}
		for guest, hosts := range at {
			if len(hosts) > 1 {
				s.t.Errorf("%s %s was started on %v", time.Now().UTC().Format("15:04:05.000"), guest, hosts)
				return
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// calm waits until all hosts are members, agree, and run what they say they
// run, for a second: a machine may be about to go home.
func (s *soak) calm() {
	s.t.Helper()
	began, helped, well := time.Now(), time.Now(), time.Time{}
	for {
		why := s.restless(began)
		if why != "" || well.IsZero() {
			well = time.Now()
		}
		switch {
		case s.t.Failed():
			return
		case why == "" && time.Since(well) < time.Second:
		case why == "":
			s.say("calm after %s", time.Since(began).Round(100*time.Millisecond))
			s.checkNeverTwice()
			return
		case time.Since(began) > calmLimit:
			s.checkNeverTwice()
			s.t.Errorf("%s not calm within %s: %s", time.Now().UTC().Format("15:04:05.000"), calmLimit, why)
			return
		case time.Since(began) > patience && time.Since(helped) > patience/3:
			helped = time.Now()
			s.assist(why)
		}
		time.Sleep(250 * time.Millisecond)
	}
}

// restless says what is not as it should be; "" when all is well and every
// machine has counted since.
func (s *soak) restless(since time.Time) string {
	texts, seen := map[string]bool{}, []*status{}
	for _, h := range s.Hosts {
		if !h.On() {
			return h.Name + " is off"
		}
		text, err := h.ReadFile(confFile)
		if err != nil {
			return h.Name + ": " + err.Error()
		}
		texts[text] = true
		st := s.look(h)
		if st == nil {
			return h.Name + ": clustat has no answer"
		}
		seen = append(seen, st)
		if st.Quorum.Quorate != 1 {
			return h.Name + " sees no quorum"
		}
		for _, o := range s.Hosts {
			if got := st.member(o.ClusterName()); got != "online 1, manager 1" {
				return h.Name + " sees " + o.Name + " " + got
			}
		}
	}
	if len(texts) > 1 {
		return "cluster.conf differs"
	}
	for n := 1; n <= soakGuests; n++ {
		guest := fmt.Sprintf("vm%d", n)
		state := seen[0].service("vm:" + guest)
		for i, st := range seen {
			if got := st.service("vm:" + guest); got != state {
				return fmt.Sprintf("%s is %s for host1 and %s for %s", guest, state, got, s.Hosts[i].Name)
			}
		}
		owner, ok := strings.CutPrefix(state, "started ")
		if !ok {
			return guest + " is " + state
		}
		var at []string
		for _, h := range s.Hosts {
			if len(h.Processes(QEMU(guest))) > 0 {
				at = append(at, h.ClusterName())
			}
		}
		if !slices.Equal(at, []string{owner}) {
			return fmt.Sprintf("%s has QEMUs on %v, its owner is %s", guest, at, owner)
		}
		last := s.watches[guest].Last()
		if s.Host(cut(owner, "-")).Name != last.Host || last.At.Before(since) || time.Since(last.At) > 3*time.Second {
			return fmt.Sprintf("%s does not count on %s; last on %s at %s", guest, owner, last.Host, last.At.UTC().Format("15:04:05"))
		}
	}
	return ""
}

func cut(s, sep string) string {
	before, _, _ := strings.Cut(s, sep)
	return before
}

// look is clustat without a demand that it answers.
func (s *soak) look(h *Host) *status {
	out := s.ask(h, 20*time.Second, "clustat", "-x")
	_, document, found := strings.Cut(out.Stdout, "<?xml")
	var st status
	if out.Exit != 0 || !found || xml.Unmarshal([]byte("<?xml"+document), &st) != nil {
		return nil
	}
	return &st
}

// ask runs a command that may fail in any way.
func (s *soak) ask(h *Host, limit time.Duration, argv ...string) Output {
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	out, err := h.Run(ctx, argv...)
	if err != nil {
		out.Exit, out.Stderr = -1, err.Error()
	}
	return out
}

// assist is what an administrator does who finds the cluster so.
func (s *soak) assist(why string) {
	s.hands++
	s.say("by hand: %s", why)
	for _, h := range s.Hosts {
		if !h.On() {
			s.say("by hand: power for %s: %v", h.Name, h.PowerOn(s.t.Context()))
			return
		}
	}
	for _, h := range s.Hosts {
		for _, daemon := range []string{"libvirtd", "cmand"} {
			if len(h.Processes(Named(daemon))) == 0 {
				s.say("by hand: %s on %s: %v", daemon, h.Name, h.Ensure(s.t.Context(), daemon))
			}
		}
	}
	st := s.look(s.Hosts[0])
	if st == nil {
		return
	}
	for n := 1; n <= soakGuests; n++ {
		guest := fmt.Sprintf("vm%d", n)
		name := "vm:" + guest
		state := st.service(name)
		if owner, ok := strings.CutPrefix(state, "started "); ok && time.Since(s.watches[guest].Last().At) > 3*patience {
			// Under load QEMU's emulation is not free of faults: the guest's
			// kernel hangs. A guest that is paused is another matter.
			h := s.Host(cut(owner, "-"))
			reason := strings.TrimSpace(s.ask(h, time.Minute, "virsh", "domstate", "--reason", guest).Stdout)
			if !strings.HasPrefix(reason, "running") {
				s.t.Errorf("%s is %s, and stays so", guest, reason)
			}
			s.say("by hand: %s hangs, %s: %q", guest, reason, s.ask(h, 5*time.Minute, "clusvcadm", "-R", name).Stdout)
		}
		if state == "failed" || state == "stopped" || state == "disabled" {
			s.say("by hand: %s is %s: %q", name, state, s.ask(s.Hosts[0], 2*time.Minute, "clusvcadm", "-d", name).Stdout)
			s.say("by hand: %q", s.ask(s.Hosts[0], 2*time.Minute, "clusvcadm", "-e", name).Stdout)
		}
	}
}

func (s *soak) checkNeverTwice() {
	s.t.Helper()
	for guest, w := range s.watches {
		checkNeverTwice(s.t, guest, w)
	}
}
