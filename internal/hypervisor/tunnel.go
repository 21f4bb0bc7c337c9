package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// libvirtSockets are the places where libvirtd, or the daemon for QEMU alone,
// listens.
var libvirtSockets = []string{
	"/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock",
	"/var/run/libvirt/libvirt-sock", "/var/run/libvirt/virtqemud-sock",
}

// tunnel carries one migration: two UNIX sockets on this host, each connected
// through SSH to one on the target. It lives in this process. When the
// process dies libvirt loses the target, cancels the migration, and the guest
// goes on here.
type tunnel struct {
	ssh       remote
	virt      string // socket that leads to the target's libvirtd
	mig       string // socket that leads to the target's QEMU, which listens on the same path there
	listeners []net.Listener
	wg        sync.WaitGroup
	ctx       context.Context // ends with close
	cancel    context.CancelFunc
	told      atomic.Bool // the target may have gone on with the guest

	mu    sync.Mutex
	fault error // the first one
}

// openTunnel listens on both sockets, and makes sure that the target has a
// libvirtd and the folder that its QEMU listens in.
func (h *Host) openTunnel(ctx context.Context, to destination, uuid string) (t *tunnel, err error) {
	if err := makeSocketDir(h.socketDir); err != nil {
		return nil, fmt.Errorf("cannot make the socket folder: %w", err)
	}
	// The job's part of the name differs from one migration to the next.
	base := filepath.Join(h.socketDir, uuid+"-"+strconv.FormatInt(time.Now().UnixMilli(), 36))
	t = &tunnel{virt: base + "-virt.sock", mig: base + "-mig.sock"}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	if len(t.virt) > 107 {
		return nil, fmt.Errorf("socket path %s is longer than 107 bytes", t.virt)
	}
	if t.ssh, err = h.dial(ctx, to); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	libvirtd, err := findLibvirtd(ctx, t.ssh)
	if err != nil {
		return nil, fmt.Errorf("on %s: %w", to.node, err)
	}
	dir, parent := quote(h.socketDir), quote(filepath.Dir(h.socketDir))
	script := fmt.Sprintf("{ test -d %[1]s || mkdir -m 0750 %[1]s; } && chown --reference=%[2]s %[1]s", dir, parent)
	if err := t.ssh.Run(ctx, script); err != nil {
		return nil, fmt.Errorf("on %s: cannot make the socket folder: %w", to.node, err)
	}
	if err := t.forward(t.virt, libvirtd); err != nil {
		return nil, err
	}
	return t, t.forward(t.mig, t.mig)
}

// findLibvirtd returns the first of libvirt's sockets that answers.
func findLibvirtd(ctx context.Context, r remote) (string, error) {
	type found struct {
		path string
		err  error
	}
	done := make(chan found, 1)
	go func() {
		var err error
		for _, path := range libvirtSockets {
			var c net.Conn
			if c, err = r.Dial("unix", path); err == nil {
				c.Close()
				done <- found{path: path}
				return
			}
		}
		done <- found{err: fmt.Errorf("cannot reach libvirtd at any of %v: %w", libvirtSockets, err)}
	}()
	select {
	case f := <-done:
		return f.path, f.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// forward listens on path, and joins each connection with one to far.
func (t *tunnel) forward(path, far string) error {
	os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return err
	}
	t.listeners = append(t.listeners, l)
	t.wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			t.wg.Go(func() { t.join(near, far) })
		}
	})
	return nil
}

// join copies both ways until both ends have closed. Each direction is closed
// on its own: the last bytes of one must not be lost because the other has
// ended.
func (t *tunnel) join(near net.Conn, far string) {
	defer near.Close()
	c, err := t.ssh.Dial("unix", far)
	if err != nil {
		t.fail(fmt.Errorf("cannot reach %s on the target: %w", far, err))
		return
	}
	defer c.Close()
	if far != t.mig {
		c = &finishWatch{Conn: c, told: &t.told}
	}
	stop := context.AfterFunc(t.ctx, func() {
		near.Close()
		c.Close()
	})
	defer stop()
	var back sync.WaitGroup
	back.Go(func() { t.pump(near, c) })
	t.pump(c, near)
	back.Wait()
}

// pump copies until src ends and passes the end on. When dst takes no more,
// src is closed as well: otherwise its writer would wait for ever.
func (t *tunnel) pump(dst, src net.Conn) {
	_, err := io.CopyBuffer(onlyWriter{dst}, onlyReader{src}, make([]byte, 256<<10))
	if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
		t.fail(fmt.Errorf("tunnel: %w", err))
		src.Close()
		dst.Close()
		return
	}
	if half, ok := dst.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// onlyReader and onlyWriter hide methods that would make io.CopyBuffer use
// its own, smaller buffer.
type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }

func (t *tunnel) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fault == nil {
		t.fault = err
	}
}

// cause returns the first thing that went wrong in the tunnel, or nil. libvirt
// only sees that a connection ended.
func (t *tunnel) cause() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fault
}

// close ends the tunnel, which cuts a migration that has not ended. It leaves
// no socket behind on either host, unless the target cannot be reached.
func (t *tunnel) close() {
	for _, l := range t.listeners {
		l.Close() // removes the socket
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	t.ssh.Run(ctx, "rm -f "+quote(t.mig))
	t.ssh.Close()
	t.cancel()
	t.wg.Wait()
}
