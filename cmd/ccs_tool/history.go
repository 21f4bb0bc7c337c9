package main

import (
	"fmt"
	"strconv"
	"time"

	"fangnetz/internal/conf"
)

// history lists the configurations that were in force on this node, the latest
// last, each with what it changed.
func (c *command) history(q request) int {
	entries, err := c.client.ConfigHistory(q.ctx)
	if err != nil {
		fmt.Fprintln(c.stderr, noAnswer(err))
		return 1
	}
	fmt.Fprintln(c.stdout, "Version  In force since        Node              Bytes Nodes Services")
	for _, e := range entries {
		since := time.Unix(e.Since, 0).Format("2006-01-02 15:04:05")
		node := e.Node
		if node == "" {
			node = "-"
		}
		fmt.Fprintf(c.stdout, "%7d  %s  %s %6d %5d %8d\n", e.Version, since, left(node, 16), e.Size, e.Nodes, e.Services)
		for _, change := range e.Changes {
			fmt.Fprintf(c.stdout, "           %s\n", change)
		}
		if e.More > 0 {
			fmt.Fprintf(c.stdout, "           and %d more\n", e.More)
		}
	}
	return 0
}

// rollback has all nodes take the content of an older version again, under a
// number above the one in force.
func (c *command) rollback(q request) int {
	version, err := strconv.Atoi(q.words[0])
	if err != nil || version < 1 {
		return c.fail(short(fmt.Sprintf("version %q is not a number from 1 up", q.words[0])))
	}
	running, err := c.inForce(q.ctx)
	if err != nil {
		fmt.Fprintln(c.stderr, noAnswer(err))
		return 1
	}
	now, _ := running.Config()
	if now.Version == version {
		return c.fail(short(fmt.Sprintf("version %d is in force", version)))
	}
	kept, err := c.client.Config(q.ctx, version)
	if err != nil {
		fmt.Fprintln(c.stderr, noAnswer(err))
		return 1
	}
	name := fmt.Sprintf("version %d", version)
	old, err := conf.Parse(name, kept.Text)
	if err != nil {
		findings(c.stderr, err.(conf.Faults))
		return 1
	}
	text := old.WithVersion(now.Version + 1)
	if q.has('n') {
		next, err := conf.Parse(name, text)
		if err != nil {
			findings(c.stderr, err.(conf.Faults))
			return 1
		}
		if c.compare(q, next) == 2 {
			return 1
		}
		return 0
	}
	return c.end(c.send(q.ctx, name, name, text))
}
