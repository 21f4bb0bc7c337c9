package hypervisor

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestSnapshot saves real guests and restores them, on both hosts.
func TestSnapshot(t *testing.T) {
	h := newHosts(t)
	var said notes
	here := Open(Options{SSH: h.ssh, Note: said.note})
	t.Cleanup(here.Close)
	eventually(t, "source's libvirtd", func() error { _, err := here.List(t.Context()); return err })
	there := h.target(t)
	dir := h.dir + "/saved"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	g := h.guest(t, "web", 128, 0, false)
	disk := h.dir + "/web.img"
	write(t, disk, strings.Repeat("x", 1<<20))
	g = g.with(`<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='` + disk + `'/><target dev='hda' bus='ide'/></disk>`)
	g.svc.VM.Snapshot = dir
	file := dir + "/web"
	run := func(t *testing.T, what error) {
		t.Helper()
		if what != nil {
			t.Fatal(what)
		}
	}
	files := func(t *testing.T, want string) {
		t.Helper()
		if got := strings.TrimSpace(sh(t, "ls %s", dir)); got != want {
			t.Errorf("%s holds %q; want %q", dir, got, want)
		}
	}
	part := func(name string, f func(t *testing.T)) {
		if !t.Run(name, f) {
			t.FailNow()
		}
	}
	part("saved here, restored there", func(t *testing.T) {
		run(t, here.Start(t.Context(), g.svc, g.definition))
		g.booted(t)
		run(t, here.Stop(t.Context(), g.svc))
		files(t, "web")
		if m := wantState(t, here, "web", "shut off"); m.Reason != "saved" {
			t.Errorf("after Stop: %+v", m)
		}
		count := len(g.numbers())
		run(t, there.Start(t.Context(), g.svc, g.definition))
		files(t, "")
		if m := wantState(t, there, "web", "running"); m.Definition == "" || m.Reason != "restored" {
			t.Errorf("after Start: %+v", m)
		}
		g.counts(t) // it went on where it was
		if len(g.numbers()) < count+3 {
			t.Error("it did not go on")
		}
		run(t, there.Stop(t.Context(), g.svc))
		files(t, "web")
	})
	part("a state that cannot be read is left", func(t *testing.T) {
		sh(t, "cp -p %[1]s %[1]s.keep && dd if=/dev/zero of=%[1]s bs=1k count=8 conv=notrunc status=none", file)
		err := here.Start(t.Context(), g.svc, g.definition)
		if err == nil || !strings.Contains(err.Error(), "cannot restore it from its saved state, which is left in "+file+": ") {
			t.Errorf("Start = %v", err)
		}
		files(t, "web\nweb.keep")
		wantState(t, here, "web", "shut off")
		sh(t, "mv %[1]s.keep %[1]s", file)
	})
	part("a state that libvirt refuses is left", func(t *testing.T) {
		sh(t, "mv %[1]s %[1]s.keep && head -c 100000 %[1]s.keep >%[1]s", file)
		err := here.Start(t.Context(), g.svc, g.definition)
		if err == nil || !strings.Contains(err.Error(), "which is left in "+file+": ") {
			t.Errorf("Start = %v", err)
		}
		files(t, "web\nweb.keep")
		if m, _, err := here.Machine(t.Context(), "web"); err != nil || m.Running {
			t.Errorf("after a failed restore: %+v, %v", m, err)
		}
		sh(t, "mv %[1]s.keep %[1]s", file)
	})
	part("a state older than its disk is left", func(t *testing.T) {
		sh(t, "touch -d '+1 min' %s", disk)
		err := here.Start(t.Context(), g.svc, g.definition)
		if err == nil || !strings.Contains(err.Error(), "its disk "+disk+" was written to since") {
			t.Errorf("Start = %v", err)
		}
		files(t, "web")
		sh(t, "touch -d '-1 min' %s", disk)
	})
	part("a state of another machine is left", func(t *testing.T) {
		other := strings.Replace(g.definition, "-4000-8000-", "-4000-8111-", 1)
		if err := there.Start(t.Context(), g.svc, other); err == nil || !strings.Contains(err.Error(), "another machine") {
			t.Errorf("Start = %v", err)
		}
		h.virsh(t, there, "undefine web --managed-save")
		if err := there.Start(t.Context(), g.svc, other); err == nil || !strings.Contains(err.Error(), "it is of another machine") {
			t.Errorf("Start = %v", err)
		}
		files(t, "web")
	})
	part("restored where it is not defined, from a file", func(t *testing.T) {
		svc, vm := g.svc, *g.svc.VM
		svc.VM, vm.XMLFile = &vm, h.dir+"/web.xml"
		write(t, vm.XMLFile, g.definition)
		run(t, there.Start(t.Context(), svc, ""))
		if m := wantState(t, there, "web", "running"); m.Definition != "" || m.Reason != "restored" {
			t.Errorf("after Start: %+v", m)
		}
		g.counts(t)
		files(t, "")
		run(t, there.Destroy(t.Context(), "web"))
	})
	part("what cannot be saved is shut down", func(t *testing.T) {
		svc, vm := g.svc, *g.svc.VM
		svc.VM, vm.Snapshot, vm.StopTimeout = &vm, dir+"/none", time.Second
		run(t, here.Start(t.Context(), svc, g.definition))
		run(t, here.Stop(t.Context(), svc))
		said.want(t, "web: cannot save its state to "+dir+"/none/web, so it is shut down: ")
		if m := wantState(t, here, "web", "shut off"); m.Reason != "destroyed" {
			t.Errorf("after Stop: %+v", m)
		}
		files(t, "")
	})
	part("what takes too long to save is shut down", func(t *testing.T) {
		svc, vm := g.svc, *g.svc.VM
		svc.VM, vm.StopTimeout = &vm, time.Microsecond
		for range 10 { // a young guest may be saved before it can be aborted
			run(t, here.Start(t.Context(), g.svc, g.definition))
			run(t, here.Stop(t.Context(), svc))
			if m := wantState(t, here, "web", "shut off"); m.Reason == "destroyed" {
				said.want(t, "so it is shut down: it took more than 1µs")
				files(t, "")
				return
			}
			files(t, "web")
			run(t, os.Remove(file))
		}
		t.Error("it was saved ten times in no time")
	})
}
