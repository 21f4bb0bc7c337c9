package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/term"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

// follow shows how far the service's migration has come, on a line below the
// words that its result will end, until the returned function is called: that
// takes the line away again. It does nothing where stdout is no terminal, or
// an older form is wanted.
func (c *command) follow(ctx context.Context, words, service string) (end func()) {
	f, columns, ok := c.terminal()
	if !ok || c.form.release != cluster.Release318 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	shown := false
	go func() {
		defer close(ended)
		c.client.Watch(ctx, func(ev wire.Event) error {
			for _, m := range ev.Migrations {
				if m.Service != service {
					continue
				}
				if !shown {
					fmt.Fprintln(f)
					shown = true
				}
				fmt.Fprintf(f, "\r\x1b[K%.*s", columns-1, describe(m.Progress))
			}
			return nil
		}) // without it there is nothing to show, and nothing is lost
	}()
	return func() {
		cancel()
		<-ended
		if shown { // back behind the words
			fmt.Fprintf(f, "\r\x1b[K\x1b[A\x1b[%dG", len(words)%columns+1)
		}
	}
}

// terminal is stdout and its width, if it is one that progress can be shown on.
func (c *command) terminal() (f *os.File, columns int, ok bool) {
	f, ok = c.stdout.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, 0, false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	return f, columns, err == nil && columns >= 20
}

// describe gives percent, speed, what is left, and the pause so far.
func describe(p cluster.Progress) string {
	const mib = 1 << 20
	return fmt.Sprintf("%3.0f %%, %.0f MiB/s, %.0f MiB remaining, paused %.0f ms",
		percent(p), p.Rate/mib, float64(p.Remaining)/mib, 1000*p.Downtime)
}

func percent(p cluster.Progress) float64 {
	if p.Total == 0 {
		return 0
	}
	return 100 * float64(p.Total-min(p.Remaining, p.Total)) / float64(p.Total)
}
