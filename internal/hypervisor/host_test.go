package hypervisor

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// driver returns a host on libvirt's test driver, which lives in this process
// and knows one running domain, "test". All connections share it.
func driver(t *testing.T) *Host {
	t.Helper()
	h := Open(Options{URI: "test:///default", SocketDir: t.TempDir() + "/cmand"})
	t.Cleanup(h.Close)
	eventually(t, "the driver to have forgotten the last test", func() error {
		ms, err := h.List(t.Context())
		if err == nil && (len(ms) != 1 || ms[0].State != "running") {
			err = fmt.Errorf("it knows %+v", ms)
		}
		if err != nil {
			h.all()[0].drop() // the last connection that closes makes it forget
		}
		return err
	})
	return h
}

const definition = `<domain type='test'><name>web</name><uuid>11111111-1111-4111-8111-111111111111</uuid>
<memory>8192</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>`

func vm(name string) conf.Service {
	return conf.Service{Type: "vm", Name: name, VM: &conf.VM{Migrate: "live", StopTimeout: 5 * time.Second}}
}

func TestListStartStop(t *testing.T) {
	h := driver(t)
	ms, err := h.List(t.Context())
	if err != nil || len(ms) != 1 || ms[0].Name != "test" || !ms[0].Running || !strings.Contains(ms[0].Definition, "<domain") {
		t.Fatalf("List = %+v, %v; want test, running, with its definition", ms, err)
	}
	if _, found, err := h.Machine(t.Context(), "web"); found || err != nil {
		t.Fatalf("Machine(web) = %v, %v; want not found", found, err)
	}
	if err := h.Start(t.Context(), vm("web"), ""); err == nil {
		t.Error("Start of an unknown machine succeeded")
	}
	if err := h.Start(t.Context(), vm("other"), definition); err == nil || !strings.Contains(err.Error(), `"web"`) {
		t.Errorf("Start with the definition of another name = %v; want an error", err)
	}
	if err := h.Start(t.Context(), vm("web"), definition); err != nil {
		t.Fatal(err)
	}
	wantState(t, h, "web", "running")
	if err := h.Stop(t.Context(), vm("web")); err != nil {
		t.Fatal(err)
	}
	m := wantState(t, h, "web", "shut off")
	if m.Running || m.Reason != "shutdown" || m.Definition == "" {
		t.Errorf("after Stop: %+v", m)
	}
	other := strings.Replace(definition, "11111111-", "22222222-", 1)
	if err := h.Start(t.Context(), vm("web"), other); err == nil || !strings.Contains(err.Error(), "another machine") {
		t.Errorf("Start with another UUID = %v; want an error", err)
	}
	if err := h.Start(t.Context(), vm("web"), ""); err != nil {
		t.Fatal(err)
	}
	if err := h.Destroy(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	if m := wantState(t, h, "web", "shut off"); m.Reason != "destroyed" {
		t.Errorf("after Destroy: %+v", m)
	}
	for name, f := range map[string]func() error{
		"Stop of a stopped machine":     func() error { return h.Stop(t.Context(), vm("web")) },
		"Stop of an unknown machine":    func() error { return h.Stop(t.Context(), vm("none")) },
		"Destroy of a stopped machine":  func() error { return h.Destroy(t.Context(), "web") },
		"Destroy of an unknown machine": func() error { return h.Destroy(t.Context(), "none") },
	} {
		if err := f(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStartFromFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/web.xml", definition)
	write(t, dir+"/xm", "memory = 64\n")
	tests := map[string]struct {
		name string
		vm   conf.VM
		want string // of the error; empty: started, transient
	}{
		"xmlfile":                  {"web", conf.VM{XMLFile: dir + "/web.xml"}, ""},
		"missing xmlfile is left":  {"web", conf.VM{XMLFile: dir + "/none"}, "Domain not found"},
		"path":                     {"web", conf.VM{Path: "/nowhere:" + dir}, ""},
		"path with a file of xm":   {"xm", conf.VM{Path: dir}, "not XML"},
		"path without the machine": {"db", conf.VM{Path: dir}, "Domain not found"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := driver(t)
			err := h.Start(t.Context(), conf.Service{Type: "vm", Name: tt.name, VM: &tt.vm}, "")
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Start = %v; want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if m := wantState(t, h, "web", "running"); m.Definition != "" {
				t.Error("it was defined")
			}
			if err := h.Stop(t.Context(), conf.Service{Type: "vm", Name: "web", VM: &conf.VM{StopTimeout: time.Second}}); err != nil {
				t.Fatal(err)
			}
			wantState(t, h, "web", "")
		})
	}
}

func TestPausedIsDestroyed(t *testing.T) {
	h := driver(t)
	if err := act(t.Context(), h.all()[0], 0, "test", suspend); err != nil {
		t.Fatal(err)
	}
	if m := wantState(t, h, "test", "paused"); !m.Running {
		t.Error("a paused machine does not count as running")
	}
	if err := h.Stop(t.Context(), vm("test")); err != nil {
		t.Fatal(err)
	}
	if m := wantState(t, h, "test", "shut off"); m.Reason != "destroyed" {
		t.Errorf("it was stopped by %s; want destroyed", m.Reason)
	}
}

func TestNoLibvirtd(t *testing.T) {
	h := Open(Options{URI: "qemu+unix:///system?socket=/nonexistent", SocketDir: t.TempDir() + "/cmand"})
	defer h.Close()
	if _, found, err := h.Machine(t.Context(), "web"); err == nil || found || !strings.Contains(err.Error(), "cannot connect to libvirtd") {
		t.Errorf("Machine = %v, %v; want an error", found, err)
	}
	if err := h.Stop(t.Context(), vm("web")); err == nil {
		t.Error("Stop succeeded")
	}
	if err := h.Destroy(t.Context(), "web"); err == nil {
		t.Error("Destroy succeeded")
	}
	wantOutcome(t, h.Migrate(t.Context(), vm("web"), "node2", nil), StillHere, "cannot connect")
}

func TestGivenUpCallIsNotMadeLater(t *testing.T) {
	h := driver(t)
	release := make(chan struct{})
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := do(ctx, h.all()[0], 0, func(ctx context.Context, c *link) (int, error) {
		<-release // libvirtd hangs while the domain is looked up
		ended <- ctx.Err()
		return 0, nil
	})
	close(release)
	if err == nil || !strings.Contains(err.Error(), "libvirtd does not answer") {
		t.Errorf("do = %v; want libvirtd does not answer", err)
	}
	if <-ended == nil {
		t.Error("the call could not know that it was given up")
	}
	if _, err := h.List(t.Context()); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestCallsAreLimited(t *testing.T) {
	h := driver(t)
	release := make(chan struct{})
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for range maxCalls {
		go do(ctx, h.all()[0], 0, func(context.Context, *link) (int, error) { <-release; return 0, nil })
	}
	eventually(t, "all slots to be taken", func() error {
		if len(h.all()[0].calls) < maxCalls {
			return context.DeadlineExceeded
		}
		return nil
	})
	<-ctx.Done()
	short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if _, err := h.List(short); err == nil || !strings.Contains(err.Error(), "libvirtd does not answer") {
		t.Errorf("List = %v; want libvirtd does not answer", err)
	}
}

func TestWatch(t *testing.T) {
	h := driver(t)
	seen := watch(t, h)
	if err := h.Start(t.Context(), vm("web"), definition); err != nil {
		t.Fatal(err)
	}
	seen.wait(t, "web", "running", "booted")
	if err := h.Stop(t.Context(), vm("web")); err != nil {
		t.Fatal(err)
	}
	seen.wait(t, "web", "shut off", "shutdown")
}

func TestWatchEnds(t *testing.T) {
	h := Open(Options{URI: "qemu+unix:///system?socket=/nonexistent", SocketDir: t.TempDir() + "/cmand"})
	defer h.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Watch(ctx, func(cluster.MachineEvent) {}); err != context.Canceled {
		t.Errorf("Watch = %v; want %v", err, context.Canceled)
	}
}

func TestClosed(t *testing.T) {
	h := driver(t)
	h.Close()
	if _, err := h.List(t.Context()); err == nil {
		t.Error("List succeeded after Close")
	}
}

func TestMigrateNotAVirtualMachine(t *testing.T) {
	h := driver(t)
	wantOutcome(t, h.Migrate(t.Context(), conf.Service{Type: "service", Name: "ip"}, "node2", nil), NoMachine, "service:ip")
	wantOutcome(t, h.Migrate(t.Context(), vm("none"), "node2", nil), NoMachine, "does not know it")
	bad := vm("test")
	bad.VM.MigrateOptions = "--copy-storage-all"
	wantOutcome(t, h.Migrate(t.Context(), bad, "node2", nil), StillHere, "--copy-storage-all")
}
