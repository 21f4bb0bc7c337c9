package member

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The test binary plays three parts besides its own: the first process of a
// host (its namespaces and mounts), and a client of the channel in a host.
func TestMain(m *testing.M) {
	var err error
	switch part := os.Getenv("MEMBER_TEST"); part {
	case "":
		os.Exit(m.Run())
	case "host":
		err = hostMain()
	case "client":
		err = clientMain()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// hostMain is process 1 of a host: private /run, /dev/shm and state, and
// everything in it ends when it does.
func hostMain() error {
	signal.Ignore(syscall.SIGCHLD) // orphans are nobody's: let the kernel reap them
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	for _, dir := range []string{"/dev/shm", "/run", "/var/lib/corosync"} {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	if err := syscall.Sethostname([]byte(os.Getenv("MEMBER_HOST"))); err != nil {
		return err
	}
	fmt.Println("up")
	_, err := io.Copy(io.Discard, os.Stdin) // until the test lets go
	return err
}

// host is a network, mount, process and UTS namespace.
type host struct {
	t    testing.TB
	name string
	pid  int
	log  string
}

func newHost(t testing.TB, name string) *host {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("real corosync needs root, for namespaces and for corosync itself")
	}
	for _, program := range []string{"corosync", "corosync-cfgtool", "ip", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: install corosync, iproute2 and util-linux", program)
		}
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "MEMBER_TEST=host", "MEMBER_HOST="+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("cannot make the namespaces of %s: %v", name, err)
	}
	h := &host{t: t, name: name, pid: cmd.Process.Pid, log: filepath.Join(t.TempDir(), "corosync.log")}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // killed
		in.Close()
		if t.Failed() {
			log, _ := os.ReadFile(h.log) // none is nothing to show
			t.Logf("corosync's log on %s:\n%s", name, log)
		}
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "up\n" {
		t.Fatalf("host %s says %q, %v; want up", name, line, err)
	}
	h.run("ip", "link", "set", "lo", "up")
	return h
}

// command is a command inside the host.
func (h *host) command(args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"-t", strconv.Itoa(h.pid), "-m", "-n", "-u", "-i", "-p", "--"}, args...)...)
}

func (h *host) run(args ...string) string {
	h.t.Helper()
	out, err := h.command(args...).CombinedOutput()
	if err != nil {
		h.t.Fatalf("%s: %s: %v: %s", h.name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// network is a bridge and hosts 10.0.0.1, 10.0.0.2 and so on at its ports.
type network struct {
	bridge *host
	hosts  []*host
}

func newNetwork(t testing.TB, n int) *network {
	t.Helper()
	net := &network{bridge: newHost(t, "bridge")}
	net.bridge.run("ip", "link", "add", "br0", "type", "bridge")
	net.bridge.run("ip", "link", "set", "br0", "up")
	for i := 1; i <= n; i++ {
		h := newHost(t, fmt.Sprintf("node%d", i))
		port := fmt.Sprintf("port%d", i)
		cmd := exec.Command("nsenter", "-t", strconv.Itoa(net.bridge.pid), "-n", "ip", "link", "add", port, "type", "veth",
			"peer", "name", "eth0", "netns", strconv.Itoa(h.pid))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", cmd, err, out)
		}
		net.bridge.run("ip", "link", "set", port, "master", "br0", "up")
		h.run("ip", "addr", "add", fmt.Sprintf("10.0.0.%d/24", i), "dev", "eth0")
		h.run("ip", "link", "set", "eth0", "up")
		net.hosts = append(net.hosts, h)
	}
	return net
}

// cut takes host i, from 1, off the network; join puts it back.
func (n *network) cut(i int) { n.bridge.run("ip", "link", "set", fmt.Sprintf("port%d", i), "nomaster") }
func (n *network) join(i int) {
	n.bridge.run("ip", "link", "set", fmt.Sprintf("port%d", i), "master", "br0")
}
