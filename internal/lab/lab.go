// Package lab makes hosts out of one machine, for tests and for `make demo`:
// each with process, mount, network, IPC and host name spaces of its own, its
// own disk, real corosync, libvirtd, sshd and cmand under their default paths,
// real QEMU guests (on TCG), and a power switch that fence_ipmilan reaches over
// IPMI and that really kills the host.
//
//	             public 192.168.10.0/24, power switches and storage
//	─────┬──────────────────┬──────────────┬──────────────┬─────────────┬─────
//	  eth0 .11           eth0 .12      .101 ipmi_sim  .102 ipmi_sim  .10 tgtd
//	   host1              host2            host1         host2
//	  eth1 .11           eth1 .12
//	─────┴──────────────────┴─────
//	             cluster 192.168.20.0/24
//
// A program that uses the lab calls [Enter] first.
package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Lab is a rack of hosts. Its methods and those of its hosts may be called
// from several goroutines.
type Lab struct {
	Hosts []*Host // host1 first
	Logs  string  // folder on the machine: <host>/ is the host's /var/log

	power   net.Listener   // where the power switches' programs ask
	daemons []*exec.Cmd    // of the rack: power switches, storage
	wg      sync.WaitGroup // connections to power, and the boots that they began

	mu          sync.Mutex
	powerEvents []PowerEvent

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
}

// New cables up n hosts, host1 to host<n>, and installs them; they are off
// until [Lab.PowerOn]. programs are put into each host's /usr/sbin.
//
// The caller must have passed [Enter], and must call [Lab.Close].
func New(ctx context.Context, n int, programs ...string) (*Lab, error) {
	if os.Getenv(rackMark) != partLab {
		return nil, errors.New("lab.New without lab.Enter: the program is not in a rack")
	}
	logs, err := os.MkdirTemp("", "fangnetz-lab-")
	if err != nil {
		return nil, err
	}
	l := &Lab{Logs: logs}
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := l.build(ctx, n, programs); err != nil {
		return nil, errors.Join(err, l.Close(), l.RemoveLogs())
	}
	return l, nil
}

func (l *Lab) build(ctx context.Context, n int, programs []string) error {
	if err := installPrograms(programs); err != nil {
		return err
	}
	for i := range n {
		l.Hosts = append(l.Hosts, newHost(l, i+1))
	}
	if err := cable(ctx, l.Hosts); err != nil {
		return err
	}
	if err := install(ctx, l.Hosts); err != nil {
		return err
	}
	if err := l.startStorage(ctx); err != nil {
		return err
	}
	return l.startPower(ctx)
}

// Host returns the host of that short name, as host1; it panics when there is
// none.
func (l *Lab) Host(name string) *Host {
	for _, h := range l.Hosts {
		if h.Name == name {
			return h
		}
	}
	panic("lab: no host " + name)
}

// PowerOn boots all hosts side by side.
func (l *Lab) PowerOn(ctx context.Context) error {
	errs := make([]error, len(l.Hosts))
	var wg sync.WaitGroup
	for i, h := range l.Hosts {
		wg.Go(func() { errs[i] = h.PowerOn(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Close cuts the power of all hosts, takes the rack apart and reports whatever
// it finds left. The logs stay until [Lab.RemoveLogs].
func (l *Lab) Close() error {
	l.cancel()
	if l.power != nil {
		_ = l.power.Close()
	}
	for _, d := range l.daemons {
		_ = d.Process.Kill()
		_ = d.Wait()
	}
	l.wg.Wait()
	var errs []error
	for _, h := range l.Hosts {
		errs = append(errs, h.PowerOff())
	}
	errs = append(errs, uncable(), os.RemoveAll(rackDir), os.Mkdir(rackDir, 0o755))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if left := awaitNothing(5 * time.Second); len(left) > 0 {
		return fmt.Errorf("the lab left behind: %s", strings.Join(left, "; "))
	}
	return nil
}

// RemoveLogs deletes the logs, for a run that nobody has questions about.
func (l *Lab) RemoveLogs() error { return os.RemoveAll(l.Logs) }

// awaitNothing returns what is still in the rack after the time that the kernel
// may take to dissolve name spaces: processes other than process 1 and this
// one, mounts below the rack's folder, links other than lo.
func awaitNothing(limit time.Duration) []string {
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		left := leftovers()
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
	}
}

func leftovers() []string {
	var left []string
	self := fmt.Sprintf("/proc/%d/stat", os.Getpid())
	procs, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, p := range procs {
		// pid (name) state ppid ...; a process that just ended has no file.
		stat, err := os.ReadFile(p)
		if err != nil || p == "/proc/1/stat" || p == self {
			continue
		}
		line := string(stat)
		if i := strings.LastIndex(line, ") "); i >= 0 && line[i+2] != 'Z' {
			left = append(left, "process "+line[:i+1])
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], rackDir) {
			left = append(left, "mount "+f[1])
		}
	}
	links, err := net.Interfaces()
	if err != nil {
		left = append(left, err.Error())
	}
	for _, link := range links {
		if link.Name != "lo" {
			left = append(left, "link "+link.Name)
		}
	}
	return left
}
