package getopt

import (
	"slices"
	"testing"
)

// The words are those that glibc 2.36 prints.
func TestParseLong(t *testing.T) {
	longs := []Long{{"nodeid", 'n', true}, {"votes", 'v', true}, {"verbose", 'w', false}, {"no_ccs", 'C', false}}
	for _, c := range []struct {
		name string
		args []string
		want []Option
		err  string
	}{
		{"argument after an equals sign", []string{"--nodeid=3"}, []Option{{Letter: 'n', Arg: "3"}}, ""},
		{"argument in the next word", []string{"--nodeid", "-3", "x"}, []Option{{Letter: 'n', Arg: "-3"}, {Arg: "x"}}, ""},
		{"empty argument", []string{"--nodeid="}, []Option{{Letter: 'n'}}, ""},
		{"cut short", []string{"--nod", "3", "--ve"}, []Option{{Letter: 'n', Arg: "3"}, {Letter: 'w'}}, ""},
		{"ambiguous", []string{"--v=1"}, []Option{{}}, "option '--v=1' is ambiguous; possibilities: '--votes' '--verbose'"},
		{"not known", []string{"--help=me"}, []Option{{}}, "unrecognized option '--help=me'"},
		{"argument not allowed", []string{"--verb=1"}, []Option{{}}, "option '--verbose' doesn't allow an argument"},
		{"argument missing", []string{"--vo"}, []Option{{}}, "option '--votes' requires an argument"},
		{"letters beside", []string{"-wn3", "a", "--", "--votes"}, []Option{{Letter: 'w'}, {Letter: 'n', Arg: "3"}, {Arg: "a"}, {Arg: "--votes"}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []Option
			words := ""
			for opt, err := range ParseLong(c.args, "n:v:wC", longs) {
				got = append(got, opt)
				if err != nil {
					words += err.Error()
				}
			}
			if !slices.Equal(got, c.want) || words != c.err {
				t.Errorf("ParseLong(%q) = %+v, %q; want %+v, %q", c.args, got, words, c.want, c.err)
			}
		})
	}
}
