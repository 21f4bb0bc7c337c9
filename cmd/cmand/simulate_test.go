package main

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the scripts' goldens")

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"cmand": main}) }

func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", UpdateScripts: *update})
}

func TestSimulateUsageAndManualAgree(t *testing.T) {
	_, usage, _ := cmand("simulate", "--help")
	page, err := os.ReadFile("../../man/cmand.8")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(page), ".Sh WHAT-IF")
	part, _, _ = strings.Cut(part, ".Sh ")
	options := regexp.MustCompile(`(?m)^   --([a-z-]+)`).FindAllStringSubmatch(usage, -1)
	if len(options) < 4 {
		t.Fatalf("usage has only %v", options)
	}
	for _, o := range options {
		if !strings.Contains(part, "Fl -"+o[1]) {
			t.Errorf("the manual does not tell of simulate --%s", o[1])
		}
	}
}
