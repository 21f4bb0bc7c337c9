package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
	"fangnetz/internal/wiretest"
)

// differences are the kinds of cases that we answer otherwise, and why.
var differences = []struct {
	why   string
	here  func(g golden, args []string, want result) bool
	alter func(args []string, want *result)
}{
	{
		"the original took a connection that broke before the answer for success: a sign error, and a dangerous one",
		func(g golden, _ []string, want result) bool {
			kind := g.Rgmanager.Reply.Kind
			return (kind == "send_error" || kind == "receive_error") && strings.Contains(want.stdout, "...")
		},
		func(_ []string, want *result) {
			head, _, _ := strings.Cut(want.stdout, "...")
			*want = result{head + "...", "msg_receive: Connection reset by peer\nError receiving reply!\n", 1}
		},
	},
	{
		"with HTTP a request that cannot be sent is one without an answer",
		func(g golden, _ []string, _ result) bool { return g.Rgmanager.Reply.Command == "send_error" },
		func(_ []string, want *result) {
			want.stdout = strings.Replace(want.stdout, "Communication failed", "Receive failed", 1)
		},
	},
	{
		"our answers always name an owner; nobody is (null)",
		func(g golden, args []string, want result) bool {
			return g.Rgmanager.Reply.Kind == "short" && g.Rgmanager.Reply.ReturnCode == cluster.Success &&
				(slices.Contains(args, "-e") || slices.Contains(args, "-r")) && strings.HasSuffix(want.stdout, "...Success\n")
		},
		func(args []string, want *result) {
			_, name, _ := strings.Cut(want.stdout, "service:")
			name, _, _ = strings.Cut("service:"+name, "...")
			name, _, _ = strings.Cut(name, " to ")
			if slices.Contains(args, "-m") || slices.Contains(args, "-n") {
				name = "Warning: " + name
			}
			want.stdout += name + " is now running on (null)\n"
		},
	},
}

// result is what a run of the command leaves behind.
type result struct {
	stdout, stderr string
	exit           int
}

// golden is state.json of a case.
type golden struct {
	RunAsRoot bool `json:"run_as_root"`
	Cman      struct {
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
	breaks bool // in place of a status
	mu     sync.Mutex
	asked  []wire.Action
}

func (f *fakeCmand) seen() []wire.Action {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func (f *fakeCmand) Status(context.Context) (cluster.Status, error) {
	if f.breaks {
		panic(http.ErrAbortHandler)
	}
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
func serve(t *testing.T, b wire.Backend) { wiretest.Serve(t, b, true) }

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

// fixed is root's command in the form of 3.1.8, on the socket that
// CMAND_SOCKET names.
func fixed() *command {
	return &command{client: wire.New(""), version: "9", form: formOf(cluster.Release318), root: true, patience: 5 * time.Second}
}

func clusvcadm(args ...string) result { return runAs(fixed(), args...) }

func runAs(c *command, args ...string) result {
	var stdout, stderr bytes.Buffer
	c.stdout, c.stderr = &stdout, &stderr
	exit := c.run(context.Background(), append([]string{"clusvcadm"}, args...))
	return result{stdout.String(), stderr.String(), exit}
}

// releases are the originals that we are held against, with the version that
// was built into each.
var releases = []struct{ compat, version, folder string }{
	{"", "3.1.8", ""},
	{"6.0", "3.0.12", "clusvcadm-3.0"},
	{"5", "2.03.05", "clusvcadm-2"},
}

// A release's own folder holds the answers that are not those of 3.1.8.
func TestSameAsTheOriginal(t *testing.T) {
	for _, r := range releases {
		t.Run(r.version, func(t *testing.T) {
			cases := map[string]map[string]string{}
			for _, folder := range []string{"clusvcadm", r.folder} {
				if folder != "" {
					read(t, "../../testdata/original/"+folder, cases)
				}
			}
			if len(cases) < 100 {
				t.Fatalf("%d cases; want all", len(cases))
			}
			for name, text := range cases {
				t.Run(name, func(t *testing.T) { check(t, r.compat, r.version, text) })
			}
		})
	}
}

// read adds the folder's cases; each is its files' text by name.
func read(t *testing.T, folder string, cases map[string]map[string]string) {
	t.Helper()
	files, err := filepath.Glob(folder + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", folder, err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		if cases[name] == nil {
			cases[name] = map[string]string{}
		}
		for _, f := range archive.Files {
			cases[name][f.Name] = string(f.Data)
		}
	}
}

func check(t *testing.T, compat, version string, text map[string]string) {
	fake := new(fakeCmand)
	if err := json.Unmarshal([]byte(text["state.json"]), &fake.golden); err != nil {
		t.Fatal(err)
	}
	exit, err := strconv.Atoi(strings.TrimSpace(text["exit"]))
	if err != nil {
		t.Fatal(err)
	}
	var args []string
	for line := range strings.Lines(text["args"]) {
		args = append(args, strings.TrimSuffix(line, "\n"))
	}
	want := result{text["stdout"], text["stderr"], exit}
	for _, d := range differences {
		if d.here(fake.golden, args, want) {
			d.alter(args, &want)
		}
	}
	// Ours reads the flag from the status.
	fake.breaks = fake.Rgmanager.Reply.Command == "send_error" && strings.Contains(text["request.json"], "query lock")
	if fake.Cman.Running {
		serve(t, fake)
	} else {
		absent(t, fake.Cman.ConnectError)
	}
	c := fixed()
	c.form, c.version, c.root = formOf(cluster.ReleaseOf(compat)), version, fake.RunAsRoot
	got := runAs(c, args...)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("clusvcadm %q differs (-original +ours):\n%s", args, diff)
	}
	if diff := cmp.Diff(wanted(t, text["request.json"]), fake.seen()); diff != "" {
		t.Errorf("clusvcadm %q asks for something else (-original +ours):\n%s", args, diff)
	}
}
