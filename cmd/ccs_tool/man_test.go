package main

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// The usage and the page list the same options and commands.
func TestManualListsOptionsAndCommands(t *testing.T) {
	page, err := os.ReadFile("../../man/ccs_tool.8")
	if err != nil {
		t.Fatal(err)
	}
	var inPage, inUsage []string
	for _, m := range regexp.MustCompile(`(?m)^\.It (Fl|Cm) (\w+)`).FindAllStringSubmatch(string(page), -1) {
		if m[1] == "Fl" {
			m[2] = "-" + m[2]
		}
		inPage = append(inPage, m[2])
	}
	for _, m := range regexp.MustCompile(`(?m)^  (-?\w+) .*  `).FindAllStringSubmatch(usage, -1) {
		if m[1] != "ccs_tool" {
			inUsage = append(inUsage, m[1])
		}
	}
	slices.Sort(inPage)
	slices.Sort(inUsage)
	if !slices.Equal(inPage, inUsage) || len(inUsage) == 0 {
		t.Errorf("the page has %q, the usage %q", inPage, inUsage)
	}
}
