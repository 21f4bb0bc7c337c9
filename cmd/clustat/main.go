// Clustat shows the members and services of the cluster (clustat(8)).
//
// All that was asked for goes to stdout, and so do a refusal of the resource
// manager and the usage. To stderr go complaints about options, as
// `clustat: ...`, `Could not connect to CMAN: ...`, and a warning for each service
// that runs on several nodes at once.
//
// RHCS_COMPAT names the release of RHEL whose forms are shown (form.go).
//
// Exit status: 0, also after a wrong option; 1 when cmand cannot be asked, for
// -Q when inquorate, for -m when the member is offline; with -s the number of a
// state in which the service does not run; 255 when there is no such member or
// service.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/getopt"
)

var version = "unknown" // set by the linker

const letters = "fIls:m:i:xvQh?" // getopt(3)

// long are the options that the original did not have.
var long = []string{"json", "watch", "history::"}

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	c := &command{stdout: stdout, stderr: stderr, now: time.Now, version: version,
		form: formOf(cluster.ReleaseOf(os.Getenv("RHCS_COMPAT"))), root: os.Geteuid() == 0, patience: 10 * time.Second}
	return getopt.Run(args, stdout, stderr, c.run)
}

// command is one run of clustat.
type command struct {
	stdout, stderr io.Writer
	now            func() time.Time
	version        string
	form           form
	root           bool          // the configuration is shown to root only
	patience       time.Duration // how long cmand may take to answer
}

// run parses the options and does what they ask for; args begin with the
// program's name.
func (c *command) run(ctx context.Context, args []string) int {
	program := filepath.Base(args[0])
	opts := options{form: c.form, user: !c.root}
	var query byte // the last one of -v, -I, -Q
	var interval time.Duration
	operand := "" // the first one
	watch, past := false, false
	for opt, err := range getopt.Parse(args[1:], letters, long...) {
		if err != nil {
			fmt.Fprintf(c.stderr, "%s: %v\n", args[0], err)
			fmt.Fprintf(c.stdout, c.form.usage, program)
			return 0
		}
		switch opt.Long {
		case "json":
			opts.json = true
		case "watch":
			watch = true
		case "history":
			past = true
			if opt.Arg != "" {
				opts.service = fullName(opt.Arg)
			}
		}
		switch opt.Letter {
		case 0:
			if operand == "" && opt.Long == "" {
				operand = opt.Arg
			}
		case 'v', 'I', 'Q':
			query = opt.Letter
		case 'i':
			interval = time.Duration(max(1, atoi(opt.Arg))) * time.Second
		case 'm':
			opts.member = &opt.Arg
		case 's':
			opts.service = fullName(opt.Arg)
		case 'l':
			opts.long = true
		case 'f':
			opts.fast = true
		case 'x':
			if interval > 0 {
				fmt.Fprintln(c.stdout, "Error: Options '-i' and '-x' are mutually exclusive")
				return 1
			}
			opts.xml = true
		case 'h', '?':
			fmt.Fprintf(c.stdout, c.form.usage, program)
			return 0
		}
	}
	words := fmt.Sprintf("%s version %s\n", program, c.version)
	if query == 'v' && !c.form.asksForVersion {
		io.WriteString(c.stdout, words)
		return 0
	}
	st, err := c.ask()
	if err != nil {
		return c.lost(err)
	}
	switch query {
	case 'v':
		io.WriteString(c.stdout, words)
		return 0
	case 'Q':
		if st.Quorate {
			return 0
		}
		return 1
	case 'I':
		fmt.Fprintf(c.stdout, "0x%08x\n", localID(st))
		return 0
	}
	if past {
		if operand != "" && opts.service == nil {
			opts.service = fullName(operand)
		}
		return c.history(st, opts)
	}
	if watch {
		return c.watch(ctx, opts)
	}
	return c.show(st, opts, interval)
}

// fullName puts a type before a name that has none.
func fullName(name string) *string {
	if !strings.Contains(name, ":") {
		name = "service:" + name
	}
	return &name
}

// localID is the local node's id, all ones when it is not among the members.
func localID(st cluster.Status) uint32 {
	for _, m := range st.Members {
		if m.Local {
			return uint32(m.ID)
		}
	}
	return ^uint32(0)
}

// atoi reads the number at the beginning of a text as atoi(3) does; none is 0.
func atoi(text string) int {
	text = strings.TrimLeft(text, " \t\n\v\f\r")
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || end == 0 && strings.ContainsRune("+-", rune(text[0]))) {
		end++
	}
	n, _ := strconv.ParseInt(text[:end], 10, 32)
	return int(n)
}
