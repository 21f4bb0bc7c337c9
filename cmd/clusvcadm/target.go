package main

import (
	"fmt"
	"strings"

	"fangnetz/internal/cluster"
)

// target finds the member that name means: the one of that name in any case,
// else the one that shares the longest beginning with it, which is said. A
// tie, no match and the quorum device are refused, in words (clusvcadm,
// "Member names"). The member's name is as typed when it matched whole.
func (c *command) target(members []cluster.Member, name string) (cluster.Member, bool) {
	for _, m := range members {
		if m.ID != 0 && strings.EqualFold(m.Name, name) {
			m.Name = name
			return m, true
		}
	}
	fmt.Fprintf(c.stdout, "'%s' not in membership list\n", name)
	var best cluster.Member
	longest, second := 0, 0
	for _, m := range members {
		if n := shared(m.Name, name); n > 0 && n >= longest {
			best, longest, second = m, n, longest
		}
	}
	switch {
	case longest == 0:
		fmt.Fprintf(c.stdout, "No matches for '%s' found\n", name)
		return best, false
	case longest == second:
		fmt.Fprintf(c.stdout, "More than one possible match for '%s' found\n", name)
		return best, false
	}
	fmt.Fprintf(c.stdout, "Closest match: '%s'\n", best.Name)
	return best, best.ID != 0
}

// shared counts the bytes that a and b have in common at their beginning.
func shared(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
