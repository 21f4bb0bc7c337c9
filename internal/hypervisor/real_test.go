package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fangnetz/internal/cluster"
)

// TestMachines drives real guests on two hosts. The parts follow one another:
// each finds the guests as the one before left them.
func TestMachines(t *testing.T) {
	h := newHosts(t)
	here, there := h.open(t), h.target(t)
	seen := watch(t, here)
	web := h.guest(t, "web", 256, 0, true) // heeds the power button
	db := h.guest(t, "db", 256, 0, false)  // does not

	part := func(name string, f func(t *testing.T)) {
		if !t.Run(name, f) {
			t.FailNow()
		}
	}
	part("start by definition", func(t *testing.T) {
		for _, g := range []guest{web, db} {
			if err := here.Start(t.Context(), g.svc, g.definition); err != nil {
				t.Fatal(err)
			}
			m := wantState(t, here, g.svc.Name, "running")
			if !m.Running || m.Reason != "booted" || !strings.Contains(m.Definition, m.UUID) {
				t.Errorf("Machine(%q) = %+v", g.svc.Name, m)
			}
			seen.wait(t, g.svc.Name, "running", "booted")
		}
		if err := here.Start(t.Context(), web.svc, web.definition); err != nil {
			t.Errorf("Start of a running machine: %v", err)
		}
		other := h.guest(t, "web", 256, 0, false)
		if err := here.Start(t.Context(), other.svc, other.definition); err == nil || !strings.Contains(err.Error(), "another machine") {
			t.Errorf("Start of another machine called web = %v; want an error", err)
		}
		web.booted(t)
		db.booted(t)
	})
	part("live migration", func(t *testing.T) {
		var last cluster.Progress
		var moved int
		stop := web.gap()
		err := here.Migrate(t.Context(), web.svc, "target", func(p cluster.Progress) {
			if p.Processed > last.Processed {
				moved++
			}
			last = p
			for host, pid := range map[string]string{"source": "self", "target": fmt.Sprint(h.pid)} {
				if ports := listening(t, pid); strings.Trim(ports, " ") != map[string]string{"target": "22"}[host] {
					t.Errorf("%s listens on TCP ports %s", host, ports)
				}
			}
		})
		gap := stop()
		if err != nil {
			t.Fatal(err)
		}
		web.counts(t)
		if gap >= time.Second {
			t.Errorf("the guest paused for %v; want less than 1 s", gap)
		}
		if moved < 2 || last.Remaining != 0 || last.Downtime <= 0 || last.Downtime > 1 {
			t.Errorf("%d readings with progress, the last one %+v", moved, last)
		}
		t.Logf("longest gap %v, libvirt's downtime %v s", gap, last.Downtime)
		wantState(t, here, "web", "")
		if m := wantState(t, there, "web", "running"); m.Definition == "" || m.Reason != "migrated" {
			t.Errorf("on the target: %+v", m)
		}
		seen.wait(t, "web", "shut off", "migrated")
		h.noSockets(t)
	})
	part("graceful stop", func(t *testing.T) {
		if err := there.Stop(t.Context(), web.svc); err != nil {
			t.Fatal(err)
		}
		if m := wantState(t, there, "web", "shut off"); m.Reason != "shutdown" {
			t.Errorf("reason %q, want shutdown", m.Reason)
		}
		if err := there.Stop(t.Context(), web.svc); err != nil {
			t.Errorf("Stop of a stopped machine: %v", err)
		}
	})
	part("another machine of that name on the target", func(t *testing.T) {
		other := h.guest(t, "db", 64, 0, false)
		write(t, h.dir+"/other.xml", other.definition)
		h.virsh(t, there, "define "+h.dir+"/other.xml")
		wantOutcome(t, here.Migrate(t.Context(), db.svc, "target", nil), StillHere, "another machine")
		h.virsh(t, there, "undefine db")
	})
	part("no such host", func(t *testing.T) {
		wantOutcome(t, here.Migrate(t.Context(), db.svc, "127.0.0.9", nil), StillHere, "ssh to 127.0.0.9 (root@127.0.0.9:22): ")
	})
	part("data channel frozen", func(t *testing.T) {
		frozen := Open(Options{SSH: h.ssh})
		defer frozen.Close()
		frozen.stall = 2 * time.Second
		frozen.dial = func(ctx context.Context, to destination) (remote, error) {
			r, err := h.ssh.dial(ctx, to)
			return freezer{r}, err
		}
		wantOutcome(t, frozen.Migrate(t.Context(), db.svc, "target", nil), StillHere, "no progress for 2s")
		h.stayed(t, here, there, db)
	})
	part("migration cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		slow := db.svc
		vm := *db.svc.VM
		vm.MigrateOptions = "--bandwidth 1"
		slow.VM = &vm
		err := here.Migrate(ctx, slow, "target", func(p cluster.Progress) {
			if p.Processed > 0 {
				cancel(errors.New("told to"))
			}
		})
		wantOutcome(t, err, StillHere, "told to")
		h.stayed(t, here, there, db)
	})
	part("process killed in a migration", func(t *testing.T) {
		underWay := h.dir + "/under-way"
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self, "db", h.dir, underWay)
		cmd.Env = append(os.Environ(), roleEnv+"="+migrateRole)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the migration to begin", func() error { _, err := os.Stat(underWay); return err })
		wantState(t, there, "db", "paused")
		cmd.Process.Kill()
		cmd.Wait()
		eventually(t, "the target to give up", func() error {
			if m, found, err := there.Machine(t.Context(), "db"); err != nil || found {
				return fmt.Errorf("it has %+v, %v", m, err)
			}
			return nil
		})
		eventually(t, "a second migration to be possible", func() error {
			out, err := exec.Command("virsh", "domjobinfo", "db").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "None") {
				return fmt.Errorf("%v: %s", err, out)
			}
			return nil
		})
		h.stayed(t, here, there, db)
	})
	part("events", func(t *testing.T) {
		h.virsh(t, here, "suspend db")
		seen.wait(t, "db", "paused", "user")
		h.virsh(t, here, "resume db")
		seen.wait(t, "db", "running", "unpaused")
	})
	part("hanging libvirtd", func(t *testing.T) {
		signalLibvirtd(t, syscall.SIGSTOP)
		defer signalLibvirtd(t, syscall.SIGCONT)
		for name, ask := range map[string]func(context.Context) error{
			"Machine": func(ctx context.Context) error { _, _, err := here.Machine(ctx, "db"); return err },
			"List":    func(ctx context.Context) error { _, err := here.List(ctx); return err },
			"Stop":    func(ctx context.Context) error { return here.Stop(ctx, db.svc) },
			"Destroy": func(ctx context.Context) error { return here.Destroy(ctx, "db") },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if err := ask(ctx); err == nil || !strings.Contains(err.Error(), "libvirtd does not answer") {
				t.Errorf("%s = %v; want libvirtd does not answer", name, err)
			}
		}
	})
	part("killed libvirtd", func(t *testing.T) {
		db.counts(t) // whatever was asked of the hanging one has not been done
		seen.clear()
		signalLibvirtd(t, syscall.SIGKILL)
		eventually(t, "an error", func() error {
			if _, _, err := here.Machine(t.Context(), "db"); err == nil {
				return errors.New("libvirtd answers")
			}
			return nil
		})
		if _, found, err := here.Machine(t.Context(), "db"); err == nil || found {
			t.Errorf("Machine = %v, %v; want an error", found, err)
		}
		if err := here.Stop(t.Context(), db.svc); err == nil {
			t.Error("Stop succeeded without libvirtd")
		}
		if err := startLibvirtd(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a connection", func() error { _, err := here.List(t.Context()); return err })
		wantState(t, here, "db", "running")
		seen.wait(t, "", "", "") // to be listed again
	})
	part("stop destroys a deaf guest", func(t *testing.T) {
		svc, vm := db.svc, *db.svc.VM
		svc.VM = &vm
		vm.StopTimeout, vm.NoKill = time.Second, true
		if err := here.Stop(t.Context(), svc); err == nil || !strings.Contains(err.Error(), "no_kill") {
			t.Errorf("Stop with no_kill = %v; want an error", err)
		}
		db.counts(t)
		vm.NoKill = false
		if err := here.Stop(t.Context(), svc); err != nil {
			t.Fatal(err)
		}
		wantState(t, here, "db", "shut off")
		seen.wait(t, "db", "shut off", "destroyed")
	})
	part("start by name, crash", func(t *testing.T) {
		sh(t, "virsh autostart db")
		if err := here.Start(t.Context(), db.svc, ""); err != nil {
			t.Fatal(err)
		}
		if out := sh(t, "virsh dominfo db"); !strings.Contains(out, "Autostart:      disable") {
			t.Errorf("autostart is on: %s", out)
		}
		sh(t, "kill -9 $(cat /run/libvirt/qemu/db.pid)")
		seen.wait(t, "db", "shut off", "crashed")
	})
	part("transient, migrated with a pause", func(t *testing.T) {
		tr := h.guest(t, "tr", 128, 0, false)
		tr.svc.VM.XMLFile, tr.svc.VM.Migrate = h.dir+"/tr.xml", "pause"
		write(t, tr.svc.VM.XMLFile, tr.definition)
		if err := here.Start(t.Context(), tr.svc, ""); err != nil {
			t.Fatal(err)
		}
		if m := wantState(t, here, "tr", "running"); m.Definition != "" {
			t.Error("it was defined")
		}
		if err := here.Migrate(t.Context(), tr.svc, "target", nil); err != nil {
			t.Fatal(err)
		}
		wantState(t, here, "tr", "")
		wantState(t, there, "tr", "running")
		if err := there.Destroy(t.Context(), "tr"); err != nil {
			t.Fatal(err)
		}
		wantState(t, there, "tr", "")
		wantOutcome(t, here.Migrate(t.Context(), tr.svc, "target", nil), NoMachine, "does not know it")
		wantOutcome(t, here.Migrate(t.Context(), db.svc, "target", nil), NotRunning, "shut off")
	})
}

// freezer is a connection whose channels to a QEMU take nothing.
type freezer struct{ remote }

func (f freezer) Dial(network, address string) (net.Conn, error) {
	c, err := f.remote.Dial(network, address)
	if err == nil && strings.HasSuffix(address, "-mig.sock") {
		c = &frozenConn{Conn: c, closed: make(chan struct{})}
	}
	return c, err
}

type frozenConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *frozenConn) Write([]byte) (int, error) {
	<-c.closed
	return 0, net.ErrClosed
}

func (c *frozenConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// stayed fails the test unless the guest goes on here, and here only.
func (h *hosts) stayed(t *testing.T, here, there *Host, g guest) {
	t.Helper()
	g.counts(t)
	if m := wantState(t, here, g.svc.Name, "running"); m.Definition == "" {
		t.Error("its definition is gone")
	}
	wantState(t, there, g.svc.Name, "")
	h.noSockets(t)
}

// noSockets fails the test when a migration has left its sockets behind. A
// killed one cannot help it.
func (h *hosts) noSockets(t *testing.T) {
	t.Helper()
	if strings.Contains(t.Name(), "killed") {
		return
	}
	for _, root := range []string{"", fmt.Sprintf("/proc/%d/root", h.pid)} {
		if left, _ := filepath.Glob(root + DefaultSocketDir + "/*"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// virsh does something behind our back on that host.
func (h *hosts) virsh(t *testing.T, on *Host, args string) {
	t.Helper()
	sh(t, "virsh -c '%s' %s", on.uri, args)
}

// listening returns the TCP ports that a host listens on.
func listening(t *testing.T, pid string) string {
	t.Helper()
	return strings.Join(strings.Fields(sh(t, `cat /proc/%[1]s/net/tcp /proc/%[1]s/net/tcp6 |
awk '$4 == "0A" {split($2, a, ":"); print a[2]}' | sort -u | while read p; do echo $((0x$p)); done`, pid)), " ")
}

func wantOutcome(t *testing.T, err error, want Outcome, words string) {
	t.Helper()
	var m *MigrateError
	if !errors.As(err, &m) || m.Outcome != want || !strings.Contains(err.Error(), words) {
		t.Fatalf("Migrate = %v; want outcome %v with %q", err, want, words)
	}
}

// events are what Watch delivered.
type events struct {
	mu   sync.Mutex
	list []cluster.MachineEvent
}

func watch(t *testing.T, host *Host) *events {
	e := &events{}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		host.Watch(ctx, func(ev cluster.MachineEvent) {
			e.mu.Lock()
			e.list = append(e.list, ev)
			e.mu.Unlock()
		})
	}()
	t.Cleanup(func() { cancel(); <-ended })
	e.wait(t, "", "", "")
	return e
}

func (e *events) clear() {
	e.mu.Lock()
	e.list = nil
	e.mu.Unlock()
}

// wait waits for an event of the machine with that state and reason; no name
// stands for one that says to list again.
func (e *events) wait(t *testing.T, name, state, reason string) {
	t.Helper()
	eventually(t, fmt.Sprintf("event %s %s (%s)", name, state, reason), func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, ev := range e.list {
			if m := ev.Machine; m.Name == name && m.State == state && m.Reason == reason && ev.Refresh == (name == "") {
				return nil
			}
		}
		return fmt.Errorf("seen: %+v", e.list)
	})
}
