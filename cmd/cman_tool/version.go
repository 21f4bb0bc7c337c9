package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"fangnetz/internal/conf"
	"fangnetz/internal/wire"
)

// showVersion prints the protocol's version and the configuration's.
func (c *command) showVersion(ctx context.Context) int {
	st, err := c.client.Status(ctx)
	if err != nil {
		return c.lost()
	}
	fmt.Fprintf(c.stdout, "%s config %d\n", c.form.protocol, st.Cluster.ConfigVersion)
	return 0
}

// reload makes cluster.conf of this node that of all members, as ccs_tool
// update does, in the words of version -r (cman, "leave, kill, expected, votes,
// wait, version, debug"). cmand checks and distributes in one, and so -D, -S
// and -z change nothing.
func (c *command) reload(ctx context.Context, q request) int {
	say := func(words string) {
		if q.has('d') {
			fmt.Fprintln(c.stdout, words)
		}
	}
	if c.form.groups {
		return c.setVersion(ctx, q, say)
	}
	if q.options['r'] != "" {
		fmt.Fprintln(c.stderr, "Warning: specifying a version for the -r flag is deprecated and no longer used")
	}
	if _, err := c.client.Status(ctx); err != nil {
		return c.lost()
	}
	say("Getting config variables")
	text, err := os.ReadFile(c.conf)
	if err != nil {
		fmt.Fprintln(c.stderr, err)
		return c.die("Unable to retrive the new config version\n")
	}
	say("Validating configuration")
	say("Telling cman the new version number")
	return c.push(ctx, text, say)
}

// push sends the text to cmand and says how it went.
func (c *command) push(ctx context.Context, text []byte, say func(string)) int {
	answer, err := c.client.Update(ctx, c.conf, text)
	op, inNet := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, &wire.Refusal{Code: wire.Denied}):
		return c.die("Cannot open connection to cman, permission denied.")
	case inNet && op.Op == "dial":
		return c.lost()
	case err != nil:
		return c.die("Error loading configuration in corosync/cman: %s", wire.SystemError(err))
	}
	for _, fault := range answer.Faults {
		fmt.Fprintln(c.stderr, fault)
	}
	for _, n := range answer.Nodes {
		fmt.Fprintf(c.stderr, "%s: %s\n", n.Node, n.Problem)
	}
	switch {
	case len(answer.Faults) > 0:
		return c.die("Not reloading, configuration is not valid")
	case answer.Problem != "" && answer.To <= answer.From:
		return c.die("Not reloading, config version older or equal the running config")
	case answer.Problem != "" && len(answer.Nodes) > 0:
		return c.die("ccs_sync failed.\nIf you have distributed the config file yourself, try re-running with -S\n")
	case answer.Problem != "":
		fmt.Fprintln(c.stderr, answer.Problem)
		return c.die("Error loading configuration in corosync/cman")
	}
	say("Configuration succesfully updated or already running")
	return 0
}

// setVersion is version -r N of 2.x: the file was distributed before, by
// ccs_tool update, and all were told its number. Here the update does both, and
// what is left is to agree; a file of that number that nobody has pushed yet is
// pushed.
func (c *command) setVersion(ctx context.Context, q request, say func(string)) int {
	if problem := number('r', q.options['r']); problem != "" {
		return c.die("%s", problem)
	}
	st, err := c.client.Status(ctx)
	if err != nil {
		return c.lost()
	}
	if fmt.Sprint(st.Cluster.ConfigVersion) == q.options['r'] {
		return 0
	}
	text, err := os.ReadFile(c.conf)
	if err != nil {
		return c.die("can't set version: %s", wire.SystemError(err))
	}
	doc, err := conf.Parse(c.conf, text)
	if err != nil {
		return c.die("can't set version: %v", err)
	}
	if config, _ := doc.Config(); fmt.Sprint(config.Version) != q.options['r'] {
		return c.die("can't set version: %s", wire.SystemError(syscall.EINVAL))
	}
	return c.push(ctx, text, say)
}
