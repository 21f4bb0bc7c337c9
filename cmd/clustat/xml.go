package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"fangnetz/internal/cluster"
)

// renderXML prints the document of -x (clustat, "XML output"). Unlike the
// original it escapes what it prints.
func renderXML(w io.Writer, st cluster.Status, v view, opts options, zone *time.Location) int {
	fmt.Fprint(w, "<?xml version=\"1.0\"?>\n<clustat version=\"4.1.1\">\n")
	if opts.member == nil && opts.service == nil {
		fmt.Fprintf(w, "  <cluster name=\"%s\" id=\"%d\" generation=\"%d\"/>\n",
			escape(st.Cluster.Name), st.Cluster.ID, st.Cluster.Generation)
		xmlQuorum(w, st, v)
	}
	status := 0
	if opts.member != nil || opts.service == nil {
		status = xmlNodes(w, v, opts)
	}
	switch {
	case v.complete:
		status = xmlGroups(w, v, opts, zone)
	case opts.service != nil && (opts.member == nil || status == 0):
		status = notFound
	}
	fmt.Fprintln(w, "</clustat>")
	return status
}

func xmlQuorum(w io.Writer, st cluster.Status, v view) {
	if !st.Quorate {
		fmt.Fprint(w, "  <quorum quorate=\"0\"\n groupmember=\"0\"/>\n")
		return
	}
	group := false
	for _, e := range v.entries {
		group = group || e.Local && e.Manager
	}
	fmt.Fprintf(w, "  <quorum quorate=\"1\" groupmember=\"%d\"/>\n", bit(group))
}

func xmlNodes(w io.Writer, v view, opts options) int {
	if !v.listed {
		fmt.Fprintln(w, "  <nodes/>")
		if opts.member != nil {
			return notFound
		}
		return 0
	}
	status, shown := 0, v.entries
	if opts.member != nil {
		shown = nil
		if e := v.member(*opts.member); e != nil {
			status, shown = memberStatus(e), []entry{*e}
		}
	}
	fmt.Fprintln(w, "  <nodes>")
	for _, e := range shown {
		if e.hidden {
			continue
		}
		fmt.Fprintf(w, "    <node name=\"%s\" state=\"%d\" local=\"%d\" estranged=\"%d\" rgmanager=\"%d\" rgmanager_master=\"%d\" qdisk=\"%d\" nodeid=\"0x%08x\"/>\n",
			escape(e.Name), bit(e.Online), bit(e.Local), bit(e.estranged), bit(e.Manager), bit(e.Master), bit(e.quorumDisk), uint32(e.ID))
	}
	fmt.Fprintln(w, "  </nodes>")
	return status
}

func xmlGroups(w io.Writer, v view, opts options, zone *time.Location) int {
	status, shown := 0, v.services
	if opts.service != nil {
		shown = nil
		if s := v.service(*opts.service); s != nil {
			status, shown = serviceStatus(s), []cluster.Service{*s}
		}
	}
	fmt.Fprintln(w, "  <groups>")
	for _, s := range shown {
		flags := "  " // two blanks
		if opts.form.flags {
			flags = fmt.Sprintf(" flags=\"%d\" flags_str=\"%s\" ", uint32(s.Flags), strings.Join(s.Flags.Names(), " "))
		}
		fmt.Fprintf(w, "    <group name=\"%s\" state=\"%d\" state_str=\"%s\"%sowner=\"%s\" last_owner=\"%s\" restarts=\"%d\" last_transition=\"%d\" last_transition_str=\"%s\"/>\n",
			escape(s.Name), int(s.State), s.State, flags,
			escape(v.nodeName(s.Owner)), escape(v.nodeName(s.LastOwner)), s.Restarts,
			s.LastTransition, date(time.Unix(s.LastTransition, 0).In(zone)))
	}
	fmt.Fprintln(w, "  </groups>")
	return status
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// escape makes text fit between double quotes. What XML 1.0 cannot hold at all
// becomes U+FFFD.
func escape(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' && !strings.ContainsRune("\t\n\r", r) || r == '\uFFFE' || r == '\uFFFF' {
			return '\uFFFD'
		}
		return r // invalid UTF-8 arrives as U+FFFD already
	}, text)
	return entities.Replace(text)
}

var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\t", "&#9;", "\n", "&#10;", "\r", "&#13;")
