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

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

var update = flag.Bool("update", false, "rewrite the scripts' goldens")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"clusvcadm": main, "fakecmand": fakecmand})
}

// scripted answers what its file says, and prints what it is asked.
type scripted struct {
	wire.Backend
	State   cluster.Status         `json:"status"`
	Answers map[string]wire.Answer `json:"answers"` // by what was printed
}

func (s scripted) Status(context.Context) (cluster.Status, error) { return s.State, nil }

func (s scripted) Act(_ context.Context, a wire.Action) (wire.Answer, error) {
	asked := strings.TrimSpace(fmt.Sprintf("%s %s", a.Verb, a.Service))
	if a.Target != 0 {
		asked += fmt.Sprintf(" on %d", a.Target)
	}
	if a.ByDomain {
		asked += " by domain"
	}
	fmt.Println(asked)
	answer, ok := s.Answers[asked]
	if !ok {
		return wire.Answer{}, fmt.Errorf("no answer to %q", asked)
	}
	return answer, nil
}

// fakecmand FILE answers on $CMAND_SOCKET as FILE says until SIGINT; everyone
// may act.
func fakecmand() {
	err := func() error {
		text, err := os.ReadFile(os.Args[1])
		if err != nil {
			return err
		}
		var s scripted
		if err := json.Unmarshal(text, &s); err != nil {
			return err
		}
		l, err := wire.Listen(os.Getenv("CMAND_SOCKET"))
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return (&wire.Server{Backend: s, Admin: func(uid, gid uint32) bool { return true }}).Serve(ctx, l)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakecmand:", err)
		os.Exit(1)
	}
}

func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("CMAND_SOCKET", env.WorkDir+"/s")
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "root" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return os.Geteuid() == 0, nil
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
