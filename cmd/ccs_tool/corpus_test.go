package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/wire"
)

// corpus is where cluster.conf files from the field lie, if they are there.
const corpus = "../../../shared/corpus/conf"

// Every edit of every well-formed file of the corpus changes config_version
// and one thing more, all else being written as it would be without the edit.
func TestEditsChangeOneThing(t *testing.T) {
	files, err := filepath.Glob(corpus + "/*.conf")
	if err != nil || len(files) == 0 {
		t.Skip("no corpus here")
	}
	done, taken := map[string]int{}, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		draft, err := conf.Edit(file, text)
		if err != nil {
			refused(t, file, text)
			continue
		}
		taken++
		root := draft.Root()
		edits := [][]string{
			{"addnode", "-n", "4000", "-v", "2", "-a", "alt", "new-node"}, {"addfence", "new-fence", "fence_x", "port=1"},
			{"addservice", "new-service"}, {"addscript", "new-script", "/x"}, {"addip", "192.0.2.250"}, {"addfs", "new-fs", "/dev/x", "/x"},
			{"addvm", "new-vm", "migrate=live"},
		}
		if node, ok := firstOf(root, "name", "clusternodes", "clusternode"); ok {
			edits = append(edits, []string{"addfdomain", "new-domain", node + "=7"}, []string{"delnode", node})
		}
		for command, path := range map[string][]string{
			"delfence": {"name", "fencedevices", "fencedevice"}, "delservice": {"name", "rm", "service"}, "delvm": {"name", "rm", "vm"},
			"delscript": {"name", "rm", "resources", "script"}, "delip": {"address", "rm", "resources", "ip"},
			"delfs": {"name", "rm", "resources", "fs"}, "delfdomain": {"name", "rm", "failoverdomains", "failoverdomain"},
		} {
			if name, ok := firstOf(root, path[0], path[1:]...); ok {
				edits = append(edits, []string{command, name})
			}
		}
		draft.Bump()
		bumped := string(draft.Bytes())
		for _, args := range edits {
			c := &command{form: formOf(cluster.Release318)}
			got := play(c, append([]string{args[0], "-o-", "-c", file}, args[1:]...)...)
			if got.exit != 0 || got.stderr != "" {
				if got.stdout != "" || got.stderr == "" {
					t.Errorf("%q of %s = %+v; want a complaint alone", args, file, got)
				}
				continue // a section is missing, or the name is in use
			}
			done[args[0]]++
			before, after := apart(bumped, got.stdout)
			less, more := before, after
			if strings.HasPrefix(args[0], "del") {
				less, more = after, before
			}
			if !emptied.MatchString(less) {
				t.Errorf("%q of %s changed more than one thing: %q became %q", args, file, before, after)
			}
			if name := args[len(args)-1]; strings.HasPrefix(args[0], "del") && !strings.Contains(more, name) && !strings.ContainsAny(name, `&<>"`) {
				t.Errorf("%q of %s took out %q", args, file, more)
			}
		}
	}
	t.Logf("%d files of %d: %v", taken, len(files), done)
	if taken < 150 {
		t.Errorf("%d files were edited; want more", taken)
	}
	for _, name := range []string{"addnode", "delnode", "addfence", "delfence", "addservice", "delservice", "addscript", "addip", "delip", "addfs", "addfdomain", "delfdomain", "addvm", "delvm"} {
		if done[name] < 2 {
			t.Errorf("%s was done %d times", name, done[name])
		}
	}
}

// refused wants every edit of a file that is not well-formed to be refused,
// with the place of a mistake, and the file to be left alone.
func refused(t *testing.T, file string, text []byte) {
	t.Helper()
	form := formOf(cluster.Release318)
	operands := []string{"a", "b", "c"}
	for _, s := range form.family {
		if !strings.HasPrefix(s.name, "add") && !strings.HasPrefix(s.name, "del") {
			continue
		}
		path := filepath.Join(t.TempDir(), "c")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got := play(&command{form: form}, append([]string{s.name, "-c", path}, operands[:max(1, s.least)]...)...)
		if got.exit != 1 || got.stdout != "" || !strings.Contains(got.stderr, path+":") ||
			!strings.HasSuffix(got.stderr, "\nccs_tool: Error: unable to parse requested configuration file\n\n") {
			t.Errorf("%s of %s = %+v; want it refused", s.name, file, got)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, text) {
			t.Errorf("%s of %s, which it refused, changed it: %v", s.name, file, err)
		}
	}
}

// Every file of the corpus is checked without harm: the last line says whether
// it can be pushed, the lines before it have their places, and validating it
// says the same.
func TestCheckOverTheCorpus(t *testing.T) {
	files, err := filepath.Glob(corpus + "/*.conf")
	if err != nil || len(files) == 0 {
		t.Skip("no corpus here")
	}
	refuseConnections(t)
	line := regexp.MustCompile(`^[^ ]+\.conf(:\d+:\d+)?: (error|warning|advice): .`)
	here := node1(t)
	here.resolve = func(context.Context, string) ([]string, error) { return []string{"192.0.2.1"}, nil }
	exits := map[int]int{}
	for _, file := range files {
		got := play(&command{form: formOf(cluster.Release318), host: here}, "check", file)
		exits[got.exit]++
		lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
		last := map[int]string{0: ": can be pushed", 1: ": cannot be pushed"}[got.exit]
		if got.stderr != "" || last == "" || lines[len(lines)-1] != file+last {
			t.Errorf("check %s = %+v", file, got)
		}
		hasError := false
		for _, l := range lines[:len(lines)-1] {
			if !line.MatchString(l) {
				t.Errorf("check %s says %q", file, l)
			}
			hasError = hasError || strings.Contains(l, ": error: ")
		}
		if hasError != (got.exit == 1) {
			t.Errorf("check %s = %d, with errors: %v", file, got.exit, hasError)
		}
		var stdout, stderr bytes.Buffer
		c := &command{stdout: &stdout, stderr: &stderr, client: wire.New("")}
		if exit := c.validate(t.Context(), []string{"-f", file}); (exit == 0) != (got.exit == 0) || stderr.Len() > 0 || exit > 3 {
			t.Errorf("ccs_config_validate -f %s = %d, stderr %q; check = %d", file, exit, stderr.String(), got.exit)
		}
	}
	t.Logf("%v", exits)
	if exits[0] < 90 || exits[1] < 90 {
		t.Errorf("%v; want about a hundred of each", exits)
	}
}

// emptied is what an element loses when it is no longer empty, or gets when it
// becomes so.
var emptied = regexp.MustCompile(`^/?\s*$`)

// apart cuts what two texts have in common at their beginnings and ends.
func apart(a, b string) (string, string) {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	a, b = a[n:], b[n:]
	n = 0
	for n < min(len(a), len(b)) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return a[:len(a)-n], b[:len(b)-n]
}

// firstOf is an attribute of the first element at the path.
func firstOf(e conf.Element, key string, path ...string) (string, bool) {
	for _, name := range path {
		var ok bool
		if e, ok = e.First(name); !ok {
			return "", false
		}
	}
	return e.Attr(key)
}

// Numbers go to the nodes that lack one, and to nobody else.
func TestAddNodeIDsOverTheCorpus(t *testing.T) {
	files, err := filepath.Glob(corpus + "/*.conf")
	if err != nil || len(files) == 0 {
		t.Skip("no corpus here")
	}
	id := regexp.MustCompile(` nodeid="[^"]*"`)
	done := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		draft, err := conf.Edit(file, text)
		if err != nil {
			continue
		}
		draft.Bump()
		got := play(&command{form: formOf(cluster.Release318)}, "addnodeids", "-o-", "-c", file)
		if got.exit != 0 {
			continue
		}
		done++
		if id.ReplaceAllString(got.stdout, "") != id.ReplaceAllString(string(draft.Bytes()), "") {
			t.Errorf("%s: more than numbers has changed", file)
		}
		after, err := conf.Edit(file, []byte(got.stdout))
		if err != nil {
			t.Fatal(err)
		}
		nodes, _ := after.Root().First("clusternodes")
		before, _ := draft.Root().First("clusternodes")
		old := before.All("clusternode")
		for i, n := range nodes.All("clusternode") {
			was, _ := old[i].Attr("nodeid")
			if now, _ := n.Attr("nodeid"); conf.Atoi(now) == 0 || conf.Atoi(was) != 0 && now != was {
				t.Errorf("%s: nodeid %q became %q", file, was, now)
			}
		}
	}
	if done < 100 {
		t.Errorf("%d files were given numbers; want more", done)
	}
}
