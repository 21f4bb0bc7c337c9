package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"fangnetz/internal/cluster"
)

func TestHistoryFitsATerminal(t *testing.T) {
	st := cluster.Status{Members: []cluster.Member{{Name: "node1.example.com", ID: 1}, {Name: "node2.example.com", ID: 2}, {Name: "/dev/sdb1.x"}}}
	entries := []cluster.Entry{{Began: 1393927061250, Ended: 1393927065500, Service: "vm:web", What: "migrate", By: "root@node1.example.com", From: 1, To: 2,
		Reason: "node2.example.com is best, and the reason for it takes more room than there is in one line of a terminal of eighty columns"}}
	var b bytes.Buffer
	renderHistory(&b, st, entries, 80, time.UTC)
	const want = `Date       Time     Took Service What    From  To    By         Result
2014-03-04 09:57:41 4.2s vm:web  migrate node1 node2 root@node1 Success: node2
    is best, and the reason for it takes more room than there is in one line of
    a terminal of eighty columns
`
	if got := b.String(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	b.Reset()
	renderHistory(&b, st, entries, 0, time.UTC)
	if got := b.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, " node2.example.com root@node1.example.com ") {
		t.Errorf("in a pipe: %s", got)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		line    string
		columns int
		want    string
	}{
		{"a b c", 0, "a b c"},
		{"a b c", 5, "a b c"},
		{"1234 678 0", 8, "1234 678\n    0"},
		{"1234 678 0", 7, "1234\n    678\n    0"},
		{"123456789 1", 8, "123456789 1"}, // there is no place before it
		{"12345 123456789 1", 8, "12345\n    123456789 1"},
		{"wide   gap", 6, "wide\n    gap"},
	} {
		if got := wrap(c.line, c.columns); got != c.want {
			t.Errorf("wrap(%q, %d) = %q; want %q", c.line, c.columns, got, c.want)
		}
	}
}

func TestCommonDomain(t *testing.T) {
	for names, want := range map[string]string{
		"a.x.org b.x.org": ".x.org", "a.x.org b": "", "a b": "", "a.x b.y": "", "a.x": ".x", "": "",
	} {
		var members []cluster.Member
		for i, name := range strings.Fields(names) {
			members = append(members, cluster.Member{Name: name, ID: cluster.NodeID(i + 1)})
		}
		if got := commonDomain(members); got != want {
			t.Errorf("commonDomain(%s) = %q; want %q", names, got, want)
		}
	}
}

func TestTook(t *testing.T) {
	for ms, want := range map[int64]string{-5: "0.0s", 40: "0.0s", 59_940: "59.9s", 60_000: "1m00s", 3_599_000: "59m59s", 3_600_000: "1h00m", 360_000_000: "100h00m"} {
		if got := took(ms); got != want {
			t.Errorf("took(%d) = %s; want %s", ms, got, want)
		}
	}
}

// A member that is drained says so; the original had no such thing.
func TestDrainedMember(t *testing.T) {
	v := view{}
	e := entry{Member: cluster.Member{Name: "n", ID: 1, Online: true, Manager: true, Drained: true}}
	if got := v.flags(e); got != "Online, rgmanager, Drained" {
		t.Errorf("flags are %q", got)
	}
}

// What is watched has the alarm on the screen, and not beside it.
func TestAlarmOnAWatchedScreen(t *testing.T) {
	st := one()
	st.Services[0].Seen = cluster.NodeIDs{1, 2}
	var stdout, stderr bytes.Buffer
	c := fixed()
	c.stdout, c.stderr = &stdout, &stderr
	c.round(st, options{columns: 80, form: c.form, watch: true}, "")
	if !strings.HasSuffix(stdout.String(), "\n\n *** vm:web runs on node1 and unknown at once ***\n") || stderr.Len() > 0 {
		t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
	}
}
