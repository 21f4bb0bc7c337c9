package main

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"fangnetz/internal/lab"
)

const confFile = "/etc/cluster/cluster.conf"

type story struct {
	terminal
	lab          *lab.Lab
	host1, host2 *lab.Host
	version      int
}

// tell plays the article from the first boot to a host's death.
func (s *story) tell() error {
	for _, part := range []func(){s.boot, s.join, s.machines, s.migrate, s.compare, s.die} {
		part()
	}
	return s.err
}

// check keeps the first error of the lab itself.
func (s *story) check(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *story) boot() {
	s.say("Two hosts are switched on")
	began := time.Now()
	s.check(s.lab.PowerOn(s.ctx))
	s.took("both up after %s", round(time.Since(began)))
}

// join writes the first cluster.conf and starts the cluster on both hosts.
func (s *story) join() {
	if s.err != nil {
		return
	}
	s.say("cluster.conf is written on one and copied, the services still in a comment")
	s.version = 1
	s.check(s.host1.WriteFile(confFile, lab.Article{Version: s.version}.Text(s.lab.Hosts), 0o640))
	s.do(s.host1, "ssh", "host2.example.com", "mkdir", "-p", "/etc/cluster")
	s.do(s.host1, "scp", "-q", confFile, "host2.example.com:"+confFile)
	for _, h := range s.lab.Hosts {
		if s.err == nil {
			s.check(h.Enable(true))
			fmt.Fprintf(s.out, "%s# cmand &\n", h.Name)
			s.check(h.Start(s.ctx, "cmand"))
		}
	}
	took := s.await("both hosts are members", 60*time.Second, func() bool {
		return s.prints(s.host1, []string{"clustat", "-Q"}) &&
			s.prints(s.host1, []string{"clustat", "-m", s.host2.ClusterName()}, "Online") &&
			s.prints(s.host2, []string{"clustat", "-m", s.host1.ClusterName()}, "Online")
	})
	s.do(s.host1, "clustat")
	s.took("members of one cluster after %s", round(took))

	s.say("The services are uncommented, the version is raised")
	s.update()
	s.await("host2 knows the services", 20*time.Second, func() bool { return s.prints(s.host2, []string{"clustat"}, "vm:vm2") })
}

func (s *story) update() {
	if s.err != nil {
		return
	}
	s.version++
	s.check(s.host1.WriteFile(confFile, lab.Article{Version: s.version, Services: true}.Text(s.lab.Hosts), 0o640))
	s.do(s.host1, "ccs_tool", "update", confFile)
}

// machines defines both on host1 and starts each where it belongs.
func (s *story) machines() {
	s.say("Two machines, defined on host1 alone, are started")
	for _, g := range []lab.Guest{{Name: "vm1", Memory: 384, Ballast: 192, Unit: 1}, {Name: "vm2", Unit: 2}} {
		if s.err == nil {
			s.check(s.host1.WriteFile("/root/"+g.Name+".xml", g.XML(), 0o644))
			s.do(s.host1, "virsh", "-q", "define", "/root/"+g.Name+".xml")
		}
	}
	s.do(s.host1, "clusvcadm", "-e", "vm:vm1", "-m", "host1.example.com")
	s.do(s.host1, "clusvcadm", "-e", "vm:vm2", "-m", "host2.example.com")
	s.do(s.host1, "clustat")
	s.awaitCounter(s.host1, "vm1")
	s.awaitCounter(s.host2, "vm2")
}

// awaitCounter waits until the guest counts on from where it is on that host.
func (s *story) awaitCounter(h *lab.Host, guest string) time.Duration {
	before, err := h.Console(guest)
	s.check(err)
	return s.await(guest+" counts on "+h.Name, 90*time.Second, func() bool {
		now, err := h.Console(guest)
		s.check(err)
		return len(now) > len(before)
	})
}

// migrate moves vm1 to host2 through cmand's SSH connection.
func (s *story) migrate() {
	s.say("vm1 moves to host2 while it runs")
	s.measured("cmand's UNIX sockets over SSH", s.host2, func() time.Duration {
		_, took := s.do(s.host1, "clusvcadm", "-M", "vm:vm1", "-m", "host2.example.com")
		return took
	})
	s.do(s.host2, "clustat", "-s", "vm:vm1")
}

// compare moves it home again as libvirt alone does through SSH. The service is
// frozen meanwhile, so that the cluster does not interfere.
func (s *story) compare() {
	s.say("For comparison, the way back as libvirt tunnels it")
	s.do(s.host2, "clusvcadm", "-Z", "vm:vm1")
	s.measured("virsh --p2p --tunnelled", s.host1, func() time.Duration {
		_, took := s.do(s.host2, "virsh", "-q", "migrate", "--live", "--p2p", "--tunnelled", "vm1", "qemu+ssh://host1-cluster.example.com/system")
		return took
	})
	// And back, so that the frozen service is where the cluster knows it.
	s.do(s.host1, "virsh", "-q", "migrate", "--live", "--p2p", "--tunnelled", "vm1", "qemu+ssh://host2-cluster.example.com/system")
	s.do(s.host2, "clusvcadm", "-U", "vm:vm1")
}

// measured runs a migration of vm1 to a host and prints its figures.
func (s *story) measured(way string, to *lab.Host, move func() time.Duration) {
	if s.err != nil {
		return
	}
	w := s.lab.Watch("vm1")
	took := move()
	s.awaitCounter(to, "vm1")
	seen, err := w.Stop()
	s.check(err)
	if s.err != nil {
		return
	}
	var pause time.Duration
	for i := range len(seen) - 1 {
		pause = max(pause, seen[i+1].At.Sub(seen[i].At))
	}
	mib := s.moved(to)
	s.took("%s: %s in all, the guest paused %s at most, %.0f MiB at %.0f MiB/s", way, round(took), round(pause),
		mib, mib/took.Seconds())
}

// moved is how much memory the migration of vm1 to a host has carried, MiB: as
// libvirt counted it on that host, or as cmand logged it on the other one.
func (s *story) moved(to *lab.Host) float64 {
	out, err := to.Run(s.ctx, "virsh", "domjobinfo", "vm1", "--completed", "--keep-completed", "--rawstats")
	s.check(err)
	if found := libvirtCount.FindStringSubmatch(out.Stdout); found != nil {
		n, err := strconv.ParseFloat(found[1], 64)
		s.check(err)
		return n / (1 << 20)
	}
	from := s.host1
	if to == s.host1 {
		from = s.host2
	}
	log, err := from.ReadFile("/var/log/cmand.log")
	s.check(err)
	all := cmandCount.FindAllStringSubmatch(log, -1)
	if len(all) == 0 {
		s.check(fmt.Errorf("neither libvirt nor cmand says how much memory went to %s", to.Name))
		return 0
	}
	n, err := strconv.ParseFloat(all[len(all)-1][1], 64)
	s.check(err)
	return n
}

var (
	libvirtCount = regexp.MustCompile(`data_processed: *(\d+)`)
	cmandCount   = regexp.MustCompile(`msg=migrated service=vm:vm1 .*memory="(\d+) MiB"`)
)

// die cuts host2's power under both machines.
func (s *story) die() {
	if s.err != nil {
		return
	}
	s.say("host2 loses its power, with both machines on it")
	cut := time.Now()
	s.check(s.host2.PowerOff())
	started := s.await("both machines are started on host1", 90*time.Second, func() bool {
		return s.startedSince(cut, "vm1") && s.startedSince(cut, "vm2")
	})
	s.await("clustat shows vm1 started", 60*time.Second, func() bool {
		return s.prints(s.host1, []string{"clustat", "-s", "vm:vm1"}, s.host1.ClusterName(), "started")
	})
	s.do(s.host1, "clustat")
	if asked, off, found := s.fenced(cut); found && s.err == nil {
		s.took("the fence agent was at host2's power switch after %s, host2 known to be off after %s, both machines started after %s",
			round(asked), round(off), round(started))
	}
	s.awaitCounter(s.host1, "vm1")

	s.say("host2 was switched on again by the fence agent; it joins, and vm2 goes home")
	s.await("vm2 runs on host2", 90*time.Second, func() bool {
		return s.prints(s.host1, []string{"clustat", "-s", "vm:vm2"}, s.host2.ClusterName(), "started")
	})
	s.do(s.host1, "clustat")
	s.took("all as before %s after the power was cut", round(time.Since(cut)))
}

// startedSince reports whether host1 started the guest after that time; vm2 may
// be on its way home again already.
func (s *story) startedSince(since time.Time, guest string) bool {
	at, err := s.host1.Started(guest)
	s.check(err)
	return at.After(since)
}

// fenced says when, after cut, the fence agent first asked host2's power switch
// and when it first heard that the host is off.
func (s *story) fenced(cut time.Time) (asked, off time.Duration, found bool) {
	for _, e := range s.lab.PowerEvents(cut) {
		if e.Host != "host2" {
			continue
		}
		if asked == 0 {
			asked = e.At.Sub(cut)
		}
		if e.Answer == "power:0" {
			return asked, e.At.Sub(cut), true
		}
	}
	return asked, 0, false
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
