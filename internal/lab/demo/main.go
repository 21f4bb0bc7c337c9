// Command demo plays the article on two hosts of the lab: it prints each
// command as an administrator types it, what it really answered, and how long
// things took. `make demo` runs it, as root.
//
// The story goes to standard output, a failure to standard error as `demo: ...`
// with exit status 1. Nothing is left behind but, after a failure, the hosts'
// logs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"fangnetz/internal/lab"
)

func main() {
	lab.Enter()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	keep := flags.Bool("keep", false, "at the end give a shell on host1; the hosts go when it ends")
	bin := flags.String("bin", "bin", "`folder` of the built commands")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := play(ctx, stdout, *bin, *keep); err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	return 0
}

// play makes the hosts, tells the story and takes the hosts apart again.
func play(ctx context.Context, out io.Writer, bin string, keep bool) (err error) {
	var programs []string
	for _, p := range []string{"clustat", "clusvcadm", "ccs_tool", "fence_ack_manual", "cmand"} {
		programs = append(programs, filepath.Join(bin, p))
	}
	l, err := lab.New(ctx, 2, programs...)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, l.Close())
		if err != nil {
			err = fmt.Errorf("%w (the hosts' logs are in %s)", err, l.Logs)
			return
		}
		err = l.RemoveLogs()
	}()
	s := &story{terminal: terminal{ctx: ctx, out: out}, lab: l, host1: l.Host("host1"), host2: l.Host("host2")}
	err = s.tell()
	if keep && ctx.Err() == nil {
		fmt.Fprintf(out, "\nThe hosts stay until this shell on host1 ends; `ssh host2` leads to the other.\n")
		err = errors.Join(err, s.host1.Shell(ctx))
	}
	return err
}

// terminal prints commands and their answers. The first failure sticks, and
// all later calls do nothing.
type terminal struct {
	ctx context.Context
	out io.Writer
	err error
}

func (t *terminal) say(format string, args ...any) {
	if t.err == nil {
		fmt.Fprintf(t.out, "\n== "+format+"\n", args...)
	}
}

// took prints a time or a rate that was measured.
func (t *terminal) took(format string, args ...any) {
	if t.err == nil {
		fmt.Fprintf(t.out, "   -- "+format+"\n", args...)
	}
}

// do runs a command that must succeed and returns what it printed, and how long
// it took.
func (t *terminal) do(h *lab.Host, argv ...string) (string, time.Duration) {
	if t.err != nil {
		return "", 0
	}
	fmt.Fprintf(t.out, "%s# %s\n", h.Name, strings.Join(argv, " "))
	ctx, cancel := context.WithTimeout(t.ctx, 2*time.Minute)
	defer cancel()
	began := time.Now()
	out, err := h.Run(ctx, argv...)
	took := time.Since(began)
	fmt.Fprint(t.out, out.Stdout, out.Stderr)
	if err == nil {
		err = out.Err()
	}
	if err != nil {
		t.err = fmt.Errorf("%s# %w", h.Name, err)
	}
	return out.Stdout, took
}

// await waits until holds, looking silently, and returns how long it took.
func (t *terminal) await(what string, limit time.Duration, holds func() bool) time.Duration {
	if t.err != nil {
		return 0
	}
	began := time.Now()
	for !holds() {
		select {
		case <-t.ctx.Done():
			t.err = t.ctx.Err()
			return 0
		case <-time.After(50 * time.Millisecond):
		}
		if time.Since(began) > limit {
			t.err = fmt.Errorf("not within %s: %s", limit, what)
			return 0
		}
	}
	return time.Since(began)
}

// prints reports whether a command succeeds and prints all of words; it is not
// shown.
func (t *terminal) prints(h *lab.Host, command []string, words ...string) bool {
	ctx, cancel := context.WithTimeout(t.ctx, 20*time.Second)
	defer cancel()
	out, err := h.Run(ctx, command...)
	if err != nil || out.Exit != 0 {
		return false
	}
	for _, w := range words {
		if !strings.Contains(out.Stdout, w) {
			return false
		}
	}
	return true
}
