package scenario

import (
	"fmt"
	"slices"
	"strings"

	"fangnetz/internal/cluster"
)

// Clustat is a status as clustat prints it in 80 columns, without the date
// (clustat, "Text output").
func Clustat(st cluster.Status) string {
	var b strings.Builder
	quorum := "Inquorate"
	if st.Quorate {
		quorum = "Quorate"
	}
	fmt.Fprintf(&b, "Cluster Status for %s\nMember Status: %s\n\n", st.Cluster.Name, quorum)
	fmt.Fprintf(&b, " %-40s %-4s %s\n %-40s %-4s %s\n", "Member Name", "ID", "Status", "------ ----", "----", "------")
	for _, m := range st.Members {
		words := "Offline"
		if m.Online {
			words = "Online"
		}
		if !m.Configured {
			words += ", Estranged"
		}
		if m.Manager && len(st.Services) > 0 {
			words += ", rgmanager"
		}
		fmt.Fprintf(&b, " %-40.40s %4d %s\n", m.Name, m.ID, words)
	}
	if len(st.Services) == 0 || !st.Quorate {
		return b.String()
	}
	b.WriteString("\n")
	line := func(name, owner, state string) { fmt.Fprintf(&b, " %-30.30s %-30.30s %-14.14s\n", name, owner, state) }
	line("Service Name", "Owner (Last)", "State")
	line("------- ----", "----- ------", "-----")
	for _, s := range st.Services {
		state := s.State.String()
		if s.Flags&cluster.Frozen != 0 {
			state = fmt.Sprintf("%-9.9s[Z]", state)
		}
		line(s.Name, ownerField(st, s), state)
	}
	return b.String()
}

// ownerField is the Owner (Last) column: the last owner of what does not run.
func ownerField(st cluster.Status, s cluster.Service) string {
	name := func(id cluster.NodeID) string {
		if i := slices.IndexFunc(st.Members, func(m cluster.Member) bool { return m.ID == id }); i >= 0 {
			return st.Members[i].Name
		}
		return "none"
	}
	switch s.State {
	case cluster.Stopped, cluster.Disabled, cluster.Recoverable, cluster.Failed:
		return fmt.Sprintf("(%.28s)", name(s.LastOwner))
	}
	return name(s.Owner)
}
