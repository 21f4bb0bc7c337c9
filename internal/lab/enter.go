package lab

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	rackMark = "FANGNETZ_LAB" // in the environment: which part of the rack the process is
	partInit = "init"         // process 1
	partLab  = "lab"          // the program itself
	hostArg0 = "fangnetz-host"
	rackDir  = "/run/lab" // the hosts' disks, on the rack's own /run
)

// Enter puts the calling program into a rack: process, mount, network, IPC and
// host name spaces of its own. It must be the first call of main or TestMain.
// In the process that the user started it runs the program once more inside the
// rack, under a process 1, and exits with its status; in that run it returns.
//
// So the kernel tidies up: when the program ends, however it ends, every
// process of the rack is killed and its mounts, links and address spaces go
// with the last one. Two racks never meet.
func Enter() {
	var status int
	var err error
	switch {
	case os.Args[0] == hostArg0:
		err = runHost(os.Args[1], os.Args[2])
	case os.Getenv(rackMark) == partLab:
		return
	case os.Getenv(rackMark) == partInit:
		if err = settle(); err == nil {
			status, err = again(partLab, 0)
		}
	case os.Geteuid() != 0:
		err = errors.New("the lab makes hosts out of name spaces: it must be run by root")
	default:
		status, err = again(partInit, unix.CLONE_NEWPID|unix.CLONE_NEWNS|unix.CLONE_NEWNET|unix.CLONE_NEWIPC|unix.CLONE_NEWUTS)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		status = 1
	}
	os.Exit(status)
}

// again runs this program as that part of the rack, passes signals on to it,
// and returns its exit status. Meanwhile it reaps whatever is orphaned: what
// ran in a host when the command that brought it there was killed falls to the
// rack's process 1, and no host is dead before its last process is reaped.
func again(part string, cloneflags uintptr) (int, error) {
	// The new process dies with the thread that started it, so keep this one.
	runtime.LockOSThread()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT)
	p, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{
		Env:   append(withoutMark(os.Environ()), rackMark+"="+part),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Cloneflags: cloneflags, Pdeathsig: unix.SIGKILL},
	})
	if err != nil {
		return 0, fmt.Errorf("cannot run the program inside its rack: %v", err)
	}
	go func() {
		for s := range signals {
			_ = p.Signal(s)
		}
	}()
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("cannot wait for the rack: %v", err)
		case pid == p.Pid && ws.Signaled():
			return 128 + int(ws.Signal()), nil
		case pid == p.Pid:
			return ws.ExitStatus(), nil
		}
	}
}

// withoutMark is env as it was outside any rack.
func withoutMark(env []string) []string {
	return slices.DeleteFunc(env, func(s string) bool { return strings.HasPrefix(s, rackMark+"=") })
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
