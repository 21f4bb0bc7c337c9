package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
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
)

// differences are the cases that we answer otherwise, and why.
var differences = map[string]func(want *result){
	// One daemon holds members and services: it answers with both or with
	// neither, and so rgmanager's own connection cannot break or stall.
	"rgmanager_reset":       func(want *result) { want.stderr = "" },
	"rgmanager_reset_s":     func(want *result) { want.stderr = "" },
	"rgmanager_timeout":     func(want *result) { want.stderr = "" },
	"rgmanager_timeout_s":   func(want *result) { want.stderr = "" },
	"rgmanager_timeout_xml": func(want *result) { want.stderr = "" },

	// The ring's sequence number has 64 bits; the original's overflowed.
	"cluster_generation_over_2g_xml": func(want *result) {
		want.stdout = strings.Replace(want.stdout, `generation="-1"`, `generation="4294967295"`, 1)
	},

	// Our XML is well-formed whatever the names are.
	"xml_special_characters": func(want *result) {
		want.stdout = strings.NewReplacer(`"n&1"`, `"n&amp;1"`, `service:a<b>&"c'`, `service:a&lt;b&gt;&amp;&quot;c'`).Replace(want.stdout)
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
func serve(t *testing.T, b wire.Backend) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := wire.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- (&wire.Server{Backend: b}).Serve(ctx, l) }()
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
		exit := c.run(args)
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
	exit := c.run(args)
	slave.Close()
	<-read
	return result{stdout.String(), stderr.String(), exit}
}

func TestSameAsTheOriginal(t *testing.T) {
	files, err := filepath.Glob("../../testdata/original/clustat/*.txtar")
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
			var g golden
			if err := json.Unmarshal([]byte(text["state.json"]), &g); err != nil {
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
			if !g.RunAsRoot {
				// Our cmand tells everyone all, as the original told root. What
				// the original showed to others is what -f shows.
				args = append(args, "-f")
			}
			c := &command{version: "3.1.8", now: func() time.Time { return time.Unix(g.Now, 0).UTC() }}
			got := runOn(t, c, strings.TrimSpace(text["width"]), args...)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("clustat %q differs (-original +ours):\n%s", args, diff)
			}
		})
	}
}
