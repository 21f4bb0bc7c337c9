package hypervisor

import (
	"errors"
	"strings"
	"testing"

	"libvirt.org/go/libvirt"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

func suspend(d *libvirt.Domain) error { return d.Suspend() }

// The words are those of virsh domstate --reason.
func TestWords(t *testing.T) {
	tests := []struct {
		state  libvirt.DomainState
		reason int
		want   string
	}{
		{libvirt.DOMAIN_RUNNING, int(libvirt.DOMAIN_RUNNING_BOOTED), "running (booted)"},
		{libvirt.DOMAIN_RUNNING, int(libvirt.DOMAIN_RUNNING_MIGRATION_CANCELED), "running (migration canceled)"},
		{libvirt.DOMAIN_RUNNING, int(libvirt.DOMAIN_RUNNING_WAKEUP), "running (event wakeup)"},
		{libvirt.DOMAIN_RUNNING, int(libvirt.DOMAIN_RUNNING_POSTCOPY_FAILED), "running (post-copy failed)"},
		{libvirt.DOMAIN_BLOCKED, 0, "idle (unknown)"},
		{libvirt.DOMAIN_PAUSED, int(libvirt.DOMAIN_PAUSED_IOERROR), "paused (I/O error)"},
		{libvirt.DOMAIN_PAUSED, int(libvirt.DOMAIN_PAUSED_POSTCOPY_FAILED), "paused (post-copy failed)"},
		{libvirt.DOMAIN_PAUSED, int(libvirt.DOMAIN_PAUSED_API_ERROR), "paused (API error)"},
		{libvirt.DOMAIN_SHUTDOWN, int(libvirt.DOMAIN_SHUTDOWN_USER), "in shutdown (user)"},
		{libvirt.DOMAIN_SHUTOFF, int(libvirt.DOMAIN_SHUTOFF_DESTROYED), "shut off (destroyed)"},
		{libvirt.DOMAIN_SHUTOFF, int(libvirt.DOMAIN_SHUTOFF_DAEMON), "shut off (daemon)"},
		{libvirt.DOMAIN_CRASHED, int(libvirt.DOMAIN_CRASHED_PANICKED), "crashed (panicked)"},
		{libvirt.DOMAIN_PMSUSPENDED, 0, "pmsuspended (unknown)"},
		{libvirt.DOMAIN_NOSTATE, 0, "no state (unknown)"},
		{99, 99, "no state (unknown)"},
		{-1, -1, "no state (unknown)"},
	}
	for _, tt := range tests {
		if got := stateWord(tt.state) + " (" + reasonWord(tt.state, tt.reason) + ")"; got != tt.want {
			t.Errorf("state %d reason %d = %s; want %s", tt.state, tt.reason, got, tt.want)
		}
	}
	for detail, want := range map[libvirt.DomainEventStoppedDetailType]string{
		libvirt.DOMAIN_EVENT_STOPPED_SHUTDOWN:      "shutdown",
		libvirt.DOMAIN_EVENT_STOPPED_CRASHED:       "crashed",
		libvirt.DOMAIN_EVENT_STOPPED_MIGRATED:      "migrated",
		libvirt.DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT: "from snapshot",
	} {
		if got := stoppedReason(int(detail)); got != want {
			t.Errorf("stoppedReason(%d) = %s; want %s", detail, got, want)
		}
	}
}

func TestTarget(t *testing.T) {
	tests := map[string]struct {
		mapping, uri, node string
		want               destination
		err                string
	}{
		"no mapping":                   {"", "auto", "node1", destination{node: "node1"}, ""},
		"mapped":                       {"node1:a,node2:b", "", "node2", destination{node: "b"}, ""},
		"spaces":                       {"node1:a, node2:b", "", "node2", destination{node: "b"}, ""},
		"a node not listed":            {"node1:a", "", "node2", destination{node: "node2"}, ""},
		"no match within another name": {"xnode1:a,node1:b", "", "node1", destination{node: "b"}, ""},
		"IPv6 target":                  {"node1:fd00::1", "", "node1", destination{node: "fd00::1"}, ""},
		"uri with the agent's default": {"", "qemu+ssh://%s/system", "node1", destination{node: "node1"}, ""},
		"uri with user and port":       {"node1:a", "qemu+ssh://mig@%s:2222/system", "node1", destination{"a", "mig", "2222"}, ""},
		"port of another transport":    {"", "qemu+tls://%s:16514/system", "node1", destination{node: "node1"}, ""},
		"uri without a host":           {"", "qemu:///system", "node1", destination{}, "names no host"},
		"uri for xen":                  {"", "xenmigr://%s/", "node1", destination{}, "not for QEMU"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := target(&conf.VM{Mapping: tt.mapping, MigrationURI: tt.uri}, tt.node)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("target = %v; want error %q", err, tt.err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("target = %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestMigrationFlags(t *testing.T) {
	const p2p, live, move = libvirt.MIGRATE_PEER2PEER, libvirt.MIGRATE_LIVE, libvirt.MIGRATE_PERSIST_DEST | libvirt.MIGRATE_UNDEFINE_SOURCE
	tests := map[string]struct {
		vm         conf.VM
		persistent bool
		want       libvirt.DomainMigrateFlags
		bandwidth  uint64
		err        string
	}{
		"live":               {conf.VM{Migrate: "live"}, true, p2p | live | move, 0, ""},
		"pause":              {conf.VM{Migrate: "pause"}, true, p2p | move, 0, ""},
		"transient":          {conf.VM{Migrate: "live"}, false, p2p | live, 0, ""},
		"done anyway":        {conf.VM{MigrateOptions: "--p2p --tunnelled --verbose"}, false, p2p | live, 0, ""},
		"unsafe when asked":  {conf.VM{MigrateOptions: "--unsafe"}, false, p2p | live | libvirt.MIGRATE_UNSAFE, 0, ""},
		"several":            {conf.VM{MigrateOptions: "--auto-converge --bandwidth 30"}, false, p2p | live | libvirt.MIGRATE_AUTO_CONVERGE, 30, ""},
		"bandwidth with =":   {conf.VM{MigrateOptions: "--bandwidth=5"}, false, p2p | live, 5, ""},
		"bandwidth, nothing": {conf.VM{MigrateOptions: "--bandwidth"}, false, 0, 0, "--bandwidth"},
		"post-copy":          {conf.VM{MigrateOptions: "--postcopy"}, false, 0, 0, `"--postcopy" is not supported`},
		"a stray word":       {conf.VM{MigrateOptions: "fast"}, false, 0, 0, `"fast" is not supported`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			flags, params, err := migration(&tt.vm, tt.persistent)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("migration = %v; want error %q", err, tt.err)
				}
				return
			}
			if err != nil || flags != tt.want || params.Bandwidth != tt.bandwidth || params.BandwidthSet != (tt.bandwidth > 0) {
				t.Errorf("migration = %b, %+v, %v; want %b, bandwidth %d", flags, params, err, tt.want, tt.bandwidth)
			}
		})
	}
}

func TestSettle(t *testing.T) {
	on := func(state, reason string) sighting {
		return sighting{Machine: cluster.Machine{Running: true, State: state, Reason: reason}, found: true}
	}
	off, silent := sighting{}, sighting{err: errors.New("libvirtd does not answer")}
	running, paused := on("running", "booted"), on("paused", "migrating")
	tests := map[string]struct {
		here, there sighting
		told        bool
		arrived     bool
		outcome     Outcome
		final       bool
	}{
		"gone here, runs there":                  {off, on("running", "migrated"), false, true, 0, true},
		"runs here, nothing there":               {running, off, false, false, StillHere, true},
		"runs here, leftover there":              {running, paused, false, false, StillHere, false},
		"runs here, silence there":               {running, silent, false, false, StillHere, true},
		"runs here, silence there, told":         {running, silent, true, false, Uncertain, false},
		"runs here, nothing there, told":         {running, off, true, false, StillHere, true},
		"paused by its user, nothing there":      {on("paused", "user"), off, false, false, StillHere, true},
		"paused by its user, arrived":            {off, on("paused", "user"), false, true, 0, true},
		"runs on both":                           {running, running, false, false, Uncertain, false},
		"on neither":                             {off, off, false, false, Uncertain, true},
		"gone here, silence there":               {off, silent, false, false, Uncertain, false},
		"silence here, runs there":               {silent, running, false, false, Uncertain, false},
		"handed over here, waiting there":        {paused, paused, false, false, Uncertain, false},
		"handed over here, nothing there":        {paused, off, false, false, Uncertain, false},
		"handed over here, runs there":           {paused, running, false, false, Uncertain, false},
		"gone here, waiting there":               {off, paused, false, false, Uncertain, false},
		"post-copy failed":                       {on("paused", "post-copy failed"), on("paused", "post-copy failed"), false, false, Uncertain, false},
		"handed over after post-copy, ran there": {off, on("running", "post-copy failed"), false, false, Uncertain, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			arrived, outcome, final := settle(tt.here, tt.there, tt.told)
			if arrived != tt.arrived || outcome != tt.outcome || final != tt.final {
				t.Errorf("settle = %v, %v, %v; want %v, %v, %v", arrived, outcome, final, tt.arrived, tt.outcome, tt.final)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	name, uuid, err := identity(definition)
	if name != "web" || uuid != "11111111-1111-4111-8111-111111111111" || err != nil {
		t.Errorf("identity = %q, %q, %v", name, uuid, err)
	}
	for _, bad := range []string{"", "memory = 64", "<network><name>web</name></network>", "<domain>"} {
		if _, _, err := identity(bad); err == nil {
			t.Errorf("identity(%q) succeeded", bad)
		}
	}
}
