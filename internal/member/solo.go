package member

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"fangnetz/internal/cluster"
)

// MaxMessage bounds a message, bytes.
const MaxMessage = 64 << 20

// errClosed answers who sends on a channel that was closed.
var errClosed = errors.New("the channel is closed")

// Solo is the channel of a cluster with one node: always quorate, alone, and
// without corosync.
type Solo struct {
	local cluster.NodeID
	queue *queue[cluster.Delivery]
	stop  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup
}

// NewSolo returns the channel of the one node local. Its first delivery is a
// View of the node alone, its own messages follow.
func NewSolo(local cluster.NodeID) *Solo {
	s := &Solo{local: local, queue: newQueue[cluster.Delivery](), stop: make(chan struct{})}
	alone := cluster.NodeIDs{local}
	s.queue.put(cluster.Delivery{View: &cluster.View{
		Ring: cluster.RingID{Node: local, Seq: 1}, Online: alone, Members: alone, Joined: alone, Quorate: true,
	}})
	s.wg.Go(func() { s.queue.run(s.stop) })
	return s
}

// Local is this node.
func (s *Solo) Local() cluster.NodeID { return s.local }

// Send delivers a copy of data, after all that was sent before.
func (s *Solo) Send(ctx context.Context, data []byte) error {
	if err := tooBig(data); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	select {
	case <-s.stop:
		return errClosed
	default:
	}
	s.queue.put(cluster.Delivery{Message: &cluster.Message{From: s.local, Data: bytes.Clone(data)}})
	return nil
}

// Deliveries is closed by Close.
func (s *Solo) Deliveries() <-chan cluster.Delivery { return s.queue.out }

// Err is nil: nothing but Close ends this channel.
func (s *Solo) Err() error { return nil }

// Reload refuses settings of more than this node: a second one needs corosync.
func (s *Solo) Reload(_ context.Context, set Settings) error {
	if len(set.Nodes) != 1 || set.Nodes[0].ID != s.local {
		return fmt.Errorf("this node runs alone without corosync: restart cmand to make it a cluster of %d nodes", len(set.Nodes))
	}
	return nil
}

// Close ends the channel; what was not received yet is lost.
func (s *Solo) Close(context.Context) error {
	s.once.Do(func() { close(s.stop) })
	s.wg.Wait()
	return nil
}

func tooBig(data []byte) error {
	if len(data) > MaxMessage {
		return fmt.Errorf("cannot send a message of %d bytes: more than %d", len(data), MaxMessage)
	}
	return nil
}
