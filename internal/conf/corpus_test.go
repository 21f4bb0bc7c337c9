package conf

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// corpus is where cluster.conf files from the field lie, if they are there.
const corpus = "../../../shared/corpus/conf"

// What the original took must be taken: every well-formed file of the corpus
// loads, gives a Config, and is written as it was; every other one is refused
// with a place. index.tsv says which are which.
func TestCorpus(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(corpus, "index.tsv"))
	if err != nil {
		t.Skipf("no corpus here: %v", err)
	}
	// The one file with an error: the original ran it, with ids that collide.
	errs := map[string]string{"pacemaker__extra_rgmanager_tests_test6_conf__01.conf": `clusternode "node2" has nodeid 1, as has "node1"`}
	loaded := 0
	for line := range strings.Lines(string(index)) {
		fields := strings.Split(line, "\t")
		file := fields[0]
		if !strings.HasSuffix(file, ".conf") {
			continue // the heading
		}
		malformed := slices.Contains(strings.Split(fields[5], ","), "malformed")
		text, err := os.ReadFile(filepath.Join(corpus, file))
		if err != nil {
			t.Error(err)
			continue
		}
		d, err := Parse(file, text)
		if malformed {
			faults, ok := err.(Faults)
			if !ok || len(faults) == 0 || faults[0].Line < 1 || faults[0].Column < 1 || d != nil {
				t.Errorf("%s is malformed: Parse = %v, %v", file, d, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s is refused: %v", file, err)
			continue
		}
		loaded++
		if !bytes.Equal(d.Bytes(), text) {
			t.Errorf("%s is not written as it was", file)
		}
		config, faults := d.Config()
		if config == nil {
			t.Errorf("%s gives no Config", file)
		}
		want, found := errs[file], faults.Errors()
		if want == "" && len(found) > 0 || want != "" && !strings.Contains(found.Error(), want) {
			t.Errorf("%s: errors %v, want %q", file, found, want)
		}
		for _, f := range faults {
			if f.Line < 1 || f.Column < 1 {
				t.Errorf("%v has no place", f)
			}
		}
	}
	if loaded != 174 {
		t.Errorf("%d files loaded, want 174", loaded)
	}
}
