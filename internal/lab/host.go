package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Host is one machine of the rack. Its disk outlives its power: /run, /tmp and
// /dev/shm are new at each boot, all else stays.
type Host struct {
	Name   string // host1
	number int    // 1
	lab    *Lab
	dir    string // upper: the disk

	boot sync.Mutex // held through a boot, so that two never mix

	mu     sync.Mutex
	init   *exec.Cmd     // nil: off
	dead   chan struct{} // closed when init has ended
	cut    [len(links)]bool
	broken bool // its power switch
}

func newHost(l *Lab, number int) *Host {
	name := fmt.Sprintf("host%d", number)
	return &Host{Name: name, number: number, lab: l, dir: filepath.Join(rackDir, name)}
}

// FQDN is the host's name on the public link, host1.example.com.
func (h *Host) FQDN() string { return h.Name + ".example.com" }

// ClusterName is its name on the cluster link, host1-cluster.example.com.
func (h *Host) ClusterName() string { return h.Name + "-cluster.example.com" }

// Logs is the host's /var/log as the machine sees it, on or off.
func (h *Host) Logs() string { return filepath.Join(h.lab.Logs, h.Name) }

// PowerOn boots the host and returns when its boot script has ended: sshd and
// libvirtd answer, and cmand is started when [Host.Enable] said so. A host that
// is on is left alone.
func (h *Host) PowerOn(ctx context.Context) error { return h.powerOn(ctx, 0) }

// powerOn is PowerOn with a time that the host spends with power and without a
// system.
func (h *Host) powerOn(ctx context.Context, firmware time.Duration) error {
	h.boot.Lock()
	defer h.boot.Unlock()
	if h.On() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	if err := h.switchOn(ctx); err != nil {
		return errors.Join(fmt.Errorf("%s: cannot switch on: %v", h.Name, err), h.PowerOff())
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s: %v", h.Name, context.Cause(ctx))
	case <-time.After(firmware):
	}
	out, err := h.Run(ctx, "/etc/rc.boot")
	if err == nil {
		err = out.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: boot script: %v", h.Name, err)
	}
	return nil
}

// switchOn starts process 1 and connects the cables.
func (h *Host) switchOn(ctx context.Context) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{hostArg0, h.dir, h.Logs()}
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:    true,
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
	}
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	dead := make(chan struct{})
	h.mu.Lock()
	h.init, h.dead = cmd, dead
	h.mu.Unlock()

	line, err := bufio.NewReader(stdout).ReadString('\n') // ends: it says up, or dies
	go func() {
		_ = cmd.Wait() // returns once no process of the host is left
		close(dead)
	}()
	if err != nil || line != "up\n" {
		<-dead
		return fmt.Errorf("process 1 ended: %s", strings.TrimSpace(complaint.String()))
	}
	return h.plugIn(ctx, cmd.Process.Pid)
}

// PowerOff cuts the host's power. When it returns no process of the host is
// left.
func (h *Host) PowerOff() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.init == nil {
		return nil
	}
	_ = h.init.Process.Kill()
	select {
	case <-h.dead:
	case <-time.After(20 * time.Second):
		return fmt.Errorf("%s: still alive 20 s after its power was cut", h.Name)
	}
	h.init = nil
	h.unplug()
	return nil
}

// On reports whether the host has power.
func (h *Host) On() bool { return h.pid() != 0 }

// pid is process 1's number in the rack; 0: the host is off.
func (h *Host) pid() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.init == nil {
		return 0
	}
	return h.init.Process.Pid
}

// Output is what a command on a host printed and how it ended.
type Output struct {
	Command        string
	Stdout, Stderr string
	Exit           int // 128+n when signal n ended it
}

// Err is nil after exit status 0, otherwise the command's end in one line.
func (o Output) Err() error {
	if o.Exit == 0 {
		return nil
	}
	return fmt.Errorf("%s: exit status %d: %s", o.Command, o.Exit, strings.TrimSpace(o.Stderr+o.Stdout))
}

// Run runs a command on the host as root and waits for it. When ctx ends it is
// killed, with what it started in its process group. The error says that it
// could not be run or was killed; an exit status other than 0 is not an error.
func (h *Host) Run(ctx context.Context, argv ...string) (Output, error) {
	return h.RunInput(ctx, "", argv...)
}

// RunInput is Run with a text on the command's standard input.
func (h *Host) RunInput(ctx context.Context, stdin string, argv ...string) (Output, error) {
	out := Output{Command: strings.Join(argv, " ")}
	cmd, err := h.command(ctx, argv)
	if err != nil {
		return out, err
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	out.Stdout, out.Stderr = stdout.String(), stderr.String()
	if ctx.Err() != nil {
		return out, fmt.Errorf("%s: %s: %v: %s", h.Name, out.Command, context.Cause(ctx), out.Stderr+out.Stdout)
	}
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return out, fmt.Errorf("%s: cannot run %s: %v", h.Name, out.Command, err)
	}
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	out.Exit = ws.ExitStatus()
	if ws.Signaled() {
		out.Exit = 128 + int(ws.Signal())
	}
	return out, nil
}

// Shell gives the caller's terminal a shell on the host, until it ends.
func (h *Host) Shell(ctx context.Context) error {
	cmd, err := h.command(ctx, []string{"bash", "-i"})
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		return fmt.Errorf("%s: no shell: %v", h.Name, err)
	}
	return nil
}

// command builds argv as seen from the rack: joined to the host's name spaces.
func (h *Host) command(ctx context.Context, argv []string) (*exec.Cmd, error) {
	pid := h.pid()
	if pid == 0 {
		return nil, fmt.Errorf("%s: cannot run %s: the power is off", h.Name, strings.Join(argv, " "))
	}
	args := append([]string{"-t", strconv.Itoa(pid), "-m", "-u", "-i", "-n", "-p", "--"}, argv...)
	cmd := exec.CommandContext(ctx, "nsenter", args...)
	cmd.Env = environment()
	return cmd, nil
}

func environment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "USER=root", "LANG=C.UTF-8", "TERM=" + os.Getenv("TERM")}
}

// Start starts one of the host's daemons (sshd, libvirtd, cmand) as the boot
// script does.
func (h *Host) Start(ctx context.Context, daemon string) error {
	out, err := h.Run(ctx, "/etc/rc.boot", daemon)
	if err == nil {
		err = out.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: cannot start %s: %v", h.Name, daemon, err)
	}
	return nil
}

// Ensure is Start unless the daemon runs; it waits for a boot that is going on.
func (h *Host) Ensure(ctx context.Context, daemon string) error {
	h.boot.Lock()
	defer h.boot.Unlock()
	if len(h.Processes(Named(daemon))) > 0 {
		return nil
	}
	return h.Start(ctx, daemon)
}

// Enable makes each later boot start cmand, or no more.
func (h *Host) Enable(on bool) error {
	if !on {
		return h.Remove(enabledFile)
	}
	return h.WriteFile(enabledFile, "", 0o644)
}

// Path is a path of the host as the rack sees it. While the host is off it
// leads to what is on its disk alone, without the machine's own files below.
func (h *Host) Path(path string) string {
	if pid := h.pid(); pid != 0 {
		return filepath.Join("/proc", strconv.Itoa(pid), "root", path)
	}
	return filepath.Join(h.dir, "upper", path)
}

// ReadFile reads a file of the host.
func (h *Host) ReadFile(path string) (string, error) {
	b, err := os.ReadFile(h.Path(path))
	return string(b), err
}

// WriteFile writes a file of the host, its folder included.
func (h *Host) WriteFile(path, text string, mode os.FileMode) error {
	p := h.Path(path)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(p, []byte(text), mode); err != nil {
		return err
	}
	return os.Chmod(p, mode)
}

// Remove removes a file of the host; that it is not there is no error.
func (h *Host) Remove(path string) error {
	if err := os.Remove(h.Path(path)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
