package conf

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// No panic, never a document together with an error, every fault with a place
// inside the text, and the same text always means the same.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("../../testdata/conf/*.conf")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{
		"", "<", "<cluster", "<cluster/>", "\uFEFF<cluster/>", "<cluster a='", "<cluster><!--", "<!DOCTYPE a [", "<?xml", "</", "<a=\"1\"/>",
		"<cluster><![CDATA[a]]></cluster>", "<x:cluster xmlns:x='y'/>", two(`<vm name="v"><action name="start" timeout="1m"/></vm>`),
		"<?xml version='1.0' encoding='latin1'?><cluster name='\xe9'/>",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		given := bytes.Clone(text)
		d, err := Parse("c", text)
		if !bytes.Equal(given, text) {
			t.Fatal("Parse changed its input")
		}
		if err != nil {
			faults, ok := err.(Faults)
			if d != nil || !ok || len(faults) == 0 {
				t.Fatalf("Parse = %v, %v; want no document and Faults", d, err)
			}
			places(t, faults, text)
			for _, f := range faults {
				if f.Severity != Error {
					t.Errorf("refused for a warning: %v", f)
				}
			}
			return
		}
		if !bytes.Equal(d.Bytes(), text) {
			t.Fatal("Bytes differ from the text")
		}
		config, faults := d.Config()
		places(t, faults, text)
		if can := config.Runnable() == nil && len(faults.Errors()) == 0; can != faults.Pushable() {
			t.Errorf("Pushable = %v, Runnable %v, faults:\n%v", !can, config.Runnable(), faults)
		}
		places(t, d.Advice(), text)
		again, err := Parse("c", d.Bytes())
		if err != nil {
			t.Fatalf("parsed once, not twice: %v", err)
		}
		config2, faults2 := again.Config()
		if diff := cmp.Diff(config, config2); diff != "" {
			t.Errorf("Config differs the second time:\n%s", diff)
		}
		if changes := Diff(d, again); len(changes) > 0 {
			t.Errorf("Diff of one text: %v", changes)
		}
		newer, err := Parse("c", d.WithVersion(77))
		if err != nil {
			t.Fatalf("not parsed with another version: %v\n%s", err, d.WithVersion(77))
		}
		if c, _ := newer.Config(); c.Version != 77 || len(Diff(d, newer)) > 0 {
			t.Errorf("WithVersion(77) has version %d, and changed %v", c.Version, Diff(d, newer))
		}
		if diff := cmp.Diff(faults, faults2); diff != "" {
			t.Errorf("faults differ the second time:\n%s", diff)
		}
	})
}

func places(t *testing.T, faults Faults, text []byte) {
	t.Helper()
	lines := 1 + bytes.Count(text, []byte("\n"))
	for _, f := range faults {
		if f.Line < 1 || f.Line > lines || f.Column < 1 || f.Column > len(text)+1 {
			t.Errorf("%v: no such place", f)
		}
	}
}
