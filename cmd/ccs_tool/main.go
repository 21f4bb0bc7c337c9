// Ccs_tool edits cluster.conf, lists what is in it, and pushes it to all nodes
// (ccs_tool(8)).
//
// What was asked for goes to stdout: lists, values, the usage of the whole.
// To stderr go complaints, as `ccs_tool: ...`, and the usage of a subcommand,
// with which a wrong option is answered.
//
// Called ccs_config_validate, it is that program (validate.go).
//
// RHCS_COMPAT names the release of RHEL whose forms are taken on (form.go).
//
// Exit status: 0 when it was done, and after the usage of a subcommand, wrong
// options or not; 1 when not; 255 for a query without an answer.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"fangnetz/internal/cluster"
	"fangnetz/internal/getopt"
	"fangnetz/internal/wire"
)

var version = "unknown" // set by the linker

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &command{stdin: stdin, stdout: stdout, stderr: stderr, client: wire.New(""), conf: defaultFile, host: thisHost(),
		form: formOf(cluster.ReleaseOf(os.Getenv("RHCS_COMPAT")))}
	return getopt.Run(args, stdout, stderr, func(ctx context.Context, args []string) int {
		if filepath.Base(args[0]) == "ccs_config_validate" {
			return c.validate(ctx, args[1:])
		}
		return c.act(ctx, args[0], args[1:])
	})
}

// defaultFile is cluster.conf outside of tests.
const defaultFile = "/etc/cluster/cluster.conf"

// command is one run of ccs_tool.
type command struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	client         *wire.Client
	conf           string // what is edited, listed and checked unless another is named
	host           host
	form           form
	verbose        bool
}

// act goes by the first word, which is compared exactly (ccs_tool, "Command
// line, 3.x").
func (c *command) act(ctx context.Context, argv0 string, args []string) int {
	if len(args) > 0 && args[0] == "-verbose" {
		if c.verbose, args = true, args[1:]; len(args) == 0 {
			return c.tooFew()
		}
	}
	if len(args) == 0 {
		args = []string{"help"}
	}
	word, args := args[0], args[1:]
	switch {
	case word == "-h" || word == "help":
		io.WriteString(c.stdout, c.form.usage)
		return 0
	case word == "-V":
		fmt.Fprintf(c.stdout, "%s %s\n", argv0, version)
		return 0
	case word == "update" && len(args) == 0, word == "upgrade" && c.form.distributes && len(args) == 0:
		return c.tooFew()
	case word == "update":
		return c.update(ctx, args[0])
	case word == "upgrade" && c.form.distributes:
		return c.upgrade(args[0])
	case word == "query" && c.form.queries:
		return c.query(ctx, args)
	}
	if s, ok := c.form.subcommand(word); ok {
		return c.subcommand(ctx, s, args)
	}
	fmt.Fprintf(c.stderr, "Unknown command, %s.\nTry 'ccs_tool help' for help.\n", word)
	return 1
}

func (c *command) tooFew() int {
	fmt.Fprint(c.stderr, "Too few arguments.\nTry 'ccs_tool help' for help.\n")
	return 1
}
