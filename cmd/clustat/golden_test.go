package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/sys/unix"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
	"fangnetz/internal/wiretest"
)

// differences are the kinds of cases that we answer otherwise, and why.
var differences = []struct {
	why   string
	here  func(g golden) bool
	alter func(g golden, want *result)
}{
	{
		"one daemon holds members and services: it answers with both or with neither, and so rgmanager's own connection cannot break or stall",
		func(g golden) bool { return g.Rgmanager.Reply == "reset" || g.Rgmanager.Reply == "timeout" },
		func(_ golden, want *result) { want.stderr = "" },
	},
	{
		"the ring's sequence number has 64 bits; the original's overflowed",
		func(g golden) bool { return g.Cluster.Generation > math.MaxInt32 },
		func(g golden, want *result) {
			want.stdout = strings.Replace(want.stdout, fmt.Sprintf(`generation="%d"`, int32(g.Cluster.Generation)),
				fmt.Sprintf(`generation="%d"`, g.Cluster.Generation), 1)
		},
	},
	{
		"our XML is well-formed whatever the names are",
		func(g golden) bool { return strings.ContainsAny(fmt.Sprint(g.Cluster, g.Nodes, g.Services), `&<>"`) },
		func(g golden, want *result) {
			if !strings.HasPrefix(want.stdout, "<?xml") {
				return
			}
			names := []string{g.Cluster.Name}
			for _, n := range g.Nodes {
				names = append(names, n.Name)
			}
			for _, s := range g.Services {
				names = append(names, s.Name)
			}
			for _, name := range names {
				want.stdout = strings.ReplaceAll(want.stdout, `="`+name+`"`, `="`+escape(name)+`"`)
			}
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
	Now       int64
	RunAsRoot bool `json:"run_as_root"`
	Cman      struct {
		Running      bool
		ConnectError string `json:"connect_error"`
		MemberList   bool   `json:"member_list_available"`
	}
	Cluster struct {
		Name       string
		ID         uint32
		Generation uint64
	}
	Quorate      bool
	ConfReadable bool `json:"cluster_conf_readable"`
	Rgmanager    struct {
		Reachable bool
		Reply     string
		Error     string
	}
	Nodes []struct {
		Name       string
		ID         cluster.NodeID
		Configured bool
		Known      bool `json:"known_to_cman"`
		Online     bool
		Local      bool
		Rgmanager  bool
		Master     bool
		Qdisk      bool
	}
	Services []struct {
		Name       string
		State      string
		Flags      words
		Owner      cluster.NodeID
		LastOwner  cluster.NodeID `json:"last_owner"`
		Restarts   int
		Transition int64 `json:"last_transition"`
	}
}

// words is a list of words, or one word.
type words []string

func (w *words) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*w = make(words, 1)
		return json.Unmarshal(b, &(*w)[0])
	}
	return json.Unmarshal(b, (*[]string)(w))
}

// status is what a cmand in that state would answer.
func (g golden) status(t *testing.T) cluster.Status {
	st := cluster.Status{
		Cluster:        cluster.Info{Name: g.Cluster.Name, ID: g.Cluster.ID, Generation: g.Cluster.Generation},
		Quorate:        g.Quorate,
		ConfigReadable: g.ConfReadable,
		Manager:        cluster.Manager{Running: g.Rgmanager.Reachable},
	}
	codes := map[string]cluster.Result{"RG_EQUORUM": cluster.NoQuorum, "RG_EAGAIN": cluster.TryAgain, "RG_EPERM": cluster.Denied, "RG_ESUCCESS": cluster.Success}
	switch code, ok := codes[g.Rgmanager.Error]; g.Rgmanager.Reply {
	case "ok":
	case "fail":
		st.Manager.ServiceRefusal = code
		if !ok {
			t.Fatalf("unknown error %q", g.Rgmanager.Error)
		}
	case "nodefail":
		st.Manager.MemberRefusal = code
		if !ok {
			t.Fatalf("unknown error %q", g.Rgmanager.Error)
		}
	case "reset", "timeout":
		st.Manager.Running = false
	default:
		t.Fatalf("unknown reply %q", g.Rgmanager.Reply)
	}
	for _, n := range g.Nodes {
		m := cluster.Member{Name: n.Name, ID: n.ID, Configured: n.Configured, Known: n.Known, Online: n.Online,
			Local: n.Local, Manager: n.Rgmanager, Master: n.Master, QuorumDevice: n.Qdisk}
		if !g.Cman.MemberList {
			m.Known, m.Online = false, false
		}
		if m.Known || m.Configured && g.ConfReadable {
			st.Members = append(st.Members, m)
		}
	}
	for _, s := range g.Services {
		svc := cluster.Service{Name: s.Name, Owner: s.Owner, LastOwner: s.LastOwner, Restarts: s.Restarts, LastTransition: s.Transition}
		svc.State = cluster.State(number(s.State, func(n int) string { return cluster.State(n).String() }, 110, 120, t))
		for _, f := range s.Flags {
			svc.Flags |= cluster.Flags(number(f, func(n int) string { return cluster.Flags(n).String() }, 1, 2, t))
		}
		st.Services = append(st.Services, svc)
	}
	return st
}

// number reads `code:N` or the word that word gives to a number from lo to hi.
func number(text string, word func(int) string, lo, hi int, t *testing.T) int {
	if code, ok := strings.CutPrefix(text, "code:"); ok {
		n, err := strconv.ParseInt(code, 0, 64)
		if err != nil {
			t.Fatal(err)
		}
		return int(n)
	}
	for n := lo; n <= hi; n++ {
		if word(n) == text {
			return n
		}
	}
	t.Fatalf("unknown word %q", text)
	return 0
}

// fakeCmand answers one status for ever.
type fakeCmand struct {
	wire.Backend
	status cluster.Status
}

func (f fakeCmand) Status(context.Context) (cluster.Status, error) { return f.status, nil }

// serve has b answer on the socket that CMAND_SOCKET names until the test ends.
func serve(t testing.TB, b wire.Backend) {
	t.Helper()
	wiretest.Serve(t, b, false) // clustat only looks
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

// openPty returns both ends of a new terminal of that many columns, without carriage returns.
func openPty(t *testing.T, columns int) (master, slave *os.File) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	must(err)
	t.Cleanup(func() { master.Close() })
	must(unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	must(err)
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(err)
	t.Cleanup(func() { slave.Close() })
	mode, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	must(err)
	mode.Oflag &^= unix.OPOST
	must(unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, mode))
	must(unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}))
	return master, slave
}

// runOn runs the command with stdout being a pipe or a terminal of width columns.
func runOn(t *testing.T, c *command, width string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.stdout, c.stderr = &stdout, &stderr
	args = append([]string{"clustat"}, args...)
	if width == "pipe" {
		exit := c.run(t.Context(), args)
		return result{stdout.String(), stderr.String(), exit}
	}
	columns, err := strconv.Atoi(width)
	if err != nil {
		t.Fatal(err)
	}
	master, slave := openPty(t, columns)
	c.stdout = slave
	read := make(chan bool)
	go func() {
		defer close(read)
		io.Copy(&stdout, master) // ends with EIO when the other end is closed
	}()
	exit := c.run(t.Context(), args)
	slave.Close()
	<-read
	return result{stdout.String(), stderr.String(), exit}
}

// releases are the originals that we are held against, with the version that
// was built into each.
var releases = []struct{ compat, version, folder string }{
	{"", "3.1.8", ""},
	{"6.0", "3.0.12", "clustat-3.0"},
	{"5", "2.03.05", "clustat-2"},
}

// A release's own folder holds the answers that are not those of 3.1.8.
func TestSameAsTheOriginal(t *testing.T) {
	for _, r := range releases {
		t.Run(r.version, func(t *testing.T) {
			cases := map[string]map[string]string{}
			for _, folder := range []string{"clustat", r.folder} {
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
	var g golden
	if err := json.Unmarshal([]byte(text["state.json"]), &g); err != nil {
		t.Fatal(err)
	}
	exit, err := strconv.Atoi(strings.TrimSpace(text["exit"]))
	if err != nil {
		t.Fatal(err)
	}
	want := result{text["stdout"], text["stderr"], exit}
	for _, d := range differences {
		if d.here(g) {
			d.alter(g, &want)
		}
	}
	t.Setenv("TERM", "xterm")
	t.Setenv("COLUMNS", "")
	if g.Cman.Running {
		serve(t, fakeCmand{status: g.status(t)})
	} else {
		absent(t, g.Cman.ConnectError)
	}
	var args []string
	for line := range strings.Lines(text["args"]) {
		args = append(args, strings.TrimSuffix(line, "\n"))
	}
	c := &command{version: version, now: func() time.Time { return time.Unix(g.Now, 0).UTC() },
		form: formOf(cluster.ReleaseOf(compat)), root: g.RunAsRoot, patience: 10 * time.Second}
	got := runOn(t, c, strings.TrimSpace(text["width"]), args...)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("clustat %q differs (-original +ours):\n%s", args, diff)
	}
}
