package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

// errReached ends the watch: what was waited for is there.
var errReached = errors.New("reached")

// wait waits until this node is a member, with -q until there is quorum, and
// with -t no longer than so many seconds: then the exit status is 2.
func (c *command) wait(ctx context.Context, q request) int {
	if limit, ok := q.options['t']; ok {
		seconds, err := strconv.Atoi(strings.TrimSpace(limit))
		if err != nil {
			return c.die("argument to t (%s) is not an integer", limit)
		}
		if seconds > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
			defer cancel()
		}
	}
	err := c.client.Watch(ctx, func(ev wire.Event) error {
		if q.has('q') && ev.Status.Quorate || !q.has('q') && isMember(ev.Status) {
			return errReached
		}
		return nil
	})
	switch {
	case errors.Is(err, errReached):
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(c.stderr, "Timed-out waiting for cluster")
		return 2
	}
	return c.lost()
}

// isMember reports whether the local node is in the ring.
func isMember(st cluster.Status) bool {
	for _, m := range st.Members {
		if m.ID == st.Local && m.Online {
			return true
		}
	}
	return false
}
