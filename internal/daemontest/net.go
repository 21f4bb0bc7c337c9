// Package daemontest is a cluster in memory, for tests: an ordered network, a
// world of machines and fence agents, all fakes, and real daemons between
// them. Its files are imported by tests alone. Run it inside a bubble of
// testing/synctest, where time costs nothing.
package daemontest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"fangnetz/internal/cluster"
)

// Net is a fake of the ordered channel between nodes (package member). What is
// sent is delivered at once, in one order to all whom the sender can reach.
type Net struct {
	mu    sync.Mutex
	seq   uint64
	nodes map[cluster.NodeID]*Channel
	part  map[cluster.NodeID]int // who has the same number reaches each other
	votes int                    // needed for quorum
}

// NewNet returns a network where votes nodes make a quorum.
func NewNet(votes int) *Net {
	return &Net{nodes: map[cluster.NodeID]*Channel{}, part: map[cluster.NodeID]int{}, votes: votes}
}

// Channel is one node's end of a Net.
type Channel struct {
	net    *Net
	local  cluster.NodeID
	out    chan cluster.Delivery
	wake   chan struct{}
	mu     sync.Mutex
	queue  []cluster.Delivery
	seen   cluster.NodeIDs
	online cluster.NodeIDs
	hung   bool
	unsent [][]byte // while hung
	closed bool
	err    error
}

// Join brings a node in; it must not be in yet.
func (n *Net) Join(id cluster.NodeID) *Channel {
	c := &Channel{net: n, local: id, out: make(chan cluster.Delivery), wake: make(chan struct{}, 1)}
	go c.pump()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nodes[id] = c
	n.view(nil)
	return c
}

// Leave takes a node out: in good order, its process alone, or as a whole.
func (n *Net) Leave(id cluster.NodeID, why cluster.Reason) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.nodes[id]
	if c == nil {
		return
	}
	delete(n.nodes, id)
	c.end(errors.New("left the fake network"))
	n.view(map[cluster.NodeID]cluster.Reason{id: why})
}

// Part puts nodes into partitions; a node that is not named is in partition 0.
func (n *Net) Part(part map[cluster.NodeID]int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.part = part
	n.view(nil)
}

// view tells every node whom it can reach now.
func (n *Net) view(why map[cluster.NodeID]cluster.Reason) {
	n.seq += 4
	for id, c := range n.nodes {
		v := &cluster.View{}
		for other := range n.nodes {
			if n.part[other] == n.part[id] {
				v.Members = v.Members.With(other)
			}
		}
		v.Online = v.Members
		for gone, reason := range why {
			if reason == cluster.ProcessDied && n.part[gone] == n.part[id] {
				v.Online = v.Online.With(gone)
			}
		}
		v.Ring = cluster.RingID{Node: v.Members[0], Seq: n.seq}
		v.Quorate = len(v.Online) >= n.votes
		for _, gone := range c.seen {
			if !v.Members.Has(gone) {
				reason := why[gone]
				if reason == 0 {
					reason = cluster.NodeDown
				}
				v.Left = append(v.Left, cluster.Departure{Node: gone, Reason: reason})
			}
		}
		for _, id := range v.Members {
			if !c.seen.Has(id) {
				v.Joined = v.Joined.With(id)
			}
		}
		if slices.Equal(c.seen, v.Members) && slices.Equal(c.online, v.Online) {
			continue
		}
		c.seen, c.online = v.Members, v.Online
		c.push(cluster.Delivery{View: v})
	}
}

// Local is this node.
func (c *Channel) Local() cluster.NodeID { return c.local }

// Hang stops a node's channel, or lets it go on: while it hangs nothing is
// delivered there, and what it sends stays there.
func (n *Net) Hang(id cluster.NodeID, hang bool) {
	n.mu.Lock()
	c := n.nodes[id]
	n.mu.Unlock()
	c.mu.Lock()
	c.hung = hang
	var unsent [][]byte
	if !hang {
		unsent, c.unsent = c.unsent, nil
	}
	c.poke()
	c.mu.Unlock()
	for _, data := range unsent {
		c.Send(context.Background(), data)
	}
}

// Send delivers data to all whom this node can reach.
func (c *Channel) Send(_ context.Context, data []byte) error {
	c.mu.Lock()
	if c.hung {
		c.unsent = append(c.unsent, data)
		c.mu.Unlock()
		return nil
	}
	c.mu.Unlock()
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.net.nodes[c.local] != c {
		return errors.New("not in the fake network")
	}
	for id, other := range c.net.nodes {
		if c.net.part[id] == c.net.part[c.local] {
			other.push(cluster.Delivery{Message: &cluster.Message{From: c.local, Data: data}})
		}
	}
	return nil
}

// Deliveries is closed by Lose and by Leave.
func (c *Channel) Deliveries() <-chan cluster.Delivery { return c.out }

// Err says why Deliveries was closed.
func (c *Channel) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *Channel) push(d cluster.Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, d)
	c.poke()
}

func (c *Channel) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed, c.err = true, err
		c.poke()
	}
}

func (c *Channel) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *Channel) pump() {
	defer close(c.out)
	for {
		c.mu.Lock()
		var next *cluster.Delivery
		if len(c.queue) > 0 && !c.closed && !c.hung {
			next = &c.queue[0]
			c.queue = c.queue[1:]
		}
		closed := c.closed
		c.mu.Unlock()
		switch {
		case closed:
			return
		case next == nil:
			<-c.wake
		default:
			select {
			case c.out <- *next:
			case <-c.wake: // perhaps closed; look again, next stays first
				c.mu.Lock()
				c.queue = append([]cluster.Delivery{*next}, c.queue...)
				c.mu.Unlock()
			}
		}
	}
}
