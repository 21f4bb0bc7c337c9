package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"fangnetz/internal/cluster"
)

// options are the command line's, but for those that end in a single line.
type options struct {
	member  *string // nil: all
	service *string // full name; nil: all
	long    bool
	fast    bool
	xml     bool
	json    bool // goes before xml
	watch   bool // what the original did not show may be shown
	user    bool // not root: members are shown as the ring lists them
	columns int
	form    form
}

// notFound is the exit status when what was named does not exist.
const notFound = 255

// render prints st and returns the exit status (clustat, "Order of events and
// exit codes"). Dates are in now's zone.
func render(w io.Writer, st cluster.Status, opts options, now time.Time) int {
	if opts.json {
		return renderJSON(w, st, opts)
	}
	refusals(w, st, opts)
	v := newView(st, opts)
	if opts.xml {
		return renderXML(w, st, v, opts, now.Location())
	}
	return renderText(w, st, v, opts, now)
}

// refusals says what the resource manager would not tell. It is not asked
// when a member alone is wanted.
func refusals(w io.Writer, st cluster.Status, opts options) {
	switch m := st.Manager; {
	case opts.member != nil || !m.Running:
	case m.ServiceRefusal != cluster.Success:
		fmt.Fprintf(w, "Service states unavailable: %s\n", opts.form.release.Words(m.ServiceRefusal))
	case m.MemberRefusal != cluster.Success && len(st.Services) > 0:
		fmt.Fprintf(w, "Member states unavailable: %s\n", opts.form.release.Words(m.MemberRefusal))
	}
}

// doubled lists the services that run on several nodes at once, of those that
// are asked for, in words.
func doubled(st cluster.Status, opts options) []string {
	var alarms []string
	for _, s := range sorted(st.Services) {
		if len(s.Seen) < 2 || opts.member != nil || opts.service != nil && *opts.service != s.Name {
			continue
		}
		alarms = append(alarms, fmt.Sprintf("%s runs on %s at once", s.Name, strings.Join(memberNames(st, s.Seen), " and ")))
	}
	return alarms
}

func memberNames(st cluster.Status, ids cluster.NodeIDs) []string {
	var names []string
	for _, id := range ids {
		names = append(names, memberName(st.Members, id))
	}
	return names
}

// memberName names a node.
func memberName(members []cluster.Member, id cluster.NodeID) string {
	for _, m := range members {
		if m.ID == id {
			return m.Name
		}
	}
	return "unknown"
}

// memberStatus is the exit status for -m.
func memberStatus(e *entry) int {
	switch {
	case e == nil:
		return notFound
	case e.Online:
		return 0
	}
	return 1
}

// serviceStatus is the exit status for -s: the state's number unless it runs
// or is about to.
func serviceStatus(s *cluster.Service) int {
	if s == nil {
		return notFound
	}
	switch s.State {
	case cluster.Starting, cluster.Started, cluster.Stopping:
		return 0
	}
	return int(uint8(s.State))
}

// flag returns the word for e's resource manager, or "".
func (v view) flag(e entry) string {
	switch {
	case !e.Manager:
		return ""
	case e.Master:
		return "RG-Master"
	case v.central():
		return "RG-Worker"
	}
	return "rgmanager"
}

// date is ctime(3)'s form without the newline.
func date(t time.Time) string { return t.Format("Mon Jan _2 15:04:05 2006") }
