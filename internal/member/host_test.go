package member

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
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
	"time"

	"fangnetz/internal/cluster"
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

// settings of a cluster of the first n hosts.
func settings(n int) Settings {
	s := Settings{Name: "alpha", SecAuth: true, Token: time.Second, TwoNode: n == 2}
	for i := 1; i <= n; i++ {
		s.Nodes = append(s.Nodes, Node{Name: fmt.Sprintf("node%d", i), ID: cluster.NodeID(i), Votes: 1,
			Addresses: []string{fmt.Sprintf("10.0.0.%d", i)}})
	}
	return s
}

// What a client is told, and what it reports, one JSON object a line.
type (
	order struct {
		Send   string // a message
		Size   int    // with Send: filled up to so many bytes
		Times  int    // with Send: so often
		Reload *Settings
		Close  bool
		Stop   bool // corosync too
	}
	report struct {
		View  *cluster.View `json:",omitempty"`
		From  cluster.NodeID
		Text  string // of a message: its first bytes
		Size  int
		Sum   [32]byte
		Done  bool // the order was carried out
		Ended bool // deliveries are closed
		Err   string
		Lost  bool // Err is a *LostError
	}
)

func clientMain() error {
	var o Options
	in := json.NewDecoder(os.Stdin)
	if err := in.Decode(&o); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	reports := newQueue[report]()
	written := make(chan struct{})
	go reports.run(nil)
	go func() {
		defer close(written)
		for r := range reports.out {
			if err := out.Encode(r); err != nil {
				os.Exit(1)
			}
		}
	}()
	done := func(err error) {
		r := report{Done: true}
		if err != nil {
			r.Err = err.Error()
		}
		reports.put(r)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c, err := Start(ctx, o)
	done(err)
	if err != nil {
		reports.end()
		<-written
		return nil
	}
	go func() {
		for d := range c.Deliveries() {
			if d.View != nil {
				reports.put(report{View: d.View})
				continue
			}
			text, _, _ := bytes.Cut(d.Message.Data, []byte{0})
			reports.put(report{From: d.Message.From, Text: string(text), Size: len(d.Message.Data), Sum: sha256.Sum256(d.Message.Data)})
		}
		r := report{Ended: true}
		if err := c.Err(); err != nil {
			r.Err, r.Lost = err.Error(), errors.As(err, new(*LostError))
		}
		reports.put(r)
	}()
	for {
		var ord order
		if err := in.Decode(&ord); err != nil {
			return nil // the test has ended
		}
		switch {
		case ord.Send != "":
			var err error
			for i := range max(1, ord.Times) {
				text := ord.Send
				if ord.Times > 0 {
					text += strconv.Itoa(i)
				}
				err = errors.Join(err, c.Send(ctx, append([]byte(text), make([]byte, max(0, ord.Size-len(text)))...)))
			}
			done(err)
		case ord.Reload != nil:
			done(c.Reload(ctx, *ord.Reload))
		case ord.Close:
			err := c.Close(ctx)
			if ord.Stop {
				err = errors.Join(err, c.Stop(ctx))
			}
			done(err)
		}
	}
}

// client is a process that holds the channel in a host.
type client struct {
	t       testing.TB
	h       *host
	cmd     *exec.Cmd
	in      *json.Encoder
	reports chan report
}

// start runs a client and waits until it has joined.
func (h *host) start(s Settings) *client {
	h.t.Helper()
	c := h.tryStart(s)
	if r := c.next(); !r.Done || r.Err != "" {
		h.t.Fatalf("%s: Start: %q", h.name, r.Err)
	}
	return c
}

func (h *host) tryStart(s Settings) *client {
	h.t.Helper()
	id, _ := strconv.Atoi(strings.TrimPrefix(h.name, "node")) // the names that we gave
	s.Local = cluster.NodeID(id)
	exe, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	c := &client{t: h.t, h: h, cmd: h.command(exe), reports: make(chan report, 1<<16)}
	c.cmd.Env = append(os.Environ(), "MEMBER_TEST=client")
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(c.kill)
	go func() {
		defer close(c.reports)
		dec := json.NewDecoder(out)
		for {
			var r report
			if dec.Decode(&r) != nil {
				return
			}
			c.reports <- r
		}
	}()
	c.in = json.NewEncoder(in)
	c.order(Options{LogFile: h.log, Settings: s})
	return c
}

func (c *client) order(o any) {
	c.t.Helper()
	if err := c.in.Encode(o); err != nil {
		c.t.Fatalf("%s: client is gone: %v", c.h.name, err)
	}
}

// kill ends the client as SIGKILL ends a cmand; corosync goes on. nsenter
// passes no signal on, so its child is named.
func (c *client) kill() {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", c.cmd.Process.Pid))
	if err == nil {
		for _, f := range strings.Fields(string(children)) {
			if pid, err := strconv.Atoi(f); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
			}
		}
	}
	_ = c.cmd.Process.Kill() // likewise
	_ = c.cmd.Wait()         // killed
}

// next is the next report.
func (c *client) next() report {
	c.t.Helper()
	select {
	case r, ok := <-c.reports:
		if !ok {
			c.t.Fatalf("%s: client has ended", c.h.name)
		}
		return r
	case <-time.After(30 * time.Second):
		c.t.Fatalf("%s: nothing for 30 s", c.h.name)
	}
	panic("unreachable")
}

// until returns the reports up to the first that is wanted, which is the last.
func (c *client) until(what string, wanted func(report) bool) []report {
	c.t.Helper()
	var all []report
	for {
		r := c.next()
		if r.Done && r.Err != "" {
			c.t.Fatalf("%s: while waiting for %s: %s", c.h.name, what, r.Err)
		}
		if r.Ended && r.Err != "" && !wanted(r) {
			c.t.Fatalf("%s: channel ended while waiting for %s: %s", c.h.name, what, r.Err)
		}
		if all = append(all, r); wanted(r) {
			return all
		}
	}
}

// view waits for the View with these members.
func (c *client) view(members ...cluster.NodeID) cluster.View {
	c.t.Helper()
	return c.viewThat(fmt.Sprintf("a view of %v", members), func(v cluster.View) bool {
		return fmt.Sprint(v.Members) == fmt.Sprint(cluster.NodeIDs(members))
	})
}

func (c *client) viewThat(what string, ok func(cluster.View) bool) cluster.View {
	c.t.Helper()
	all := c.until(what, func(r report) bool { return r.View != nil && ok(*r.View) })
	return *all[len(all)-1].View
}
