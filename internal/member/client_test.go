package member

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fangnetz/internal/cluster"
)

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
		Stop   bool          // with Close: corosync too
		Within time.Duration // with Close and Stop: each; 0: a minute
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
	var within time.Duration // for Start
	var o Options
	in := json.NewDecoder(os.Stdin)
	if err := errors.Join(in.Decode(&within), in.Decode(&o)); err != nil {
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
	var c *Corosync
	err := bounded(within, func(ctx context.Context) (err error) {
		c, err = Start(ctx, o)
		return err
	})
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
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
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
			within := cmp.Or(ord.Within, time.Minute)
			err := bounded(within, c.Close)
			if ord.Stop {
				err = errors.Join(err, bounded(within, c.Stop))
			}
			done(err)
		}
	}
}

func bounded(d time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return f(ctx)
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
	c := h.tryStart(s, time.Minute)
	if r := c.next(); !r.Done || r.Err != "" {
		h.t.Fatalf("%s: Start: %q", h.name, r.Err)
	}
	return c
}

func (h *host) tryStart(s Settings, within time.Duration) *client {
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
	c.order(within)
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
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", c.cmd.Process.Pid)) // none left
	for _, f := range strings.Fields(string(children)) {
		if pid, err := strconv.Atoi(f); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
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
