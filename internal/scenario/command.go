package scenario

import (
	"fmt"
	"slices"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/rgmanager"
)

// verb is one command of the language.
type verb struct {
	name, form, help string
	text             string // the lines below it, if it takes any: what they are
	run              func(w *World, v string, a *args) error
	answer           func(w *World, a *args) string // a question: nothing happens
	silent           bool                           // prepares something, and shows nothing
}

// verbs are all commands but help, in the manual's order.
var verbs = slices.Concat(
	[]verb{
		{name: "cluster", text: "cluster.conf", help: "begin anew, with no node up and nothing automatic", run: (*World).anew},
	}, nodeVerbs, serviceVerbs, operationVerbs, requestVerbs, questionVerbs)

// Do plays one command and returns what it led to: an action a line, or the
// answer of a question. Log lines, history and questions to nodes are left out
// unless the command is preceded by `verbose`. text are the lines below the
// command, for the few that take some.
func (w *World) Do(c Command, text string) (string, error) {
	w.actions, w.steps = nil, 0
	all := c.Verb == "verbose" && len(c.Args) > 0
	if all {
		c.Verb, c.Args = c.Args[0], c.Args[1:]
	}
	switch c.Verb {
	case "":
		return "", nil
	case "help":
		return help(), nil
	}
	i := slices.IndexFunc(verbs, func(v verb) bool { return v.name == c.Verb })
	if i < 0 {
		return "", fmt.Errorf("no command %q; see help", c.Verb)
	}
	v := verbs[i]
	if w.m == nil && v.name != "cluster" {
		return "", fmt.Errorf("%s: there is no cluster yet", c.Verb)
	}
	a, err := w.sort(v.form, c.Args)
	if err != nil {
		return "", fmt.Errorf("%s: %v", c.Verb, err)
	}
	if text != "" && v.text == "" {
		return "", fmt.Errorf("%s: takes no lines below it", c.Verb)
	}
	a.text = text
	if v.answer != nil {
		return v.answer(w, a), nil
	}
	err = v.run(w, c.Verb, a)
	if err == nil && w.Auto && w.broken == nil {
		w.settle()
	}
	if broken := w.broken; broken != nil {
		w.broken = nil
		return "", fmt.Errorf("%s: %v", c.Verb, broken)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %v", c.Verb, err)
	}
	w.know()
	if v.silent && !w.Auto {
		return "", nil
	}
	return w.shown(all), nil
}

// TakesText says whether lines follow a command, up to one of dashes.
func TakesText(c Command) bool {
	return slices.ContainsFunc(verbs, func(v verb) bool {
		return v.text != "" && v.name == c.Verb && len(c.Args) == 0
	})
}

// shown is what the latest command led to.
func (w *World) shown(all bool) string {
	var b strings.Builder
	for _, a := range w.actions {
		switch a.(type) {
		case rgmanager.Probe, rgmanager.Find, rgmanager.Note, rgmanager.History:
			if !all {
				continue
			}
		}
		b.WriteString(w.Line(a) + "\n")
	}
	return b.String()
}

// Line is an action with the nodes' names, save in the words that are made for
// people.
func (w *World) Line(a rgmanager.Action) string {
	switch a := a.(type) {
	case rgmanager.Note:
		text := a.Text
		a.Text = ""
		return w.m.Named(a.String()) + text
	case rgmanager.History:
		reason := a.Entry.Reason
		if a.Entry.Reason = ""; reason != "" {
			reason = ": " + reason
		}
		return w.m.Named(a.String()) + reason
	}
	return w.m.Named(a.String())
}

func help() string {
	var b strings.Builder
	for _, v := range verbs {
		fmt.Fprintf(&b, "%s\n    %s\n", v.usage(), v.help)
	}
	b.WriteString("verbose COMMAND\n    show log, history and questions to nodes too\n")
	return b.String()
}

// usage is how the command is written.
func (v verb) usage() string { return strings.TrimSpace(v.name + " " + v.form) }

func (w *World) anew(_ string, a *args) error {
	next, err := New(a.text)
	if err != nil {
		return err
	}
	next.Check, next.Read = w.Check, w.Read
	*w = *next
	return nil
}

// nodeVerbs are what happens to nodes.
var nodeVerbs = []verb{
	{name: "up", form: "NODE...", help: "their cmand joins, all in one view, with quorum", run: func(w *World, _ string, a *args) error {
		w.quorate = true
		w.join(a.nodes...)
		return nil
	}},
	{name: "wary", form: "NODE...", help: "the same, as the first and after they went down uncleanly", run: func(w *World, _ string, a *args) error {
		w.quorate, w.wary = true, true
		w.join(a.nodes...)
		return nil
	}},
	{name: "down", form: "NODE...", help: "their power is cut", run: func(w *World, _ string, a *args) error {
		for _, id := range a.nodes {
			w.powerOff(id)
			w.gone(id, cluster.NodeDown)
		}
		w.view()
		return nil
	}},
	{name: "cut", form: "NODE...", help: "they are not to be reached, and run on", run: func(w *World, _ string, a *args) error {
		for _, id := range a.nodes {
			w.reached = w.reached.Without(id)
			w.gone(id, cluster.NodeDown)
		}
		w.view()
		return nil
	}},
	{name: "killed", form: "NODE", help: "its cmand dies, nothing else", run: (*World).cmandEnds},
	{name: "left", form: "NODE", help: "its cmand has ended in good order", run: (*World).cmandEnds},
	{name: "ready", form: "NODE", help: "it alone looks at every service, as the original's nodes did when they came", run: func(w *World, _ string, a *args) error {
		if !w.up.Has(a.nodes[0]) || !w.quorate {
			return fmt.Errorf("%s is not up, or inquorate", w.name(a.nodes[0]))
		}
		w.begun = true
		w.act(w.m.Consider(a.nodes[0]))
		return nil
	}},
	{name: "leave", form: "NODE", help: "its cmand is told to end", run: func(w *World, _ string, a *args) error {
		w.step(rgmanager.Leaving{Node: a.nodes[0], At: w.now})
		return nil
	}},
	{name: "quorate", help: "the votes are enough", run: (*World).verdict},
	{name: "inquorate", help: "the votes are not enough any more", run: (*World).verdict},
	{name: "fenced", form: "NODE", help: "the agent that fences it succeeds", run: func(w *World, _ string, a *args) error {
		return w.fenced(a.nodes[0], "")
	}},
	{name: "unfenced", form: "NODE", help: "the agent that fences it fails", run: func(w *World, _ string, a *args) error {
		return w.fenced(a.nodes[0], "exit status 1")
	}},
	{name: "acknowledge", form: "NODE", help: "fence_ack_manual: it is off", run: (*World).acknowledge},
	{name: "elapse", help: "the oldest wait ends", run: func(w *World, _ string, _ *args) error { return w.elapse() }},
	{name: "settle", help: "fencing succeeds and time passes until all is done", run: func(w *World, _ string, _ *args) error {
		w.settle()
		return nil
	}},
	{name: "pass", form: "SECONDS", help: "time passes", silent: true, run: func(w *World, _ string, a *args) error {
		w.now += int64(a.number["SECONDS"]) * 1000
		return nil
	}},
	{name: "manual", help: "fenced, elapse and quorate are said by you from now on", silent: true, run: (*World).automatic},
	{name: "automatic", help: "they come about by themselves from now on", silent: true, run: (*World).automatic},
	{name: "node", form: "NODE [online] [offline]", help: "to begin with: it is there, or known to be off", silent: true, run: (*World).assumeNode},
}

func (w *World) cmandEnds(v string, a *args) error {
	why := cluster.ProcessDied
	if v == "left" {
		why = cluster.LeftCleanly
	}
	w.gone(a.nodes[0], why)
	w.view()
	return nil
}

func (w *World) verdict(v string, _ *args) error {
	auto := w.Auto
	w.quorate, w.Auto = v == "quorate", false
	w.view()
	w.Auto = auto
	return nil
}

func (w *World) automatic(v string, _ *args) error {
	w.Auto = v == "automatic"
	return nil
}

func (w *World) acknowledge(_ string, a *args) error {
	from, err := w.asked(0)
	if err != nil {
		return err
	}
	id := a.nodes[0]
	w.requests++
	ev := rgmanager.Acknowledged{ID: fmt.Sprint(w.requests), From: from, At: w.now, By: "root@" + w.name(from), Node: id}
	twin := w.twin()
	if w.broken != nil {
		return w.broken
	}
	for _, a := range twin.Step(ev) {
		if r, ok := a.(rgmanager.Reply); ok && r.Result == cluster.Success {
			w.powerOff(id) // the administrator tells the truth
		}
	}
	w.step(ev)
	return nil
}

// asked is the node whose cmand takes a request.
func (w *World) asked(id cluster.NodeID) (cluster.NodeID, error) {
	switch {
	case len(w.up) == 0:
		return 0, fmt.Errorf("no node is up")
	case id == 0:
		return w.up[0], nil
	case !w.up.Has(id):
		return 0, fmt.Errorf("%s is not up", w.name(id))
	}
	return id, nil
}
