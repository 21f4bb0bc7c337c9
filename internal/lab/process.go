package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is what a host's process looks like from outside.
type Process struct {
	Name    string // its first 15 bytes
	Command string // each argument ends in a zero byte; a zombie has none

	pid int // the rack's number for it
}

// Named matches a host's daemons: cmand, corosync, libvirtd.
func Named(name string) func(Process) bool {
	return func(p Process) bool { return p.Name == name && p.Command != "" }
}

// QEMU matches what runs the guest.
func QEMU(guest string) func(Process) bool {
	return func(p Process) bool { return strings.Contains(p.Command, "\x00guest="+guest+",") }
}

// Processes returns those of the host that match; none when it is off.
func (h *Host) Processes(match func(Process) bool) []Process {
	space := func(pid string) string {
		s, _ := os.Readlink(filepath.Join("/proc", pid, "ns/pid"))
		return s
	}
	host := space(fmt.Sprint(h.pid()))
	if host == "" {
		return nil
	}
	var found []Process
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		if space(filepath.Base(dir)) != host {
			continue
		}
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		command, err2 := os.ReadFile(filepath.Join(dir, "cmdline"))
		pid, err3 := strconv.Atoi(filepath.Base(dir))
		if err != nil || err2 != nil || err3 != nil {
			continue // it has just ended
		}
		if p := (Process{strings.TrimSuffix(string(name), "\n"), string(command), pid}); match(p) {
			found = append(found, p)
		}
	}
	return found
}

// Signal sends a signal to all of the host's processes that match, and returns
// how many there were. After SIGKILL it waits until they hold nothing any more,
// as whoever starts a daemon anew does. It comes at once, where pkill(1) on the
// host would come some time later.
func (h *Host) Signal(sig syscall.Signal, match func(Process) bool) int {
	found := h.Processes(match)
	for _, p := range found {
		_ = syscall.Kill(p.pid, sig) // it may have ended
	}
	for deadline := time.Now().Add(10 * time.Second); sig == syscall.SIGKILL && time.Now().Before(deadline); {
		if !slices.ContainsFunc(found, Process.lives) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return len(found)
}

// lives reports whether any thread of the process is left but a zombie: until
// then it may hold files, its memory long gone.
func (p Process) lives() bool {
	dir := filepath.Join("/proc", strconv.Itoa(p.pid))
	threads, _ := os.ReadDir(filepath.Join(dir, "task"))
	stat, err := os.ReadFile(filepath.Join(dir, "stat")) // pid (name) state ...
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && (len(threads) > 1 || !strings.HasPrefix(state, "Z"))
}
