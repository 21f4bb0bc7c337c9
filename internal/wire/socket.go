package wire

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Listen makes the socket, open to everyone: the policy is per request. A
// socket that nobody answers on is taken over; one that somebody answers on
// is an error, and so is anything that is not a socket.
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("cannot listen on %s: it is not a socket", path)
	}
	c, err := net.DialTimeout("unix", path, 5*time.Second)
	if err == nil {
		c.Close()
		return fmt.Errorf("cannot listen on %s: another daemon answers there", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot listen on %s: %v", path, err)
	}
	return os.Remove(path)
}

// SystemError gives the C library's words for the system error in err, as the
// original commands print them (`No such file or directory`); a connection
// that ended too early was reset. Without one, err's own words.
func SystemError(err error) string {
	errno, ok := errors.AsType[syscall.Errno](err)
	if t, isNet := errors.AsType[net.Error](err); !ok && isNet && t.Timeout() {
		errno, ok = syscall.ETIMEDOUT, true
	}
	if !ok && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		errno, ok = syscall.ECONNRESET, true
	}
	if !ok {
		return err.Error()
	}
	text := errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
