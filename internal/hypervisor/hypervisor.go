// Package hypervisor lists, starts, checks, stops and live-migrates virtual
// machines through libvirt, in place of the vm resource agent (rgmanager,
// "Virtual machines: attributes", "Virtual machines: actions"). A migration
// travels inside this process's own SSH connection: nothing listens on TCP.
//
// It reports and never decides. A libvirtd that is down or hangs gives an
// error, never "not running": a caller that took the one for the other would
// start a machine twice. The same goes for a definition that is there and
// cannot be read.
//
// Left to others: when to start what, and killing machines whose libvirtd is
// gone.
package hypervisor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

const (
	// DefaultSocketDir holds the sockets of running migrations. It lies below
	// libvirt's own folder for QEMU because QEMU's user creates sockets in it.
	DefaultSocketDir = "/var/lib/libvirt/qemu/cmand"
)

// Options says where libvirt and its peers are. The zero value suits cmand.
type Options struct {
	URI       string // what hypervisor_uri="auto" means; empty: conf.DefaultURI
	SocketDir string // absolute, the same on all nodes; empty: DefaultSocketDir
	SSH       SSH    // how the other nodes are reached
	// Note is told what was done to a machine beyond what was asked for, and
	// what was not done; nil: nobody is. Several goroutines call it.
	Note func(machine, text string)
}

// Host is the hypervisor of one node: one libvirtd, or several where
// machines differ in hypervisor_uri. Its methods may be called from several
// goroutines at once.
type Host struct {
	uri       string // what auto means
	socketDir string
	dial      func(ctx context.Context, to destination) (remote, error) // SSH to a node
	stall     time.Duration                                             // a migration without progress for this long is aborted
	note      func(machine, text string)

	mu     sync.Mutex
	conns  []*conn
	places map[string][]*conn // where a machine is, or was while we live; its present place first
	ends   map[string]string  // libvirt's reason for the end of machines that it has forgotten
	closed bool
}

// Open returns the host described by o. It does not connect: each call does
// when there is no connection, so that libvirtd may start later, or anew. The
// socket folder is made here so that a peer's migration finds it.
func Open(o Options) *Host {
	h := newHost(o.URI)
	h.dial = o.SSH.dial
	if o.SocketDir != "" {
		h.socketDir = o.SocketDir
	}
	if o.Note != nil {
		h.note = o.Note
	}
	makeSocketDir(h.socketDir) // tried again, and its error told, by Migrate
	return h
}

func newHost(uri string) *Host {
	if uri == "" || uri == "auto" {
		uri = conf.DefaultURI
	}
	return &Host{uri: uri, socketDir: DefaultSocketDir, stall: 30 * time.Second, note: func(string, string) {},
		places: map[string][]*conn{}, ends: map[string]string{}}
}

// Configure says which machines there are, so that List and Watch look
// wherever one of them may be. A place that a machine had before is looked at
// as well, as long as this process lives.
func (h *Host) Configure(c *conf.Config) {
	for _, svc := range c.Services {
		if svc.VM != nil {
			h.place(svc) // what is wrong with it is said when it is started
		}
	}
}

// place returns the libvirtd that a machine belongs to.
func (h *Host) place(svc conf.Service) (*conn, error) {
	uri, err := svc.VM.ConnectURI(h.uri)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.conn(uri)
	old := slices.DeleteFunc(slices.Clone(h.places[svc.Name]), func(o *conn) bool { return o == c })
	h.places[svc.Name] = append([]*conn{c}, old...)
	return c, nil
}

// conn returns the one for uri; h.mu is held.
func (h *Host) conn(uri string) *conn {
	for _, c := range h.conns {
		if c.uri == uri {
			return c
		}
	}
	c := newConn(uri)
	c.closed = h.closed
	h.conns = append(h.conns, c)
	return c
}

// all returns every libvirtd in use, the default one when none is.
func (h *Host) all() []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.conns) == 0 {
		h.conn(h.uri)
	}
	return slices.Clone(h.conns)
}

// at returns where the machine called name may be, its own place first; a
// name that was never configured may be anywhere.
func (h *Host) at(name string) []*conn {
	h.mu.Lock()
	places := h.places[name]
	h.mu.Unlock()
	if places == nil {
		return h.all()
	}
	return places
}

// Close gives up the connections to libvirtd. Calls under way end by their
// own contexts; later ones fail.
func (h *Host) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, c := range h.conns {
		c.Close()
	}
}

// List returns all machines of this host, running or defined, in no
// particular order; of several with one name, one that runs. Definitions are
// complete: they hold secrets such as VNC passwords.
func (h *Host) List(ctx context.Context) ([]cluster.Machine, error) {
	var list []cluster.Machine
	seen := map[string]int{} // index in list
	for _, c := range h.all() {
		machines, err := c.list(ctx)
		if err != nil {
			return nil, err
		}
		for _, m := range machines {
			if !slices.Contains(h.at(m.Name), c) {
				continue // not ours
			}
			i, twice := seen[m.Name]
			switch {
			case !twice:
				seen[m.Name] = len(list)
				list = append(list, m)
			case m.Running && !list[i].Running:
				list[i] = m
			}
		}
	}
	return list, nil
}

// Machine returns the machine called name, and whether this host knows it.
// It reports false only when libvirtd says so itself.
func (h *Host) Machine(ctx context.Context, name string) (m cluster.Machine, found bool, err error) {
	m, c, err := h.look(ctx, name)
	return m, c != nil, err
}

// look is Machine that says where it found it; nil: nowhere.
func (h *Host) look(ctx context.Context, name string) (m cluster.Machine, at *conn, err error) {
	for _, c := range h.at(name) {
		o, found, oerr := c.machine(ctx, name)
		switch {
		case oerr != nil:
			err = errors.Join(err, oerr)
		case found && o.Running:
			return o, c, nil // whatever the others would say
		case found && at == nil:
			m, at = o, c
		}
	}
	if err != nil {
		return cluster.Machine{}, nil, err
	}
	return m, at, nil
}

// makeSocketDir makes dir for the user that owns its parent: libvirt's folder
// belongs to the user that QEMU runs as.
func makeSocketDir(dir string) error {
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	parent, err := os.Stat(filepath.Dir(dir))
	if err != nil {
		return err
	}
	owner := parent.Sys().(*syscall.Stat_t)
	return os.Lchown(dir, int(owner.Uid), int(owner.Gid))
}
