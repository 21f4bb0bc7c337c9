package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fangnetz/internal/cluster"
)

// one is a cluster of one member and one service.
func one() cluster.Status {
	return cluster.Status{
		Cluster: cluster.Info{Name: "alpha", ID: 12345, Generation: 20}, Local: 1, Quorate: true, ConfigReadable: true,
		Members:  []cluster.Member{{Name: "node1", ID: 1, Configured: true, Known: true, Online: true, Local: true, Manager: true}},
		Services: []cluster.Service{{Name: "vm:web", State: cluster.Started, Owner: 1}},
		Manager:  cluster.Manager{Running: true},
	}
}

func fixed() *command {
	return &command{version: "9", now: func() time.Time { return time.Unix(1262304000, 0).UTC() },
		form: formOf(cluster.Release318), root: true, patience: 10 * time.Second}
}

func TestNodesWithoutMemberList(t *testing.T) {
	st := one()
	st.Members = nil
	serve(t, fakeCmand{status: st})
	const words = "Resource Group Manager not running; no service information available.\n\nMembership information not available\n"
	if got := runOn(t, fixed(), "pipe"); !strings.Contains(got.stdout, "Member Status: Quorate\n\n"+words) || got.exit != 0 {
		t.Errorf("clustat = %+v; want %q and 0", got, words)
	}
	if got := runOn(t, fixed(), "pipe", "-m", "node1"); got.stdout != "Membership information not available\n" || got.exit != 255 {
		t.Errorf("clustat -m = %+v; want a line and 255", got)
	}
	st.Services = nil
	serve(t, fakeCmand{status: st})
	if got := runOn(t, fixed(), "pipe"); !strings.HasSuffix(got.stdout, words) || got.exit != 0 {
		t.Errorf("clustat without services = %+v; want %q and 0", got, words)
	}
	if got := runOn(t, fixed(), "pipe", "-x", "-m", "node1"); !strings.Contains(got.stdout, "  <nodes/>\n") || got.exit != 255 {
		t.Errorf("clustat -x -m = %+v; want <nodes/> and 255", got)
	}
}

// (clustat, "Order of events and exit codes"), XML mode, last line.
func TestXMLOfMemberAndService(t *testing.T) {
	st := one()
	st.Members = append(st.Members, cluster.Member{Name: "node2", ID: 2, Configured: true, Known: true})
	serve(t, fakeCmand{status: st})
	for member, want := range map[string]int{"node1": 255, "node2": 1, "node9": 255} {
		if got := runOn(t, fixed(), "pipe", "-x", "-m", member, "-s", "vm:web"); got.exit != want || strings.Contains(got.stdout, "groups") {
			t.Errorf("clustat -x -m %s -s vm:web = %+v; want no groups and %d", member, got, want)
		}
	}
}

// (clustat, "Text output: members"): whether a configured node is online is
// asked by its name in any case, whether a member is configured by its exact name.
func TestNameInAnotherCase(t *testing.T) {
	st := one()
	st.Members = append(st.Members, cluster.Member{Name: "NODE2", ID: 2, Configured: true},
		cluster.Member{Name: "node2", ID: 2, Known: true, Online: true})
	serve(t, fakeCmand{status: st})
	got := runOn(t, fixed(), "pipe")
	for _, want := range []string{" 2 Online\n", " 2 Online, Estranged\n"} {
		if strings.Count(got.stdout, want) != 1 {
			t.Errorf("clustat = %s; want one %q", got.stdout, want)
		}
	}
}

func TestTerminal(t *testing.T) {
	serve(t, fakeCmand{status: one()})
	heading := func(width int) string { return " Member Name" + strings.Repeat(" ", width/2-11) + "ID   Status\n" }
	for name, c := range map[string]struct{ term, columns, width, stdout, stderr string }{
		"COLUMNS is first":            {"xterm", "100", "120", heading(100), ""},
		"COLUMNS must be positive":    {"xterm", "-5", "120", heading(120), ""},
		"window is second":            {"xterm", "", "120", heading(120), ""},
		"terminfo is third":           {"xterm", "", "0", heading(80), ""},
		"COLUMNS is not for pipes":    {"xterm", "100", "pipe", heading(80), ""},
		"TERM is not for pipes":       {"", "", "pipe", heading(80), ""},
		"no TERM on a terminal":       {"", "", "80", "", "TERM environment variable not set.\n"},
		"unknown TERM on a terminal":  {"no-such", "", "80", "", "'no-such': unknown terminal type.\n"},
		"unknown TERM, COLUMNS given": {"no-such", "80", "80", "", "'no-such': unknown terminal type.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TERM", c.term)
			t.Setenv("COLUMNS", c.columns)
			got := runOn(t, fixed(), c.width)
			exit := 0
			if c.stderr != "" {
				exit = 1
			}
			if !strings.Contains(got.stdout, c.stdout) || got.stderr != c.stderr || got.exit != exit {
				t.Errorf("clustat = %+v; want %q, %q and %d", got, c.stdout, c.stderr, exit)
			}
		})
	}
}

// signalled asks for one more round after the first.
type signalled struct {
	fakeCmand
	mu    sync.Mutex
	asked int
	sign  syscall.Signal
}

func (s *signalled) Status(context.Context) (cluster.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	st := s.status
	st.Cluster.Generation = uint64(s.asked)
	if s.asked == 2 { // the handler is in place since the first round
		if err := syscall.Kill(os.Getpid(), s.sign); err != nil {
			return st, err
		}
	}
	return st, nil
}

func TestIntervalEndsOneRoundAfterASignal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	for _, sign := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		b := &signalled{fakeCmand: fakeCmand{status: one()}, sign: sign}
		serve(t, b)
		got := runOn(t, fixed(), "80", "-i", "1")
		rounds := strings.Count(got.stdout, "Cluster Status for alpha")
		if rounds < 2 || rounds > 3 || got.exit != 0 || got.stderr != "" {
			t.Errorf("after %v in round 2: %d rounds, %+v; want one more and 0", sign, rounds, got)
		}
		if n := strings.Count(got.stdout, "\x1b[H\x1b[2J"); n != rounds || !strings.HasPrefix(got.stdout, "\x1b[H\x1b[2J") {
			t.Errorf("the screen was cleared %d times in %d rounds", n, rounds)
		}
	}
}

func TestIntervalAndXML(t *testing.T) {
	serve(t, fakeCmand{status: one()})
	got := runOn(t, fixed(), "pipe", "-i", "3", "-x")
	if got.stdout != "Error: Options '-i' and '-x' are mutually exclusive\n" || got.exit != 1 {
		t.Errorf("clustat -i 3 -x = %+v; want refused with 1", got)
	}
}

func TestAtoi(t *testing.T) {
	for text, want := range map[string]int{"5": 5, " 7x": 7, "-3": -3, "+4": 4, "x": 0, "": 0, "1-2": 1, "99999999999": 1<<31 - 1, "--1": 0} {
		if got := atoi(text); got != want {
			t.Errorf("atoi(%q) = %d; want %d", text, got, want)
		}
	}
}

// Whatever the names are, -x gives well-formed XML that says them.
func FuzzXML(f *testing.F) {
	f.Add("n&1", `service:a<b>&"c'`)
	f.Add("\x00\xff\uffff", "\r\n\t")
	f.Fuzz(func(t *testing.T, node, service string) {
		st := one()
		st.Members[0].Name, st.Services[0].Name = node, service
		var out bytes.Buffer
		render(&out, st, options{xml: true, columns: 80}, time.Unix(0, 0).UTC())
		for d := xml.NewDecoder(&out); ; {
			tok, err := d.Token()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatalf("%v in %q", err, out.String())
			}
			if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "group" {
				if want := strings.ToValidUTF8(service, "\uFFFD"); e.Attr[0].Value != want && !strings.ContainsFunc(service, odd) {
					t.Errorf("name = %q; want %q", e.Attr[0].Value, want)
				}
			}
		}
	})
}

// odd reports what XML cannot hold.
func odd(r rune) bool { return r < ' ' || r == 0xFFFD || r == 0xFFFE || r == 0xFFFF }
