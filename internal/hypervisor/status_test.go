package hypervisor

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// TestStatus lets real guests come to every end, and wants each told apart.
func TestStatus(t *testing.T) {
	h := newHosts(t)
	var said notes
	here := Open(Options{SSH: h.ssh, Note: said.note})
	t.Cleanup(here.Close)
	eventually(t, "source's libvirtd", func() error { _, err := here.List(t.Context()); return err })
	there := h.target(t)
	seen := watch(t, here)

	start := func(t *testing.T, g guest) {
		t.Helper()
		if err := here.Start(t.Context(), g.svc, g.definition); err != nil {
			t.Fatal(err)
		}
	}
	check := func(t *testing.T, g guest, ok bool, detail string) {
		t.Helper()
		got, err := here.Check(t.Context(), g.svc, true)
		if want := (cluster.Health{OK: ok, Detail: detail}); err != nil || got != want {
			t.Fatalf("Check = %+v, %v; want %+v", got, err, want)
		}
	}
	// becomes waits for what happens by itself.
	becomes := func(t *testing.T, g guest, ok bool, detail string) {
		t.Helper()
		eventually(t, detail, func() error {
			got, err := here.Check(t.Context(), g.svc, true)
			if want := (cluster.Health{OK: ok, Detail: detail}); err != nil || got != want {
				return fmt.Errorf("Check = %+v, %v", got, err)
			}
			return nil
		})
	}
	stop := func(t *testing.T, g guest) {
		t.Helper()
		if err := here.Stop(t.Context(), g.svc); err != nil {
			t.Fatal(err)
		}
		if m, _, err := here.Machine(t.Context(), g.svc.Name); err != nil || m.Running {
			t.Fatalf("after Stop: %+v, %v", m, err)
		}
	}
	kill := func(t *testing.T, g guest) { sh(t, "kill -9 $(cat /run/libvirt/qemu/%s.pid)", g.svc.Name) }

	g := h.guest(t, "one", 128, 0, false)
	g.svc.VM.StopTimeout = time.Second
	t.Run("never defined", func(t *testing.T) { check(t, g, false, "undefined") })
	t.Run("runs, and its autostart is switched off", func(t *testing.T) {
		start(t, g)
		sh(t, "virsh autostart one")
		check(t, g, true, "")
		said.want(t, "one: its autostart is switched off")
		if out := sh(t, "virsh dominfo one"); !strings.Contains(out, "Autostart:      disable") {
			t.Errorf("autostart is on: %s", out)
		}
	})
	t.Run("paused by an administrator", func(t *testing.T) {
		sh(t, "virsh suspend one")
		check(t, g, true, "paused, user")
		sh(t, "virsh resume one")
		check(t, g, true, "")
	})
	t.Run("libvirtd hangs, is killed, starts again", func(t *testing.T) {
		pid := sh(t, "cat /run/libvirt/qemu/one.pid")
		signalLibvirtd(t, syscall.SIGSTOP)
		svc, vm := g.svc, *g.svc.VM
		svc.VM = &vm
		vm.StatusTimeout = time.Second
		if got, err := here.Check(t.Context(), svc, true); err == nil || got != (cluster.Health{}) || !strings.Contains(err.Error(), "libvirtd does not answer") {
			t.Errorf("Check with a hanging libvirtd = %+v, %v; want an error", got, err)
		}
		vm.StartTimeout = time.Second
		if err := here.Start(t.Context(), svc, g.definition); err == nil || !strings.Contains(err.Error(), "libvirtd does not answer") {
			t.Errorf("Start with a hanging libvirtd = %v; want an error", err)
		}
		signalLibvirtd(t, syscall.SIGKILL)
		eventually(t, "libvirtd to be gone", func() error {
			if got, err := here.Check(t.Context(), svc, true); err == nil {
				return fmt.Errorf("Check = %+v", got)
			}
			return nil
		})
		seen.clear()
		if err := startLibvirtd(); err != nil {
			t.Fatal(err)
		}
		seen.wait(t, "", "", "") // list them again
		becomes(t, g, true, "")
		g.counts(t)
		if now := sh(t, "cat /run/libvirt/qemu/one.pid"); now != pid {
			t.Errorf("its QEMU is %s; want %s", now, pid)
		}
	})
	t.Run("QEMU killed", func(t *testing.T) {
		kill(t, g)
		becomes(t, g, false, "shut off, crashed: its QEMU died")
	})
	t.Run("QEMU killed while libvirtd is away", func(t *testing.T) {
		start(t, g)
		signalLibvirtd(t, syscall.SIGKILL)
		kill(t, g)
		if err := startLibvirtd(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "libvirtd", func() error { _, err := here.List(t.Context()); return err })
		becomes(t, g, false, "shut off, crashed: its QEMU died")
	})
	t.Run("destroyed with virsh", func(t *testing.T) {
		start(t, g)
		sh(t, "virsh destroy one")
		check(t, g, false, "shut off, destroyed: it was destroyed from outside")
	})
	t.Run("saved with virsh", func(t *testing.T) {
		start(t, g)
		sh(t, "virsh managedsave one")
		check(t, g, false, "shut off, saved: it was saved from outside")
		start(t, g)
		said.want(t, "one: its managed save image is discarded")
		check(t, g, true, "")
	})
	t.Run("migrated away with virsh", func(t *testing.T) {
		g.booted(t)
		sh(t, `virsh migrate --live one 'qemu+ssh://root@%s/system?no_verify=1&keyfile=%s/id_ed25519' tcp:%[1]s`, targetAddr, h.dir)
		check(t, g, false, "shut off, migrated: it was migrated away from outside")
		wantState(t, there, "one", "running")
		if err := there.Destroy(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("the guest shuts itself down", func(t *testing.T) {
		g := h.guest(t, "two", 128, 0, false).ending("off")
		start(t, g)
		becomes(t, g, false, "shut off, shutdown: the guest shut itself down")
	})
	t.Run("a transient guest leaves nothing but an event", func(t *testing.T) {
		g := h.guest(t, "three", 128, 0, false)
		g.svc.VM.XMLFile = h.dir + "/three.xml"
		write(t, g.svc.VM.XMLFile, g.definition)
		start(t, g)
		kill(t, g)
		becomes(t, g, false, "shut off, failed: its QEMU failed")
		start(t, g)
		check(t, g, true, "")
		sh(t, "virsh destroy three")
		becomes(t, g, false, "shut off, destroyed: it was destroyed from outside")
		if got, err := h.open(t).Check(t.Context(), g.svc, false); err != nil || got != (cluster.Health{Detail: "undefined"}) {
			t.Errorf("Check without Watch = %+v, %v", got, err)
		}
	})
	t.Run("crashed but kept", func(t *testing.T) {
		g := h.guest(t, "four", 128, 0, false).ending("panic").with("<panic model='isa'/>")
		g.definition = strings.Replace(g.definition, "<on_crash>destroy", "<on_crash>preserve", 1)
		start(t, g)
		becomes(t, g, false, "crashed, panicked: its QEMU is still there")
		if m := wantState(t, here, "four", "crashed"); !m.Running {
			t.Error("it does not count as running: it could be started elsewhere")
		}
		stop(t, g)
		check(t, g, false, "shut off, destroyed: it was destroyed from outside")
	})
	t.Run("crashed and destroyed", func(t *testing.T) {
		g := h.guest(t, "five", 128, 0, false).ending("panic").with("<panic model='isa'/>")
		start(t, g)
		becomes(t, g, false, "shut off, crashed: its QEMU died")
	})
	t.Run("paused by an I/O error", func(t *testing.T) {
		disk := brokenDisk(t, h.dir+"/broken.qcow2")
		g := h.guest(t, "six", 128, 0, false).with(`<disk type='file' device='disk'>
<driver name='qemu' type='qcow2' error_policy='stop' rerror_policy='stop'/><source file='` + disk + `'/><target dev='hda' bus='ide'/></disk>`)
		i, j := strings.Index(g.definition, "<kernel>"), strings.Index(g.definition, "</os>")
		g.definition = g.definition[:i] + "<boot dev='hd'/>" + g.definition[j:] // the BIOS reads its first sector
		start(t, g)
		becomes(t, g, true, "paused, I/O error")
		if m := wantState(t, here, "six", "paused"); !m.Running {
			t.Error("it does not count as running")
		}
		seen.wait(t, "six", "paused", "I/O error")
		asked := g
		vm := *g.svc.VM
		asked.svc.VM, vm.StatusProgram = &vm, "echo no answer; exit 1"
		check(t, asked, false, `paused, I/O error: status_program "echo": exit status 1: no answer`)
		stop(t, g)
	})
	t.Run("in shutdown", func(t *testing.T) {
		// A QEMU that stands still cannot end.
		g := h.guest(t, "seven", 128, 0, true)
		start(t, g)
		g.booted(t)
		sh(t, "virsh shutdown seven")
		stop(t, g)
		check(t, g, false, "shut off, shutdown: the guest shut itself down")
	})
}

// brokenDisk makes an image whose first sector cannot be read: its table says
// that it is compressed, which it is not.
func brokenDisk(t *testing.T, file string) string {
	t.Helper()
	sh(t, "qemu-img create -q -f qcow2 -o preallocation=metadata %s 8M", file)
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	number := func(at int64) uint64 {
		var b [8]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			t.Fatal(err)
		}
		return binary.BigEndian.Uint64(b[:])
	}
	l1 := int64(number(40))
	l2 := int64(number(l1) & 0x00fffffffffffe00)
	if _, err := f.WriteAt(binary.BigEndian.AppendUint64(nil, 1<<62|number(l2)&0x00fffffffffffe00), l2); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestTwoLibvirtds has machines under two real hypervisors: the target's
// libvirtd stands for a second one on this host.
func TestTwoLibvirtds(t *testing.T) {
	h := newHosts(t)
	here, there := h.open(t), h.target(t)
	own, other := h.guest(t, "own", 128, 0, false), h.guest(t, "other", 128, 0, false)
	other.svc.VM.HypervisorURI = there.uri
	here.Configure(&conf.Config{Services: []conf.Service{own.svc, other.svc}})
	seen := watch(t, here)
	for _, g := range []guest{own, other} {
		if err := here.Start(t.Context(), g.svc, g.definition); err != nil {
			t.Fatal(err)
		}
		seen.wait(t, g.svc.Name, "running", "booted")
	}
	for uri, want := range map[string]string{here.uri: "own", there.uri: "other"} {
		if got := strings.TrimSpace(sh(t, "virsh -c '%s' list --name", uri)); got != want {
			t.Errorf("%s runs %q; want %q", uri, got, want)
		}
	}
	ms, err := here.List(t.Context())
	if err != nil || len(ms) != 2 || !ms[0].Running || !ms[1].Running {
		t.Errorf("List = %+v, %v", ms, err)
	}
	other.svc.VM.StopTimeout = time.Second
	if err := here.Stop(t.Context(), other.svc); err != nil {
		t.Fatal(err)
	}
	seen.wait(t, "other", "shut off", "destroyed")
	wantState(t, here, "own", "running")
	if err := here.Destroy(t.Context(), "own"); err != nil {
		t.Fatal(err)
	}
	seen.wait(t, "own", "shut off", "destroyed")
}
