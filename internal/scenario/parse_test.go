package scenario

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		line string
		want Command
		err  string
	}{
		{"", Command{}, ""},
		{"  # a word\t", Command{Comment: "a word"}, ""},
		{"down node1", Command{Verb: "down", Args: []string{"node1"}}, ""},
		{"\tenable  vm:a on\tnode2 # why", Command{Verb: "enable", Args: []string{"vm:a", "on", "node2"}, Comment: "why"}, ""},
		{"status#1 a#b #", Command{Verb: "status#1", Args: []string{"a#b"}}, ""},
		{"down \x00", Command{}, `control character: '\x00'`},
		{"down\nup", Command{}, `control character: '\n'`},
		{"down \xff", Command{}, `not UTF-8`},
		{strings.Repeat("a", 5000), Command{}, "5000 bytes, more than 4096"},
	} {
		got, err := Parse(c.line)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%.20q: error %v, want %s", c.line, err, c.err)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", c.line, err, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("enable vm:a on node2 # why")
	f.Add("#")
	f.Fuzz(func(t *testing.T, line string) {
		c, err := Parse(line)
		if err != nil {
			if diff := cmp.Diff(Command{}, c); diff != "" {
				t.Errorf("%q: a command and the error %v", line, err)
			}
			return
		}
		again, err := Parse(c.String())
		if diff := cmp.Diff(c, again); len(line) < 4000 && (err != nil || diff != "") {
			t.Errorf("%q is read back as another command: %v\n%s", line, err, diff)
		}
	})
}
