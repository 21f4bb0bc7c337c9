// Clusvcadm enables, disables, relocates, migrates, freezes and locks services
// (clusvcadm(8)).
//
// Progress, results and the usage go to stdout, which -q silences. To stderr
// go complaints about options, as `clusvcadm: ...`, the loss of the connection
// before the answer and, where it is a terminal, why something was refused.
//
// RHCS_COMPAT names the release of RHEL whose forms are taken on (form.go).
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
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/getopt"
	"fangnetz/internal/wire"
)

var version = "unknown" // set by the linker

// long are the options that the original did not have.
var long = []string{"dry-run", "drain:", "undrain:"}

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	c := &command{stdout: stdout, stderr: stderr, client: wire.New(""), version: version,
		form: formOf(cluster.ReleaseOf(os.Getenv("RHCS_COMPAT"))), root: os.Geteuid() == 0, patience: 5 * time.Second}
	return getopt.Run(args, stdout, stderr, c.run)
}

// command is one run of clusvcadm.
type command struct {
	stdout, stderr io.Writer
	client         *wire.Client
	version        string
	form           form
	root           bool
	patience       time.Duration // how long cmand may take to answer, if it has nothing to carry out
}

// request is what the options ask for.
type request struct {
	verb     wire.Verb
	service  string // full name
	target   *string
	byDomain bool
	dryRun   bool
}

// whole reports whether it is about a node, not a service.
func (q request) whole() bool { return q.verb == wire.Drain || q.verb == wire.Undrain }

var verbs = map[byte]wire.Verb{
	'e': wire.Enable, 'd': wire.Disable, 's': wire.Stop, 'r': wire.Relocate, 'M': wire.Migrate,
	'R': wire.Restart, 'Z': wire.Freeze, 'U': wire.Unfreeze, 'c': wire.Convalesce,
}

// run goes through the options, from left to right; some end the program as
// soon as they are met (clusvcadm, "Parsing rules and refused combinations").
// args begin with the program's name.
func (c *command) run(ctx context.Context, args []string) int {
	if c.form.rootOnly && !c.root {
		fmt.Fprintf(c.stderr, "%s must be run as the root user.\n", args[0])
		return 1
	}
	program := filepath.Base(args[0])
	q := request{dryRun: dryRun(args[1:], c.form.letters)}
	var node *string // of --drain and --undrain
	for opt, err := range getopt.Parse(args[1:], c.form.letters, long...) {
		if err != nil {
			fmt.Fprintf(c.stderr, "%s: %v\n", args[0], err)
			return c.usage(program)
		}
		if q.dryRun && (opt.Letter == 'l' || opt.Letter == 'u') {
			fmt.Fprintf(c.stderr, "Cannot use '--dry-run' with '-%c'\n", opt.Letter)
			return 1
		}
		switch opt.Long {
		case "drain", "undrain":
			q.verb, q.service, node = wire.Verb(opt.Long), "", &opt.Arg
		}
		switch opt.Letter {
		case 'm', 'n':
			q.target = &opt.Arg
		case 'F':
			q.byDomain = true
		case 'q':
			c.stdout = io.Discard
		case 'v':
			fmt.Fprintln(c.stdout, c.version)
			return 0
		case 'l':
			return c.lock(ctx, wire.Lock)
		case 'u':
			return c.lock(ctx, wire.Unlock)
		case 'S':
			return c.showLock(ctx)
		case 'h', '?':
			return c.usage(program)
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
		return c.usage(program)
	case q.whole() && (q.target != nil || q.byDomain):
		fmt.Fprintf(c.stderr, "Cannot use '--%s' with '-m', '-n' or '-F'\n", q.verb)
		return 1
	case q.whole():
		q.target = node
	case q.verb == wire.Migrate && q.target == nil:
		fmt.Fprintln(c.stdout, "Migration requires a target cluster member")
		return 1
	}
	return c.ask(ctx, q)
}

// dryRun reports whether that option is anywhere: some options act as soon as
// they are met, also before it.
func dryRun(args []string, letters string) bool {
	for opt := range getopt.Parse(args, letters, long...) {
		if opt.Long == "dry-run" {
			return true
		}
	}
	return false
}

func (c *command) usage(program string) int {
	fmt.Fprintf(c.stdout, c.form.usage, program)
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
