package rgmanager

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fangnetz/internal/cluster"

	"github.com/cockroachdb/datadriven"
)

// TestScenario plays the files of testdata/scenario. Each command of a file
// says what happens, and below the dashes stands what the cluster then does.
// Starts, stops, migrations and questions end at once; see run for what can
// be said.
func TestScenario(t *testing.T) {
	files, err := filepath.Glob("testdata/scenario/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			var w *world
			datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
				if d.Cmd == "cluster" {
					w = newWorld(t, d.Input)
					return ""
				}
				w.t = t
				line := d.Cmd
				for _, a := range d.CmdArgs {
					line += " " + a.String()
				}
				return w.run(line, d.Input)
			})
		})
	}
}

// run plays one command and returns the actions that it led to.
func (w *world) run(line, input string) string {
	w.actions = nil
	f := strings.Fields(line)
	all := false // show questions and log lines too
	if f[0] == "verbose" {
		all, f = true, f[1:]
	}
	quiet := slices.Contains([]string{"running", "fails", "works", "hold", "defined", "status"}, f[0])
	switch f[0] {
	case "wary": // wary node1: it forms the cluster, after it went down uncleanly
		w.quorate, w.wary = true, true
		w.join(w.nodes(f[1:])...)
	case "up": // up node1 node2: their cmand joins, all in one view, with quorum
		w.quorate = true
		w.join(w.nodes(f[1:])...)
	case "down": // down node1: its power is cut
		for _, id := range w.nodes(f[1:]) {
			w.powerOff(id)
			w.gone(id, cluster.NodeDown)
		}
		w.view()
	case "cut": // cut node1: unreachable, and running on
		for _, id := range w.nodes(f[1:]) {
			w.powered = w.powered.Without(id)
			w.gone(id, cluster.NodeDown)
		}
		w.view()
	case "killed": // killed node1: its cmand died, nothing else
		w.gone(w.node(f[1]), cluster.ProcessDied)
		w.view()
	case "left": // left node1: its cmand has ended in good order
		w.gone(w.node(f[1]), cluster.LeftCleanly)
		w.view()
	case "leave": // leave node1: its cmand was told to end
		w.step(Leaving{Node: w.node(f[1]), At: w.now})
	case "inquorate", "quorate": // the verdict changes
		w.quorate = f[0] == "quorate"
		w.view()
	case "fenced": // fenced node1: the agent has succeeded
		id := w.node(f[1])
		for _, a := range w.fences {
			if a.Victim == id {
				w.fences = slices.DeleteFunc(w.fences, func(b Fence) bool { return a == b })
				w.powerOff(id)
				w.step(Fenced{Op: a.Op, Victim: id, At: w.now})
				return w.shown(all)
			}
		}
		w.t.Fatalf("nobody is fencing %s", f[1])
	case "unfenced": // unfenced node1: the agent has failed
		id := w.node(f[1])
		for _, a := range w.fences {
			if a.Victim == id {
				w.fences = slices.DeleteFunc(w.fences, func(b Fence) bool { return a == b })
				w.step(Fenced{Op: a.Op, Victim: id, At: w.now, Error: "exit status 1"})
				return w.shown(all)
			}
		}
		w.t.Fatalf("nobody is fencing %s", f[1])
	case "acknowledge": // acknowledge node1: fence_ack_manual
		if w.m.Nodes[w.node(f[1])].Victim != nil {
			w.powerOff(w.node(f[1]))
		}
		w.step(Acknowledged{ID: "ack", From: w.up[0], At: w.now, Node: w.node(f[1])})
	case "elapse": // the oldest wait that still matters ends
		w.waits = slices.DeleteFunc(w.waits, func(a Wait) bool { return w.m.Waits[a.ID.N] == nil })
		if len(w.waits) == 0 {
			w.t.Fatal("nothing is waited for")
		}
		a := w.waits[0]
		w.waits = w.waits[1:]
		w.now += a.For.Milliseconds()
		w.step(Elapsed{Wait: a.ID, At: w.now})
	case "pass": // pass 300: seconds go by
		n, err := strconv.Atoi(f[1])
		if err != nil {
			w.t.Fatal(err)
		}
		w.now += int64(n) * 1000
		return ""
	case "crash": // crash vm:web: it ends by itself, and its owner sees it
		r, _ := w.m.Record(f[1])
		w.running[f[1]] = nil
		w.step(Broken{Node: r.Owner, At: w.now, Service: f[1], Op: r.Op, Reason: "crashed"})
	case "running": // running vm:web node1: started behind our back
		w.running[f[1]] = w.running[f[1]].With(w.node(f[2]))
		w.behind[f[1]] = true
	case "stray": // stray vm:web: ended while nobody looked
		w.running[f[1]] = nil
		return ""
	case "defined": // defined vm:web node1: only there
		if w.defined == nil {
			w.defined = map[string]cluster.NodeIDs{}
		}
		w.defined[f[1]] = w.defined[f[1]].With(w.node(f[2]))
	case "fails", "works": // fails start vm:web [node1]
		key := f[1] + " " + f[2]
		if len(f) > 3 {
			key += " " + w.node(f[3]).String()
		}
		w.failing[key] = f[0] == "fails"
	case "hold": // hold start: such operations do not end
		w.holding[f[1]] = true
	case "release": // release: they do
		w.holding = map[string]bool{}
		held := w.held
		w.held = nil
		for _, a := range held {
			w.end(a)
		}
	case "update": // update, with the new cluster.conf
		w.requests++
		w.step(Proposed{ID: fmt.Sprint(w.requests), From: w.up[0], At: w.now, Text: input})
	case "lock", "unlock":
		w.ask(Request{Verb: f[0]})
	case "freeze", "unfreeze", "convalesce":
		w.ask(Request{Verb: f[0], Service: f[1]})
	case "enable", "disable", "stop", "restart", "relocate", "migrate": // enable vm:web [on node2] [at node1] [by domain]
		r := Request{Verb: f[0], Service: f[1], ByDomain: strings.HasSuffix(line, " by domain")}
		for i := 2; i+1 < len(f); i += 2 {
			switch f[i] {
			case "on", "to":
				r.Target = w.node(f[i+1])
			case "at":
				r.From = w.node(f[i+1])
			}
		}
		w.ask(r)
	case "status":
		return w.status()
	default:
		w.t.Fatalf("unknown command %q", line)
	}
	if quiet {
		return ""
	}
	return w.shown(all)
}

func (w *world) shown(all bool) string {
	var b strings.Builder
	for _, a := range w.actions {
		switch a.(type) {
		case Probe, Find, Note, History:
			if !all {
				continue
			}
		}
		b.WriteString(w.named(a.String()) + "\n")
	}
	return b.String()
}

var nodeRef = regexp.MustCompile(`\b(on|by|to|from|fence|fencing|probe|depart) (\d+)\b`)

// named writes node names for ids.
func (w *world) named(text string) string {
	return nodeRef.ReplaceAllStringFunc(text, func(ref string) string {
		word, id, _ := strings.Cut(ref, " ")
		n, _ := strconv.Atoi(id)
		return word + " " + w.m.nodeName(cluster.NodeID(n))
	})
}

func (w *world) node(name string) cluster.NodeID {
	n := w.m.conf.NodeByName(name)
	if n == nil {
		w.t.Fatalf("no node %q", name)
	}
	return n.ID
}

func (w *world) nodes(names []string) []cluster.NodeID {
	var ids []cluster.NodeID
	for _, name := range names {
		ids = append(ids, w.node(name))
	}
	return ids
}
