package wire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

// fake is a backend that answers from its fields; a nil function fails the test.
type fake struct {
	wire.ConfigBackend
	status func(context.Context) (cluster.Status, error)
	act    func(context.Context, wire.Action) (wire.Answer, error)
	update func(file string, text []byte) (wire.UpdateAnswer, error)
	ack    func(node string) error
	watch  func(ctx context.Context, emit func(wire.Event) error) error

	membership func() (cluster.Membership, error)
	history    func(service string) ([]cluster.Entry, error)
}

func (f *fake) Status(ctx context.Context) (cluster.Status, error)     { return f.status(ctx) }
func (f *fake) Membership(context.Context) (cluster.Membership, error) { return f.membership() }
func (f *fake) History(_ context.Context, service string) ([]cluster.Entry, error) {
	return f.history(service)
}
func (f *fake) Act(ctx context.Context, a wire.Action) (wire.Answer, error) {
	return f.act(ctx, a)
}
func (f *fake) Update(_ context.Context, file string, text []byte) (wire.UpdateAnswer, error) {
	return f.update(file, text)
}
func (f *fake) AckFence(_ context.Context, node string) error { return f.ack(node) }

func (f *fake) Watch(ctx context.Context, emit func(wire.Event) error) error {
	return f.watch(ctx, emit)
}

func allow(uid, gid uint32) bool { return true }
func deny(uid, gid uint32) bool  { return false }

// serve runs s on a new socket until the test ends.
func serve(t *testing.T, s *wire.Server) string {
	t.Helper()
	path := filepath.Join(shortDir(t), "run", "s")
	l, err := wire.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve = %v; want nil", err)
		}
	})
	return path
}

// shortDir keeps the path below the 108 bytes of a socket address, and open
// to other users.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "w")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestStatusArrivesWhole(t *testing.T) {
	want := cluster.Status{
		Cluster: cluster.Info{Name: "alpha", ID: 12345, Generation: 1 << 40, ConfigVersion: 7},
		Local:   1, Quorate: true, ConfigReadable: true,
		Members:  []cluster.Member{{Name: "node1", ID: 1, Configured: true, Known: true, Online: true, Local: true}},
		Services: []cluster.Service{{Name: "vm:web", State: cluster.Started, Flags: cluster.Frozen, Owner: 1}},
		Manager:  cluster.Manager{Running: true, ServiceRefusal: cluster.NoQuorum, Locked: true},
		Fencing:  []cluster.Fencing{{Node: 2, By: 1, Attempts: 3, LastError: "exit status 1"}},
	}
	path := serve(t, &wire.Server{Backend: &fake{status: func(context.Context) (cluster.Status, error) { return want, nil }}})
	got, err := wire.New(path).Status(t.Context())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Status: %v, differs (-want +got):\n%s", err, diff)
	}
}

func TestActCarriesRequestAndAnswer(t *testing.T) {
	want := wire.Action{Verb: wire.Relocate, Service: "vm:web", Target: 2, ByDomain: true}
	var got wire.Action
	path := serve(t, &wire.Server{Admin: allow, Backend: &fake{act: func(_ context.Context, a wire.Action) (wire.Answer, error) {
		got = a
		return wire.Answer{Result: cluster.RunsOnOriginal, Owner: 3}, nil
	}}})
	answer, err := wire.New(path).Act(t.Context(), want)
	if err != nil || answer != (wire.Answer{Result: cluster.RunsOnOriginal, Owner: 3}) || got != want {
		t.Errorf("Act(%+v) = %+v, %v; backend saw %+v", want, answer, err, got)
	}
}

func TestDryRunIsAnswered(t *testing.T) {
	want := wire.Answer{Problem: "nobody may", Trial: &cluster.Trial{Steps: []string{"nothing"},
		Candidates: []cluster.Candidate{{Node: 1, Score: "best"}, {Node: 2, Score: "illegal", Reason: "drained"}}}}
	path := serve(t, &wire.Server{Admin: allow, Backend: &fake{act: func(_ context.Context, a wire.Action) (wire.Answer, error) {
		if !a.DryRun {
			t.Error("a dry run reaches the backend as a real one")
		}
		return want, nil
	}}})
	got, err := wire.New(path).Act(t.Context(), wire.Action{Verb: wire.Enable, Service: "vm:web", DryRun: true})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Act: %v, differs (-want +got):\n%s", err, diff)
	}
}

func TestMembershipAndHistoryAreForAnyone(t *testing.T) {
	member := cluster.Membership{Cluster: cluster.Info{Name: "alpha"}, Expected: 3, Quorum: 2, Groups: []string{"239.192.1.2"},
		Nodes: []cluster.Voter{{Name: "node1", ID: 1, Online: true, Votes: 1, Joined: 1262304000, Incarnation: 4, Addresses: []string{"192.0.2.1"}}}}
	entry := cluster.Entry{Began: 1, Ended: 2, Service: "vm:a&b c", What: "migrate", By: "root@node1", From: 1, To: 2, Result: cluster.Failure, Reason: "no"}
	path := serve(t, &wire.Server{Admin: deny, Backend: &fake{
		membership: func() (cluster.Membership, error) { return member, nil },
		history: func(service string) ([]cluster.Entry, error) {
			if service == entry.Service {
				return []cluster.Entry{entry}, nil
			}
			return nil, nil
		},
	}})
	got, err := wire.New(path).Membership(t.Context())
	if diff := cmp.Diff(member, got); diff != "" || err != nil {
		t.Errorf("Membership: %v, differs (-want +got):\n%s", err, diff)
	}
	entries, err := wire.New(path).History(t.Context(), entry.Service)
	if diff := cmp.Diff([]cluster.Entry{entry}, entries); diff != "" || err != nil {
		t.Errorf("History: %v, differs (-want +got):\n%s", err, diff)
	}
	if entries, err = wire.New(path).History(t.Context(), ""); err != nil || entries == nil || len(entries) > 0 {
		t.Errorf("History = %v, %v; want an empty list", entries, err)
	}
}

func TestCallerIsNamed(t *testing.T) {
	path := serve(t, &wire.Server{Admin: allow, Backend: &fake{ack: func(string) error { return nil },
		act: func(ctx context.Context, _ wire.Action) (wire.Answer, error) {
			return wire.Answer{Problem: wire.Caller(ctx)}, nil
		}}})
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	want := me.Username
	if text, err := os.ReadFile("/proc/self/loginuid"); err == nil && string(text) != me.Uid && string(text) != "4294967295" {
		login := string(text)
		if u, err := user.LookupId(login); err == nil {
			login = u.Username
		}
		want += "(" + login + ")"
	}
	if a, err := wire.New(path).Act(t.Context(), wire.Action{Verb: wire.Stop}); err != nil || a.Problem != want {
		t.Errorf("the caller is %q, %v; want %q", a.Problem, err, want)
	}
	if got := wire.Caller(t.Context()); got != "" {
		t.Errorf("without a connection the caller is %q", got)
	}
}

func TestUpdateCarriesTextUnchanged(t *testing.T) {
	text := bytes.Repeat([]byte("<!-- \x00\xff -->\n"), 100_000)
	want := wire.UpdateAnswer{From: 7, To: 8, Faults: []string{"a:1:2: b"}, Problem: "no", Nodes: []wire.NodeProblem{{Node: "n2", Problem: "away"}}}
	var file string
	var sent []byte
	path := serve(t, &wire.Server{Admin: allow, Backend: &fake{update: func(f string, b []byte) (wire.UpdateAnswer, error) {
		file, sent = f, b
		return want, nil
	}}})
	got, err := wire.New(path).Update(t.Context(), "/a b/&?.conf", text)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Update: %v, differs:\n%s", err, diff)
	}
	if file != "/a b/&?.conf" || !bytes.Equal(sent, text) {
		t.Errorf("backend saw file %q and %d bytes; want the file and %d bytes", file, len(sent), len(text))
	}
}

func TestBrokenConnectionIsNoAnswer(t *testing.T) {
	path := serve(t, &wire.Server{Admin: allow, Backend: &fake{act: func(context.Context, wire.Action) (wire.Answer, error) {
		panic(http.ErrAbortHandler)
	}}})
	a, err := wire.New(path).Act(t.Context(), wire.Action{Verb: wire.Stop})
	if err == nil || wire.SystemError(err) != "Connection reset by peer" {
		t.Errorf("Act = %+v, %v; want a connection that was reset", a, err)
	}
}

func TestRefusalKeepsItsCode(t *testing.T) {
	path := serve(t, &wire.Server{Admin: allow, Backend: &fake{ack: func(node string) error {
		switch node {
		case "node1":
			return &wire.Refusal{Code: wire.NotWaiting, Words: "node1 is not waiting to be fenced"}
		case "node9":
			return &wire.Refusal{Code: wire.UnknownNode, Words: "no node node9"}
		case "broken":
			return errors.New("disk full")
		}
		return nil
	}}})
	c := wire.New(path)
	for node, want := range map[string]*wire.Refusal{
		"node1":  {Code: wire.NotWaiting, Words: "node1 is not waiting to be fenced"},
		"node9":  {Code: wire.UnknownNode, Words: "no node node9"},
		"broken": {Code: wire.Broken, Words: "disk full"},
	} {
		err := c.AckFence(t.Context(), node)
		if r, ok := errors.AsType[*wire.Refusal](err); !ok || *r != *want {
			t.Errorf("AckFence(%s) = %#v; want %#v", node, err, want)
		}
		if !errors.Is(err, &wire.Refusal{Code: want.Code}) || errors.Is(err, &wire.Refusal{Code: wire.Denied}) {
			t.Errorf("errors.Is(%v) does not tell the code %q", err, want.Code)
		}
	}
	if err := c.AckFence(t.Context(), "node2"); err != nil {
		t.Errorf("AckFence(node2) = %v; want nil", err)
	}
}

func TestWatch(t *testing.T) {
	more := make(chan uint64)
	gone := make(chan error, 1)
	path := serve(t, &wire.Server{Admin: deny, Backend: &fake{
		watch: func(ctx context.Context, emit func(wire.Event) error) error {
			for {
				select {
				case n := <-more:
					if err := emit(wire.Event{Status: cluster.Status{Cluster: cluster.Info{Generation: n}}}); err != nil {
						return err
					}
				case <-ctx.Done():
					gone <- ctx.Err()
					return ctx.Err()
				}
			}
		},
	}})
	enough := errors.New("enough")
	go func() { more <- 1 }()
	next := uint64(1)
	err := wire.New(path).Watch(t.Context(), func(ev wire.Event) error {
		if got := ev.Status.Cluster.Generation; got != next {
			t.Errorf("event %d came when %d was due", got, next)
		}
		if next++; next > 3 {
			return enough
		}
		more <- next // comes only if the event before was flushed
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("Watch = %v; want the callback's error", err)
	}
	if err := <-gone; err == nil {
		t.Error("the backend was not told that the watcher went away")
	}
}

func TestWhoMayNotActMayAsk(t *testing.T) {
	path := serve(t, &wire.Server{Admin: deny, Backend: &fake{
		status: func(context.Context) (cluster.Status, error) { return cluster.Status{Quorate: true}, nil },
	}})
	c := wire.New(path)
	if s, err := c.Status(t.Context()); err != nil || !s.Quorate {
		t.Errorf("Status = %+v, %v; want an answer", s, err)
	}
	if a, err := c.Act(t.Context(), wire.Action{Verb: wire.Stop}); err != nil || a.Result != cluster.Denied {
		t.Errorf("Act = %+v, %v; want %v", a, err, cluster.Denied)
	}
	for what, err := range map[string]error{
		"AckFence":        c.AckFence(t.Context(), "n"),
		"Update":          second(c.Update(t.Context(), "f", nil)),
		"Update of 16 MB": second(c.Update(t.Context(), "f", make([]byte, 16<<20))),
	} {
		if !errors.Is(err, &wire.Refusal{Code: wire.Denied}) {
			t.Errorf("%s = %v; want a refusal, %q", what, err, wire.Denied)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestPeerCredentialsDecide(t *testing.T) {
	path := serve(t, &wire.Server{Backend: &fake{act: func(context.Context, wire.Action) (wire.Answer, error) {
		return wire.Answer{Owner: 1}, nil
	}}})
	const body = `{"verb":"stop","service":"vm:web"}`
	const post = "POST /v1/services/act HTTP/1.0\r\nContent-Length: 34\r\n\r\n" + body
	if os.Getuid() == 0 {
		if got := talk(t, path, post); !strings.Contains(got, `"owner":1`) {
			t.Errorf("root was answered %q; want an answer", got)
		}
	}
	got := make(chan string)
	go func() {
		defer close(got)
		if os.Getuid() == 0 { // this thread becomes nobody, and dies with the goroutine
			runtime.LockOSThread()
			if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, 65534, 65534, 65534); e != 0 {
				t.Errorf("setresuid: %v", e)
				return
			}
		}
		got <- talk(t, path, post)
	}()
	if s := <-got; !strings.Contains(s, "403 Forbidden") || !strings.Contains(s, `"code":"denied"`) {
		t.Errorf("an ordinary user was answered %q; want denied", s)
	}
}

// talk sends text as it is and returns all that comes back.
func talk(t *testing.T, path, text string) string {
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		t.Error(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// send writes text, says that this is all, and reads what comes back, if any.
func send(t *testing.T, path string, text []byte) {
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	c.Write(text) // the server may have hung up already
	c.(*net.UnixConn).CloseWrite()
	if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the server neither answers nor hangs up")
	}
}

func TestActEndsWhenTheCallerGoesAway(t *testing.T) {
	started, ended := make(chan bool), make(chan error, 1)
	path := serve(t, &wire.Server{Admin: allow, Backend: &fake{act: func(ctx context.Context, _ wire.Action) (wire.Answer, error) {
		close(started)
		<-ctx.Done()
		ended <- ctx.Err()
		return wire.Answer{}, ctx.Err()
	}}})
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error)
	go func() { answered <- second(wire.New(path).Act(ctx, wire.Action{Verb: wire.Stop})) }()
	<-started
	cancel()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("Act = %v; want canceled", err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the backend was not told that the caller is gone")
	}
}

func TestServeEndsRequestsUnderWay(t *testing.T) {
	started := make(chan bool)
	path := filepath.Join(shortDir(t), "s")
	l, err := wire.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	s := &wire.Server{Admin: allow, Backend: &fake{act: func(ctx context.Context, _ wire.Action) (wire.Answer, error) {
		close(started)
		<-ctx.Done()
		return wire.Answer{Result: cluster.Aborted}, nil
	}}}
	go func() { served <- s.Serve(ctx, l) }()
	answered := make(chan wire.Answer)
	go func() {
		a, _ := wire.New(path).Act(context.Background(), wire.Action{Verb: wire.Stop})
		answered <- a
	}()
	<-started
	cancel()
	if a := <-answered; a.Result != cluster.Aborted {
		t.Errorf("Act while the server stops = %+v; want its answer", a)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve = %v; want nil", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestUnreadableRequestsAreRefused(t *testing.T) {
	path := serve(t, &wire.Server{Admin: allow, Backend: &fake{}})
	hc := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", path)
	}}}
	for name, c := range map[string]struct{ method, path, body string }{
		"no JSON":        {"POST", "/v1/services/act", "web"},
		"unknown member": {"POST", "/v1/services/act", `{"verb":"stop","colour":"red"}`},
		"two values":     {"POST", "/v1/services/act", `{"verb":"stop"}{"verb":"stop"}`},
		"too large":      {"POST", "/v1/fence/ack", `{"node":"` + strings.Repeat("n", 65<<10) + `"}`},
		"config too big": {"PUT", "/v1/config", strings.Repeat(" ", 16<<20+1)},
		"unknown path":   {"GET", "/v2/status", ""},
		"wrong method":   {"POST", "/v1/status", ""},
	} {
		req, err := http.NewRequest(c.method, "http://x"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := hc.Do(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 400 || !bytes.Contains(b, []byte(`"code":"bad request"`)) {
			t.Errorf("%s: %s %s; want a refusal, bad request", name, resp.Status, b)
		}
	}
	if err := second(wire.New(path).Update(t.Context(), "f", make([]byte, 16<<20+1))); !errors.Is(err, &wire.Refusal{Code: wire.BadRequest}) {
		t.Errorf("Update of too much = %v; want a refusal", err)
	}
}
