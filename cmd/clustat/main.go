// Clustat shows the members and services of the cluster (clustat(8)).
//
// All that was asked for goes to stdout, and so do a refusal of the resource
// manager and the usage. To stderr go complaints about options, as
// `clustat: ...`, and `Could not connect to CMAN: ...`.
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
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"fangnetz/internal/getopt"
	"fangnetz/internal/wire"
)

var version = "unknown" // set by the linker

const letters = "fIls:m:i:xvQh?" // getopt(3)

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	return (&command{stdout: stdout, stderr: stderr, now: time.Now, version: version}).run(args)
}

// command is one run of clustat.
type command struct {
	stdout, stderr io.Writer
	now            func() time.Time
	version        string
}

const usage = `usage: %s <options>
    -i <interval>      Refresh every <interval> seconds.  May not be used
                       with -x.
    -I                 Display local node ID and exit
    -m <member>        Display status of <member> and exit
    -s <service>       Display status of <service> and exit
    -v                 Display version and exit
    -x                 Dump information as XML
    -Q                 Return 0 if quorate, 1 if not (no output)
    -f                 Enable fast clustat reports
    -l                 Use long format for services

`

func (c *command) run(args []string) (status int) {
	app := &cli.App{
		Name:            filepath.Base(args[0]),
		SkipFlagParsing: true, // getopt's rules and words, not cli's
		HideHelp:        true,
		HideHelpCommand: true,
		HideVersion:     true,
		Writer:          c.stdout,
		ErrWriter:       c.stderr,
		Action: func(cc *cli.Context) error {
			status = c.act(args[0], cc.Args().Slice())
			return nil
		},
	}
	if err := app.Run(args); err != nil {
		fmt.Fprintf(c.stderr, "%s: %v\n", args[0], err)
		return 1
	}
	return status
}

// act parses the options and does what they ask for.
func (c *command) act(argv0 string, args []string) int {
	program := filepath.Base(argv0)
	var opts options
	var query byte // the last one of -v, -I, -Q
	var interval time.Duration
	for opt, err := range getopt.Parse(args, letters) {
		if err != nil {
			fmt.Fprintf(c.stderr, "%s: %v\n", argv0, err)
			fmt.Fprintf(c.stdout, usage, program)
			return 0
		}
		switch opt.Letter {
		case 'v', 'I', 'Q':
			query = opt.Letter
		case 'i':
			interval = time.Duration(max(1, atoi(opt.Arg))) * time.Second
		case 'm':
			opts.member = &opt.Arg
		case 's':
			name := opt.Arg
			if !strings.Contains(name, ":") {
				name = "service:" + name
			}
			opts.service = &name
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
			fmt.Fprintf(c.stdout, usage, program)
			return 0
		}
	}
	if query == 'v' {
		fmt.Fprintf(c.stdout, "%s version %s\n", program, c.version)
		return 0
	}
	return c.show(opts, query, interval)
}

// show asks cmand and prints, again and again when interval is not 0.
func (c *command) show(opts options, query byte, interval time.Duration) int {
	ctx := context.Background()
	client := wire.New("")
	st, err := client.Status(ctx)
	if err != nil {
		fmt.Fprintf(c.stderr, "Could not connect to CMAN: %s\n", wire.SystemError(err))
		return 1
	}
	switch query {
	case 'Q':
		if st.Quorate {
			return 0
		}
		return 1
	case 'I':
		id := ^uint32(0)
		for _, m := range st.Members {
			if m.Local {
				id = uint32(m.ID)
				break
			}
		}
		fmt.Fprintf(c.stdout, "0x%08x\n", id)
		return 0
	}
	term, err := openTerminal(c.stdout)
	if err != nil {
		fmt.Fprintln(c.stderr, err)
		return 1
	}
	opts.columns = term.columns
	if interval == 0 {
		return render(c.stdout, st, opts, c.now())
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	for {
		io.WriteString(c.stdout, term.clear)
		status := render(c.stdout, st, opts, c.now())
		if ctx.Err() != nil {
			return status
		}
		select { // a signal still lets one more round be seen
		case <-ctx.Done():
		case <-time.After(interval):
		}
		if st, err = client.Status(context.WithoutCancel(ctx)); err != nil {
			fmt.Fprintf(c.stderr, "Could not connect to CMAN: %s\n", wire.SystemError(err))
			return 1
		}
	}
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
