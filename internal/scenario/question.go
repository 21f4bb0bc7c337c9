package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fangnetz/internal/cluster"
)

// questionVerbs ask, and change nothing.
var questionVerbs = []verb{
	{name: "status", help: "each service: owner (or last owner), state, what is being done", answer: func(w *World, _ *args) string { return w.status() }},
	{name: "states", help: "each service's record, as the command that brings it about", answer: func(w *World, _ *args) string { return w.states() }},
	{name: "clustat", help: "the same as clustat prints it", answer: func(w *World, _ *args) string { return Clustat(w.m.Status(0)) }},
	{name: "eligibility", form: "SERVICE", help: "each node: illegal, good, better or best", answer: (*World).eligibility},
	{name: "target", form: "SERVICE [without NODE]", help: "the node that would be chosen", answer: (*World).target},
	{name: "candidates", form: "SERVICE", help: "the nodes that would by themselves start it, were it stopped", answer: func(w *World, a *args) string {
		return w.names(w.m.StartCandidates(a.services[0]))
	}},
	{name: "wants", form: "NODE", help: "the services that it would by itself start", answer: (*World).wants},
}

func (w *World) eligibility(a *args) string {
	var b strings.Builder
	for _, c := range w.m.Candidates(a.services[0]) {
		fmt.Fprintf(&b, "%s %s", w.name(c.Node), c.Score)
		if c.Reason != "" {
			fmt.Fprintf(&b, ": %s", c.Reason)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (w *World) target(a *args) string {
	var without cluster.NodeIDs
	if id := a.node["without"]; id != 0 {
		without = cluster.NodeIDs{id}
	}
	id, ok := w.m.BestTarget(a.services[0], without)
	if !ok {
		return "none\n"
	}
	return w.name(id) + "\n"
}

func (w *World) wants(a *args) string {
	var names []string
	for _, s := range w.m.Status(0).Services {
		if w.m.StartCandidates(s.Name).Has(a.nodes[0]) {
			names = append(names, s.Name)
		}
	}
	return orNone(names)
}

func (w *World) names(ids cluster.NodeIDs) string {
	var names []string
	for _, id := range ids {
		names = append(names, w.name(id))
	}
	return orNone(names)
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "none\n"
	}
	return strings.Join(words, " ") + "\n"
}

// status is one line a service.
func (w *World) status() string {
	var b strings.Builder
	for _, s := range w.m.Status(0).Services {
		owner := w.owner(s.Owner)
		if s.Owner == 0 {
			owner = "(" + w.owner(s.LastOwner) + ")"
		}
		fmt.Fprintf(&b, "%s %s %s", s.Name, owner, s.State)
		if s.Flags != 0 {
			fmt.Fprintf(&b, " %s", s.Flags)
		}
		if s.Restarts > 0 {
			fmt.Fprintf(&b, " restarts %d", s.Restarts)
		}
		if len(s.Seen) > 0 {
			fmt.Fprintf(&b, " seen on %s", strings.TrimSpace(w.names(s.Seen)))
		}
		if doing := w.m.Doing(s.Name); doing != "" {
			fmt.Fprintf(&b, " [%s]", w.m.Named(doing))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// states is one command a service.
func (w *World) states() string {
	var b strings.Builder
	for _, s := range w.m.Status(0).Services {
		fmt.Fprintf(&b, "service %s %s", s.Name, s.State)
		if s.Owner != 0 {
			fmt.Fprintf(&b, " on %s", w.name(s.Owner))
		}
		if s.LastOwner != 0 {
			fmt.Fprintf(&b, " last %s", w.name(s.LastOwner))
		}
		if s.Flags&cluster.Frozen != 0 {
			b.WriteString(" frozen")
		}
		if s.Restarts > 0 {
			fmt.Fprintf(&b, " restarts %d", s.Restarts)
		}
		fmt.Fprintf(&b, " changed %d\n", s.LastTransition)
	}
	return b.String()
}

func (w *World) owner(id cluster.NodeID) string {
	if id == 0 {
		return "none"
	}
	return w.name(id)
}

// assumeNode is a node as it is before anything happens.
func (w *World) assumeNode(_ string, a *args) error {
	id, online := a.nodes[0], a.given["online"]
	if w.begun {
		return errBegun
	}
	if online == a.given["offline"] {
		return fmt.Errorf("online or offline is missing")
	}
	w.up, w.reached = w.up.Without(id), w.reached.Without(id)
	if online {
		w.up, w.reached = w.up.With(id), w.reached.With(id)
	}
	w.quorate = w.votes() || !w.Auto && len(w.up) > 0
	st := w.m.Status(0)
	st.Quorate = w.quorate
	for i := range st.Members {
		m := &st.Members[i]
		m.Online, m.Manager = w.up.Has(m.ID), w.up.Has(m.ID)
	}
	w.m.Assume(st)
	return nil
}

// assumeService is a service as it is before anything happens.
func (w *World) assumeService(_ string, a *args) error {
	name := a.services[0]
	if w.begun {
		return errBegun
	}
	state, _ := stateOf(a.words["STATE"])
	st := w.m.Status(0)
	i := slices.IndexFunc(st.Services, func(s cluster.Service) bool { return s.Name == name })
	if i < 0 {
		return fmt.Errorf("%s is not configured any more", name)
	}
	s := cluster.Service{Name: name, State: state, Owner: a.node["on"], LastOwner: a.node["last"],
		Restarts: a.number["restarts"], LastTransition: int64(a.number["changed"])}
	if a.given["frozen"] {
		s.Flags = cluster.Frozen
	}
	if s.Owner != 0 && !w.up.Has(s.Owner) {
		return fmt.Errorf("%s is not online", w.name(s.Owner))
	}
	st.Services[i] = s
	delete(w.running, name)
	if s.Owner != 0 {
		w.running[name] = cluster.NodeIDs{s.Owner}
	}
	w.m.Assume(st)
	return nil
}

var errBegun = errors.New("only before anything has happened")
