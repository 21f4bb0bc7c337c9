package lab

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"
)

// round does one thing to the cluster, or two at about the same time.
func (s *soak) round(n int) {
	what, do := s.harm(true)
	if s.rng.IntN(2) == 0 {
		s.say("#%d %s", n, what)
		do()
		return
	}
	what, do = s.harm(false)
	what2, do2 := s.harm(false)
	offset := s.upTo(4 * time.Second)
	s.say("#%d %s; %.1f s later %s", n, what, offset.Seconds(), what2)
	var wg sync.WaitGroup
	wg.Go(do)
	wg.Go(func() { time.Sleep(offset); do2() })
	wg.Wait()
}

// upTo draws a time.
func (s *soak) upTo(limit time.Duration) time.Duration {
	return time.Duration(s.rng.Float64() * float64(limit)).Round(10 * time.Millisecond)
}

// harm draws a thing to do. What it takes away it gives back, but for what the
// cluster itself is to bring back. alone: nothing else is done meanwhile.
func (s *soak) harm(alone bool) (string, func()) {
	i := s.rng.IntN(3)
	h, o, p := s.Hosts[i], s.Hosts[(i+1)%3], s.Hosts[(i+2)%3]
	guest := fmt.Sprintf("vm%d", 1+s.rng.IntN(soakGuests))
	ctx := s.t.Context()
	// kill kills a daemon, for some time; freeze stops it for some time.
	kill := func(daemon string, limit time.Duration) (string, func()) {
		pause := s.upTo(limit)
		return fmt.Sprintf("%s on %s is killed, back after %s", daemon, h.Name, pause), func() {
			h.Signal(syscall.SIGKILL, Named(daemon))
			time.Sleep(pause)
			s.note(h.Ensure(ctx, daemon))
		}
	}
	freeze := func(what string, match func(Process) bool, limit time.Duration) (string, func()) {
		pause := s.upTo(limit)
		return fmt.Sprintf("%s on %s stands still for %s", what, h.Name, pause), func() {
			h.Signal(syscall.SIGSTOP, match)
			time.Sleep(pause)
			h.Signal(syscall.SIGCONT, match)
		}
	}
	request := func(argv ...string) (string, func()) {
		return fmt.Sprintf("on %s: %s", h.Name, strings.Join(argv, " ")), func() { s.request(h, argv...) }
	}
	everywhere := func(sig syscall.Signal, match func(Process) bool) (n int) {
		for _, h := range s.Hosts {
			n += h.Signal(sig, match)
		}
		return n
	}
	choices := []func() (string, func()){
		func() (string, func()) { return kill("cmand", 5*time.Second) },
		func() (string, func()) { return kill("cmand", 5*time.Second) },
		func() (string, func()) { return kill("libvirtd", 10*time.Second) },
		func() (string, func()) { return freeze("cmand", Named("cmand"), 10*time.Second) },
		func() (string, func()) { return freeze("cmand", Named("cmand"), 40*time.Second) },
		func() (string, func()) { return freeze("corosync", Named("corosync"), 8*time.Second) },
		func() (string, func()) { return freeze("libvirtd", Named("libvirtd"), 30*time.Second) },
		func() (string, func()) {
			pause := s.upTo(8 * time.Second)
			return fmt.Sprintf("the QEMU of %s stands still for %s", guest, pause), func() {
				everywhere(syscall.SIGSTOP, QEMU(guest))
				time.Sleep(pause)
				everywhere(syscall.SIGCONT, QEMU(guest))
			}
		},
		func() (string, func()) {
			return "the QEMU of " + guest + " is killed", func() { everywhere(syscall.SIGKILL, QEMU(guest)) }
		},
		func() (string, func()) {
			return "cmand on " + h.Name + " is killed for good", func() { h.Signal(syscall.SIGKILL, Named("cmand")) }
		},
		func() (string, func()) {
			return "corosync on " + h.Name + " is killed", func() { h.Signal(syscall.SIGKILL, Named("corosync")) }
		},
		func() (string, func()) {
			return h.Name + " loses its power", func() { s.note(h.PowerOff()) }
		},
		func() (string, func()) { return s.unfenced(h, alone) },
		func() (string, func()) {
			pause := s.upTo(20 * time.Second)
			return fmt.Sprintf("the cluster link of %s is cut for %s", h.Name, pause), func() {
				s.note(h.Cut(ctx, Cluster))
				time.Sleep(pause)
				s.note(h.Mend(ctx, Cluster))
			}
		},
		func() (string, func()) {
			pause := s.upTo(15 * time.Second)
			return fmt.Sprintf("the public link of %s is cut for %s", h.Name, pause), func() {
				s.note(h.Cut(ctx, Public))
				time.Sleep(pause)
				s.note(h.Mend(ctx, Public))
			}
		},
		func() (string, func()) {
			pause, percent, others := s.upTo(15*time.Second), 100, []*Host{o}
			switch s.rng.IntN(3) {
			case 0:
				percent = 10 + s.rng.IntN(40)
			case 1:
				others = []*Host{o, p}
			}
			return fmt.Sprintf("%s loses %d %% of what comes from %s and %d more, for %s", h.Name, percent, o.Name, len(others)-1, pause), func() {
				if h.On() {
					s.note(h.Deafen(ctx, percent, others...))
				}
				time.Sleep(pause)
				if h.On() {
					s.note(h.Hear(ctx))
				}
			}
		},
		func() (string, func()) {
			pause := s.upTo(10 * time.Second)
			return fmt.Sprintf("cmand on %s is told to end, back %s after", h.Name, pause), func() {
				h.Signal(syscall.SIGTERM, Named("cmand"))
				for end := time.Now().Add(time.Minute); len(h.Processes(Named("corosync"))) > 0 && time.Now().Before(end); {
					time.Sleep(100 * time.Millisecond)
				}
				time.Sleep(pause)
				s.note(h.Ensure(ctx, "cmand"))
			}
		},
		func() (string, func()) { return s.update(h) },
		func() (string, func()) { return s.update(h) },
		func() (string, func()) { return request("clusvcadm", "-M", "vm:"+guest, "-m", o.ClusterName()) },
		func() (string, func()) { return request("clusvcadm", "-M", "vm:"+guest, "-m", p.ClusterName()) },
		func() (string, func()) { return request("clusvcadm", "-r", "vm:"+guest) },
		func() (string, func()) { return request("clusvcadm", "-R", "vm:"+guest) },
		func() (string, func()) {
			return fmt.Sprintf("%s is disabled and enabled, by %s", guest, h.Name), func() {
				s.request(h, "clusvcadm", "-d", "vm:"+guest)
				s.request(h, "clusvcadm", "-e", "vm:"+guest)
			}
		},
		func() (string, func()) {
			return fmt.Sprintf("%s is frozen, killed and thawed, by %s", guest, h.Name), func() {
				s.request(h, "clusvcadm", "-Z", "vm:"+guest)
				everywhere(syscall.SIGKILL, QEMU(guest))
				time.Sleep(3 * time.Second)
				s.request(h, "clusvcadm", "-U", "vm:"+guest)
			}
		},
		func() (string, func()) {
			return fmt.Sprintf("%s is drained and taken back, by %s", h.Name, o.Name), func() {
				s.request(o, "clusvcadm", "--drain", h.ClusterName())
				for end := time.Now().Add(time.Minute); s.request(o, "clusvcadm", "--undrain", h.ClusterName()) != 0 && time.Now().Before(end); {
					time.Sleep(2 * time.Second)
				}
			}
		},
		func() (string, func()) {
			return fmt.Sprintf("%s is shut down by virsh wherever it is", guest), func() {
				for _, h := range s.Hosts {
					if len(h.Processes(QEMU(guest))) > 0 {
						s.request(h, "virsh", "shutdown", guest)
					}
				}
			}
		},
	}
	return choices[s.rng.IntN(len(choices))]()
}

// note says what could not be done: the host has just lost its power, perhaps.
func (s *soak) note(err error) {
	if err != nil {
		s.say("  %v", err)
	}
}

// request is an administrator's. It may fail; what counts is what follows.
func (s *soak) request(h *Host, argv ...string) int {
	out := s.ask(h, 2*time.Minute, argv...)
	s.say("  %s# %s: exit status %d: %s", h.Name, out.Command, out.Exit, strings.TrimSpace(strings.ReplaceAll(out.Stdout+out.Stderr, "\n", " ")))
	return out.Exit
}

// update pushes another file, and in one of two cases kills the cmand of some
// host or ccs_tool meanwhile.
func (s *soak) update(h *Host) (string, func()) {
	victim, after, harm := s.Hosts[s.rng.IntN(3)], s.upTo(400*time.Millisecond), s.rng.IntN(2) == 0
	what := "a file is pushed by " + h.Name
	if harm {
		what += fmt.Sprintf(", cmand on %s killed %s later", victim.Name, after)
	}
	return what, func() {
		s.mu.Lock()
		s.version++
		text := s.text(s.version)
		s.mu.Unlock()
		if !h.On() {
			return
		}
		s.note(h.WriteFile("/root/next.conf", text, 0o640))
		var wg sync.WaitGroup
		wg.Go(func() { s.request(h, "ccs_tool", "update", "/root/next.conf") })
		if harm {
			time.Sleep(after)
			victim.Signal(syscall.SIGKILL, Named("cmand"))
			s.note(victim.Ensure(s.t.Context(), "cmand"))
		}
		wg.Wait()
	}
}

// unfenced takes the host's power while its power switch is broken: as long as
// nobody knows that it is off, nothing that ran there may start elsewhere.
func (s *soak) unfenced(h *Host, alone bool) (string, func()) {
	pause := 5*time.Second + s.upTo(15*time.Second)
	return fmt.Sprintf("%s loses its power, its power switch is broken for %s", h.Name, pause), func() {
		h.BreakSwitch(true)
		var ran []string
		for guest := range s.watches {
			if len(h.Processes(QEMU(guest))) > 0 {
				ran = append(ran, guest)
			}
		}
		s.note(h.PowerOff())
		time.Sleep(pause)
		for _, guest := range ran {
			for _, o := range s.Hosts {
				if alone && len(o.Processes(QEMU(guest))) > 0 {
					s.t.Errorf("%s was on %s, which nobody could fence, and runs on %s", guest, h.Name, o.Name)
				}
			}
		}
		h.BreakSwitch(false)
	}
}
