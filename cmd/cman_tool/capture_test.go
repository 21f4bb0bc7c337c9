package main

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fangnetz/internal/cluster"
)

// captures are screens of real clusters that people published; blanks at the
// ends of lines did not survive the web.
const captures = "../../../shared/corpus/captures/"

func capture(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(captures + name)
	if os.IsNotExist(err) {
		t.Skip("the captures are not here: " + captures)
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(string(text), "\n")
}

func trimmed(text string) string {
	return strings.TrimRight(regexp.MustCompile(`(?m) +$`).ReplaceAllString(text, ""), "\n")
}

var nodeLine = regexp.MustCompile(`^ *(\d+)   M +(\d+)   (\S+ \S+)  (\S+)$`)

// What a real cman_tool nodes showed, read back, gives the same screen.
func TestCapturedNodes(t *testing.T) {
	for _, name := range []string{"build_cman_nodes.txt", "cfs_cman_tool_nodes_0.txt", "mizzy_cman_nodes.txt", "pgdb_cman_nodes_a.txt",
		"pkg_kmsapp_cman_nodes.txt", "pve_cman_nodes.txt"} {
		t.Run(name, func(t *testing.T) {
			text := capture(t, name)
			var m cluster.Membership
			for line := range strings.Lines(text) {
				line = strings.TrimRight(line, "\n")
				if f := nodeLine.FindStringSubmatch(line); f != nil {
					id, err := strconv.Atoi(f[1])
					seq, err2 := strconv.ParseUint(f[2], 10, 64)
					at, err3 := time.Parse(time.DateTime, f[3])
					if err != nil || err2 != nil || err3 != nil {
						t.Fatal(err, err2, err3)
					}
					m.Nodes = append(m.Nodes, cluster.Voter{Name: f[4], ID: cluster.NodeID(id), Online: true, Incarnation: seq, Joined: at.Unix()})
				} else if _, list, ok := strings.Cut(line, "       Addresses: "); ok {
					m.Nodes[len(m.Nodes)-1].Addresses = strings.Fields(list)
				}
			}
			var b bytes.Buffer
			renderNodes(&b, m, true, time.UTC)
			if diff := cmp.Diff(text, trimmed(b.String())); diff != "" || len(m.Nodes) == 0 {
				t.Errorf("differs (-captured +ours):\n%s", diff)
			}
		})
	}
}

// The same of cman_tool status, for the clusters without a quorum disk.
func TestCapturedStatus(t *testing.T) {
	for name, f := range map[string]form{
		"pcs_cman_status_01_quorate.txt":   formOf(cluster.Release318),
		"pcs_cman_status_02_inquorate.txt": formOf(cluster.Release318),
		"pve_cman_status.txt":              formOf(cluster.Release318),
		"build_cman_status.txt":            formOf(cluster.Release2),
	} {
		t.Run(name, func(t *testing.T) {
			text := trimmed(capture(t, name))
			value := map[string]string{}
			for line := range strings.Lines(text) {
				key, v, ok := strings.Cut(strings.TrimRight(line, "\n"), ":")
				if !ok {
					t.Fatalf("line %q", line)
				}
				value[key] = strings.TrimSpace(v)
			}
			number := func(key string) int {
				n, _ := strconv.Atoi(value[key]) // those with text are put in below
				return n
			}
			words := strings.Fields(value["Quorum"])
			quorum, err := strconv.Atoi(words[0])
			if err != nil {
				t.Fatal(err)
			}
			m := cluster.Membership{
				Cluster: cluster.Info{Name: value["Cluster Name"], ID: uint32(number("Cluster Id")), Generation: uint64(number("Cluster Generation")),
					ConfigVersion: number("Config Version")},
				Local: cluster.NodeID(number("Node ID")), Quorate: len(words) == 1, Expected: number("Expected votes"), Total: number("Total votes"),
				Quorum: quorum, Groups: strings.Fields(value["Multicast addresses"]),
				Nodes: []cluster.Voter{{Name: value["Node name"], ID: cluster.NodeID(number("Node ID")), Online: true, Votes: 1,
					Addresses: strings.Fields(value["Node addresses"])}},
			}
			for id := 100; len(m.Nodes) < number("Nodes"); id++ {
				m.Nodes = append(m.Nodes, cluster.Voter{ID: cluster.NodeID(id), Online: true})
			}
			var b bytes.Buffer
			renderStatus(&b, m, f)
			// Ours has another number of subsystems, and no state that a merge would spoil.
			want := regexp.MustCompile(`(?m)^Active subsystems: \d+$`).ReplaceAllString(text, "Active subsystems: 3")
			want = strings.Replace(want, "Flags: Dirty", "Flags:", 1)
			if diff := cmp.Diff(want, trimmed(b.String())); diff != "" {
				t.Errorf("differs (-captured +ours):\n%s", diff)
			}
		})
	}
}
