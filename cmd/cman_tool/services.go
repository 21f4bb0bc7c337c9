package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"fangnetz/internal/cluster"
)

// services shows the fence domain, the one group that cmand stands for: there
// are neither lock spaces nor GFS (cman, "cman_tool services").
func (c *command) services(ctx context.Context) int {
	st, err := c.client.Status(ctx)
	if err != nil {
		return c.lost()
	}
	if c.form.groups {
		renderGroups(c.stdout, st)
	} else {
		renderDomain(c.stdout, st)
	}
	return 0
}

// domain is the members, sorted.
func domain(st cluster.Status) cluster.NodeIDs {
	var ids cluster.NodeIDs
	for _, m := range st.Members {
		if m.Manager {
			ids = ids.With(m.ID)
		}
	}
	return ids
}

// renderDomain is fence_tool ls (cman, "fence_tool").
func renderDomain(w io.Writer, st cluster.Status) {
	ids := domain(st)
	var master, victim cluster.NodeID
	if len(ids) > 0 {
		master = ids[0]
	}
	for _, f := range st.Fencing {
		if f.By != 0 && victim == 0 {
			victim = f.Node
		}
	}
	state := "none"
	switch {
	case !st.Quorate:
		state = "quorum"
	case len(st.Fencing) > 0:
		state = "fencing"
	}
	fmt.Fprintf(w, "fence domain\nmember count  %d\nvictim count  %d\nvictim now    %d\nmaster nodeid %d\nwait state    %s\nmembers       %s\n\n",
		len(ids), len(st.Fencing), victim, master, state, list(ids))
}

// renderGroups is group_tool ls of 2.x.
func renderGroups(w io.Writer, st cluster.Status) {
	state := "none"
	if len(st.Fencing) > 0 {
		state = "FAIL_START_WAIT" // the others have seen it, the start of the survivors waits
	}
	line := func(kind, level, name, id, state string) {
		fmt.Fprintf(w, "%-16s %-5s %-8s %-8s %-12s\n", kind, level, name, id, state)
	}
	line("type", "level", "name", "id", "state")
	line("fence", "0", "default", "00010001", state)
	fmt.Fprintf(w, "[%s]\n", strings.TrimSuffix(list(domain(st)), " "))
}

// list puts a blank behind each id.
func list(ids cluster.NodeIDs) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = id.String()
	}
	return each(words)
}
