package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"fangnetz/internal/cluster"
)

// hostname is the widest that a name's column gets.
const hostname = 64

func renderText(w io.Writer, st cluster.Status, v view, opts options, now time.Time) int {
	if opts.member == nil && opts.service == nil {
		quorum := "Inquorate"
		if st.Quorate {
			quorum = "Quorate"
		}
		fmt.Fprintf(w, "Cluster Status for %s @ %s\nMember Status: %s\n\n", st.Cluster.Name, date(now), quorum)
	}
	status := 0
	if opts.service == nil || opts.member != nil {
		status = textMembers(w, v, opts)
	}
	switch {
	case v.complete:
		status = textServices(w, v, opts, now.Location())
	case opts.form.needsStates && (opts.member == nil || opts.service != nil):
		status = notFound
	}
	if opts.watch {
		for _, alarm := range doubled(st, opts) {
			fmt.Fprintf(w, "\n *** %s ***\n", alarm)
		}
	}
	return status
}

// textMembers prints the member table, or one member of it, and returns the
// exit status.
func textMembers(w io.Writer, v view, opts options) int {
	if !v.listed {
		if opts.member != nil {
			fmt.Fprintln(w, "Membership information not available")
			return notFound
		}
		fmt.Fprint(w, "Resource Group Manager not running; no service information available.\n\n"+
			"Membership information not available\n")
		return 0
	}
	status, shown := 0, v.entries
	if opts.member != nil {
		shown = nil
		switch e := v.member(*opts.member); {
		case e != nil:
			status, shown = memberStatus(e), []entry{*e}
		case !opts.form.headingFirst:
			return notFound
		}
	}
	width := min(opts.columns/2, hostname)
	fmt.Fprintf(w, " %s%-4s %s\n", field("Member Name", width), "ID", "Status")
	fmt.Fprintf(w, " %s%-4s %s\n", field("------ ----", width), "----", "------")
	for _, e := range shown {
		if !e.hidden {
			fmt.Fprintf(w, " %s %4d %s\n", field(e.Name, width), e.ID, v.flags(e))
		}
	}
	if opts.member == nil || opts.form.headingFirst {
		fmt.Fprintln(w)
	}
	return status
}

// flags is the Status column of a member.
func (v view) flags(e entry) string {
	words := []string{"Offline"}
	if e.Online {
		words[0] = "Online"
	}
	if e.Local {
		words = append(words, "Local")
	}
	if e.estranged {
		words = append(words, "Estranged")
	}
	if word := v.flag(e); word != "" {
		words = append(words, word)
	}
	if e.quorumDisk {
		words = append(words, "Quorum Disk")
	}
	if e.Drained {
		words = append(words, "Drained") // the original could not
	}
	return strings.Join(words, ", ")
}

// textServices prints the service table, or one service of it, and returns
// the exit status.
func textServices(w io.Writer, v view, opts options, zone *time.Location) int {
	if opts.long {
		fmt.Fprint(w, "Service Information\n------- -----------\n\n")
	}
	width := min((opts.columns-20)/2, hostname)
	line := func(name, owner, state string) {
		fmt.Fprintf(w, " %s %s %s\n", field(name, width), field(owner, width), field(state, 14))
	}
	heading := func() {
		line("Service Name", "Owner (Last)", "State")
		line("------- ----", "----- ------", "-----")
	}
	if !opts.long && (opts.service == nil || opts.form.headingFirst) {
		heading()
	}
	status, shown := 0, v.services
	if opts.service != nil {
		s := v.service(*opts.service)
		if status = serviceStatus(s); s == nil {
			return status
		}
		shown = []cluster.Service{*s}
		if !opts.form.headingFirst {
			heading()
		}
	}
	for _, s := range shown {
		if opts.long {
			v.long(w, s, opts.form.flags, zone)
		} else {
			line(s.Name, v.owner(s, width), stateField(s, opts.form.flags))
		}
	}
	return status
}

// owner is the Owner (Last) column: never more than 63 bytes, even if that
// takes the closing parenthesis.
func (v view) owner(s cluster.Service, width int) string {
	switch s.State {
	case cluster.Stopped, cluster.Disabled, cluster.Recoverable, cluster.Failed:
		name := v.nodeName(s.LastOwner)
		if width >= 2 {
			name = cut(name, width-2)
		}
		return cut("("+name+")", hostname-1)
	}
	return cut(v.nodeName(s.Owner), hostname-1)
}

// stateField is the State column, 14 wide: the word, and the flags' letters
// at the right, if they are to be shown.
func stateField(s cluster.Service, flags bool) string {
	if !flags {
		return s.State.String()
	}
	letters := ""
	for bit := range 32 {
		switch flag := s.Flags & (1 << bit); flag {
		case 0:
		case cluster.Frozen:
			letters += "Z"
		case cluster.Partial:
			letters += "P"
		default:
			letters += flag.String()
		}
	}
	if letters == "" {
		return s.State.String()
	}
	return field(s.State.String(), 12-len(letters)) + "[" + letters + "]"
}

// long is the block of -l.
func (v view) long(w io.Writer, s cluster.Service, flags bool, zone *time.Location) {
	fmt.Fprintf(w, "Service Name      : %s\n", s.Name)
	fmt.Fprintf(w, "  Current State   : %v (%d)\n", s.State, int(s.State))
	if flags {
		fmt.Fprintf(w, "  Flags           : %s (%d)\n", cmp.Or(s.Flags.String(), "none"), uint32(s.Flags))
	}
	fmt.Fprintf(w, "  Owner           : %s\n", v.nodeName(s.Owner))
	fmt.Fprintf(w, "  Last Owner      : %s\n", v.nodeName(s.LastOwner))
	if len(s.Seen) > 0 {
		var names []string
		for _, id := range s.Seen {
			names = append(names, v.nodeName(id))
		}
		fmt.Fprintf(w, "  Seen on         : %s\n", strings.Join(names, ", "))
	}
	fmt.Fprintf(w, "  Last Transition : %s\n\n", date(time.Unix(s.LastTransition, 0).In(zone)))
}

// field is printf's %-*.*s: text padded and cut to width bytes. A negative
// width pads to its absolute value and cuts nothing.
func field(text string, width int) string {
	if width < 0 {
		return fmt.Sprintf("%-*s", -width, text)
	}
	text = cut(text, width)
	return text + strings.Repeat(" ", width-len(text))
}

func cut(text string, width int) string { return text[:min(len(text), width)] }
