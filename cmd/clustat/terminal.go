package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"

	"github.com/xo/terminfo"
	"golang.org/x/term"
)

// terminal is what stdout is, as far as clustat cares.
type terminal struct {
	columns int
	is      bool   // stdout is one
	clear   string // empties the screen; empty when stdout is no terminal
}

// openTerminal looks at w: 80 columns unless it is a terminal; then $COLUMNS,
// the window's size, terminfo's cols, 80 (clustat, "Terminal width").
func openTerminal(w io.Writer) (terminal, error) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return terminal{columns: 80}, nil
	}
	name := os.Getenv("TERM")
	if name == "" {
		//lint:ignore ST1005 these are the C library's words
		return terminal{}, errors.New("TERM environment variable not set.")
	}
	ti, err := terminfo.Load(name)
	if err != nil {
		//lint:ignore ST1005 these are the C library's words
		return terminal{}, fmt.Errorf("'%s': unknown terminal type.", name)
	}
	// $<5> in a capability is a pause for a teletype.
	pause := regexp.MustCompile(`\$<[^>]*>`)
	t := terminal{is: true, clear: pause.ReplaceAllString(string(ti.Strings[terminfo.ClearScreen]), "")}
	window, _, _ := term.GetSize(int(f.Fd()))
	env, _ := strconv.Atoi(os.Getenv("COLUMNS"))
	for _, n := range []int{env, window, ti.Num(terminfo.Columns), 80} {
		if n > 0 {
			t.columns = n
			break
		}
	}
	return t, nil
}
