package daemontest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/daemon"
)

// Cluster is a set of real daemons on a fake network and in a fake world.
type Cluster struct {
	t     testing.TB
	dir   string
	boots int
	Net   *Net
	World *World
	nodes map[cluster.NodeID]*Node
}

// Node is one running daemon.
type Node struct {
	*daemon.Daemon
	cancel context.CancelFunc
	ended  chan struct{}
	Err    error // of Run, once it has ended
}

// New returns a cluster where votes nodes make a quorum.
func New(t testing.TB, votes int) *Cluster {
	c := &Cluster{t: t, dir: t.TempDir(), Net: NewNet(votes), nodes: map[cluster.NodeID]*Node{}}
	c.World = NewWorld(t, c.PowerOff)
	return c
}

// ConfigFile is a node's cluster.conf.
func (c *Cluster) ConfigFile(id cluster.NodeID) string {
	return filepath.Join(c.dir, fmt.Sprintf("cluster.conf-%d", id))
}

// Write puts a cluster.conf in place on nodes.
func (c *Cluster) Write(config string, ids ...cluster.NodeID) {
	for _, id := range ids {
		if err := os.WriteFile(c.ConfigFile(id), []byte(config), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
}

// Start boots daemons.
func (c *Cluster) Start(ids ...cluster.NodeID) {
	for _, id := range ids {
		text, err := os.ReadFile(c.ConfigFile(id))
		if err != nil {
			c.t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		c.boots++
		n := &Node{cancel: cancel, ended: make(chan struct{})}
		n.Daemon = daemon.New(daemon.Options{
			Config: c.ConfigFile(id), StateDir: filepath.Join(c.dir, fmt.Sprint(id)), Boot: fmt.Sprint("boot", c.boots),
			Channel: c.Net.Join(id), Fencer: c.World, Hypervisor: c.World.Host(id),
			Reconfigure: func(context.Context, *conf.Config) error { return nil },
			Log:         slog.New(slog.NewTextHandler(c.logTo(), nil)).With("on", id),
		}, string(text))
		c.nodes[id] = n
		go func() {
			n.Err = n.Run(ctx)
			close(n.ended)
			if errors.Is(n.Err, daemon.ErrLeft) {
				c.Net.Leave(id, cluster.LeftCleanly)
			}
		}()
	}
}

// logTo is the test's output when it is verbose.
func (c *Cluster) logTo() io.Writer {
	if testing.Verbose() {
		return c.t.Output()
	}
	return io.Discard
}

// Node returns a running daemon.
func (c *Cluster) Node(id cluster.NodeID) *Node { return c.nodes[id] }

// Kill ends a daemon as SIGKILL does: nothing else on its node is touched.
func (c *Cluster) Kill(id cluster.NodeID) {
	n := c.nodes[id]
	if n == nil {
		return
	}
	delete(c.nodes, id)
	n.cancel()
	<-n.ended
	c.Net.Leave(id, cluster.ProcessDied)
}

// PowerOff ends a node with all that runs on it.
func (c *Cluster) PowerOff(id cluster.NodeID) {
	c.World.PowerOff(id)
	if n := c.nodes[id]; n != nil {
		delete(c.nodes, id)
		n.cancel()
	}
	c.Net.Leave(id, cluster.NodeDown)
}

// Close ends all daemons, as a bubble of synctest requires.
func (c *Cluster) Close() {
	for id := range c.nodes {
		c.PowerOff(id)
	}
	time.Sleep(time.Minute) // whatever is under way ends
	synctest.Wait()
}

// Pass lets time pass and all settle.
func (c *Cluster) Pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// Service returns a service as a node's clustat shows it.
func (c *Cluster) Service(id cluster.NodeID, name string) cluster.Service {
	c.t.Helper()
	st, err := c.nodes[id].Status(context.Background())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, s := range st.Services {
		if s.Name == name {
			return s
		}
	}
	c.t.Fatalf("node %d knows no service %s: %+v", id, name, st)
	return cluster.Service{}
}
