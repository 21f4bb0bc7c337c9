package rgmanager_test

import (
	"path/filepath"
	"strings"
	"testing"

	"fangnetz/internal/scenario"

	"github.com/cockroachdb/datadriven"
)

// TestScenario plays the files of testdata/scenario. Each command of a file
// says what happens, and below the dashes stands what the cluster then does;
// docs/scenario.md explains the commands. After each event a replica that went
// through a snapshot must act alike, and no service may run twice.
func TestScenario(t *testing.T) {
	files, err := filepath.Glob("testdata/scenario/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			w := scenario.World{Check: true}
			datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
				line := d.Cmd
				for _, a := range d.CmdArgs {
					line += " " + a.String()
				}
				c, err := scenario.Parse(line)
				if err != nil {
					d.Fatalf(t, "%v", err)
				}
				out, err := w.Do(c, d.Input)
				if err != nil {
					d.Fatalf(t, "%v", err)
				}
				return out
			})
		})
	}
}
