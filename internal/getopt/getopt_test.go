package getopt

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const spec = "fx:i:h?o::"

var cases = map[string]struct {
	args []string
	want string
}{
	"none":                        {nil, ""},
	"letters":                     {[]string{"-f", "-h", "-?"}, "f h ?"},
	"bundled":                     {[]string{"-fh"}, "f h"},
	"bundled with argument":       {[]string{"-fxA"}, "f x=A"},
	"bundled, argument follows":   {[]string{"-fx", "A"}, "f x=A"},
	"argument looks like option":  {[]string{"-x", "-f"}, "x=-f"},
	"argument is empty":           {[]string{"-x", "", "-f"}, "x= f"},
	"operands between":            {[]string{"a", "-f", "b", "-x", "c", "d"}, "f x=c +a +b +d"},
	"two dashes end":              {[]string{"-f", "--", "-h", "a"}, "f +-h +a"},
	"two dashes as argument":      {[]string{"-x", "--", "-f"}, "x=-- f"},
	"operand before two dashes":   {[]string{"a", "--", "-f"}, "+a +-f"},
	"one dash is an operand":      {[]string{"-", "-f"}, "f +-"},
	"empty word is an operand":    {[]string{"", "-f"}, "f +"},
	"unknown letter":              {[]string{"-z", "-f"}, "!z f"},
	"unknown letter in a bundle":  {[]string{"-zf"}, "!z f"},
	"argument missing":            {[]string{"-f", "-x"}, "f !x"},
	"long option is letters":      {[]string{"--help"}, "!- h !e !l !p"},
	"colon is no option":          {[]string{"-:"}, "!:"},
	"argument missing, bundled":   {[]string{"-hx"}, "h !x"},
	"not a letter":                {[]string{"-\xc3\xa9"}, "!\xc3 !\xa9"},
	"dashes in a bundle":          {[]string{"-f--"}, "f !- !-"},
	"semicolon is no option":      {[]string{"-;"}, "!;"},
	"argument may be left out":    {[]string{"-o", "a", "-f"}, "o= f +a"},
	"argument that may be left":   {[]string{"-foa", "-f"}, "f o=a f"},
	"argument eaten to the limit": {[]string{"-x", "-x", "-x"}, "x=-x !x"},
}

// show renders a walk with the operands last, where getopt(3) puts them.
func show(args []string) string {
	var words, operands []string
	for opt, err := range Parse(args, spec) {
		e, bad := err.(*Error)
		switch {
		case bad:
			words = append(words, "!"+string([]byte{e.Letter}))
		case opt.Letter == 0:
			operands = append(operands, "+"+opt.Arg)
		case strings.ContainsRune("xio", rune(opt.Letter)):
			words = append(words, string(opt.Letter)+"="+opt.Arg)
		default:
			words = append(words, string(opt.Letter))
		}
	}
	return strings.Join(append(words, operands...), " ")
}

func TestParse(t *testing.T) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := show(c.args); got != c.want {
				t.Errorf("Parse(%q) = %q; want %q", c.args, got, c.want)
			}
		})
	}
}

// With POSIXLY_CORRECT the first operand ends the options (getopt(3)).
func TestPosix(t *testing.T) {
	t.Setenv("POSIXLY_CORRECT", "")
	if got, want := show([]string{"-f", "a", "-h", "--"}), "f +a +-h +--"; got != want {
		t.Errorf("Parse = %q; want %q", got, want)
	}
	confirm(t)
}

// A long option is taken whole and at its place only.
func TestLong(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--json", "{json}"},
		{"-f --json a", "f {json} +a"},
		{"a --json", "+a {json}"},
		{"-x --json", "x=--json"},
		{"-- --json", "+--json"},
		{"--jso", "!- !j !s o"},
		{"--json=1", "!- !j !s o=n=1"},
		{"-json", "!j !s o=n"},
		{"--drain node1 a", "{drain=node1} +a"},
		{"--drain=node1 a", "{drain=node1} +a"},
		{"--drain= a", "{drain} +a"},
		{"--drain", "!option '--drain' requires an argument"},
		{"--drain --json", "{drain=--json}"},
		{"--drained x", "!- !d !r !a i=ned +x"},
		{"--past --json vm:web", "{past} {json} +vm:web"},
		{"--past=vm:web", "{past=vm:web}"},
		{"--=a", "!- != !a"},
	} {
		var words []string
		for opt, err := range Parse(strings.Fields(c.args), spec, "json", "drain:", "past::") {
			e, bad := err.(*Error)
			switch {
			case bad:
				words = append(words, "!"+string(e.Letter))
			case err != nil:
				words = append(words, "!"+err.Error())
			case opt.Long != "" && opt.Arg != "":
				words = append(words, "{"+opt.Long+"="+opt.Arg+"}")
			case opt.Long != "":
				words = append(words, "{"+opt.Long+"}")
			case opt.Letter == 0:
				words = append(words, "+"+opt.Arg)
			case opt.Arg != "":
				words = append(words, string(opt.Letter)+"="+opt.Arg)
			default:
				words = append(words, string(opt.Letter))
			}
		}
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("Parse(%q) = %q; want %q", c.args, got, c.want)
		}
	}
}

func TestErrorWords(t *testing.T) {
	for opt, err := range Parse([]string{"-z"}, spec) {
		if got := fmt.Sprint(err); got != "invalid option -- 'z'" {
			t.Errorf("%v: %s", opt, got)
		}
	}
	for opt, err := range Parse([]string{"-x"}, spec) {
		if got := fmt.Sprint(err); got != "option requires an argument -- 'x'" {
			t.Errorf("%v: %s", opt, got)
		}
	}
}

// The C library itself has to see every case as we do.
func TestConfirmWithTheCLibrary(t *testing.T) { confirm(t) }

func confirm(t *testing.T) {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Fatal("no C compiler (cc) is installed; run make deps")
	}
	program := filepath.Join(t.TempDir(), "prog")
	const source = `#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) {
	int c;
	opterr = 1;
	while ((c = getopt(argc, argv, "fx:i:h?o::")) != -1) {
		if (c == '?' && optopt) { printf("!%c\n", optopt); optopt = 0; }
		else if (c == 'x' || c == 'i' || c == 'o') printf("%c=%s\n", c, optarg ? optarg : "");
		else printf("%c\n", c);
	}
	for (; optind < argc; optind++) printf("+%s\n", argv[optind]);
}`
	build := exec.Command(cc, "-o", program, "-xc", "-")
	build.Stdin = strings.NewReader(source)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	for name, c := range cases {
		cmd := exec.Command(program, c.args...)
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		if want := strings.Join(strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n"), " "); want != show(c.args) {
			t.Errorf("%s: getopt(3) sees %q, we %q", name, want, show(c.args))
		}
		var complaints strings.Builder
		for _, err := range Parse(c.args, spec) {
			if err != nil {
				fmt.Fprintf(&complaints, "%s: %v\n", program, err)
			}
		}
		if complaints.String() != stderr.String() {
			t.Errorf("%s: getopt(3) says %q, we %q", name, stderr.String(), complaints.String())
		}
	}
}
