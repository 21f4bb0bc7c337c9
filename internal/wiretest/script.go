package wiretest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

// fake is a cmand that answers what a file says, and prints what it is asked
// to do.
type fake struct {
	wire.Backend
	State   cluster.Status         `json:"status"`
	Ring    cluster.Membership     `json:"membership"`
	Past    []cluster.Entry        `json:"history"`
	New     wire.UpdateAnswer      `json:"update"`
	Answers map[string]wire.Answer `json:"answers"` // by what is printed
	Events  []wire.Event           `json:"events"`  // for a watcher; an action ends after them

	shown chan bool
	over  atomic.Bool // the action: the status is that of the last event
}

func (f *fake) Status(context.Context) (cluster.Status, error) {
	if f.over.Load() {
		return f.Events[len(f.Events)-1].Status, nil
	}
	return f.State, nil
}

func (f *fake) Membership(context.Context) (cluster.Membership, error) { return f.Ring, nil }

func (f *fake) History(_ context.Context, service string) ([]cluster.Entry, error) {
	var found []cluster.Entry
	for _, e := range f.Past {
		if service == "" || e.Service == service {
			found = append(found, e)
		}
	}
	return found, nil
}

func (f *fake) Update(_ context.Context, file string, text []byte) (wire.UpdateAnswer, error) {
	fmt.Printf("update %s: %d bytes\n", file, len(text))
	return f.New, nil
}

func (f *fake) Watch(ctx context.Context, emit func(wire.Event) error) error {
	events := f.Events
	if events == nil {
		events = []wire.Event{{Status: f.State}}
	}
	for _, ev := range events {
		if err := emit(ev); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond) // until it is read
	}
	select {
	case f.shown <- true:
	case <-ctx.Done():
	}
	<-ctx.Done()
	return ctx.Err()
}

func (f *fake) Act(ctx context.Context, a wire.Action) (wire.Answer, error) {
	asked := strings.TrimSpace(fmt.Sprintf("%s %s", a.Verb, a.Service))
	if a.Target != 0 {
		asked += fmt.Sprintf(" on %d", a.Target)
	}
	if a.ByDomain {
		asked += " by domain"
	}
	if a.DryRun {
		asked += " dry run"
	}
	fmt.Println(asked)
	answer, ok := f.Answers[asked]
	if !ok {
		return answer, fmt.Errorf("no answer to %q", asked)
	}
	if f.Events != nil && !a.DryRun {
		select {
		case <-f.shown:
			f.over.Store(true)
		case <-time.After(10 * time.Second):
			return answer, errors.New("nobody watches")
		}
	}
	return answer, nil
}

// Main runs a package's tests, with the command and a fakecmand for scripts:
// `fakecmand FILE` answers on $CMAND_SOCKET as FILE says until SIGINT, and takes
// everyone for an administrator.
func Main(m *testing.M, name string, command func()) {
	testscript.Main(m, map[string]func(){name: command, "fakecmand": func() {
		if err := serveFile(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "fakecmand:", err)
			os.Exit(1)
		}
	}})
}

func serveFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	f := &fake{shown: make(chan bool)}
	if err := json.Unmarshal(text, f); err != nil {
		return err
	}
	l, err := wire.Listen(os.Getenv("CMAND_SOCKET"))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return (&wire.Server{Backend: f, Admin: func(uid, gid uint32) bool { return true }}).Serve(ctx, l)
}

// Scripts runs the scripts in testdata/script, or rewrites what they compare
// with. Beside testscript's own words they know `waitfor FILE`,
// `exits N COMMAND...` and the condition [root].
func Scripts(t *testing.T, update bool) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("CMAND_SOCKET", env.WorkDir+"/s")
			env.Setenv("TZ", "UTC")
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
