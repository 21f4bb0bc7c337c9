package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"fangnetz/internal/cluster"
)

// printf is C's for one %-*.*s: a negative width turns positive, a negative
// precision is none.
func printf(width, precision int, text string) string {
	if precision < 0 {
		return fmt.Sprintf("%-*s", max(width, -width), text)
	}
	return fmt.Sprintf("%-*.*s", max(width, -width), precision, text)
}

// Every width from 10 to 300 columns, against the arithmetic of (clustat,
// "Terminal width") and "Text output" written down a second time, in printf's
// terms.
func TestWidths(t *testing.T) {
	names := []string{"n", "node1.example.com", strings.Repeat("abcdefghij", 6) + "abc", strings.Repeat("x", 64), strings.Repeat("y", 65), strings.Repeat("long-", 50)}
	st := one()
	st.Members, st.Services = nil, nil
	for i, name := range names {
		id := cluster.NodeID(i + 1)
		st.Members = append(st.Members, cluster.Member{Name: name, ID: id, Configured: true, Known: true, Online: true})
		for _, state := range []cluster.State{cluster.Started, cluster.Failed, cluster.Uninitialized} {
			st.Services = append(st.Services, cluster.Service{Name: fmt.Sprintf("vm:%d%s", state, name), State: state, Owner: id, LastOwner: id})
		}
	}
	for columns := 10; columns <= 300; columns++ {
		m, s := min(columns/2, 64), min((columns-20)/2, 64)
		var want strings.Builder
		member := func(name, id, rest string) {
			fmt.Fprintf(&want, " %s%s %s\n", printf(m, m, name), printf(4, 4, id), rest)
		}
		service := func(name, owner, state string) {
			fmt.Fprintf(&want, " %s %s %s\n", printf(s, s, name), printf(s, s, owner), printf(14, 14, state))
		}
		member("Member Name", "ID", "Status")
		member("------ ----", "----", "------")
		for i, name := range names {
			fmt.Fprintf(&want, " %s %4d Online\n", printf(m, m, name), i+1)
		}
		want.WriteString("\n")
		service("Service Name", "Owner (Last)", "State")
		service("------- ----", "----- ------", "-----")
		for _, svc := range sorted(st.Services) {
			owner := names[svc.Owner-1]
			if svc.State == cluster.Failed {
				owner = "(" + printf(0, s-2, owner) + ")"
			}
			owner = owner[:min(len(owner), 63)] // of a buffer of 64 with its end mark
			service(svc.Name, owner, svc.State.String())
		}
		var got bytes.Buffer
		if exit := render(&got, st, options{columns: columns, form: formOf(cluster.Release318)}, time.Unix(0, 0).UTC()); exit != 0 {
			t.Fatalf("%d columns: exit status %d", columns, exit)
		}
		_, text, _ := strings.Cut(got.String(), "\n\n")
		if text != want.String() {
			t.Fatalf("%d columns:\n%s\nwant:\n%s", columns, text, want.String())
		}
		for i, line := range strings.Split(text[strings.Index(text, "\n\n")+2:], "\n") {
			if s >= 0 && line != "" && len(line) != 2*s+17 {
				t.Fatalf("%d columns, service line %d is %d bytes long; want %d", columns, i, len(line), 2*s+17)
			}
		}
	}
}
