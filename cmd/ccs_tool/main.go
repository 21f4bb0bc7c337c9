// Ccs_tool pushes a new cluster.conf to all nodes (ccs_tool(8)).
//
// Success and the usage go to stdout, every complaint to stderr.
//
// Exit status: 0 when it was done, 1 when not.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"fangnetz/internal/wire"
)

var version = "unknown" // set by the linker

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) (status int) {
	app := &cli.App{
		Name:            filepath.Base(args[0]),
		SkipFlagParsing: true, // -verbose is one word, and must come first
		HideHelp:        true,
		HideHelpCommand: true,
		HideVersion:     true,
		Writer:          stdout,
		ErrWriter:       stderr,
		Action: func(cc *cli.Context) error {
			c := &command{stdout: stdout, stderr: stderr, client: wire.New("")}
			status = c.act(cc.Context, args[0], cc.Args().Slice())
			return nil
		},
	}
	if err := app.Run(args); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", args[0], err)
		return 1
	}
	return status
}

// command is one run of ccs_tool.
type command struct {
	stdout, stderr io.Writer
	client         *wire.Client
	verbose        bool
}

const usage = `Usage:
  ccs_tool [options] <command>

Options:
  -verbose            Make some operations print more details.
  -h                  Print this usage and exit.
  -V                  Print version information and exit.

Commands:
  help                Print this usage and exit.
  update <xml file>   Tells cmand to upgrade to new config file.

`

// act goes by the first word, which is compared exactly (ccs_tool, "Command line").
func (c *command) act(ctx context.Context, argv0 string, args []string) int {
	if len(args) > 0 && args[0] == "-verbose" {
		if c.verbose, args = true, args[1:]; len(args) == 0 {
			return c.tooFew()
		}
	}
	if len(args) == 0 {
		args = []string{"help"}
	}
	switch args[0] {
	case "-h", "help":
		fmt.Fprint(c.stdout, usage)
		return 0
	case "-V":
		fmt.Fprintf(c.stdout, "%s %s\n", argv0, version)
		return 0
	case "update":
		if len(args) < 2 {
			return c.tooFew()
		}
		return c.update(ctx, args[1])
	}
	fmt.Fprintf(c.stderr, "Unknown command, %s.\nTry 'ccs_tool help' for help.\n", args[0])
	return 1
}

func (c *command) tooFew() int {
	fmt.Fprint(c.stderr, "Too few arguments.\nTry 'ccs_tool help' for help.\n")
	return 1
}
