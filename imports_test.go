package fangnetz

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport says which of our packages each of our packages may import; it is
// the package table of the design. Tests are free.
var mayImport = map[string]string{
	"internal/cluster":     "",
	"internal/getopt":      "",
	"internal/conf":        "cluster",
	"internal/rgmanager":   "cluster conf",
	"internal/scenario":    "cluster conf rgmanager",
	"internal/wire":        "cluster",
	"internal/member":      "cluster",
	"internal/fence":       "cluster conf",
	"internal/hypervisor":  "cluster conf",
	"internal/daemon":      "cluster conf rgmanager wire",
	"internal/simulate":    "cluster conf daemon rgmanager scenario",
	"internal/daemontest":  "cluster conf daemon wire",
	"internal/wiretest":    "cluster wire",
	"internal/lab":         "",
	"internal/lab/demo":    "lab",
	"cmd/cmand":            "cluster conf rgmanager scenario wire member fence hypervisor daemon",
	"cmd/clustat":          "cluster wire getopt",
	"cmd/clusvcadm":        "cluster wire getopt",
	"cmd/ccs_tool":         "cluster conf wire getopt",
	"cmd/cman_tool":        "cluster conf wire getopt",
	"cmd/fence_ack_manual": "wire getopt",
}

// pureAvoids is what the machine must not know: the outside world and its time.
var pureAvoids = []string{"os", "net", "log", "log/slog", "math/rand", "math/rand/v2", "context", "sync"}

func TestImports(t *testing.T) {
	for _, line := range list(t, `{{.ImportPath}} {{join .Imports " "}}`) {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], "fangnetz/")
		if pkg == "fangnetz" {
			continue
		}
		allowed, known := mayImport[pkg]
		if !known {
			t.Errorf("%s is not in the package table: another package needs a new noun", pkg)
		}
		for _, imp := range fields[1:] {
			if ours, ok := strings.CutPrefix(imp, "fangnetz/internal/"); ok && !slices.Contains(strings.Fields(allowed), ours) {
				t.Errorf("%s imports internal/%s", pkg, ours)
			}
			if pkg == "internal/rgmanager" && slices.Contains(pureAvoids, imp) {
				t.Errorf("%s imports %s", pkg, imp)
			}
		}
	}
}

// TestMachineKnowsNoClock looks for calls that an import cannot show.
func TestMachineKnowsNoClock(t *testing.T) {
	out, err := exec.Command("grep", "-rnE", `time\.(Now|Since|After|Sleep|NewTimer|Tick)\b`,
		"--include=*.go", "--exclude=*_test.go", "internal/rgmanager").CombinedOutput()
	if err == nil {
		t.Errorf("the machine reads the clock:\n%s", out)
	}
}

// TestClientsAreStatic wants the commands free of cgo, so that they start
// quickly and run anywhere.
func TestClientsAreStatic(t *testing.T) {
	for _, line := range list(t, `{{.ImportPath}} {{join .Deps " "}}`) {
		fields := strings.Fields(line)
		if cmd, ok := strings.CutPrefix(fields[0], "fangnetz/cmd/"); ok && cmd != "cmand" && slices.Contains(fields, "runtime/cgo") {
			t.Errorf("%s needs cgo", cmd)
		}
	}
}

func list(t *testing.T, format string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", format, "./...")
	if strings.Contains(format, "Deps") {
		cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
		cmd.Args = []string{"go", "list", "-f", format, "./cmd/clustat", "./cmd/clusvcadm", "./cmd/ccs_tool", "./cmd/cman_tool", "./cmd/fence_ack_manual"}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
