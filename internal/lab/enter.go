package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	rackMark = "FANGNETZ_LAB" // in the environment of the process inside the rack
	hostArg0 = "fangnetz-host"
	rackDir  = "/run/lab" // the hosts' disks, on the rack's own /run
)

// Enter puts the calling program into a rack: process, mount, network, IPC and
// host name spaces of its own, in which the program is process 1. It must be
// the first call of main or TestMain. In the first process it starts the
// program once more inside the rack, waits for it and exits with its status; in
// the second it returns.
//
// So the kernel tidies up: when the program ends, however it ends, every
// process of the rack is killed and its mounts, links and address spaces go
// with the last one. Two racks never meet.
func Enter() {
	var err error
	switch {
	case os.Args[0] == hostArg0:
		err = runHost(os.Args[1], os.Args[2])
	case os.Getenv(rackMark) != "" && os.Getpid() == 1:
		if err = settle(); err == nil {
			return
		}
	case os.Geteuid() != 0:
		err = errors.New("the lab makes hosts out of name spaces: it must be run by root")
	default:
		var status int
		if status, err = enclose(); err == nil {
			os.Exit(status)
		}
	}
	fmt.Fprintln(os.Stderr, "lab:", err)
	os.Exit(1)
}

// enclose runs this program inside a new rack and returns its exit status.
func enclose() (int, error) {
	// The child dies with the thread that started it, so keep this one.
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), rackMark+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  unix.SIGKILL,
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT)
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("cannot make name spaces: %v", err)
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	var failed *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &failed) {
		return 0, fmt.Errorf("cannot wait for the rack: %v", err)
	}
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}

// settle makes the rack's mounts its own: nothing done here reaches the
// machine, and nothing that runs on the machine is seen through /proc or /run.
func settle() error {
	for _, m := range []mount{
		{"", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"sysfs", "/sys", "sysfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID, "mode=755"},
	} {
		if err := m.do(); err != nil {
			return err
		}
	}
	if err := unix.Sethostname([]byte("rack")); err != nil {
		return fmt.Errorf("cannot name the rack: %v", err)
	}
	return os.Mkdir(rackDir, 0o755)
}

type mount struct {
	source, target, fstype string
	flags                  uintptr
	options                string
}

func (m mount) do() error {
	if err := unix.Mount(m.source, m.target, m.fstype, m.flags, m.options); err != nil {
		return fmt.Errorf("cannot mount %q on %s: %v", m.fstype, m.target, err)
	}
	return nil
}
