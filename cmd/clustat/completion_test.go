package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
)

const completions = "../../contrib/completion/"

// onPath puts clustat, as it is installed, first on PATH for a test.
func onPath(t *testing.T) {
	t.Helper()
	t.Setenv("PATH", filepath.Dir(binary(t))+":"+os.Getenv("PATH"))
}

// three is a cluster of three members, two of them online, and a quorum disk.
func three() cluster.Status {
	st := one()
	st.Members = append(st.Members,
		cluster.Member{Name: "node2", ID: 2, Configured: true, Known: true, Online: true, Manager: true},
		cluster.Member{Name: "other3", ID: 3, Configured: true, Known: true},
		cluster.Member{Name: "/dev/sdb1", Known: true, Online: true, QuorumDevice: true})
	st.Services = []cluster.Service{
		{Name: "vm:web", State: cluster.Started, Owner: 1}, {Name: "vm:mail", State: cluster.Stopped, LastOwner: 2},
		{Name: "service:web-front", State: cluster.Failed, LastOwner: 2}, {Name: "service:$(exit 9)", State: cluster.Disabled}}
	return st
}

// Real shells are asked what they would offer at the end of a line.
func TestCompletion(t *testing.T) {
	onPath(t)
	serve(t, fakeCmand{status: three()})
	for _, c := range []struct{ line, want string }{
		{"clustat -s ", "service:web-front|vm:mail|vm:web"},
		{"clustat -s v", "vm:mail|vm:web"},
		{"clustat -s vm:", "mail|web"},
		{"clustat -s vm:w", "web"},
		{"clustat -lxs serv", "service:web-front"},
		{"clustat -m no", "node1|node2"},
		{"clustat -m ", "/dev/sdb1|node1|node2|other3"},
		{"clustat -i ", "1|10|2|5"},
		{"clustat -s vm:web -m o", "other3"},
		{"clustat --", "--history|--json|--watch"},
		{"clustat --history vm:m", "mail"},
		{"clustat -s vm:nothing", ""},
		{"clusvcadm -e ", "service:web-front|vm:mail|vm:web|web-front"},
		{"clusvcadm -e w", "web-front"},
		{"clusvcadm -d vm:", "mail|web"},
		{"clusvcadm -q -M ", "vm:mail|vm:web"},
		{"clusvcadm -M vm:web -m ", "node1|node2"},
		{"clusvcadm -r web-front -n node2", "node2"},
		{"sudo clusvcadm -Z vm:m", "mail"},
		{"clusvcadm -F", "-F"},
		{"clusvcadm --", "--drain|--dry-run|--undrain"},
		{"clusvcadm --drain no", "node1|node2"},
		{"clusvcadm --undrain ", "node1|node2"},
		{"clusvcadm --dry-run --", "--drain|--undrain"},
		{"clusvcadm --dry-run -r w", "web-front"},
	} {
		if got := offers(t, c.line); got != c.want {
			t.Errorf("%q offers %q; want %q", c.line, got, c.want)
		}
	}
}

// offers is bash's sorted COMPREPLY at the end of line.
func offers(t *testing.T, line string) string {
	t.Helper()
	tool := "clustat"
	if strings.Contains(line, "clusvcadm") {
		tool = "clusvcadm"
	}
	bash := exec.Command("bash", "--norc", "-c", `. "$1"; COMP_LINE=$2 COMP_POINT=${#2}
		"$(complete -p "$3" | sed 's/.*-F \([^ ]*\) .*/\1/')"
		for offer in "${COMPREPLY[@]}"; do echo "$offer"; done`,
		"bash", completions+tool+".bash", line, tool)
	out, err := bash.CombinedOutput()
	if err != nil {
		t.Fatalf("bash: %v\n%s", err, out)
	}
	words := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	slices.Sort(words)
	return strings.Join(words, "|")
}

// A cmand that hangs does not hang the shell, and one that is away is no error.
func TestCompletionWithoutCmand(t *testing.T) {
	onPath(t)
	absent(t, "ENOENT")
	if got := offers(t, "clusvcadm -e "); got != "" {
		t.Errorf("without cmand %q is offered", got)
	}
	hang(t, "")
	if got := offers(t, "clustat -s "); got != "" {
		t.Errorf("with a cmand that hangs %q is offered", got)
	}
}

// zsh has the same names to offer; its own machinery is not tried, only that
// it can read the files and what their functions find.
func TestCompletionForZsh(t *testing.T) {
	zsh, err := exec.LookPath("zsh")
	if err != nil {
		t.Fatal("zsh is not installed; run make deps")
	}
	onPath(t)
	serve(t, fakeCmand{status: three()})
	for call, want := range map[string]string{
		"_clustat_names member node":    "/dev/sdb1|node1|node2|other3",
		"_clustat_names service group":  "service:web-front|vm:mail|vm:web",
		"_clusvcadm_services vm:":       "vm:mail|vm:web",
		"_clusvcadm_members":            "node1|node2",
		"_clusvcadm_services service:w": "service:web-front",
	} {
		out, err := exec.Command(zsh, "-fc", `_arguments() {}; _wanted() { print -l $names }; . "$1"; . "$2"; eval "$3"`,
			"zsh", completions+"_clustat", completions+"_clusvcadm", call).CombinedOutput()
		words := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		slices.Sort(words)
		if got := strings.Join(words, "|"); err != nil || got != want {
			t.Errorf("%s finds %q, %v; want %q", call, got, err, want)
		}
	}
}
