package scenario

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestManual plays the examples of docs/scenario.md, and looks for every
// command there.
func TestManual(t *testing.T) {
	data, err := os.ReadFile("../../docs/scenario.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	examples := regexp.MustCompile("(?s)```scenario\n(.*?)\n```").FindAllStringSubmatch(page, -1)
	if len(examples) < 2 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, e := range examples {
		if _, err := feed(t, &Script{World: &World{Check: true}}, e[1]); err != nil {
			t.Errorf("%s\n%v", e[1], err)
		}
	}
	for _, v := range verbs {
		if !strings.Contains(page, "`"+v.usage()+"`") {
			t.Errorf("the manual does not tell of %q", v.usage())
		}
	}
}
