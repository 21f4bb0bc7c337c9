// Clusvcadm enables, disables, relocates, migrates, freezes and locks services
// (clusvcadm(8)).
//
// Progress, results and the usage go to stdout, which -q silences. To stderr
// go complaints about options, as `clusvcadm: ...`, and the loss of the
// connection before the answer.
//
// Exit status: 0 when it was done, or when the service runs already; 1 when it
// could not be asked for; else 256 less the number of the result.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"fangnetz/internal/getopt"
	"fangnetz/internal/wire"
)

var version = "unknown" // set by the linker

const letters = "lSue:M:d:r:n:c:m:FvR:s:Z:U:qh?" // getopt(3)

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) (status int) {
	app := &cli.App{
		Name:            filepath.Base(args[0]),
		SkipFlagParsing: true, // getopt's rules and words, not cli's
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

// command is one run of clusvcadm.
type command struct {
	stdout, stderr io.Writer
	client         *wire.Client
}

// request is what the options ask for.
type request struct {
	verb     wire.Verb
	service  string // full name
	target   *string
	byDomain bool
}

var verbs = map[byte]wire.Verb{
	'e': wire.Enable, 'd': wire.Disable, 's': wire.Stop, 'r': wire.Relocate, 'M': wire.Migrate,
	'R': wire.Restart, 'Z': wire.Freeze, 'U': wire.Unfreeze, 'c': wire.Convalesce,
}

// act goes through the options, from left to right; some end the program as
// soon as they are met (clusvcadm, "Parsing rules and refused combinations").
func (c *command) act(ctx context.Context, argv0 string, args []string) int {
	var q request
	for opt, err := range getopt.Parse(args, letters) {
		if err != nil {
			fmt.Fprintf(c.stderr, "%s: %v\n", argv0, err)
			return c.usage(argv0)
		}
		switch opt.Letter {
		case 'm', 'n':
			q.target = &opt.Arg
		case 'F':
			q.byDomain = true
		case 'q':
			c.stdout = io.Discard
		case 'v':
			fmt.Fprintln(c.stdout, version)
			return 0
		case 'l':
			return c.lock(ctx, wire.Lock)
		case 'u':
			return c.lock(ctx, wire.Unlock)
		case 'S':
			return c.showLock(ctx)
		case 'h', '?':
			return c.usage(argv0)
		}
		if verb, ok := verbs[opt.Letter]; ok {
			q.verb, q.service = verb, fullName(opt.Arg)
		}
		if q.byDomain && q.target != nil {
			fmt.Fprintln(c.stderr, "Cannot use '-F' with '-n' or '-m'")
			return 1
		}
	}
	switch {
	case q.verb == "":
		return c.usage(argv0)
	case q.verb == wire.Migrate && q.target == nil:
		fmt.Fprintln(c.stdout, "Migration requires a target cluster member")
		return 1
	}
	return c.ask(ctx, q)
}

func (c *command) usage(argv0 string) int {
	fmt.Fprintf(c.stdout, usage, filepath.Base(argv0))
	return 1
}

// fullName puts a type before a name that has none; the result is cut to 63
// bytes (clusvcadm, "Service names").
func fullName(name string) string {
	if strings.Contains(name, ":") {
		return name
	}
	name = "service:" + name
	return name[:min(len(name), 63)]
}

const usage = `usage: %s [command]

Resource Group Control Commands:
  -v                     Display version and exit
  -d <group>             Disable <group>.  This stops a group
                         until an administrator enables it again,
                         the cluster loses and regains quorum, or
                         an administrator-defined event script
                         explicitly enables it again.
  -e <group>             Enable <group>
  -e <group> -F          Enable <group> according to failover
                         domain rules (deprecated; always the
                         case when using central processing)
  -e <group> -m <member> Enable <group> on <member>
  -r <group> -m <member> Relocate <group> [to <member>]
                         Stops a group and starts it on another
                         cluster member.
  -M <group> -m <member> Migrate <group> to <member>
                         (e.g. for live migration of VMs)
  -q                     Quiet operation
  -R <group>             Restart a group in place.
  -s <group>             Stop <group>.  This temporarily stops
                         a group.  After the next group or
                         or cluster member transition, the group
                         will be restarted (if possible).
  -Z <group>             Freeze resource group.  This prevents
                         transitions and status checks, and is 
                         useful if an administrator needs to 
                         administer part of a service without 
                         stopping the whole service.
  -U <group>             Unfreeze (thaw) resource group.  Restores
                         a group to normal operation.
  -c <group>             Convalesce (repair, fix) resource group.
                         Attempts to start failed, non-critical 
                         resources within a resource group.
Resource Group Locking (for cluster Shutdown / Debugging):
  -l                     Lock local resource group managers.
                         This prevents resource groups from
                         starting.
  -S                     Show lock state
  -u                     Unlock resource group managers.
                         This allows resource groups to start.
`
