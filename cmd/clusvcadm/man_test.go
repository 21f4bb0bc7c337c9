package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
)

// Every option has an entry in the page, the page has no other, and the usage
// names none that does not exist.
func TestManualListsTheOptions(t *testing.T) {
	page, err := os.ReadFile("../../man/clusvcadm.8")
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Trim(strings.ReplaceAll(letters, ":", ""), "?")
	entries := ""
	for _, m := range regexp.MustCompile(`(?m)^\.It Fl (\w)( Ar \w+)?$`).FindAllStringSubmatch(string(page), -1) {
		entries += m[1]
		if takes := strings.Contains(letters, m[1]+":"); takes != (m[2] != "") {
			t.Errorf("the page says of -%s: argument %q", m[1], m[2])
		}
	}
	for _, c := range known {
		if strings.Count(entries, string(c)) != 1 {
			t.Errorf("the page has %d entries for -%c; want one", strings.Count(entries, string(c)), c)
		}
	}
	if len(entries) != len(known) {
		t.Errorf("the page has entries for %q; the options are %q", entries, known)
	}
	for _, m := range regexp.MustCompile(`(?m)^ +-(\w) `).FindAllStringSubmatch(formOf(cluster.Release318).usage, -1) {
		if !strings.Contains(known, m[1]) {
			t.Errorf("the usage has -%s", m[1])
		}
	}
	if !strings.Contains(string(page), ".Sh EXAMPLES\n") {
		t.Error("the page has no examples")
	}
}
