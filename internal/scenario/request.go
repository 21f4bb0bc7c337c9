package scenario

import (
	"errors"
	"fmt"

	"fangnetz/internal/cluster"
	"fangnetz/internal/rgmanager"
)

// serviceVerbs are what happens to services.
var serviceVerbs = []verb{
	{name: "fail", form: "SERVICE", help: "its status check fails", run: (*World).fail},
	{name: "crash", form: "SERVICE", help: "it ends by itself, and its owner sees it", run: (*World).fail},
	{name: "stray", form: "SERVICE [NODE]", help: "it has ended, and nobody saw it", silent: true, run: func(w *World, _ string, a *args) error {
		name := a.services[0]
		if len(a.nodes) > 0 {
			w.running[name] = w.running[name].Without(a.nodes[0])
			return nil
		}
		w.running[name] = nil
		return nil
	}},
	{name: "running", form: "SERVICE NODE", help: "it was started there behind cmand's back", silent: true, run: func(w *World, _ string, a *args) error {
		name := a.services[0]
		w.running[name] = w.running[name].With(a.nodes[0])
		w.behind[name] = w.behind[name].With(a.nodes[0])
		w.twice[name] = len(w.running[name]) > 1
		return nil
	}},
	{name: "sight", form: "SERVICE NODE", help: "the node looks whether it runs there", run: (*World).sight},
	{name: "defined", form: "SERVICE NODE", help: "its definition is there and at no other node that is not named so", silent: true, run: func(w *World, _ string, a *args) error {
		if w.defined == nil {
			w.defined = map[string]cluster.NodeIDs{}
		}
		w.defined[a.services[0]] = w.defined[a.services[0]].With(a.nodes[0])
		return nil
	}},
	{name: "service", form: "SERVICE STATE [on NODE] [last NODE] [frozen] [restarts NUMBER] [changed SECONDS]",
		help: "to begin with: its record", silent: true, run: (*World).assumeService},
}

// operationVerbs are how operations end from now on.
var operationVerbs = []verb{
	{name: "fails", form: "OPERATION SUBJECT [NODE]", help: "such operations fail from now on, there or everywhere", silent: true, run: (*World).tell},
	{name: "works", form: "OPERATION SUBJECT [NODE]", help: "they work again", silent: true, run: (*World).tell},
	{name: "hold", form: "OPERATION", help: "such operations do not end from now on", silent: true, run: func(w *World, _ string, a *args) error {
		w.holding[a.words["OPERATION"]] = true
		return nil
	}},
	{name: "release", help: "what was held ends now", run: func(w *World, _ string, _ *args) error {
		w.holding = map[string]bool{}
		held := w.held
		w.held = nil
		for _, a := range held {
			if w.up.Has(a.Node()) {
				w.end(a)
			}
		}
		return nil
	}},
}

// requestVerbs are what administrators ask for.
var requestVerbs = []verb{
	{name: "enable", form: "SERVICE [on NODE] [at NODE] [by domain]", help: "clusvcadm -e, asked at a node; -F", run: (*World).request},
	{name: "disable", form: "SERVICE [at NODE]", help: "clusvcadm -d", run: (*World).request},
	{name: "stop", form: "SERVICE [at NODE]", help: "clusvcadm -s", run: (*World).request},
	{name: "restart", form: "SERVICE [at NODE]", help: "clusvcadm -R", run: (*World).request},
	{name: "relocate", form: "SERVICE [on NODE] [to NODE] [at NODE] [handled by NODE]", help: "clusvcadm -r", run: (*World).request},
	{name: "migrate", form: "SERVICE [on NODE] [to NODE] [at NODE] [handled by NODE]", help: "clusvcadm -M", run: (*World).request},
	{name: "freeze", form: "SERVICE [at NODE]", help: "clusvcadm -Z", run: (*World).request},
	{name: "unfreeze", form: "SERVICE [at NODE]", help: "clusvcadm -U", run: (*World).request},
	{name: "convalesce", form: "SERVICE [at NODE]", help: "clusvcadm -c", run: (*World).request},
	{name: "lock", form: "[at NODE]", help: "clusvcadm -l", run: (*World).request},
	{name: "unlock", form: "[at NODE]", help: "clusvcadm -u", run: (*World).request},
	{name: "drain", form: "NODE [at NODE]", help: "clusvcadm --drain", run: (*World).request},
	{name: "undrain", form: "NODE [at NODE]", help: "clusvcadm --undrain", run: (*World).request},
	{name: "update", form: "[FILE]", text: "cluster.conf", help: "ccs_tool update, with a file or the lines below", run: (*World).update},
}

func (w *World) request(v string, a *args) error {
	handler := a.node["handled"]
	from, err := w.asked(max(handler, a.node["at"]))
	if err != nil {
		return err
	}
	r := rgmanager.Request{From: from, By: "root@" + w.name(from), Verb: v, ByDomain: a.given["by domain"]}
	r.Target = max(a.node["on"], a.node["to"])
	if len(a.nodes) > 0 {
		r.Target = a.nodes[0]
	}
	if len(a.services) > 0 {
		r.Service = a.services[0]
	}
	w.requests++
	w.now += 10
	r.ID, r.At = fmt.Sprint(w.requests), w.now
	if s, ok := w.m.Record(r.Service); ok && handler != 0 && handler != s.Owner && w.up.Has(s.Owner) {
		return w.handBack(r)
	}
	w.step(r)
	return nil
}

// handBack is a request that was to be carried out by a node that does not own
// the service. The original's nodes handed such a one to the owner, as we never
// have to; between themselves they said so.
func (w *World) handBack(r rgmanager.Request) error {
	twin := w.twin()
	if w.broken != nil {
		return w.broken
	}
	for _, a := range twin.Step(r) {
		if _, refused := a.(rgmanager.Reply); refused { // before it came to that
			w.step(r)
			return nil
		}
	}
	s, _ := w.m.Record(r.Service)
	w.actions = append(w.actions, rgmanager.Reply{On: r.From, ID: r.ID, Result: cluster.Forward, Owner: s.Owner})
	return nil
}

func (w *World) update(_ string, a *args) error {
	from, err := w.asked(0)
	if err != nil {
		return err
	}
	if file := a.words["FILE"]; file != "" {
		if w.Read == nil {
			return errors.New("no files can be read here")
		}
		text, err := w.Read(file)
		if err != nil {
			return err
		}
		a.text = string(text)
	}
	w.requests++
	w.step(rgmanager.Proposed{ID: fmt.Sprint(w.requests), From: from, At: w.now, By: "root@" + w.name(from), Text: a.text})
	return nil
}

// fail lets a service's owner see that it ended.
func (w *World) fail(v string, a *args) error {
	name, why := a.services[0], "crashed"
	if v == "fail" {
		why = "failed"
	}
	r, ok := w.m.Record(name)
	if !ok || r.Owner == 0 {
		return fmt.Errorf("%s has no owner who could see it", name)
	}
	w.running[name] = w.running[name].Without(r.Owner)
	w.step(rgmanager.Broken{Node: r.Owner, At: w.now, Service: name, Op: r.Op, Reason: why})
	return nil
}

// sight lets a node see what runs there, and tell it if it is not expected.
func (w *World) sight(_ string, a *args) error {
	name, id := a.services[0], a.nodes[0]
	runs := w.running[name].Has(id)
	if w.m.Expects(id, name, runs) {
		return nil
	}
	w.step(rgmanager.Sighted{Node: id, At: w.now, Service: name, Running: runs})
	return nil
}

// tell sets how an operation ends. The subject is a service, for fencing a
// node, for a new configuration the word configuration.
func (w *World) tell(v string, a *args) error {
	op, subject := a.words["OPERATION"], a.words["SUBJECT"]
	var err error
	switch op {
	case "stage", "activate":
		if subject != "configuration" {
			err = fmt.Errorf("%q is not the configuration", subject)
		}
	case "fence":
		if n := w.m.Conf().NodeByName(subject); n == nil {
			err = fmt.Errorf("no node %q", subject)
		} else {
			subject = n.ID.String()
		}
	default:
		subject, err = w.service(subject)
	}
	if err != nil {
		return err
	}
	key := op + " " + subject
	if len(a.nodes) > 0 {
		key += " " + a.nodes[0].String()
	}
	w.failing[key] = v == "fails"
	return nil
}
