package wire_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fangnetz/internal/wire"
)

func TestNoDaemonGivesTheSystemsError(t *testing.T) {
	dir := shortDir(t)
	stale := filepath.Join(dir, "stale")
	leaveStale(t, stale)
	for path, want := range map[string]struct {
		errno syscall.Errno
		words string
	}{
		filepath.Join(dir, "none"): {syscall.ENOENT, "No such file or directory"},
		stale:                      {syscall.ECONNREFUSED, "Connection refused"},
	} {
		_, err := wire.New(path).Status(t.Context())
		if !errors.Is(err, want.errno) || wire.SystemError(err) != want.words {
			t.Errorf("Status on %s = %v (%q); want %q", path, err, wire.SystemError(err), want.words)
		}
	}
}

// leaveStale leaves a socket that nobody listens on.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func TestListen(t *testing.T) {
	dir := shortDir(t)
	t.Run("stale socket is taken over", func(t *testing.T) {
		path := filepath.Join(dir, "stale")
		leaveStale(t, path)
		l, err := wire.Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
			t.Errorf("Stat = %v, %v; want mode 0666", info.Mode(), err)
		}
	})
	t.Run("live socket is left alone", func(t *testing.T) {
		path := filepath.Join(dir, "live")
		l, err := wire.Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if l2, err := wire.Listen(path); err == nil || !strings.Contains(err.Error(), "another daemon answers there") {
			t.Errorf("second Listen = %v, %v; want an error", l2, err)
		}
		if c, err := net.Dial("unix", path); err != nil {
			t.Errorf("the first one does not answer any more: %v", err)
		} else {
			c.Close()
		}
	})
	t.Run("file is left alone", func(t *testing.T) {
		path := filepath.Join(dir, "file")
		if err := os.WriteFile(path, []byte("precious"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := wire.Listen(path); err == nil {
			t.Error("Listen on a file = nil; want an error")
		}
		if b, _ := os.ReadFile(path); string(b) != "precious" {
			t.Errorf("the file holds %q now", b)
		}
	})
}
