package hypervisor

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestDeathAfterTheSwitch cuts everything that a migration runs through, as
// the death of cmand does, when the guest has stopped on the source: before
// the target is told to go on with it, or after it was, before the source
// hears of that.
func TestDeathAfterTheSwitch(t *testing.T) {
	h := newHosts(t)
	here, there := h.open(t), h.target(t)
	for _, test := range []struct {
		name string
		cut  moment
		disk bool
	}{
		{"before the target is told to go on", beforeFinish, false},
		{"before the source hears that it goes on", afterFinish, true},
		{"the same without a disk", afterFinish, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := h.guest(t, fmt.Sprintf("guest%d%v", test.cut, test.disk), 128, 0, false)
			if test.disk {
				disk := h.dir + "/disk.img"
				write(t, disk, strings.Repeat("x", 1<<20))
				g = g.with(`<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='` + disk + `'/><target dev='hda' bus='ide'/></disk>`)
				g.svc.VM.MigrateOptions = "--unsafe" // both hosts see the same file, libvirt cannot know
			}
			if err := here.Start(t.Context(), g.svc, g.definition); err != nil {
				t.Fatal(err)
			}
			g.booted(t)
			mortal := Open(Options{SSH: h.ssh})
			defer mortal.Close()
			mortal.dial = func(ctx context.Context, to destination) (remote, error) {
				r, err := h.ssh.dial(ctx, to)
				return &dying{remote: r, at: test.cut}, err
			}
			err := mortal.Migrate(t.Context(), g.svc, "target", nil)
			wantOutcome(t, err, Uncertain, "client socket is closed")
			if test.cut == afterFinish && !test.disk {
				// libvirt lets the source go on, and nothing keeps the two apart:
				// all that can be done is not to call it well.
				for _, host := range []*Host{here, there} {
					wantState(t, host, g.svc.Name, "running")
					if err := host.Destroy(t.Context(), g.svc.Name); err != nil {
						t.Error(err)
					}
				}
				return
			}
			g.counts(t) // on one host alone: two would repeat numbers
			if test.cut == beforeFinish {
				if m := wantState(t, here, g.svc.Name, "running"); m.Reason != "migration canceled" {
					t.Errorf("here: %+v", m)
				}
				wantState(t, there, g.svc.Name, "")
			} else {
				if m := wantState(t, here, g.svc.Name, "paused"); m.Reason != "migrating" {
					t.Errorf("here: %+v", m)
				}
				if m := wantState(t, there, g.svc.Name, "running"); m.Reason != "migrated" {
					t.Errorf("there: %+v", m)
				}
				// What was left here does not wake up again, and ends when told to.
				if err := here.Destroy(t.Context(), g.svc.Name); err != nil {
					t.Error(err)
				}
				g.counts(t)
				if err := there.Destroy(t.Context(), g.svc.Name); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// moment says when in a migration the process dies.
type moment int

const (
	beforeFinish moment = iota + 1
	afterFinish
)

// dying is a connection that ends, with all that runs through it, when
// libvirt's source tells the target that the migration is finished.
type dying struct {
	remote
	at moment

	mu    sync.Mutex
	conns []net.Conn
}

func (d *dying) Dial(network, address string) (net.Conn, error) {
	c, err := d.remote.Dial(network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns = append(d.conns, c)
	if strings.HasSuffix(address, "libvirt-sock") {
		return &rpcConn{Conn: c, dying: d}, nil
	}
	return c, nil
}

func (d *dying) die() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		c.Close()
	}
	d.remote.Close()
}

// rpcConn is one to the target's libvirtd.
type rpcConn struct {
	net.Conn
	dying *dying
	told  atomic.Bool
}

func (c *rpcConn) Write(p []byte) (int, error) {
	watch := finishWatch{Conn: discard{}, told: &c.told} // libvirt writes a call at a time
	watch.Write(p)
	if c.told.Load() && c.dying.at == beforeFinish {
		c.dying.die()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func (c *rpcConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.told.Load() && n > 40 { // the answer, not a keepalive
		c.dying.die()
		return 0, net.ErrClosed
	}
	return n, err
}

// discard is a connection that takes everything.
type discard struct{ net.Conn }

func (discard) Write(p []byte) (int, error) { return len(p), nil }
