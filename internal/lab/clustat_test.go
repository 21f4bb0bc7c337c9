package lab

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// status is what clustat -x says.
type status struct {
	Quorum struct {
		Quorate int `xml:"quorate,attr"`
	} `xml:"quorum"`
	Nodes []struct {
		Name    string `xml:"name,attr"`
		Online  int    `xml:"state,attr"`
		Manager int    `xml:"rgmanager,attr"`
	} `xml:"nodes>node"`
	Services []struct {
		Name      string `xml:"name,attr"`
		State     string `xml:"state_str,attr"`
		Owner     string `xml:"owner,attr"`
		LastOwner string `xml:"last_owner,attr"`
		Restarts  int    `xml:"restarts,attr"`
	} `xml:"groups>group"`
}

// clustat asks the host's daemon; nil while it does not answer.
func clustat(t testing.TB, h *Host) *status {
	t.Helper()
	out := try(t, h, "clustat", "-x")
	// A line of words may come before the document.
	_, document, found := strings.Cut(out.Stdout, "<?xml")
	if out.Exit != 0 || !found {
		return nil
	}
	var st status
	if err := xml.Unmarshal([]byte("<?xml"+document), &st); err != nil {
		t.Fatalf("%s: clustat -x: %v in:\n%s", h.Name, err, out.Stdout)
	}
	return &st
}

// member describes a node as clustat sees it.
func (st *status) member(name string) string {
	for _, n := range st.Nodes {
		if n.Name == name {
			return fmt.Sprintf("online %d, manager %d", n.Online, n.Manager)
		}
	}
	return "not listed"
}

// service describes a service as clustat sees it: its state and its owner, or
// its last owner in brackets where it has none.
func (st *status) service(name string) string {
	for _, s := range st.Services {
		switch {
		case s.Name != name:
		case s.State == "started", s.State == "starting", s.State == "stopping":
			return s.State + " " + s.Owner
		default:
			return s.State
		}
	}
	return "not listed"
}

func (st *status) restarts(name string) int {
	for _, s := range st.Services {
		if s.Name == name {
			return s.Restarts
		}
	}
	return -1
}

// awaitMembers waits until each of hosts sees exactly them online, quorate, and
// with their daemons up where there are services: without any, clustat does not
// ask about daemons (clustat, "Worked examples", 9).
func (s *story) awaitMembers(t testing.TB, limit time.Duration, hosts ...*Host) {
	t.Helper()
	for _, at := range hosts {
		eventually(t, limit, at.Name+" sees the members", func() string {
			st := clustat(t, at)
			if st == nil {
				return "clustat has no answer"
			}
			for _, h := range s.Hosts {
				want := "online 0, manager 0"
				switch {
				case !slices.Contains(hosts, h):
				case len(st.Services) == 0:
					want = "online 1, manager 0"
				default:
					want = "online 1, manager 1"
				}
				if got := st.member(h.ClusterName()); got != want {
					return h.ClusterName() + ": " + got
				}
			}
			if st.Quorum.Quorate != 1 {
				return "not quorate"
			}
			return ""
		})
	}
}

// awaitService waits until all of at see the service so.
func awaitService(t *testing.T, limit time.Duration, name, want string, at ...*Host) {
	t.Helper()
	for _, h := range at {
		eventually(t, limit, h.Name+" sees "+name+" "+want, func() string {
			st := clustat(t, h)
			if st == nil {
				return "clustat has no answer"
			}
			if got := st.service(name); got != want {
				return got
			}
			return ""
		})
	}
}

// runs returns the hosts on which the guest's QEMU runs.
func (s *story) runs(t *testing.T, guest string) string {
	t.Helper()
	var at []string
	for _, h := range s.Hosts {
		if h.On() && try(t, h, "pgrep", "-f", "guest="+guest+",").Exit == 0 {
			at = append(at, h.Name)
		}
	}
	return strings.Join(at, " and ")
}

// checkNeverTwice holds all that the guest ever said against the one promise:
// a boot that ended never speaks again, and no number comes twice.
func checkNeverTwice(t *testing.T, guest string, w *Watch) {
	t.Helper()
	seen, err := w.Seen()
	if err != nil {
		t.Error(err)
	}
	ended := map[string]bool{}
	for i := range len(seen) - 1 {
		before, k := seen[i], seen[i+1]
		if k.Boot != before.Boot {
			ended[before.Boot] = true
		}
		if ended[k.Boot] || k.Boot == before.Boot && k.Seq <= before.Seq {
			t.Errorf("%s ran twice: %d of boot %s on %s at %s, after %d of boot %s on %s at %s", guest,
				k.Seq, k.Boot, k.Host, k.At.UTC().Format(time.StampMilli), before.Seq, before.Boot, before.Host, before.At.UTC().Format(time.StampMilli))
			return
		}
	}
}

func (s *story) checkNeverTwice(t *testing.T, guest string) {
	t.Helper()
	checkNeverTwice(t, guest, s.machines[guest])
	if s.machines[guest].Last().Boot == "" {
		t.Errorf("%s said nothing", guest)
	}
	if t.Failed() {
		t.FailNow()
	}
}
