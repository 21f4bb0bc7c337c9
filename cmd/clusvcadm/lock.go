package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

// lock sets or clears the flag that keeps services from being started
// (clusvcadm, "Locking").
func (c *command) lock(ctx context.Context, verb wire.Verb) int {
	done, failed := "Resource groups locked", "Lock operation failed"
	if verb == wire.Unlock {
		done, failed = "Resource groups unlocked", "Unlock operation failed"
	}
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	if _, ok := c.manager(ctx); !ok {
		fmt.Fprintln(c.stdout, failed)
		return 1
	}
	answer, err := c.client.Act(ctx, wire.Action{Verb: verb})
	switch {
	case errors.Is(err, syscall.EPIPE):
		fmt.Fprintf(c.stdout, "Communication failed\n%s\n", failed)
		return 1
	case err != nil:
		fmt.Fprintf(c.stdout, "Receive failed\n%s\n", failed)
		return 1
	case answer.Result != cluster.Success:
		fmt.Fprintln(c.stdout, failed)
		return 1
	}
	fmt.Fprintln(c.stdout, done)
	return 0
}

// showLock says whether the flag is set; anyone may ask.
func (c *command) showLock(ctx context.Context) int {
	m, ok := c.manager(ctx)
	switch {
	case !ok || m.ServiceRefusal != cluster.Success:
		fmt.Fprintln(c.stdout, "Query operation failed")
		return 1
	case m.Locked:
		fmt.Fprintln(c.stdout, "Resource groups locked")
	default:
		fmt.Fprintln(c.stdout, "Resource groups unlocked")
	}
	return 0
}

// manager asks how the resource manager is; false when it cannot be asked,
// which is said.
func (c *command) manager(ctx context.Context) (cluster.Manager, bool) {
	st, err := c.status(ctx)
	op, inNet := errors.AsType[*net.OpError](err)
	switch {
	case inNet && op.Op == "dial":
		fmt.Fprintln(c.stdout, "Could not connect to cluster service")
	case err != nil:
		fmt.Fprintln(c.stdout, "Receive failed")
	case !st.Manager.Running:
		fmt.Fprintln(c.stdout, "Could not connect to resource group manager")
	default:
		return st.Manager, true
	}
	return cluster.Manager{}, false
}
