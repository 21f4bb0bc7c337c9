// Package hypervisor lists, starts, stops and live-migrates virtual machines
// through libvirt, in place of the vm resource agent (rgmanager, "Virtual
// machines: actions"). A migration travels inside this process's own SSH
// connection: nothing listens on TCP.
//
// It reports and never decides. A libvirtd that is down or hangs gives an
// error, never "not running": a caller that took the one for the other would
// start a machine twice.
//
// Left to others: when to start what, status_program, and killing machines
// whose libvirtd is gone.
package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"libvirt.org/go/libvirt"
)

const (
	// DefaultURI is what hypervisor_uri="auto" means for KVM (rgmanager,
	// "Virtual machines: actions").
	DefaultURI = "qemu:///system"
	// DefaultSocketDir holds the sockets of running migrations. It lies below
	// libvirt's own folder for QEMU because QEMU's user creates sockets in it.
	DefaultSocketDir = "/var/lib/libvirt/qemu/cmand"

	askTimeout     = 10 * time.Second // for a question: what runs, in which state
	startTimeout   = 300 * time.Second
	destroyTimeout = 60 * time.Second // libvirt itself gives up on a QEMU after some 25 s
	maxCalls       = 32               // each holds a thread while libvirtd hangs
)

// Options says where libvirt and its peers are. The zero value suits cmand.
type Options struct {
	URI       string // libvirt's; empty: DefaultURI
	SocketDir string // absolute, the same on all nodes; empty: DefaultSocketDir
	SSH       SSH    // how the other nodes are reached
}

// Host is the hypervisor of one node. Its methods may be called from several
// goroutines at once.
type Host struct {
	uri       string
	socketDir string
	dial      func(ctx context.Context, to destination) (remote, error) // SSH to a node
	stall     time.Duration                                             // a migration without progress for this long is aborted
	calls     chan struct{}                                             // one slot for each libvirt call under way

	mu     sync.Mutex
	link   *link // nil: not connected
	closed bool
}

// link is one connection to libvirtd and the number of calls that use it.
type link struct {
	*libvirt.Connect
	users   int
	dropped bool // to be closed by its last user
	events  int  // callback id; -1: none
}

// close closes the connection. A callback holds a reference to it, so it has
// to go first. Both ask libvirtd, which may hang.
func (l *link) close() {
	if l.events >= 0 {
		l.DomainEventDeregister(l.events)
	}
	l.Close()
}

// startEvents starts libvirt's event loop, of which a process has one. It
// must run before the first connection is opened, for keepalive and lifecycle
// events, and it never ends.
var startEvents = sync.OnceValue(func() error {
	if err := libvirt.EventRegisterDefaultImpl(); err != nil {
		return err
	}
	go func() {
		for libvirt.EventRunDefaultImpl() == nil {
		}
	}()
	return nil
})

// Open returns the host described by o. It does not connect: each call does
// when there is no connection, so that libvirtd may start later, or anew. The
// socket folder is made here so that a peer's migration finds it.
func Open(o Options) *Host {
	h := newHost(o.URI)
	h.dial = o.SSH.dial
	if o.SocketDir != "" {
		h.socketDir = o.SocketDir
	}
	makeSocketDir(h.socketDir) // tried again, and its error told, by Migrate
	return h
}

func newHost(uri string) *Host {
	if uri == "" || uri == "auto" {
		uri = DefaultURI
	}
	return &Host{uri: uri, socketDir: DefaultSocketDir, stall: 30 * time.Second, calls: make(chan struct{}, maxCalls)}
}

// Close gives up the connection to libvirtd. Calls under way end by their own
// contexts; later ones fail.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.drop()
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

// do runs f with a connection to libvirtd, for at most limit (0: as long as
// ctx lives). libvirt's calls cannot be interrupted: one that hangs is left
// behind, and the next call connects anew. f gets the limited context and
// must look at it before a call that changes something: what was given up
// must not be done later. A single call that was sent may still take effect.
func do[T any](ctx context.Context, h *Host, limit time.Duration, f func(context.Context, *link) (T, error)) (T, error) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	type answer struct {
		v   T
		err error
	}
	var none T
	select {
	case h.calls <- struct{}{}:
	case <-ctx.Done():
		return none, noAnswer(ctx)
	}
	done := make(chan answer, 1)
	go func() {
		defer func() { <-h.calls }()
		l, err := h.connect()
		if err != nil {
			done <- answer{none, fmt.Errorf("cannot connect to libvirtd at %s: %w", h.uri, plain(err))}
			return
		}
		var v T
		if err = ctx.Err(); err == nil {
			v, err = f(ctx, l)
		}
		h.release(l)
		done <- answer{v, plain(err)}
	}()
	select {
	case a := <-done:
		return a.v, a.err
	case <-ctx.Done():
		h.drop()
		return none, noAnswer(ctx)
	}
}

// noAnswer words the end of a caller's patience.
func noAnswer(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("gave up waiting for libvirtd: %w", context.Cause(ctx))
	}
	return fmt.Errorf("libvirtd does not answer: %w", context.Cause(ctx))
}

// connect returns the live connection, or a new one.
func (h *Host) connect() (*link, error) {
	h.mu.Lock()
	l, closed := h.link, h.closed
	if l != nil {
		l.users++
	}
	h.mu.Unlock()
	if closed {
		return nil, errors.New("closed")
	}
	if l != nil {
		if alive, err := l.IsAlive(); err == nil && alive {
			return l, nil
		}
		h.forget(l)
		h.release(l)
	}
	conn, err := openConnect(h.uri)
	if err != nil {
		return nil, err
	}
	l = &link{Connect: conn, users: 1, events: -1}
	h.mu.Lock()
	if h.link == nil && !h.closed {
		h.link = l
	} else { // another call was quicker: this connection serves one call
		l.dropped = true
	}
	h.mu.Unlock()
	return l, nil
}

// openConnect opens a connection that notices within 20 s that a libvirtd
// stands still.
func openConnect(uri string) (*libvirt.Connect, error) {
	if err := startEvents(); err != nil {
		return nil, err
	}
	conn, err := libvirt.NewConnect(uri)
	if err != nil {
		return nil, err
	}
	conn.SetKeepAlive(5, 3) // a driver inside this process has none, and needs none
	return conn, nil
}

// release ends one use of l.
func (h *Host) release(l *link) {
	h.mu.Lock()
	l.users--
	last := l.dropped && l.users == 0
	h.mu.Unlock()
	if last {
		l.close()
	}
}

// drop parts with the current connection.
func (h *Host) drop() {
	h.mu.Lock()
	l := h.link
	h.mu.Unlock()
	if l != nil {
		h.forget(l)
	}
}

// forget parts with l. It is closed when its last call has returned.
func (h *Host) forget(l *link) {
	h.mu.Lock()
	if h.link == l {
		h.link = nil
	}
	idle := !l.dropped && l.users == 0
	l.dropped = true
	h.mu.Unlock()
	if idle {
		go l.close()
	}
}

// plain turns libvirt's error into one that prints as virsh prints it.
func plain(err error) error {
	if v, ok := err.(libvirt.Error); ok {
		return fault{v.Code, v.Message}
	}
	return err
}

// fault is an error that libvirt reported.
type fault struct {
	code    libvirt.ErrorNumber
	message string
}

func (f fault) Error() string { return f.message }
