package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func file(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func found(text, pattern string) []string {
	var words []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		words = append(words, m[1])
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// What does something is in the usage, the page, its examples and the completions.
func TestOptionsAreTheSameEverywhere(t *testing.T) {
	want := strings.Split("FVadhnqrt", "")
	all := ""
	for _, u := range usages {
		all += u.text
	}
	page := file(t, "../../man/cman_tool.8")
	_, examples, _ := strings.Cut(page, ".Sh EXAMPLES\n")
	const completions = "../../contrib/completion/"
	for where, got := range map[string][]string{
		"usage":    slices.Sorted(slices.Values(append(found(all, `(?m)^ +-(\w)\b`), "V", "h"))),
		"page":     found(page, `(?m)^\.It Fl (\w)(?: Ar \w+)?$`),
		"examples": found(examples, ` -(\w)\b`),
		"bash":     found(file(t, completions+"cman_tool.bash"), ` -(\w)\b`),
		"zsh":      found(file(t, completions+"_cman_tool"), `'\*?-(\w)\[`),
	} {
		others := map[string]string{"examples": "E", "bash": "sW"}[where] // grep's; tr's and compgen's
		got = slices.DeleteFunc(got, func(w string) bool { return strings.Contains(others, w) })
		if !slices.Equal(got, want) {
			t.Errorf("%s has %q; the options are %q", where, got, want)
		}
	}
	for _, op := range operations {
		if !strings.Contains(page, ".Cm "+op) && !strings.Contains(page, ", "+op) {
			t.Errorf("the page does not speak of %s", op)
		}
		for _, shell := range []string{"cman_tool.bash", "_cman_tool"} {
			if text := file(t, completions+shell); !strings.Contains(text, op) && !strings.Contains("join leave kill expected votes debug", op) {
				t.Errorf("%s does not offer %s", shell, op)
			}
		}
	}
}
