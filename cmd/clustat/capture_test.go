package main

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fangnetz/internal/cluster"
)

// captures are screens of real clusters that people published.
const captures = "../../../shared/corpus/captures/"

// edited are captures that are not as clustat printed them, and what shows it.
var edited = map[string]string{
	"azure_clustat_qdisk_1.txt":              "empty line moved, service table set by hand",
	"azure_clustat_qdisk_2.txt":              "empty line moved, service table set by hand",
	"bilbo_clustat_b.txt":                    "heading's second line out of line with its first",
	"db2_clustat_rhel4.txt":                  "RHEL 4: no ids",
	"deimos_clustat_1.txt":                   "ids moved under their heading",
	"deimos_clustat_2.txt":                   "ids moved under their heading, no state",
	"deimos_clustat_quorate_only.txt":        "cut short",
	"gfs_cluster_clustat_norg.txt":           "ids moved under their heading",
	"linuxdynasty_clustat_qdisk_offline.txt": "ids moved under their heading",
	"qddb_clustat_rhel4.txt":                 "RHEL 4: no ids",
	"qpid_clustat.txt":                       "ids moved under their heading, services out of line",
	"rackspace_clustat.txt":                  "cut to fit a page",
	"tng3_clustat_rhel3.txt":                 "RHEL 3",
}

func corpus(t *testing.T, pattern string, least int) []string {
	t.Helper()
	files, err := filepath.Glob(captures + pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("the captures are not here: " + captures)
	}
	if len(files) < least {
		t.Fatalf("%d captures %s; want %d", len(files), pattern, least)
	}
	return files
}

var transition = regexp.MustCompile(` last_transition="(\d+)" last_transition_str="([^"]*)"`)

// What a real clustat -x says, read back, gives the same document.
func TestCapturedXML(t *testing.T) {
	for _, path := range corpus(t, "*clustat*.xml", 8) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text := file(t, path)
			var doc struct {
				Cluster struct {
					Name       string `xml:"name,attr"`
					ID         uint32 `xml:"id,attr"`
					Generation uint64 `xml:"generation,attr"`
				} `xml:"cluster"`
				Quorum struct {
					Quorate bool `xml:"quorate,attr"`
				} `xml:"quorum"`
				Nodes []struct {
					Name      string `xml:"name,attr"`
					State     bool   `xml:"state,attr"`
					Local     bool   `xml:"local,attr"`
					Estranged bool   `xml:"estranged,attr"`
					Manager   bool   `xml:"rgmanager,attr"`
					Master    bool   `xml:"rgmanager_master,attr"`
					Qdisk     bool   `xml:"qdisk,attr"`
					ID        string `xml:"nodeid,attr"`
				} `xml:"nodes>node"`
				Groups []struct {
					Name       string        `xml:"name,attr"`
					State      cluster.State `xml:"state,attr"`
					Flags      cluster.Flags `xml:"flags,attr"`
					Owner      string        `xml:"owner,attr"`
					LastOwner  string        `xml:"last_owner,attr"`
					Restarts   int           `xml:"restarts,attr"`
					Transition int64         `xml:"last_transition,attr"`
				} `xml:"groups>group"`
			}
			if err := xml.Unmarshal([]byte(text), &doc); err != nil {
				t.Fatal(err)
			}
			st := cluster.Status{Cluster: cluster.Info{Name: doc.Cluster.Name, ID: doc.Cluster.ID, Generation: doc.Cluster.Generation},
				Quorate: doc.Quorum.Quorate, ConfigReadable: true, Manager: cluster.Manager{Running: true}}
			ids := map[string]cluster.NodeID{"none": 0, "unknown": 1 << 31}
			for _, n := range doc.Nodes {
				id, err := strconv.ParseUint(n.ID, 0, 32)
				if err != nil {
					t.Fatal(err)
				}
				ids[n.Name] = cluster.NodeID(id)
				st.Members = append(st.Members, cluster.Member{Name: n.Name, ID: cluster.NodeID(id), Configured: !n.Estranged && !n.Qdisk,
					Known: true, Online: n.State, Local: n.Local, Manager: n.Manager, Master: n.Master, QuorumDevice: n.Qdisk})
			}
			for _, g := range doc.Groups {
				st.Services = append(st.Services, cluster.Service{Name: g.Name, State: g.State, Flags: g.Flags, Owner: ids[g.Owner],
					LastOwner: ids[g.LastOwner], Restarts: g.Restarts, LastTransition: g.Transition})
			}
			form := formOf(cluster.Release318)
			if !strings.Contains(text, "flags_str") {
				form = formOf(cluster.Release2)
			}
			var out bytes.Buffer
			render(&out, st, options{xml: true, columns: 80, form: form}, time.Unix(0, 0).UTC())

			// Their clocks' zones are not known, only that a zone is made of
			// quarters of an hour. The names in some are not the real ones,
			// and so not sorted.
			for _, m := range transition.FindAllStringSubmatch(text, -1) {
				there, err := time.Parse("Mon Jan _2 15:04:05 2006", m[2])
				seconds, err2 := strconv.ParseInt(m[1], 10, 64)
				if err != nil || err2 != nil || date(there) != m[2] || (there.Unix()-seconds)%900 != 0 {
					t.Errorf("%q is not our form of %s", m[2], m[1])
				}
			}
			want := transition.ReplaceAllString(text, ` last_transition="$1"`)
			if !strings.HasPrefix(want, "<?xml") {
				want = "<?xml version=\"1.0\"?>\n" + want
			}
			got := transition.ReplaceAllString(out.String(), ` last_transition="$1"`)
			if diff := cmp.Diff(sortGroups(want), sortGroups(got)); diff != "" {
				t.Errorf("-captured +ours:\n%s", diff)
			}
		})
	}
}

// sortGroups returns the lines, those of groups sorted.
func sortGroups(text string) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	is := func(line string) bool { return strings.Contains(line, "<group ") }
	if first := slices.IndexFunc(lines, is); first >= 0 {
		last := first
		for last < len(lines) && is(lines[last]) {
			last++
		}
		slices.Sort(lines[first:last])
	}
	return lines
}

var (
	headLine    = regexp.MustCompile(`^Cluster Status for (\S+) @ (.*)$`)
	memberLine  = regexp.MustCompile(`^ (\S+) +(\d+) (Online|Offline)(.*)$`)
	serviceLine = regexp.MustCompile(`^ (\w+:\S+) +(\(?)([^ )]+)\)? +(\w+) *$`)
)

// What a real clustat showed on a terminal, read back, gives the same screen.
// Blanks at the ends of lines did not survive the web.
func TestCapturedText(t *testing.T) {
	same := 0
	for _, path := range corpus(t, "*clustat*.txt", 19) {
		name := filepath.Base(path)
		if edited[name] != "" {
			continue
		}
		same++
		t.Run(name, func(t *testing.T) {
			text := file(t, path)
			var st cluster.Status
			st.ConfigReadable, st.Quorate = true, strings.Contains(text, "Member Status: Quorate")
			st.Manager.Running = true
			ids := map[string]cluster.NodeID{"none": 0}
			now := time.Unix(0, 0).UTC()
			opts := options{columns: 80, form: formOf(cluster.Release318)}
			var want []string
			for line := range strings.Lines(text) {
				line = strings.TrimRight(line, " \n")
				want = append(want, line)
				if m := headLine.FindStringSubmatch(line); m != nil {
					st.Cluster.Name = m[1]
					var err error
					if now, err = time.Parse("Mon Jan _2 15:04:05 2006", m[2]); err != nil {
						t.Fatal(err)
					}
				} else if i := strings.Index(line, "Owner (Last)"); i > 0 {
					opts.columns = (i-2)*2 + 20
				} else if m := memberLine.FindStringSubmatch(line); m != nil {
					id, err := strconv.Atoi(m[2])
					if err != nil {
						t.Fatal(err)
					}
					ids[m[1]] = cluster.NodeID(id)
					qdisk := strings.Contains(m[4], "Quorum Disk")
					st.Members = append(st.Members, cluster.Member{Name: m[1], ID: cluster.NodeID(id), Configured: !qdisk, Known: true,
						Online: m[3] == "Online", Local: strings.Contains(m[4], "Local"), Manager: strings.Contains(m[4], "rgmanager")})
				} else if m := serviceLine.FindStringSubmatch(line); m != nil {
					s := cluster.Service{Name: m[1], Owner: ids[m[3]], LastOwner: ids[m[3]]}
					for s.State = cluster.Stopped; s.State.String() != m[4]; s.State++ {
						if s.State > cluster.Migrating {
							t.Fatalf("no state %q", m[4])
						}
					}
					st.Services = append(st.Services, s)
				}
			}
			// The service table tells the width but for its last bit.
			var got []string
			for _, odd := range []int{0, 1} {
				o := opts
				o.columns += odd
				var out bytes.Buffer
				render(&out, st, o, now)
				got = nil
				for line := range strings.Lines(out.String()) {
					got = append(got, strings.TrimRight(line, " \n"))
				}
				if slices.Equal(trimmed(got), trimmed(want)) {
					return
				}
			}
			if diff := cmp.Diff(trimmed(want), trimmed(got)); diff != "" {
				t.Errorf("-captured +ours:\n%s", diff)
			}
		})
	}
	if same+len(edited) < 19 {
		t.Errorf("%d screens compared, %d edited; want all", same, len(edited))
	}
}

// trimmed leaves out the heading, which some captures lack, and empty lines at
// the end.
func trimmed(lines []string) []string {
	for len(lines) > 0 && !strings.HasPrefix(lines[0], " Member Name") {
		lines = lines[1:]
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// The list is of captures that are there.
func TestEditedCaptures(t *testing.T) {
	corpus(t, "*clustat*.txt", 19)
	for name := range edited {
		if _, err := os.Stat(captures + name); err != nil {
			t.Error(err)
		}
	}
}
