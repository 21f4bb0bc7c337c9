package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// cmand runs the command and returns what it said.
func cmand(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(append([]string{"cmand"}, args...), &out, &errs)
	return status, out.String(), errs.String()
}

func TestUsageAndManualAgree(t *testing.T) {
	_, usage, _ := cmand("--help")
	page, err := os.ReadFile("../../man/cmand.8")
	if err != nil {
		t.Fatal(err)
	}
	inUsage := regexp.MustCompile(`(?m)^   --([a-z-]+)`).FindAllStringSubmatch(usage, -1)
	inPage := regexp.MustCompile(`(?m)^\.It Fl -([a-z-]+)`).FindAllStringSubmatch(string(page), -1)
	names := func(found [][]string) (all []string) {
		for _, f := range found {
			all = append(all, f[1])
		}
		slices.Sort(all)
		return all
	}
	if u, p := names(inUsage), names(inPage); len(u) < 5 || !slices.Equal(u, p) {
		t.Errorf("usage has options %v, the manual %v", u, p)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		fact   string
		args   []string
		status int
		says   string
	}{
		{"an unknown option", []string{"--frob"}, 2, "frob"},
		{"an operand", []string{"start"}, 2, `unexpected argument "start"`},
		{"an unknown option of simulate", []string{"simulate", "--frob"}, 2, "frob"},
		{"an operand of simulate", []string{"simulate", "down"}, 2, `unexpected argument "down"`},
		{"no configuration", []string{"--config", filepath.Join(dir, "none")}, 1, "none: no such file"},
		{"a broken configuration", []string{"--config", write("broken", "<cluster\n<cman/>")}, 1, "broken:1:"},
		{"a cluster name that is too long", []string{"--config", write("long", `<cluster name="sixteen-letters!" config_version="1">
<clusternodes><clusternode name="n" nodeid="1"/></clusternodes></cluster>`)}, 1, "15 characters or fewer"},
		{"a configuration of other hosts", []string{"--config", write("others", `<cluster name="c" config_version="1">
<clusternodes><clusternode name="192.0.2.77" nodeid="1"/></clusternodes></cluster>`)}, 1, "cannot find local node name"},
	} {
		t.Run(c.fact, func(t *testing.T) {
			status, stdout, stderr := cmand(c.args...)
			if status != c.status || stdout != "" || !strings.Contains(stderr, c.says) {
				t.Errorf("cmand %q = %d, stdout %q, stderr %q; want %d and %q", c.args, status, stdout, stderr, c.status, c.says)
			}
		})
	}
}
