// Package wiretest lets the tests of the commands be answered: a real server
// on a real socket, before a backend that the test makes up. Its files are
// imported by tests alone.
package wiretest

import (
	"context"
	"path/filepath"
	"testing"

	"fangnetz/internal/wire"
)

// Serve has b answer on the socket that CMAND_SOCKET names until the test
// ends, and takes every caller for an administrator, or for none.
func Serve(t testing.TB, b wire.Backend, admin bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := wire.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	s := &wire.Server{Backend: b, Admin: func(uid, gid uint32) bool { return admin }}
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Setenv("CMAND_SOCKET", path)
}
