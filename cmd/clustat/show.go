package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/signal"
	"reflect"
	"syscall"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

// ask asks cmand, and waits no longer than c's patience.
func (c *command) ask() (cluster.Status, error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	return wire.New("").Status(ctx)
}

// lost says why there is no status (clustat, "Messages").
func (c *command) lost(err error) int {
	if errors.Is(err, context.DeadlineExceeded) {
		fmt.Fprintln(c.stderr, "Timed out waiting for a response from Resource Group Manager")
	} else {
		fmt.Fprintf(c.stderr, "Could not connect to CMAN: %s\n", wire.SystemError(err))
	}
	return 1
}

// show prints st; then, when interval is not 0, what cmand says at the end of
// each. A signal still lets one more round be seen (clustat, "Interval mode").
// A cmand that is away for a while is a cluster without members.
func (c *command) show(st cluster.Status, opts options, interval time.Duration) int {
	term, err := openTerminal(c.stdout)
	if err != nil {
		fmt.Fprintln(c.stderr, err)
		return 1
	}
	opts.columns = term.columns
	if interval == 0 {
		return c.round(st, opts, "")
	}
	clear := term.clear
	if opts.json {
		clear = ""
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	for {
		status := c.round(st, opts, clear)
		if ctx.Err() != nil {
			return status
		}
		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
		name := st.Cluster.Name
		if st, err = c.ask(); err != nil {
			c.lost(err)
			st = cluster.Status{Cluster: cluster.Info{Name: name}}
		}
	}
}

// round prints st at one go. A service that runs twice is warned of beside it,
// so that nobody who reads the rest stumbles.
func (c *command) round(st cluster.Status, opts options, clear string) int {
	var b bytes.Buffer
	b.WriteString(clear)
	status := render(&b, st, opts, c.now())
	c.stdout.Write(b.Bytes())
	if !opts.watch {
		for _, alarm := range doubled(st, opts) {
			fmt.Fprintf(c.stderr, "Warning: %s; it is neither started nor migrated until it runs on one node alone\n", alarm)
		}
	}
	return status
}

// watch prints what cmand shows, and prints it again whenever it has changed,
// until a signal comes or cmand ends.
func (c *command) watch(ctx context.Context, opts options) int {
	term, err := openTerminal(c.stdout)
	if err != nil {
		fmt.Fprintln(c.stderr, err)
		return 1
	}
	opts.columns, opts.watch = term.columns, true
	clear := term.clear
	if opts.json {
		clear = ""
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	status := 0
	var last *cluster.Status
	err = wire.New("").Watch(ctx, func(ev wire.Event) error {
		if last == nil || !reflect.DeepEqual(ev.Status, *last) { // else a migration has come further
			last = &ev.Status
			status = c.round(ev.Status, opts, clear)
		}
		return nil
	})
	if ctx.Err() != nil {
		return status
	}
	return c.lost(err)
}
