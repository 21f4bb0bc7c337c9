package member

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"fangnetz/internal/cluster"
)

// join enters the group.
func (c *Corosync) join(ctx context.Context) error {
	c.seq = &sequencer{
		local: process{c.lib.local, uint32(os.Getpid())},
		out:   func(d cluster.Delivery) { c.queue.put(d) },
		tell:  func(v verdict) { c.verdicts.put(v) },
		sent:  c.sent,
	}
	// The verdict first: that of the present ring must be there when the
	// group says which ring it is.
	err := retry(ctx, c.lib.track, again)
	if err == nil {
		err = retry(ctx, c.lib.join, again)
	}
	if err != nil {
		return fmt.Errorf("cannot join the channel: %w", err)
	}
	return nil
}

// serve starts the goroutines of the channel. They end when it is lost, or
// when stop is called.
func (c *Corosync) serve() error {
	bell, ring, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot wait for corosync: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = func() {
		cancel()
		ring.Close() // dispatch sees the other end hang up
		c.wg.Wait()
		bell.Close()
		closed := make(chan struct{})
		go func() { defer close(closed); c.lib.close() }()
		select {
		case <-closed:
		case <-time.After(time.Second): // a corosync that hangs does not say goodbye
		}
	}
	c.wg.Go(func() {
		c.err = c.dispatch(int32(bell.Fd()))
		close(c.ended)
		c.queue.end()
		c.verdicts.end()
	})
	c.wg.Go(func() { c.queue.run(ctx.Done()) })
	c.wg.Go(func() { c.verdicts.run(ctx.Done()) })
	c.wg.Go(func() {
		for v := range c.verdicts.out {
			_ = c.multicast(ctx, v.header(), nil) // fails only at the end
		}
	})
	return nil
}

// dispatch feeds the sequencer until bell rings, which is nil, or until
// corosync is lost.
func (c *Corosync) dispatch(bell int32) error {
	const wanted = unix.POLLIN
	fds := []unix.PollFd{
		{Fd: int32(c.lib.fds[0]), Events: wanted},
		{Fd: int32(c.lib.fds[1]), Events: wanted},
		{Fd: bell, Events: wanted},
	}
	for {
		patience := -1
		if c.seq.waiting() {
			patience = int(c.patience().Milliseconds())
		}
		n, err := unix.Poll(fds, patience)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return &LostError{fmt.Sprintf("cannot wait for corosync: %v", err)}
		case n == 0:
			return &LostError{fmt.Sprintf("corosync gave no quorum verdict for its new ring within %v", c.patience())}
		case fds[2].Revents != 0:
			return nil
		}
		err = c.lib.dispatch()
		if (fds[0].Revents|fds[1].Revents)&^wanted != 0 || err != nil {
			return &LostError{"corosync ended: " + cmp.Or(c.child.outcome(), "it closed the connection")}
		}
	}
}

// patience bounds the wait for a verdict: a node may die while the ring is
// being formed, so that it takes another token time-out and a consensus.
func (c *Corosync) patience() time.Duration {
	return 10*time.Second + 4*cmp.Or(c.opts.Settings.Token, 3*time.Second)
}

// departed notices our own clean departure.
func (c *Corosync) departed(ev groupChange) {
	for _, d := range ev.left {
		if d.process == c.seq.local && d.reason == cluster.LeftCleanly {
			close(c.left)
		}
	}
}
