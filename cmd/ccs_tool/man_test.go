package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
)

// page is the manual page, and its examples.
func page(t *testing.T) (text, examples string) {
	t.Helper()
	b, err := os.ReadFile("../../man/ccs_tool.8")
	if err != nil {
		t.Fatal(err)
	}
	_, examples, ok := strings.Cut(string(b), ".Sh EXAMPLES\n")
	if !ok {
		t.Fatal("the page has no examples")
	}
	examples, _, _ = strings.Cut(examples, "\n.Sh ")
	return string(b), examples
}

// ours are the commands that 3.1.8's usage, kept byte for byte, does not have.
var ours = []string{"addvm", "delvm", "lsvm", "update", "check", "diff", "history", "rollback"}

// What runs, the usage and the page have the same commands.
func TestManualListsCommands(t *testing.T) {
	form := formOf(cluster.Release318)
	inUsage := slices.Clone(ours)
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]\w+) +(?:<[^>]+> +)?[A-Z]`).FindAllStringSubmatch(form.usage, -1) {
		inUsage = append(inUsage, m[1])
	}
	runs := []string{"help", "query", "update"}
	for _, s := range form.family {
		runs = append(runs, s.name)
	}
	text, _ := page(t)
	var inPage []string
	for _, m := range regexp.MustCompile(`(?m)^\.It Cm (\w+)`).FindAllStringSubmatch(text, -1) {
		inPage = append(inPage, m[1])
	}
	for where, words := range map[string][]string{"usage": inUsage, "page": inPage} {
		words = slices.DeleteFunc(words, func(w string) bool { return w == "ccs_tool" })
		slices.Sort(words)
		slices.Sort(runs)
		if !slices.Equal(words, runs) {
			t.Errorf("the %s has %q; %q run", where, words, runs)
		}
	}
}

// The options of each command are in its usage and on the page, and each
// command is seen at work in the examples, each option in one of them.
func TestManualListsOptions(t *testing.T) {
	text, examples := page(t)
	common, rest, _ := strings.Cut(text, ".Sh COMMANDS\n")
	for _, s := range formOf(cluster.Release318).family {
		_, entry, _ := strings.Cut(rest, ".It Cm "+s.name)
		entry, _, _ = strings.Cut(entry, "\n.It Cm ")
		for _, letter := range strings.Trim(strings.ReplaceAll(s.letters, ":", ""), "?") {
			option := regexp.MustCompile(`Fl ` + string(letter) + `\b`)
			_, service, _ := strings.Cut(rest, ".It Cm addservice")
			switch {
			case option.MatchString(entry) || option.MatchString(common):
			case s.name == "addvm" && option.MatchString(service): // it refers to addservice
			default:
				t.Errorf("the page does not have -%c of %s", letter, s.name)
			}
			if !regexp.MustCompile(`(?m)^ -` + string(letter) + ` `).MatchString(s.usage) {
				t.Errorf("the usage of %s does not have -%c", s.name, letter)
			}
			if letter != 'h' && letter != 'c' && letter != 'o' && !regexp.MustCompile(`ccs_tool `+s.name+` .*-`+string(letter)+`\b`).MatchString(examples) &&
				!strings.ContainsRune("v", letter) {
				t.Errorf("no example of %s -%c", s.name, letter)
			}
		}
		if !strings.Contains(examples, "ccs_tool "+s.name) {
			t.Errorf("no example of %s", s.name)
		}
		for _, long := range s.long {
			if !strings.Contains(s.usage, " -"+string(long.Letter)+" --"+long.Name+" ") {
				t.Errorf("the usage of %s does not have --%s", s.name, long.Name)
			}
		}
	}
	for _, option := range []string{"-configfile", "-outputfile", "-verbose"} {
		if !strings.Contains(common, option) {
			t.Errorf("the page does not have -%s", option)
		}
	}
}

// The first example does what the page shows.
func TestFirstExample(t *testing.T) {
	_, examples := page(t)
	_, block, _ := strings.Cut(examples, ".Bd -literal -offset indent\n")
	block, _, _ = strings.Cut(block, ".Ed")
	t.Chdir(t.TempDir())
	shown := ""
	for line := range strings.Lines(block) {
		words, ok := strings.CutPrefix(line, "# ccs_tool ")
		if !ok {
			shown += line
			continue
		}
		got := ccsTool(strings.Fields(words)...)
		if got.exit != 0 || got.stderr != "" {
			t.Fatalf("%s: %+v", words, got)
		}
		if strings.HasPrefix(words, "lsnode") {
			shown = got.stdout
			break
		}
	}
	if !strings.HasSuffix(block, shown) || shown == "" {
		t.Errorf("the example ends in %q, the page in %q", shown, block)
	}
}
