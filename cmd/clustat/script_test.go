package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"fangnetz/internal/wire"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"clustat": main, "fakecmand": fakecmand})
}

// fakecmand FILE answers on $CMAND_SOCKET with the status in FILE until SIGINT.
func fakecmand() {
	err := func() error {
		text, err := os.ReadFile(os.Args[1])
		if err != nil {
			return err
		}
		var f fakeCmand
		if err := json.Unmarshal(text, &f.status); err != nil {
			return err
		}
		l, err := wire.Listen(os.Getenv("CMAND_SOCKET"))
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return (&wire.Server{Backend: f}).Serve(ctx, l)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakecmand:", err)
		os.Exit(1)
	}
}

var update = flag.Bool("update", false, "rewrite the scripts' goldens")

func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("CMAND_SOCKET", env.WorkDir+"/s")
			env.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"waitfor": waitFor,
			"exits":   exits,
		},
	})
}

// waitfor FILE waits until it is there.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor FILE")
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not come", args[0])
		}
	}
}

// exits N COMMAND... runs a command whose exit status has to be N.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		text, ok := strings.CutPrefix(err.Error(), "exit status ")
		if got, err = strconv.Atoi(text); !ok || err != nil {
			ts.Fatalf("%s: exit status %q", args[1], text)
		}
	}
	if got != want {
		ts.Fatalf("%s exits with %d; want %d", args[1], got, want)
	}
}
