package rgmanager_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
	"fangnetz/internal/rgmanager"
	"fangnetz/internal/scenario"
)

// placementCase is one line of testdata/original/placement/cases.jsonl: a
// question and what the original's own code answered.
type placementCase struct {
	Case        string
	ClusterConf string `json:"cluster_conf"`
	Nodes       []struct {
		Name   string
		Online bool
	}
	Services []struct {
		Name           string
		State          string
		Owner          string
		LastOwner      string `json:"last_owner"`
		Flags          []string
		LastTransition int64 `json:"last_transition"`
	}
	AgentFailures []struct{ Service, Node, Operation string } `json:"agent_failures"`
	Question      struct {
		Ask, Service, Excluding, Node, To, Preferred string
		OnNode                                       string `json:"on_node"`
		HandledBy                                    string `json:"handled_by"`
		SecondsBetween                               int    `json:"seconds_between"`
	}
	Answer json.RawMessage
}

// placementAnswer is what of an answer is compared.
type placementAnswer struct {
	Node            string
	Nodes           []string
	Code            cluster.Result
	Final           finals
	Requests        []struct{ Service string }
	Moves           []struct{ Service, How, From, To string }
	StartCandidates map[string][]string `json:"start_candidates"`
	Steps           []struct{ Final finals }
}

// finals are services at the end, by name.
type finals map[string]struct {
	State, Owner string
	LastOwner    string `json:"last_owner"`
	Restarts     int
}

// TestPlacement asks what the original was asked, in the language of scenarios
// (docs/scenario.md, "Placement").
func TestPlacement(t *testing.T) {
	data, err := os.ReadFile("../../testdata/original/placement/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c placementCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.Case, func(t *testing.T) {
			script, want := c.script(t), c.want(t)
			got := play(t, script)
			if got != want {
				t.Errorf("%s\n got %s\nwant %s", script, got, want)
			}
		})
	}
}

// script is the case as a scenario. What the last lines that begin with `>`
// print is the answer.
func (c *placementCase) script(t *testing.T) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("cluster\n%s\n----\n", strings.TrimSpace(c.ClusterConf))
	for _, n := range c.Nodes {
		if n.Online {
			say("node %s online", n.Name)
		} else {
			say("node %s offline", n.Name)
		}
	}
	for _, s := range c.Services {
		say("service %s %s%s%s%s changed %d", s.Name, s.State, option("on", s.Owner), option("last", s.LastOwner),
			option("frozen", strings.Join(s.Flags, "")), s.LastTransition)
	}
	for _, a := range c.AgentFailures {
		say("fails %s %s %s", a.Operation, a.Service, a.Node)
	}
	q := c.Question
	request := func(format string, args ...any) {
		say("> "+format, args...)
		say("> states")
	}
	switch q.Ask {
	case "eligibility":
		say("> eligibility %s", q.Service)
	case "best_target":
		say("> target %s%s", q.Service, option("without", q.Excluding))
	case "start_candidates":
		say("> candidates %s", q.Service)
	case "node_ready":
		say("> wants %s\nready %s\n> states", q.Node, q.Node)
	case "node_down":
		say("hold find\ndown %s\nfenced %s", q.Node, q.Node)
		for _, s := range c.Services {
			say("> candidates %s", s.Name)
		}
		say("release\n> states")
	case "node_up":
		say("> up %s\n> states", q.Node)
	case "enable":
		request("enable %s at %s", q.Service, q.OnNode)
	case "enable_by_failover_domain":
		request("enable %s at %s by domain", q.Service, q.OnNode)
	case "relocate":
		request("relocate %s%s handled by %s", q.Service, option("on", q.Preferred), q.HandledBy)
	case "migrate":
		request("migrate %s to %s handled by %s", q.Service, q.To, q.HandledBy)
	case "service_failed":
		say("crash %s\n> states", q.Service)
	case "service_fails_again_and_again":
		var a placementAnswer
		c.decode(t, &a)
		for i := range a.Steps { // it was asked no more once the service had gone elsewhere
			if i > 0 {
				say("pass %d", q.SecondsBetween)
			}
			say("crash %s\n> states", q.Service)
		}
	}
	return b.String()
}

// option is an option of a command: its word and value, its word alone, or
// nothing when there is no value.
func option(word, value string) string {
	switch value {
	case "":
		return ""
	case word:
		return " " + word
	}
	return " " + word + " " + value
}

// play returns what the lines print that begin with `>`, without the operations
// that lead to an answer.
func play(t *testing.T, script string) string {
	t.Helper()
	conf, rest, _ := strings.Cut(strings.TrimPrefix(script, "cluster\n"), "\n----\n")
	w, err := scenario.New(conf)
	if err != nil {
		t.Fatalf("%s\n%v", conf, err)
	}
	w.Check = true
	var b strings.Builder
	for line := range strings.Lines(rest) {
		command, asked := strings.CutPrefix(line, "> ")
		c, err := scenario.Parse(command)
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.Do(c, "")
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		if !asked {
			continue
		}
		for _, a := range w.Actions() {
			if r, ok := a.(rgmanager.Reply); ok {
				r.Problem = ""
				b.WriteString(w.Machine().Named(r.String()) + "\n")
				out = ""
			}
		}
		if c.Verb == "up" {
			out = moves(w.Actions(), w.Machine().Named)
		}
		var answers []string
		for answer := range strings.Lines(out) {
			switch c.Verb {
			case "eligibility":
				answer, _, _ = strings.Cut(answer, ":") // why not better
			case "states":
				answer, _, _ = strings.Cut(answer, " changed")
				answer = strings.Replace(answer, " frozen", "", 1)
			}
			answers = append(answers, strings.TrimSpace(answer)+"\n")
		}
		if c.Verb == "states" {
			slices.Sort(answers) // the case lists services in another order than cluster.conf
		}
		b.WriteString(strings.Join(answers, ""))
	}
	return b.String()
}

// moves lists what was moved, a line each, sorted.
func moves(actions []rgmanager.Action, named func(string) string) string {
	var lines []string
	stopped := map[string]cluster.NodeID{}
	for _, a := range actions {
		switch a := a.(type) {
		case rgmanager.Stop:
			stopped[a.Service] = a.On
		case rgmanager.Start:
			if from, ok := stopped[a.Service]; ok {
				lines = append(lines, named(fmt.Sprintf("%s relocate from %d to %d\n", a.Service, from, a.On)))
			}
		case rgmanager.Migrate:
			lines = append(lines, named(fmt.Sprintf("%s migrate from %d to %d\n", a.Service, a.On, a.To)))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// want is the original's answer in the words of the scenario language.
func (c *placementCase) want(t *testing.T) string {
	q := c.Question
	if q.Ask == "eligibility" {
		var scores map[string]string
		c.decode(t, &scores)
		var b strings.Builder
		for _, n := range c.Nodes {
			fmt.Fprintf(&b, "%s %s\n", n.Name, scores[n.Name])
		}
		return b.String()
	}
	var a placementAnswer
	c.decode(t, &a)
	switch q.Ask {
	case "best_target":
		return words(a.Node)
	case "start_candidates":
		return words(a.Nodes...)
	case "node_ready":
		var names []string
		for _, r := range a.Requests {
			names = append(names, r.Service)
		}
		return words(names...) + states(a.Final)
	case "service_fails_again_and_again":
		var b strings.Builder
		for _, s := range a.Steps {
			b.WriteString(states(s.Final))
		}
		return b.String()
	case "node_down":
		var b strings.Builder
		for _, s := range c.Services {
			b.WriteString(words(a.StartCandidates[s.Name]...))
		}
		return b.String() + states(a.Final)
	case "node_up":
		var lines []string
		for _, m := range a.Moves {
			lines = append(lines, fmt.Sprintf("%s %s from %s to %s\n", m.Service, m.How, m.From, m.To))
		}
		slices.Sort(lines)
		return strings.Join(lines, "") + states(a.Final)
	case "service_failed":
		return states(a.Final)
	}
	owner := option("on", a.Final[q.Service].Owner)
	return fmt.Sprintf("reply to %s: %s%s\n", q.OnNode+q.HandledBy, a.Code, owner) + states(a.Final)
}

func (c *placementCase) decode(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(c.Answer, v); err != nil {
		t.Fatal(err)
	}
}

func words(list ...string) string {
	list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	if len(list) == 0 {
		return "none\n"
	}
	return strings.Join(list, " ") + "\n"
}

// states prints finals as the command states does.
func states(f finals) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(f)) {
		end, restarts := f[name], ""
		if end.Restarts > 0 {
			restarts = fmt.Sprint(end.Restarts)
		}
		fmt.Fprintf(&b, "service %s %s%s%s%s\n", name, end.State, option("on", end.Owner), option("last", end.LastOwner),
			option("restarts", restarts))
	}
	return b.String()
}
