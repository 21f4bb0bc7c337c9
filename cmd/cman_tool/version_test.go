package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
	"fangnetz/internal/wiretest"
)

// updated is a cmand that runs version 7 and answers an update as it was told.
type updated struct {
	wire.Backend
	answer wire.UpdateAnswer
	got    string
}

func (u *updated) Status(context.Context) (cluster.Status, error) {
	return cluster.Status{Cluster: cluster.Info{ConfigVersion: 7}}, nil
}

func (u *updated) Update(_ context.Context, _ string, text []byte) (wire.UpdateAnswer, error) {
	u.got = string(text)
	return u.answer, nil
}

type result struct {
	stdout, stderr string
	exit           int
}

// on runs cman_tool with a file of version 8.
func on(t *testing.T, compat string, args ...string) result {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cluster.conf")
	if err := os.WriteFile(path, []byte(`<cluster name="a" config_version="8"/>`), 0o600); err != nil {
		t.Fatal(err)
	}
	return with(path, compat, args...)
}

func with(path, compat string, args ...string) result {
	var stdout, stderr bytes.Buffer
	c := &command{stdout: &stdout, stderr: &stderr, client: wire.New(""), version: "9", zone: time.UTC, conf: path,
		form: formOf(cluster.ReleaseOf(compat))}
	exit := c.run(context.Background(), append([]string{"cman_tool"}, args...))
	return result{stdout.String(), stderr.String(), exit}
}

// (cman, "leave, kill, expected, votes, wait, version, debug")
func TestReload(t *testing.T) {
	const words = "Getting config variables\nValidating configuration\nTelling cman the new version number\n"
	for name, c := range map[string]struct {
		answer wire.UpdateAnswer
		want   result
	}{
		"done":          {wire.UpdateAnswer{From: 7, To: 8}, result{words + "Configuration succesfully updated or already running\n", "", 0}},
		"not valid":     {wire.UpdateAnswer{To: 8, Faults: []string{"cluster.conf:1:2: no"}}, result{words, "cluster.conf:1:2: no\ncman_tool: Not reloading, configuration is not valid\n", 1}},
		"too old":       {wire.UpdateAnswer{From: 8, To: 8, Problem: wire.VersionNotGreater(8, 8)}, result{words, "cman_tool: Not reloading, config version older or equal the running config\n", 1}},
		"no quorum":     {wire.UpdateAnswer{From: 7, To: 8, Problem: wire.UpdateNeedsQuorum}, result{words, wire.UpdateNeedsQuorum + "\ncman_tool: Error loading configuration in corosync/cman\n", 1}},
		"a full disk":   {wire.UpdateAnswer{From: 7, To: 8, Problem: "no", Nodes: []wire.NodeProblem{{Node: "n2", Problem: "no space left on device"}}}, result{words, "n2: no space left on device\ncman_tool: ccs_sync failed.\nIf you have distributed the config file yourself, try re-running with -S\n\n", 1}},
		"one is behind": {wire.UpdateAnswer{From: 7, To: 8, Nodes: []wire.NodeProblem{{Node: "n2", Problem: "away"}}}, result{words + "Configuration succesfully updated or already running\n", "n2: away\n", 0}},
	} {
		u := &updated{answer: c.answer}
		wiretest.Serve(t, u, true)
		if got := on(t, "", "version", "-r", "-d"); got != c.want {
			t.Errorf("%s: %+v; want %+v", name, got, c.want)
		}
		if u.got != `<cluster name="a" config_version="8"/>` {
			t.Errorf("%s: cmand was sent %q", name, u.got)
		}
	}
}

func TestReloadSaysNothing(t *testing.T) {
	wiretest.Serve(t, &updated{answer: wire.UpdateAnswer{From: 7, To: 8}}, true)
	if got := on(t, "", "version", "-r"); got != (result{}) {
		t.Errorf("version -r: %+v", got)
	}
	want := result{"", "Warning: specifying a version for the -r flag is deprecated and no longer used\n", 0}
	if got := on(t, "", "version", "-r9"); got != want {
		t.Errorf("version -r9: %+v; want %+v", got, want)
	}
	if got := on(t, "", "version", "-r", "9"); got.exit != 1 || got.stderr != "cman_tool: unknown option 9\n" {
		t.Errorf("version -r 9: %+v", got)
	}
	if got := on(t, "", "version"); got != (result{"6.2.0 config 7\n", "", 0}) {
		t.Errorf("version: %+v", got)
	}
}

func TestReloadWithoutAFile(t *testing.T) {
	wiretest.Serve(t, &updated{}, true)
	got := with("/nonexistent/cluster.conf", "", "version", "-r")
	want := "open /nonexistent/cluster.conf: no such file or directory\ncman_tool: Unable to retrive the new config version\n\n"
	if got != (result{"", want, 1}) {
		t.Errorf("version -r: %+v; want %q", got, want)
	}
}

func TestReloadIsForAdministrators(t *testing.T) {
	wiretest.Serve(t, &updated{}, false)
	if got := on(t, "", "version", "-r"); got != (result{"", "cman_tool: Cannot open connection to cman, permission denied.\n", 1}) {
		t.Errorf("version -r: %+v", got)
	}
}

func TestNobodyToReload(t *testing.T) {
	t.Setenv("CMAND_SOCKET", filepath.Join(t.TempDir(), "s"))
	for _, compat := range []string{"", "5"} {
		for _, args := range [][]string{{"version"}, {"version", "-r8"}} {
			if got := on(t, compat, args...); got.exit != 1 || got.stdout != "" || !bytes.HasSuffix([]byte(got.stderr), []byte("cman_tool: Cannot open connection to cman, is it running ?\n")) {
				t.Errorf("RHCS_COMPAT=%s cman_tool %q: %+v", compat, args, got)
			}
		}
	}
}

// RHEL 5 set the number of what ccs_tool update had distributed.
func TestReloadAsInRHEL5(t *testing.T) {
	for number, want := range map[string]result{
		"7": {},
		"8": {},
		"9": {"", "cman_tool: can't set version: Invalid argument\n", 1},
		"x": {"", "cman_tool: argument to r (x) is not an integer\n", 1},
	} {
		u := &updated{answer: wire.UpdateAnswer{From: 7, To: 8}}
		wiretest.Serve(t, u, true)
		if got := on(t, "5", "version", "-r", number); got != want {
			t.Errorf("version -r %s: %+v; want %+v", number, got, want)
		}
		if sent := u.got != ""; sent != (number == "8") {
			t.Errorf("version -r %s: the file was sent: %v", number, sent)
		}
	}
	if got := on(t, "5", "version"); got != (result{"6.1.0 config 7\n", "", 0}) {
		t.Errorf("version: %+v", got)
	}
}
