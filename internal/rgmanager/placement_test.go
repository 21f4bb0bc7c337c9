package rgmanager

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"testing"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// placementCase is one line of testdata/original/placement.jsonl: a question
// and what the original's own code answered.
type placementCase struct {
	Case        string
	ClusterConf string `json:"cluster_conf"`
	Nodes       []struct {
		Name   string
		ID     cluster.NodeID
		Online bool
	}
	Services []struct {
		Name           string
		State          string
		Owner          *string
		LastOwner      *string `json:"last_owner"`
		Flags          []string
		LastTransition int64 `json:"last_transition"`
	}
	AgentFailures []struct{ Service, Node, Operation string } `json:"agent_failures"`
	Question      struct {
		Ask, Service, Excluding, Node, To, Preferred string
		OnNode                                       string `json:"on_node"`
		HandledBy                                    string `json:"handled_by"`
		Times                                        int
		SecondsBetween                               int `json:"seconds_between"`
	}
	Answer json.RawMessage
}

// final is one service in an answer.
type final struct {
	State     string  `json:"state"`
	Owner     *string `json:"owner"`
	LastOwner *string `json:"last_owner"`
	Restarts  int     `json:"restarts"`
}

// placementDiffers lists the cases where we differ from the original, and why.
var placementDiffers = map[string]string{
	"vm_ordered/004": "asked of a node that is not the owner: forwarded to the owner here, refused with -3 there",
}

// TestPlacement asks what the original was asked.
func TestPlacement(t *testing.T) {
	f, err := os.Open("../../testdata/original/placement/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c placementCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.Case, func(t *testing.T) {
			got, want := c.answers(t)
			if why, differs := placementDiffers[c.Case]; differs {
				if reflect.DeepEqual(got, want) {
					t.Fatalf("listed as a difference (%s), but equal", why)
				}
				return
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s\n got %v\nwant %v", c.ClusterConf, got, want)
			}
		})
	}
}

// world is the state in which the question is put.
func (c *placementCase) world(t *testing.T) *world {
	w := newWorld(t, c.ClusterConf)
	w.quorate = true
	w.m.Quorate = true
	for _, n := range c.Nodes {
		if n.Online {
			w.up, w.powered = w.up.With(n.ID), w.powered.With(n.ID)
			w.m.Nodes[n.ID] = &node{Online: true, Up: true, Ready: true, Boot: "0"}
		} else {
			w.m.Nodes[n.ID] = &node{Clean: true}
		}
	}
	for _, s := range c.Services {
		r := w.m.Services[s.Name]
		if r == nil {
			t.Fatalf("%s is not in the configuration", s.Name)
		}
		for st := cluster.Stopped; st <= cluster.Migrating; st++ {
			if st.String() == s.State {
				r.State = st
			}
		}
		r.Owner, r.LastOwner, r.Changed = w.ref(s.Owner), w.ref(s.LastOwner), s.LastTransition
		if slices.Contains(s.Flags, "frozen") {
			r.Flags = cluster.Frozen
		}
		if r.Owner != 0 {
			r.MayRun = cluster.NodeIDs{r.Owner}
			w.running[s.Name] = r.MayRun
		}
	}
	for _, a := range c.AgentFailures {
		w.failing[fmt.Sprintf("%s %s %d", a.Operation, a.Service, w.node(a.Node))] = true
	}
	return w
}

func (w *world) ref(name *string) cluster.NodeID {
	if name == nil {
		return 0
	}
	return w.node(*name)
}

func (w *world) final() map[string]final {
	name := func(id cluster.NodeID) *string {
		if id == 0 {
			return nil
		}
		s := w.m.nodeName(id)
		return &s
	}
	all := map[string]final{}
	w.m.inOrder(func(full string, _ *conf.Service, s *service) {
		all[full] = final{s.State.String(), name(s.Owner), name(s.LastOwner), s.Restarts}
	})
	return all
}

// answers puts the question; both answers are reduced to what the question is
// about.
func (c *placementCase) answers(t *testing.T) (got, want string) {
	w, q := c.world(t), c.Question
	var a struct {
		Node            *string
		Nodes           []string
		Code            *int
		NewOwner        *string `json:"new_owner"`
		Final           map[string]final
		StartCandidates map[string][]string `json:"start_candidates"`
		Requests        []struct{ Service string }
		Moves           []struct{ Service, Target string }
		Steps           []struct{ Final map[string]final }
	}
	if err := json.Unmarshal(c.Answer, &a); err != nil {
		t.Fatal(err)
	}
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	cfg, svc := w.m.conf.Service(q.Service), w.m.Services[q.Service]
	request := func(r Request) (string, string) {
		r.Service = q.Service
		reply := w.replies[w.ask(r)]
		return fmt.Sprint(int(reply.Result), text(w.final())), fmt.Sprint(*a.Code, text(a.Final))
	}
	optional := func(name string) cluster.NodeID {
		if name == "" {
			return 0
		}
		return w.node(name)
	}
	switch q.Ask {
	case "eligibility":
		scores := map[string]string{}
		for _, n := range c.Nodes {
			scores[n.Name] = w.m.score(cfg, svc, n.ID, w.m.ready()).String()
		}
		var answer map[string]string
		if err := json.Unmarshal(c.Answer, &answer); err != nil {
			t.Fatal(err)
		}
		return text(scores), text(answer)
	case "best_target":
		online := w.m.ready()
		target, ok := w.m.bestTarget(q.Service, cfg, svc, online.Without(optional(q.Excluding)), online)
		if !ok {
			return "none", fmt.Sprint(deref(a.Node))
		}
		return w.m.nodeName(target), fmt.Sprint(deref(a.Node))
	case "start_candidates":
		var names []string
		for _, id := range w.m.candidates(q.Service, cfg, svc, w.m.ready()) {
			names = append(names, w.m.nodeName(id))
		}
		return fmt.Sprint(names), fmt.Sprint(a.Nodes)
	case "node_ready":
		var names, others []string
		w.m.inOrder(func(name string, c *conf.Service, s *service) {
			if w.m.candidates(name, c, s, w.m.ready()).Has(w.node(q.Node)) {
				names = append(names, name)
			}
		})
		for _, r := range a.Requests {
			others = append(others, r.Service)
		}
		return fmt.Sprint(names), fmt.Sprint(others)
	case "node_down":
		id := w.node(q.Node)
		w.powerOff(id)
		w.gone(id, cluster.NodeDown)
		w.view()
		for _, f := range w.fences {
			w.step(Fenced{Op: f.Op, Victim: id, At: w.now})
		}
		return text(w.final()), text(a.Final)
	case "node_up":
		w.join(w.node(q.Node))
		return text(w.final()), text(a.Final)
	case "enable":
		return request(Request{Verb: "enable", From: w.node(q.OnNode)})
	case "enable_by_failover_domain":
		return request(Request{Verb: "enable", ByDomain: true, From: w.node(q.OnNode)})
	case "relocate":
		return request(Request{Verb: "relocate", From: w.node(q.HandledBy), Target: optional(q.Preferred)})
	case "migrate":
		return request(Request{Verb: "migrate", From: w.node(q.HandledBy), Target: w.node(q.To)})
	case "service_failed":
		w.run("crash "+q.Service, "")
		return text(w.final()), text(a.Final)
	case "service_fails_again_and_again":
		var steps, others []map[string]final
		for i := range a.Steps {
			if i > 0 {
				w.now += int64(q.SecondsBetween) * 1000
			}
			w.run("crash "+q.Service, "")
			steps, others = append(steps, w.final()), append(others, a.Steps[i].Final)
		}
		return text(steps), text(others)
	}
	t.Fatalf("unknown question %q", q.Ask)
	return "", ""
}

func deref(s *string) string {
	if s == nil {
		return "none"
	}
	return *s
}
