package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
)

// found returns the first groups of pattern's matches in text, sorted, each once.
func found(text, pattern string) []string {
	var words []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		words = append(words, m[1])
	}
	slices.Sort(words)
	return slices.Compact(words)
}

func file(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is parsed, the usage, the page and the completions have the same options.
func TestOptionsAreTheSameEverywhere(t *testing.T) {
	options := strings.Split(strings.Trim(strings.ReplaceAll(letters, ":", ""), "?"), "")
	for _, word := range long {
		options = append(options, strings.TrimRight(word, ":"))
	}
	slices.Sort(options)

	page := file(t, "../../man/clusvcadm.8")
	const completions = "../../contrib/completion/"
	for where, got := range map[string][]string{
		// 3.1.8's, byte for byte: it had none of ours, and kept -h and -n to itself.
		"usage": slices.Sorted(slices.Values(append(found(formOf(cluster.Release318).usage, `\B-(\w)\b`), "h", "n", "drain", "dry-run", "undrain"))),
		"page":  found(page, `(?m)^\.It Fl -?(\w[\w-]*)(?: Ar \w+)?$`),
		"bash":  found(regexp.MustCompile(`(?m)printf.* -h .*$`).FindString(file(t, completions+"clusvcadm.bash")), ` --?(\w[\w-]*)`),
		"zsh":   found(file(t, completions+"_clusvcadm"), `(?m)^\t'(?:\(-\w\))?--?(\w[\w-]*)\[`),
	} {
		if !slices.Equal(got, options) {
			t.Errorf("%s has %q; the options are %q", where, got, options)
		}
	}
	// An argument is one in the page and in zsh's completion as well.
	for _, m := range regexp.MustCompile(`(?m)^\.It Fl (\w)( Ar \w+)?$`).FindAllStringSubmatch(page, -1) {
		if takes := strings.Contains(letters, m[1]+":"); takes != (m[2] != "") {
			t.Errorf("the page says of -%s: argument %q", m[1], m[2])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^\t'(?:\(-\w\))?-(\w)\[[^]]*\](:?)`).FindAllStringSubmatch(file(t, completions+"_clusvcadm"), -1) {
		if takes := strings.Contains(letters, m[1]+":"); takes != (m[2] != "") {
			t.Errorf("zsh's completion says of -%s: argument %q", m[1], m[2])
		}
	}
}

// Each option is seen at work in the examples.
func TestManualHasExamplesOfAllOptions(t *testing.T) {
	_, examples, ok := strings.Cut(file(t, "../../man/clusvcadm.8"), ".Sh EXAMPLES\n")
	if !ok {
		t.Fatal("the page has no examples")
	}
	examples, _, _ = strings.Cut(examples, "\n.Sh ")
	shown := ""
	for _, command := range regexp.MustCompile(`clusvcadm( .*)`).FindAllString(examples, -1) {
		for _, bundle := range regexp.MustCompile(` -(\w+)`).FindAllStringSubmatch(command, -1) {
			shown += bundle[1]
		}
		for _, word := range regexp.MustCompile(` --(\w[\w-]*)`).FindAllStringSubmatch(command, -1) {
			shown += "--" + word[1]
		}
	}
	for _, c := range strings.Trim(strings.ReplaceAll(letters, ":", ""), "?") {
		if !strings.ContainsRune(shown, c) {
			t.Errorf("no example of -%c", c)
		}
	}
	for _, word := range long {
		if !strings.Contains(shown, "--"+strings.TrimRight(word, ":")) {
			t.Errorf("no example of --%s", word)
		}
	}
}
