package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"libvirt.org/go/libvirt"
)

const (
	askTimeout = 10 * time.Second // for a question: what runs, in which state
	maxCalls   = 32               // each holds a thread while libvirtd hangs
)

// conn is what a host knows of one libvirtd. Its methods may be called from
// several goroutines at once.
type conn struct {
	uri   string
	calls chan struct{} // one slot for each libvirt call under way

	mu     sync.Mutex
	link   *link // nil: not connected
	closed bool
}

func newConn(uri string) *conn { return &conn{uri: uri, calls: make(chan struct{}, maxCalls)} }

// Close gives up the connection. Calls under way end by their own contexts;
// later ones fail.
func (c *conn) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.drop()
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

// do runs f with a connection to libvirtd, for at most limit (0: as long as
// ctx lives). libvirt's calls cannot be interrupted: one that hangs is left
// behind, and the next call connects anew. f gets the limited context and
// must look at it before a call that changes something: what was given up
// must not be done later. A single call that was sent may still take effect.
func do[T any](ctx context.Context, c *conn, limit time.Duration, f func(context.Context, *link) (T, error)) (T, error) {
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
	case c.calls <- struct{}{}:
	case <-ctx.Done():
		return none, noAnswer(ctx)
	}
	done := make(chan answer, 1)
	go func() {
		defer func() { <-c.calls }()
		l, err := c.connect()
		if err != nil {
			done <- answer{none, fmt.Errorf("cannot connect to libvirtd at %s: %w", c.uri, plain(err))}
			return
		}
		var v T
		if err = ctx.Err(); err == nil {
			v, err = f(ctx, l)
		}
		c.release(l)
		done <- answer{v, plain(err)}
	}()
	select {
	case a := <-done:
		return a.v, a.err
	case <-ctx.Done():
		c.drop()
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
func (c *conn) connect() (*link, error) {
	c.mu.Lock()
	l, closed := c.link, c.closed
	if l != nil {
		l.users++
	}
	c.mu.Unlock()
	if closed {
		return nil, errors.New("closed")
	}
	if l != nil {
		if alive, err := l.IsAlive(); err == nil && alive {
			return l, nil
		}
		c.forget(l)
		c.release(l)
	}
	conn, err := openConnect(c.uri)
	if err != nil {
		return nil, err
	}
	l = &link{Connect: conn, users: 1, events: -1}
	c.mu.Lock()
	if c.link == nil && !c.closed {
		c.link = l
	} else { // another call was quicker: this connection serves one call
		l.dropped = true
	}
	c.mu.Unlock()
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
func (c *conn) release(l *link) {
	c.mu.Lock()
	l.users--
	last := l.dropped && l.users == 0
	c.mu.Unlock()
	if last {
		l.close()
	}
}

// drop parts with the current connection.
func (c *conn) drop() {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil {
		c.forget(l)
	}
}

// forget parts with l. It is closed when its last call has returned.
func (c *conn) forget(l *link) {
	c.mu.Lock()
	if c.link == l {
		c.link = nil
	}
	idle := !l.dropped && l.users == 0
	l.dropped = true
	c.mu.Unlock()
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
