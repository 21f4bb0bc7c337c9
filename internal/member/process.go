package member

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lockFile is held locked by corosync as long as it runs; the place is
// compiled into it.
const lockFile = "/var/run/corosync.pid"

// running returns the pid of this host's corosync, 0 when there is none.
func running() (int, error) {
	f, err := os.Open(lockFile)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot see whether corosync runs: %v", err)
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil {
		return 0, fmt.Errorf("cannot see whether corosync runs: %s: %v", lockFile, err)
	}
	if lock.Type == unix.F_UNLCK {
		return 0, nil
	}
	return int(lock.Pid), nil
}

// ours tells whether the process was started with our corosync.conf.
func ours(pid int, conf string) bool {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && bytes.Contains(cmdline, []byte("\x00"+conf+"\x00"))
}

// child is a corosync that this cmand started, and that will outlive it.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended and cmd.ProcessState says how
}

// spawn starts corosync in a session of its own: a signal to cmand's
// terminal or process group is none of its business.
func spawn(o Options) (*child, error) {
	out, err := os.OpenFile(o.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open corosync's log: %v", err)
	}
	defer out.Close()
	cmd := exec.Command(o.Corosync, "-f", "-c", o.conf())
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start corosync: %v", err)
	}
	c := &child{cmd: cmd, ended: make(chan struct{})}
	go func() { // for as long as corosync lives, which may be longer than anyone waits
		defer close(c.ended)
		_ = cmd.Wait() // ProcessState keeps it
	}()
	return c, nil
}

// outcome says how the child ended, waiting up to a second for it; empty
// when there is no child or it goes on.
func (c *child) outcome() string {
	if c == nil {
		return ""
	}
	select {
	case <-c.ended:
		return c.cmd.ProcessState.String()
	case <-time.After(time.Second):
		return ""
	}
}

// terminate ends a child that came up in vain.
func (c *child) terminate(ctx context.Context) error {
	if c == nil {
		return nil
	}
	select {
	case <-c.ended: // its pid may be another's by now
		return nil
	default:
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return terminate(ctx, c.cmd.Process.Pid)
}

// lastWords is the last line of corosync's log that says more than that it exits.
func lastWords(logFile string) string {
	f, err := os.Open(logFile)
	if err != nil {
		return ""
	}
	defer f.Close()
	tail := make([]byte, 4096)
	if info, err := f.Stat(); err == nil {
		n, _ := f.ReadAt(tail, max(0, info.Size()-int64(len(tail)))) // a short read is a short log
		tail = tail[:n]
	}
	said := ""
	for line := range strings.Lines(string(tail)) {
		if !strings.Contains(line, "Corosync Cluster Engine exiting") {
			said = strings.TrimSpace(line)
		}
	}
	return said
}

// terminate ends the process with SIGTERM, and with SIGKILL when ctx ends
// before it has.
func terminate(ctx context.Context, pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot stop corosync: %v", err)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0); err != nil && err != unix.ESRCH {
		return fmt.Errorf("cannot stop corosync: %v", err)
	}
	if gone(ctx, fd) {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
		return fmt.Errorf("cannot kill corosync: %v", err)
	}
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if !gone(last, fd) {
		return fmt.Errorf("cannot kill corosync: process %d stays", pid)
	}
	return fmt.Errorf("corosync had to be killed: %w", context.Cause(ctx))
}

// gone waits for the end of the process behind the pidfd, at most until ctx ends.
func gone(ctx context.Context, pidfd int) bool {
	for {
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 50); err == nil && n > 0 {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
	}
}

// files writes corosync.conf and the key, unless they are there already.
func (o Options) files(ctx context.Context) error {
	conf, err := o.Settings.corosyncConf(ctx, lookup, o.key(), o.LogFile)
	if err != nil {
		return err
	}
	key, err := o.Settings.authkey()
	if err != nil {
		return err
	}
	for _, dir := range []string{o.RunDir, filepath.Dir(o.LogFile)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		name string
		data []byte
		mode os.FileMode
	}{{o.key(), key, 0o600}, {o.conf(), conf, 0o644}} {
		if was, err := os.ReadFile(f.name); err == nil && bytes.Equal(was, f.data) {
			continue
		}
		if err := replace(f.name, f.data, f.mode); err != nil {
			return fmt.Errorf("cannot write %s: %v", f.name, err)
		}
	}
	return nil
}
