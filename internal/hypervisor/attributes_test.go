package hypervisor

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		vm    conf.VM
		want  string // empty: none
		start bool   // it speaks against starting the machine
	}{
		"defaults":                   {conf.VM{Migrate: "live", Hypervisor: "auto", HypervisorURI: "auto", MigrationURI: "auto"}, "", false},
		"nothing given":              {conf.VM{}, "", false},
		"all that is understood":     {conf.VM{UseVirsh: "1", Migrate: "pause", Hypervisor: "QEMU", HypervisorURI: "qemu:///session", Snapshot: "/s", Tunnelled: true}, "", false},
		"xm":                         {conf.VM{UseVirsh: "0"}, `use_virsh "0": Cannot use qemu hypervisor without using virsh`, true},
		"xm with xmlfile":            {conf.VM{UseVirsh: "0", XMLFile: "/x"}, "Cannot use xmlfile if use_virsh is set to 0", true},
		"use_virsh, another word":    {conf.VM{UseVirsh: "yes"}, `use_virsh "yes": expected 1`, true},
		"xen":                        {conf.VM{Hypervisor: "xen"}, `hypervisor "xen": expected auto or qemu`, true},
		"uri of xen":                 {conf.VM{HypervisorURI: "xen:///"}, `hypervisor_uri "xen:///": expected qemu:///system`, true},
		"uri of another host":        {conf.VM{HypervisorURI: "qemu+ssh://node2/system"}, `hypervisor_uri "qemu+ssh://node2/system" leads to another host`, true},
		"uri with a typing mistake":  {conf.VM{HypervisorURI: "qemu:///sytem"}, `hypervisor_uri "qemu:///sytem": expected`, true},
		"not a uri":                  {conf.VM{HypervisorURI: "%"}, `hypervisor_uri "%" is no URI`, true},
		"relative xmlfile":           {conf.VM{XMLFile: "web.xml"}, `xmlfile "web.xml": expected a full path`, true},
		"relative snapshot":          {conf.VM{Snapshot: "saved"}, `snapshot "saved": expected the full path`, true},
		"migrate, another word":      {conf.VM{Migrate: "fast"}, `migrate "fast": expected live or pause`, false},
		"migrate_options":            {conf.VM{MigrateOptions: "--live --copy-storage-all"}, `migrate_options: "--copy-storage-all" is not supported`, false},
		"migration_uri of xen":       {conf.VM{MigrationURI: "xenmigr://%s/"}, `migration_uri "xenmigr://%s/" is not for QEMU`, false},
		"what does not migrate":      {conf.VM{HypervisorURI: "test:///default"}, "only machines of qemu:///system can be migrated", false},
		"path is looked at by start": {conf.VM{Path: "/nowhere"}, "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			svc := conf.Service{Type: "vm", Name: "web", VM: &tt.vm}
			err := errors.Join(tt.vm.Refusals()...)
			if tt.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Refusals = %v; want %q", err, tt.want)
			}
			err = driver(t).Start(t.Context(), svc, "")
			if refused := err != nil && tt.want != "" && strings.Contains(err.Error(), tt.want); refused != tt.start {
				t.Errorf("Start = %v; want it refused for that: %v", err, tt.start)
			}
		})
	}
	for name := range migrateNumbers { // none is left over
		if _, _, err := migration(&conf.VM{MigrateOptions: name + "=5"}, false); err != nil {
			t.Error(err)
		}
	}
	for name := range migrateFlags {
		if _, _, err := migration(&conf.VM{MigrateOptions: name}, false); err != nil {
			t.Error(err)
		}
	}
}

func TestUnreadableDefinition(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/big", "<"+strings.Repeat("x", maxDefinition))
	write(t, dir+"/web/disk.img", "")
	write(t, dir+"/web.xml", definition)
	write(t, dir+"/broken.xml", "<domain><name>broken")
	if err := os.Symlink("loop", dir+"/loop"); err != nil { // unreadable for root too
		t.Fatal(err)
	}
	tests := map[string]struct {
		vm   conf.VM
		name string
		want string // of the error; empty: started
	}{
		"xmlfile unreadable":            {conf.VM{XMLFile: dir + "/loop"}, "web", "too many levels of symbolic links"},
		"xmlfile is a folder":           {conf.VM{XMLFile: dir + "/web"}, "web", "is a directory"},
		"xmlfile below a file":          {conf.VM{XMLFile: dir + "/web.xml/none"}, "web", ""}, // does not exist: the definition given
		"file in path unreadable":       {conf.VM{Path: dir}, "loop", "too many levels of symbolic links"},
		"folder of that name in path":   {conf.VM{Path: "/nowhere::" + dir}, "web", ""},
		"an image of that name in path": {conf.VM{Path: dir}, "big", "longer than any definition"},
		"broken file in path":           {conf.VM{Path: dir}, "broken", "unreadable definition"},
		"path of xen":                   {conf.VM{Path: "/etc/xen"}, "web", ""},
		"a file for another name":       {conf.VM{XMLFile: dir + "/web.xml"}, "db", `its definition is for "web"`},
		"xmlfile goes before path":      {conf.VM{XMLFile: dir + "/web.xml", Path: dir + "/web"}, "web", ""},
		"given definition of another":   {conf.VM{}, "db", `its definition is for "web"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := driver(t)
			err := h.Start(t.Context(), conf.Service{Type: "vm", Name: tt.name, VM: &tt.vm}, definition)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				wantState(t, h, "web", "running")
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Start = %v; want %q", err, tt.want)
			}
			// What could not be read says nothing about what runs.
			wantState(t, h, tt.name, "")
			if err := h.Stop(t.Context(), conf.Service{Type: "vm", Name: "test", VM: &conf.VM{XMLFile: dir + "/loop"}}); err != nil {
				t.Errorf("Stop needs no definition: %v", err)
			}
		})
	}
}

// Two of libvirt's test drivers stand for two hypervisors on one host. The
// second is one that each connection has to itself, so it sends no events.
func TestSeveralHypervisors(t *testing.T) {
	other := t.TempDir() + "/other.xml"
	write(t, other, `<node><domain type='test'><name>db</name><memory>8192</memory><os><type>hvm</type></os></domain>
<domain type='test'><name>test</name><memory>8192</memory><os><type>hvm</type></os></domain></node>`)
	db := vm("db")
	db.VM.HypervisorURI = "test://" + other
	h := driver(t)
	h.Configure(&conf.Config{Services: []conf.Service{vm("web"), vm("test"), db, {Type: "service", Name: "ip"}}})

	ms, err := h.List(t.Context())
	if err != nil || len(ms) != 2 {
		t.Fatalf("List = %+v, %v; want test and db", ms, err)
	}
	for _, m := range ms {
		if m.Name == "test" && m.UUID != "6695eb01-f6a4-8304-79aa-97f2502e193f" {
			t.Errorf("List has the other hypervisor's machine: %+v", m)
		}
	}
	seen := watch(t, h)
	eventually(t, "both to be watched", func() error {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		if len(seen.list) < 2 {
			return errors.New("one is watched")
		}
		return nil
	})
	if err := h.Start(t.Context(), vm("web"), definition); err != nil {
		t.Fatal(err)
	}
	wantState(t, h, "db", "running")
	if err := h.Stop(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	wantState(t, h, "db", "shut off")
	if err := h.Start(t.Context(), db, ""); err != nil {
		t.Fatal(err)
	}
	wantState(t, h, "db", "running")
	seen.wait(t, "web", "running", "booted")
	if health, err := h.Check(t.Context(), db, false); err != nil || health != (cluster.Health{OK: true}) {
		t.Errorf("Check = %+v, %v", health, err)
	}

	// The configuration moves it: what runs in the old place is not started
	// again in the new one, and is stopped where it is.
	moved := vm("db")
	h.Configure(&conf.Config{Services: []conf.Service{moved}})
	if err := h.Start(t.Context(), moved, ""); err == nil || !strings.Contains(err.Error(), "it runs under test://"+other) {
		t.Errorf("Start of what runs elsewhere on this host = %v", err)
	}
	wantState(t, h, "db", "running")
	if err := h.Stop(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	if m := wantState(t, h, "db", "shut off"); m.Running {
		t.Errorf("after Stop: %+v", m)
	}
	if err := h.Start(t.Context(), db, ""); err != nil {
		t.Fatal(err)
	}
	if err := h.Destroy(t.Context(), "db"); err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, h.Migrate(t.Context(), vm("test"), "node2", nil), StillHere, "only machines of qemu:///system")
}

// A hypervisor that does not answer hides its machines; it does not hide that.
func TestOneHypervisorIsDown(t *testing.T) {
	h := driver(t)
	db := vm("db")
	db.VM.HypervisorURI = "qemu+unix:///session?socket=/nonexistent"
	h.Configure(&conf.Config{Services: []conf.Service{vm("test"), db}})
	wantState(t, h, "test", "running")
	if health, err := h.Check(t.Context(), vm("test"), true); err != nil || !health.OK {
		t.Errorf("Check of the other one's machine = %+v, %v", health, err)
	}
	if _, err := h.List(t.Context()); err == nil {
		t.Error("List succeeded")
	}
	if _, found, err := h.Machine(t.Context(), "db"); err == nil || found {
		t.Errorf("Machine(db) = %v, %v; want an error", found, err)
	}
	for name, err := range map[string]error{
		"Start": h.Start(t.Context(), db, ""), "Stop": h.Stop(t.Context(), db), "Destroy": h.Destroy(t.Context(), "db"),
	} {
		if err == nil {
			t.Errorf("%s succeeded", name)
		}
	}
	if health, err := h.Check(t.Context(), db, false); err == nil || health != (cluster.Health{}) {
		t.Errorf("Check(db) = %+v, %v; want an error", health, err)
	}
}

// notes gathers what a host remarks.
type notes struct {
	mu   sync.Mutex
	text []string
}

func (n *notes) note(machine, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.text = append(n.text, machine+": "+text)
}

// want fails the test unless one remark holds those words, and forgets all.
func (n *notes) want(t *testing.T, words string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	all := strings.Join(n.text, "\n")
	n.text = nil
	if !strings.Contains(all, words) {
		t.Errorf("remarked: %q; want %q", all, words)
	}
}

func TestAdvice(t *testing.T) {
	const guests = "systemd/system/multi-user.target.wants/libvirt-guests.service"
	tests := map[string]struct {
		files map[string]string
		want  string // of all advice, each on a line
	}{
		"no qemu.conf":        {nil, "no storage lock"},
		"not set":             {map[string]string{"libvirt/qemu.conf": "#lock_manager = \"lockd\"\nuser = \"root\"\n"}, "no storage lock"},
		"nop":                 {map[string]string{"libvirt/qemu.conf": "lock_manager = \"nop\"\n"}, "no storage lock"},
		"lockd":               {map[string]string{"libvirt/qemu.conf": "lock_manager=\"lockd\" # ours\n"}, ""},
		"sanlock":             {map[string]string{"libvirt/qemu.conf": "\n lock_manager = 'sanlock'\n"}, ""},
		"libvirt-guests":      {map[string]string{"libvirt/qemu.conf": "lock_manager = \"lockd\"\n", guests: ""}, "libvirt-guests is enabled"},
		"libvirt-guests, old": {map[string]string{"libvirt/qemu.conf": "lock_manager = \"lockd\"\n", "rc3.d/S99libvirt-guests": ""}, "libvirt-guests is enabled"},
		"unreadable":          {map[string]string{"libvirt/qemu.conf/x": ""}, "cannot tell"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			etc := t.TempDir()
			for file, text := range tt.files {
				write(t, etc+"/"+file, text)
			}
			got := Advice(etc)
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
				t.Errorf("Advice = %q; want %q", got, tt.want)
			}
		})
	}
}
