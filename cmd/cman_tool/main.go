// Cman_tool shows the membership of the cluster and its votes, waits for
// quorum, and pushes a new cluster.conf (cman_tool(8)).
//
// What was asked for goes to stdout, and so does the usage. All complaints go
// to stderr, as `cman_tool: ...` with the program's name as it was typed; some
// are followed by an empty line, as the original's were.
//
// RHCS_COMPAT names the release of RHEL whose forms are shown (form.go).
//
// Exit status: 0 when it was done; 1 when not; 2 when it took longer than -t
// allowed.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/getopt"
	"fangnetz/internal/wire"
)

var version = "unknown" // set by the linker

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	c := &command{stdout: stdout, stderr: stderr, client: wire.New(""), version: version, zone: time.Local,
		conf: "/etc/cluster/cluster.conf", form: formOf(cluster.ReleaseOf(os.Getenv("RHCS_COMPAT")))}
	return getopt.Run(args, stdout, stderr, c.run)
}

// command is one run of cman_tool.
type command struct {
	name           string // as it was typed
	stdout, stderr io.Writer
	client         *wire.Client
	version        string
	zone           *time.Location
	conf           string
	form           form
}

// request is what the options ask for.
type request struct {
	operation string
	options   map[byte]string // argument by letter, of the last one of each
	names     []string        // -n
}

func (q request) has(letter byte) bool {
	_, ok := q.options[letter]
	return ok
}

// Bounds of -n (cman, "cman_tool: command line").
const (
	maxNames   = 10
	maxNameLen = 65
)

// run reads the options and the operation, in any order, and does it.
func (c *command) run(ctx context.Context, args []string) int {
	c.name = args[0]
	q := request{options: map[byte]string{}}
	var words []string
	for opt, err := range getopt.Parse(args[1:], c.form.letters) {
		if err != nil {
			fmt.Fprintf(c.stderr, "%s: %v\n", c.name, err)
		}
		switch {
		case err != nil, opt.Letter == '?':
			fmt.Fprintln(c.stderr, "Please use '-h' for usage.")
			return 1
		case opt.Letter == 0:
			words = append(words, opt.Arg)
			continue
		case opt.Letter == 'V':
			fmt.Fprintf(c.stdout, "cman_tool %s\n", c.version)
			return 0
		}
		if problem := check(opt, len(q.names)); problem != "" {
			return c.die("%s", problem)
		}
		if opt.Letter == 'n' {
			q.names = append(q.names, opt.Arg)
		}
		q.options[opt.Letter] = opt.Arg
	}
	for _, word := range words {
		switch {
		case slices.Contains(operations, word) && q.operation != "":
			return c.die("can't specify two operations")
		case slices.Contains(operations, word):
			q.operation = word
		case word != "remove" && word != "force":
			return c.die("unknown option %s", word)
		}
	}
	switch {
	case q.has('h'):
		c.usage(q.operation)
		return 0
	case q.operation == "":
		return c.die("no operation specified")
	}
	return c.act(ctx, q)
}

// check says what is wrong with an option, or "" (cman, "Messages of
// cman_tool"). names is how many -n there were before.
func check(opt getopt.Option, names int) string {
	switch letter := opt.Letter; {
	case strings.IndexByte("fi", letter) >= 0:
		return fmt.Sprintf("unknown option: %c", letter)
	case strings.IndexByte("vepNt", letter) >= 0:
		return number(letter, opt.Arg)
	case letter == 'D' && opt.Arg != "" && !strings.ContainsRune("fwnFWN", rune(opt.Arg[0])):
		return "invalid option to -D, it should be 'force', 'warn' or 'none'\n"
	case letter == 'n' && names >= maxNames:
		return fmt.Sprintf("maximum of %d node names allowed", maxNames)
	case letter == 'n' && len(opt.Arg) > maxNameLen:
		return fmt.Sprintf("maximum node name length is %d", maxNameLen)
	}
	return ""
}

// act does what the operation says.
func (c *command) act(ctx context.Context, q request) int {
	switch q.operation {
	case "status":
		return c.status(ctx)
	case "nodes":
		return c.nodes(ctx, q)
	case "services":
		return c.services(ctx)
	case "version":
		if q.has('r') {
			return c.reload(ctx, q)
		}
		return c.showVersion(ctx)
	case "wait":
		return c.wait(ctx, q)
	}
	return c.decline(ctx, q)
}

// die says why it ends.
func (c *command) die(format string, args ...any) int {
	fmt.Fprintf(c.stderr, "%s: %s\n", c.name, fmt.Sprintf(format, args...))
	return 1
}

// lost says that cmand does not answer.
func (c *command) lost() int {
	return c.die("Cannot open connection to cman, is it running ?")
}

// number says what is wrong with an option's argument that must be a number
// from 0 up.
func number(letter byte, arg string) string {
	digits := strings.TrimLeft(arg, " \t\n\v\f\r")
	negative := strings.HasPrefix(digits, "-")
	digits = strings.TrimPrefix(strings.TrimPrefix(digits, "-"), "+")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return fmt.Sprintf("argument to %c (%s) is not an integer", letter, arg)
	}
	if negative && strings.Trim(digits, "0") != "" {
		return fmt.Sprintf("argument to %c cannot be negative", letter)
	}
	return ""
}
