package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

// Words of ours for a connection that ends before the answer.
const lostWords = "msg_receive: Connection reset by peer\nError receiving reply!\n"

// lost is what we say where the original took a broken connection for success.
func lost(want *result) {
	head, _, _ := strings.Cut(want.stdout, "...")
	*want = result{head + "...", lostWords, 1}
}

// sendFailed: with HTTP a request that cannot be sent is one without an answer.
func sendFailed(want *result) {
	want.stdout = strings.Replace(want.stdout, "Communication failed", "Receive failed", 1)
}

// differences are the cases that we answer otherwise, and why.
var differences = map[string]func(want *result){
	// The original said Success: a sign error, and a dangerous one.
	"enable_m_receive_reset":    lost,
	"enable_send_error":         lost,
	"migrate_m_receive_timeout": lost,
	"migrate_m_send_error":      lost,
	"relocate_send_error":       lost,
	"restart_receive_reset":     lost,
	"restart_send_error":        lost,

	"lock_send_error":   sendFailed,
	"unlock_send_error": sendFailed,

	// Our answers always name an owner; nobody is (null).
	"short_rg_esuccess": func(want *result) { want.stdout += "service:web is now running on (null)\n" },

	// Our own version.
	"version": func(want *result) { want.stdout = version + "\n" },
}

// result is what a run of the command leaves behind.
type result struct {
	stdout, stderr string
	exit           int
}

// golden is state.json of a case.
type golden struct {
	Cman struct {
		Running      bool
		ConnectError string `json:"connect_error"`
	}
	Nodes []struct {
		Name   string
		ID     cluster.NodeID
		Online bool
		Local  bool
	}
	Rgmanager struct {
		Reachable bool
		Reply     struct {
			Kind       string
			ReturnCode cluster.Result `json:"return_code"`
			NewOwner   cluster.NodeID `json:"new_owner"`
			Command    string
		}
	}
}

// fakeCmand answers as the case says, and keeps what it was asked.
type fakeCmand struct {
	wire.Backend
	golden
	mu    sync.Mutex
	asked []wire.Action
}

func (f *fakeCmand) seen() []wire.Action {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func (f *fakeCmand) Status(context.Context) (cluster.Status, error) {
	st := cluster.Status{Quorate: true, Manager: cluster.Manager{Running: f.Rgmanager.Reachable}}
	for _, n := range f.Nodes {
		st.Members = append(st.Members, cluster.Member{Name: n.Name, ID: n.ID, Online: n.Online, Local: n.Local, Configured: true, Known: true})
	}
	switch f.Rgmanager.Reply.Command {
	case "success", "fail":
		st.Manager.ServiceRefusal = cluster.Failure
	case "lock":
		st.Manager.Locked = true
	}
	return st, nil
}

func (f *fakeCmand) Act(_ context.Context, a wire.Action) (wire.Answer, error) {
	f.mu.Lock()
	f.asked = append(f.asked, a)
	f.mu.Unlock()
	switch r := f.Rgmanager.Reply; r.Kind {
	case "full", "short":
		return wire.Answer{Result: r.ReturnCode, Owner: r.NewOwner}, nil
	case "send_error", "receive_error":
		panic(http.ErrAbortHandler) // the connection breaks
	case "lock":
		switch r.Command {
		case "success":
			return wire.Answer{}, nil
		case "send_error":
			panic(http.ErrAbortHandler)
		}
		return wire.Answer{Result: cluster.Failure}, nil
	default:
		return wire.Answer{}, errors.New("unknown kind " + r.Kind)
	}
}

// wanted translates request.json of a case.
func wanted(t *testing.T, text string) []wire.Action {
	t.Helper()
	if text == "" {
		return nil
	}
	var q struct {
		Message, Action, Command, Service string
		Target                            uint32 `json:"target_node"`
		ByDomain                          int    `json:"failover_domain_flag"`
	}
	if err := json.Unmarshal([]byte(text), &q); err != nil {
		t.Fatal(err)
	}
	if q.Message == "command" {
		if q.Command == "query lock" {
			return nil // ours reads the status
		}
		return []wire.Action{{Verb: wire.Verb(q.Command)}}
	}
	return []wire.Action{{Verb: wire.Verb(q.Action), Service: q.Service, Target: cluster.NodeID(q.Target), ByDomain: q.ByDomain == 1}}
}

// serve has b answer on the socket that CMAND_SOCKET names until the test ends.
func serve(t *testing.T, b wire.Backend) { serveAs(t, b, true) }

// serveAs takes every caller for an administrator, or for none.
func serveAs(t *testing.T, b wire.Backend, admin bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := wire.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	s := &wire.Server{Backend: b, Admin: func(uid, gid uint32) bool { return admin }}
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Setenv("CMAND_SOCKET", path)
}

// absent makes connections fail as they did in the case.
func absent(t *testing.T, errno string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	t.Setenv("CMAND_SOCKET", path)
	switch errno {
	case "ENOENT":
	case "ECONNREFUSED": // a socket is there, but nobody listens
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
	default:
		t.Fatalf("unknown connect_error %q", errno)
	}
}

func clusvcadm(args ...string) result {
	var stdout, stderr bytes.Buffer
	exit := run(append([]string{"clusvcadm"}, args...), &stdout, &stderr)
	return result{stdout.String(), stderr.String(), exit}
}

func TestSameAsTheOriginal(t *testing.T) {
	files, err := filepath.Glob("../../testdata/original/clusvcadm/*.txtar")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d cases, %v; want all", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := map[string]string{}
			for _, f := range archive.Files {
				text[f.Name] = string(f.Data)
			}
			fake := new(fakeCmand)
			if err := json.Unmarshal([]byte(text["state.json"]), &fake.golden); err != nil {
				t.Fatal(err)
			}
			exit, err := strconv.Atoi(strings.TrimSpace(text["exit"]))
			if err != nil {
				t.Fatal(err)
			}
			want := result{text["stdout"], text["stderr"], exit}
			if alter, ok := differences[name]; ok {
				alter(&want)
			}
			if fake.Cman.Running {
				serve(t, fake)
			} else {
				absent(t, fake.Cman.ConnectError)
			}
			var args []string
			for line := range strings.Lines(text["args"]) {
				args = append(args, strings.TrimSuffix(line, "\n"))
			}
			got := clusvcadm(args...)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("clusvcadm %q differs (-original +ours):\n%s", args, diff)
			}
			if diff := cmp.Diff(wanted(t, text["request.json"]), fake.seen()); diff != "" {
				t.Errorf("clusvcadm %q asks for something else (-original +ours):\n%s", args, diff)
			}
		})
	}
}
