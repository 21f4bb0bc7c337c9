package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/wire"
	"fangnetz/internal/wiretest"
)

// differences are the cases that we answer otherwise, and why. An answer that
// is empty is one that ours says in other words.
var differences = []struct {
	release string
	names   string // a pattern of whole names
	why     string
	alter   func(want *golden)
}{
	{"3.1.8 3.0.12", "top_update", "update is there in every form: it is how a configuration reaches the other nodes",
		func(g *golden) {
			g.stderr = "Unable to connect to the CCS daemon: Connection refused\n\nFailed to update config file.\n"
		}},
	{"3.0.12", "query_[^l].*", "values with & or \" do not break a query",
		func(g *golden) { g.result = g.later.result }},
	{"2.03.05", "update_cman_down", "one daemon is cman and ccsd: it answers, or the whole of it does not",
		func(g *golden) { g.result = updated }},
	{"2.03.05", "update_running_version_missing|update_running_version_text", "cmand runs with no configuration whose version is not a number",
		func(g *golden) {
			g.result = updated
			g.stdout = strings.Replace(g.stdout, "from version 1", "from version 0", 1)
		}},
	{"2.03.05", "update_first_node_not_listening|update_node_closes_on_.*", "members are told by an ordered message, to which there is no connection that could fail; cmand says per node what did",
		func(g *golden) { g.result = updated }},
	{"2.03.05", "update_set_version_fails", "cmand itself holds the version that cman had to be told",
		func(g *golden) { g.stderr = "" }},
}

// updated is what an update from version 1 to 5 prints.
var updated = result{stdout: "Config file updated from version 1 to 5\n\nUpdate complete.\n"}

// result is what a run of the command leaves behind.
type result struct {
	stdout, stderr string
	exit           int
}

// golden is one case.
type golden struct {
	args  []string
	in    map[string]string
	state state
	run   string // running.conf
	result
	files map[string]string // afterwards, their modes before the text
	later *golden           // the case of that name in 3.1.8
}

// state is cluster.json: what the daemon and cman of 2.x were like.
type state struct {
	Daemon struct {
		Reachable bool
		Version   *string `json:"running_version"`
		After     *string `json:"running_version_afterwards"`
	} `json:"ccsd"`
	Cman struct {
		Running    bool
		Quorate    bool
		SetVersion *string `json:"set_version_error"`
	}
	Members []struct {
		Name    string
		ID      cluster.NodeID
		Online  bool
		Address string
		Daemon  string `json:"ccsd"`
	}
}

// releases are the originals that we are held against.
var releases = []struct{ compat, version, folder string }{
	{"", "3.1.8", ""},
	{"6.0", "3.0.12", "ccs_tool-3.0"},
	{"5", "2.03.05", "ccs_tool-2"},
}

// A release's own folder holds the answers that are not those of 3.1.8.
func TestSameAsTheOriginal(t *testing.T) {
	used := map[string]bool{}
	for _, r := range releases {
		t.Run(r.version, func(t *testing.T) {
			cases := read(t, "ccs_tool")
			later := read(t, "ccs_tool")
			if r.folder != "" {
				own := read(t, r.folder)
				form := formOf(cluster.ReleaseOf(r.compat))
				for name, g := range cases {
					if len(g.args) > 0 && !had(form, g.args[0]) {
						delete(cases, name)
					}
				}
				for name, g := range own {
					g.later = later[name]
					cases[name] = g
				}
			}
			if len(cases) < 80 {
				t.Fatalf("%d cases; want all", len(cases))
			}
			for name, g := range cases {
				t.Run(name, func(t *testing.T) {
					for _, d := range differences {
						if strings.Contains(d.release, r.version) && regexp.MustCompile("^("+d.names+")$").MatchString(name) {
							before := *g
							d.alter(g)
							if before.result == g.result && maps.Equal(before.files, g.files) {
								t.Errorf("the difference %q is none", d.why)
							}
							used[d.why] = true
						}
					}
					check(t, r.compat, g)
				})
			}
		})
	}
	for _, d := range differences {
		if !used[d.why] {
			t.Errorf("the difference %q is seen in no case", d.why)
		}
	}
}

// had reports whether the release had the command, or refuses it alike.
func had(f form, word string) bool {
	_, ok := f.subcommand(word)
	return ok || word == "query" && f.queries || word == "help" || word[0] == '-' || !strings.Contains(usage, " "+word+" ") && !f.distributes
}

// read returns the folder's cases by name.
func read(t *testing.T, folder string) map[string]*golden {
	t.Helper()
	files, err := filepath.Glob("../../testdata/original/" + folder + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", folder, err)
	}
	cases := map[string]*golden{}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		g := &golden{in: map[string]string{}, files: map[string]string{}}
		modes := map[string]string{}
		for _, f := range archive.Files {
			name, cut := strings.CutSuffix(f.Name, " (no newline)")
			text := string(f.Data)
			if cut {
				text = strings.TrimSuffix(text, "\n")
			}
			folder, rest, _ := strings.Cut(name, "/")
			switch folder {
			case "args":
				for line := range strings.Lines(text) {
					g.args = append(g.args, strings.TrimSuffix(line, "\n"))
				}
			case "in":
				g.in[rest] = text
			case "out":
				g.files[rest] = text
			case "modes":
				for line := range strings.Lines(text) {
					mode, name, _ := strings.Cut(strings.TrimSpace(line), " ")
					modes[name] = mode
				}
			case "running.conf":
				g.run = text
			case "cluster.json":
				if err := json.Unmarshal(f.Data, &g.state); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
			case "stdout":
				g.stdout = text
			case "stderr":
				g.stderr = text
			case "exit":
				if g.exit, err = strconv.Atoi(strings.TrimSpace(text)); err != nil {
					t.Fatal(err)
				}
			default:
				t.Fatalf("%s holds %s", file, f.Name)
			}
		}
		for name, text := range g.files {
			g.files[name] = modes[name] + "\n" + text
		}
		cases[strings.TrimSuffix(filepath.Base(file), ".txtar")] = g
	}
	return cases
}

func check(t *testing.T, compat string, g *golden) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range g.in {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := &command{form: formOf(cluster.ReleaseOf(compat)), stdin: strings.NewReader(""), conf: filepath.Join(t.TempDir(), "cluster", "cluster.conf")}
	switch {
	case g.run != "":
		wiretest.Serve(t, &fakeCmand{running: g.run}, true)
	case g.state.Daemon.Reachable:
		wiretest.Serve(t, &stateCmand{t: t, state: g.state}, true)
	default:
		refuseConnections(t)
	}
	got := play(c, g.args...)
	got.stdout = strings.ReplaceAll(got.stdout, dir, "@CWD@")
	got.stderr = strings.ReplaceAll(strings.ReplaceAll(got.stderr, dir, "@CWD@"), c.conf, defaultFile)
	if diff := cmp.Diff(g.result, got, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("ccs_tool %q differs (-original +ours):\n%s", g.args, diff)
	}
	if diff := cmp.Diff(g.files, folder(t, dir)); diff != "" {
		t.Errorf("files after ccs_tool %q differ (-original +ours):\n%s", g.args, diff)
	}
}

// play runs c with its outputs taken.
func play(c *command, args ...string) result {
	var stdout, stderr bytes.Buffer
	c.stdout, c.stderr, c.client = &stdout, &stderr, wire.New("")
	exit := c.act(context.Background(), "ccs_tool", args)
	return result{stdout.String(), stderr.String(), exit}
}

// folder is what lies in dir: each file's mode, a line break and its text.
func folder(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fi, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = fmt.Sprintf("%04o\n%s", fi.Mode().Perm(), text)
	}
	return files
}

// refuseConnections leaves a socket that nobody listens on.
func refuseConnections(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	t.Setenv("CMAND_SOCKET", path)
}

// stateCmand answers as a cmand in that state would.
type stateCmand struct {
	wire.Backend
	t     *testing.T
	state state
}

func (s *stateCmand) Status(context.Context) (cluster.Status, error) {
	var st cluster.Status
	for _, m := range s.state.Members {
		st.Members = append(st.Members, cluster.Member{Name: m.Name, ID: m.ID, Online: m.Online})
	}
	return st, nil
}

func (s *stateCmand) Membership(context.Context) (cluster.Membership, error) {
	var m cluster.Membership
	for _, n := range s.state.Members {
		m.Nodes = append(m.Nodes, cluster.Voter{Name: n.Name, ID: n.ID, Online: n.Online, Addresses: []string{n.Address}})
	}
	return m, nil
}

func (s *stateCmand) Update(_ context.Context, file string, text []byte) (wire.UpdateAnswer, error) {
	draft, err := conf.Edit(file, text)
	if err != nil {
		s.t.Errorf("cmand was sent what is not well-formed: %v", err)
		return wire.UpdateAnswer{}, err
	}
	version, _ := draft.Root().Attr("config_version")
	a := wire.UpdateAnswer{To: conf.Atoi(version)}
	if v := s.state.Daemon.Version; v != nil {
		a.From = conf.Atoi(*v)
	}
	switch {
	case a.To <= a.From:
		a.Problem = wire.VersionNotGreater(a.From, a.To)
	case !s.state.Cman.Quorate:
		a.Problem = wire.UpdateNeedsQuorum
	case s.state.Daemon.After != nil && *s.state.Daemon.After != version:
		a.Problem = wire.LostRace(a.From, a.To, conf.Atoi(*s.state.Daemon.After))
	}
	return a, nil
}
