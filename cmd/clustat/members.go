package main

import (
	"cmp"
	"slices"
	"strings"

	"fangnetz/internal/cluster"
)

// view is a status as clustat's options let it be seen.
type view struct {
	entries  []entry
	listed   bool // there is a member list
	services []cluster.Service
	complete bool // service states were received
}

// entry is a member with what clustat says about it.
type entry struct {
	cluster.Member
	estranged  bool
	quorumDisk bool
	hidden     bool // not shown, but its name is known
}

// newView picks and sorts what is to be shown. Members are those of
// cluster.conf by node id, then the ring's further ones; with -f, for users
// other than root, or without the configuration, the ring's own list. Services are sorted by name. The
// manager's flags count only once a service is known (clustat, "Text output:
// members").
func newView(st cluster.Status, opts options) view {
	var v view
	if opts.member == nil && st.Manager.Running && st.Manager.ServiceRefusal == cluster.Success {
		v.services = sorted(st.Services)
		v.complete = len(v.services) > 0
	}
	if opts.fast && opts.form.fastList || opts.user || !st.ConfigReadable {
		for _, m := range st.Members {
			if m.Known {
				v.entries = append(v.entries, entry{Member: m})
			}
		}
		v.listed = len(v.entries) > 0
	} else {
		v.entries = configuredFirst(st.Members)
		v.listed = st.Members != nil
	}
	local := false
	for i := range v.entries {
		e := &v.entries[i]
		e.Local = e.Local && !local
		local = local || e.Local
		if !v.complete || st.Manager.MemberRefusal != cluster.Success || e.ID == 0 {
			e.Manager = false
		}
		e.Master = e.Master && e.Manager
	}
	return v
}

// sorted returns the services by full name.
func sorted(services []cluster.Service) []cluster.Service {
	return slices.SortedStableFunc(slices.Values(services), func(a, b cluster.Service) int { return cmp.Compare(a.Name, b.Name) })
}

func configuredFirst(members []cluster.Member) []entry {
	var in, out []entry
	for _, m := range members {
		switch {
		case m.Configured:
			// In the ring it may be written otherwise; then both are shown.
			m.Online = m.Online || slices.ContainsFunc(members, func(o cluster.Member) bool {
				return o.Known && o.Online && strings.EqualFold(o.Name, m.Name)
			})
			in = append(in, entry{Member: m})
		case m.Known && m.ID == 0:
			out = append(out, entry{Member: m, quorumDisk: true})
		case m.Known:
			out = append(out, entry{Member: m, estranged: true, hidden: !m.Online})
		}
	}
	slices.SortStableFunc(in, func(a, b entry) int { return cmp.Compare(a.ID, b.ID) })
	return append(in, out...)
}

// central reports whether an event master is known: managers are then called
// masters and workers.
func (v view) central() bool {
	return slices.ContainsFunc(v.entries, func(e entry) bool { return e.Master })
}

// member returns the entry of exactly that name, or nil.
func (v view) member(name string) *entry {
	for i := range v.entries {
		if v.entries[i].Name == name {
			return &v.entries[i]
		}
	}
	return nil
}

// service returns the service of exactly that full name, or nil.
func (v view) service(name string) *cluster.Service {
	for i := range v.services {
		if v.services[i].Name == name {
			return &v.services[i]
		}
	}
	return nil
}

// nodeName names a service's owner.
func (v view) nodeName(id cluster.NodeID) string {
	if id == 0 {
		return "none"
	}
	for _, e := range v.entries {
		if e.ID == id {
			return e.Name
		}
	}
	return "unknown"
}
