package scenario

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
)

const three = `<cluster name="three" config_version="1">
<clusternodes><clusternode name="n1" nodeid="1"/><clusternode name="n2" nodeid="2"/><clusternode name="n3" nodeid="3"/></clusternodes>
<rm><failoverdomains><failoverdomain name="d" ordered="1" restricted="1"><failoverdomainnode name="n1" priority="1"/>
<failoverdomainnode name="n2" priority="2"/></failoverdomain></failoverdomains>
<vm name="a" domain="d" max_restarts="1" restart_expire_time="60"/><vm name="b" recovery="relocate" depend="vm:a"/>
<service name="c" exclusive="1" recovery="restart-disable"/></rm></cluster>`

// narrow lets a node do one thing at a time, so that all else waits.
const narrow = `<cluster name="narrow" config_version="1"><cman expected_votes="3"/><fence_daemon post_fail_delay="5"/>
<clusternodes><clusternode name="n1" nodeid="1"/><clusternode name="n2" nodeid="2"/><clusternode name="n3" nodeid="3"/></clusternodes>
<rm max_starts="1" max_stops="1" max_migrations="1"><failoverdomains><failoverdomain name="d" ordered="1"><failoverdomainnode name="n3" priority="1"/>
<failoverdomainnode name="n2" priority="2"/></failoverdomain></failoverdomains>
<vm name="a" domain="d" priority="2"/><vm name="b" domain="d" priority="1"/><vm name="c" recovery="disable"/><vm name="e"/><vm name="f" depend="vm:e"/></rm></cluster>`

// feed plays lines, and returns what the last command printed.
func feed(t *testing.T, s *Script, lines string) (out string, err error) {
	t.Helper()
	for line := range strings.Lines(lines) {
		_, more, err := s.Feed(line)
		if err != nil {
			return out, err
		}
		out += more
	}
	return out, s.End()
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{"\ndwon n1", `line 2: no command "dwon"; see help`},
		{"down", "line 1: down: NODE is missing"},
		{"down n9", `line 1: down: no node "n9"`},
		{"killed n1 n2", `line 1: killed: "n2" is not expected here`},
		{"enable vm:x", `line 1: enable: no service "vm:x"`},
		{"enable a on", `line 1: enable: NODE is missing after "on"`},
		{"enable a on n1 on n2", `line 1: enable: "on" is given twice`},
		{"enable a by night", `line 1: enable: "by" is not expected here`},
		{"pass -1", `line 1: pass: "-1" is not a number`},
		{"pass 99999999999999999999", `"99999999999999999999" is not a number`},
		{"fails sleep a", `line 1: fails: no operation "sleep"`},
		{"fails start a n9", `line 1: fails: no node "n9"`},
		{"fails fence a", `line 1: fails: no node "a"`},
		{"fails stage a", `line 1: fails: "a" is not the configuration`},
		{"service a dead", `line 1: service: no state "dead"`},
		{"node n1", "line 1: node: online or offline is missing"},
		{"fenced n1", "line 1: fenced: nobody is fencing n1"},
		{"elapse", "line 1: elapse: nothing is waited for"},
		{"enable a", "line 1: enable: no node is up"},
		{"up n1\nenable a at n2", "line 2: enable: n2 is not up"},
		{"crash a", "line 1: crash: vm:a has no owner who could see it"},
		{"up n1\nupdate x.conf", "line 2: update: no files can be read here"},
		{"update\n<cluster", "line 1: the lines below it do not end with ----"},
		{"cluster\n<cluster\n----", "line 1: cluster: cluster.conf:"},
		{"cluster\n<cluster name='a' config_version='1'><clusternodes><clusternode name='n'/></clusternodes></cluster>\n----", "no nodeid"},
		{"status\n----\nvm:a n1 started", "line 1: printed\nvm:a"},
		{"up n1 n2 n3\nrunning a n2\nstop a\nrunning a n3", ""},
	} {
		w, err := New(three)
		if err != nil {
			t.Fatal(err)
		}
		_, err = feed(t, &Script{World: w}, c.script)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.script, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q: error %v, want %s", c.script, err, c.want)
		}
	}
}

func TestNoClusterYet(t *testing.T) {
	if _, err := feed(t, &Script{World: &World{}}, "status"); err == nil || !strings.Contains(err.Error(), "no cluster yet") {
		t.Errorf("error %v", err)
	}
}

// TestStatesCanBeReadBack brings about what states says.
func TestStatesCanBeReadBack(t *testing.T) {
	w, err := New(three)
	if err != nil {
		t.Fatal(err)
	}
	s := &Script{World: w}
	records := "service vm:a started on n2 last n1 frozen restarts 2 changed 1300000000\n" +
		"service vm:b failed last n3 changed 7\nservice service:c disabled changed 0\n"
	if out, err := feed(t, s, "node n1 offline\nnode n2 online\nnode n3 online\n"+records+"states"); err != nil || out != records {
		t.Errorf("%v\n%s\nwant\n%s", err, out, records)
	}
}

// broken are the words of an error that says that what must always hold does
// not.
var broken = []string{"replica", "at once", "does not know", "while it runs", "no rest"}

// FuzzScript plays anything: it may be refused, and must neither panic nor
// break what must always hold.
func FuzzScript(f *testing.F) {
	f.Add("up n1 n2 n3\ndown n1\nfenced n1\nenable a on n2\nmigrate a to n1\ncrash b\n", false)
	f.Add("up n1 n2\nhold migrate\nmigrate a to n2\nkilled n1\nelapse\nfenced n1\nrelease\nstates", false)
	f.Add("up n1 n2 n3\nfails fence n1\ncut n1\ndrain n2\nlock\nundrain n2\nrestart c\nup n1", true)
	f.Add("node n1 online\nservice a stopping on n1 last n2\nleave n1\nleft n1\ninquorate\nquorate", true)
	f.Add("up n1 n2 n3\nrunning a n2\nsight a n2\nstray a n1\nsight a n1\nupdate\n<cluster name='three' config_version='2'/>\n----\nup n1", true)
	f.Fuzz(func(t *testing.T, script string, auto bool) {
		if len(script) > 400 {
			return
		}
		w, err := New(three)
		if err != nil {
			t.Fatal(err)
		}
		w.Check, w.Auto = true, auto
		s := Script{World: w}
		for line := range strings.Lines(script) {
			_, _, err := s.Feed(line)
			if err == nil {
				continue
			}
			for _, word := range broken {
				if strings.Contains(err.Error(), word) {
					t.Fatalf("%s\n%v", script, err)
				}
			}
		}
	})
}

// command is one that the next choices make up: a verb, and words that fit its
// form.
func command(choose func(n int) int) Command {
	v := verbs[1+choose(len(verbs)-1)]
	c := Command{Verb: v.name}
	word := func(kind string) string {
		list := map[string][]string{"NODE": {"n1", "n2", "n3"}, "SERVICE": {"a", "b", "c"}, "SUBJECT": {"a", "b", "n1", "n2", "configuration"},
			"OPERATION": {"find", "start", "stop", "migrate", "fence"}, "SECONDS": {"1", "100"}, "NUMBER": {"1", "2"},
			"STATE": {"stopped", "started", "failed", "disabled", "recovering"}, "FILE": {"none"}}[kind]
		return list[choose(len(list))]
	}
	for _, field := range formField.FindAllString(v.form, -1) {
		words := strings.Fields(strings.Trim(field, "[]"))
		if field[0] == '[' && choose(3) > 0 {
			continue
		}
		for _, w := range words {
			if kind := strings.TrimSuffix(w, "..."); strings.ToUpper(kind) == kind {
				w = word(kind)
			}
			c.Args = append(c.Args, w)
		}
	}
	return c
}

// walk makes up commands that make sense one by one.
func walk(choose func(n int) int, more func() bool) []Command {
	list := []Command{{Verb: "up", Args: []string{"n1", "n2", "n3"}}}
	for more() {
		list = append(list, command(choose))
	}
	return list
}

// replay plays commands until something does not hold that must.
func replay(conf string, list []Command, auto bool) error {
	w, err := New(conf)
	if err != nil {
		return err
	}
	w.Check, w.Auto = true, auto
	for _, c := range list {
		_, err := w.Do(c, "")
		for _, word := range broken {
			if err != nil && strings.Contains(err.Error(), word) {
				return err
			}
		}
	}
	return calm(w)
}

// calm takes all trouble away, and wants everything to come to rest: nothing
// is half-way, and what is stopped has a reason.
func calm(w *World) error {
	w.failing, w.defined, w.Auto = map[string]bool{}, nil, true
	do := func(line string) {
		c, err := Parse(line)
		if err != nil {
			panic(err)
		}
		w.Do(c, "") // may be refused
	}
	do("release")
	for _, n := range w.m.Status(0).Members {
		if !n.Manager { // or leaving
			do("up " + n.Name)
		}
	}
	for name, ids := range w.running { // one too many is stopped by whoever started it
		for len(w.running[name]) > 1 {
			do(fmt.Sprintf("stray %s %s", name, w.name(w.running[name][0])))
		}
		for _, id := range ids {
			do(fmt.Sprintf("sight %s %s", name, w.name(id)))
		}
	}
	do("unlock")
	for _, s := range w.m.Names() {
		do("unfreeze " + s)
	}
	for _, s := range w.m.Status(0).Services {
		if s.Owner != 0 && !w.running[s.Name].Has(s.Owner) {
			do("crash " + s.Name) // its status check finds it
		}
	}
	for _, n := range w.m.Conf().Nodes {
		do("undrain " + n.Name)
	}
	last := w.m.Conf().Nodes[len(w.m.Conf().Nodes)-1].Name
	do("down " + last)
	do("up " + last)
	do("settle")
	if w.broken != nil {
		return w.broken
	}
	for _, s := range w.m.Status(0).Services {
		switch doing := w.m.Doing(s.Name); {
		case doing != "":
			return fmt.Errorf("no rest: %s is in %s", s.Name, doing)
		case s.State == cluster.Stopped && len(w.m.StartCandidates(s.Name)) > 0:
			return fmt.Errorf("no rest: %s is stopped, and nobody starts it", s.Name)
		case s.State != cluster.Stopped && s.State != cluster.Started && s.State != cluster.Disabled && s.State != cluster.Failed:
			return fmt.Errorf("no rest: %s is %s", s.Name, s.State)
		case s.State == cluster.Started && !w.running[s.Name].Has(s.Owner):
			return fmt.Errorf("no rest: %s is started on %s, where it does not run", s.Name, w.name(s.Owner))
		}
	}
	return nil
}

// shrink leaves out what is not needed for a failure.
func shrink(conf string, list []Command, auto bool) []Command {
	for i := len(list) - 1; i >= 0; i-- {
		if shorter := slices.Delete(slices.Clone(list), i, i+1); replay(conf, shorter, auto) != nil {
			list = shorter
		}
	}
	return list
}

func tryWalk(t *testing.T, conf string, list []Command, auto bool) {
	t.Helper()
	if replay(conf, list, auto) == nil {
		return
	}
	list = shrink(conf, list, auto)
	t.Errorf("%.25s automatic %v: %v\n%v", conf, auto, replay(conf, list, auto), list)
}

// TestWalks plays random commands.
func TestWalks(t *testing.T) {
	for seed := range *walks {
		r := rand.New(rand.NewPCG(uint64(seed), 0))
		length := 5 + r.IntN(60)
		conf := three
		if seed%4 > 1 {
			conf = narrow
		}
		tryWalk(t, conf, walk(r.IntN, func() bool { length--; return length > 0 }), seed%2 == 0)
	}
}

var walks = flag.Int("walks", 200, "how many random walks are played")

// FuzzWalk lets the fuzzer choose.
func FuzzWalk(f *testing.F) {
	f.Add([]byte("a walk through many commands, whatever they may be"), true)
	f.Add([]byte("\x00\x00\x01\x02\x03 and another, longer one, of which the end is not known 0123456789"), false)
	f.Fuzz(func(t *testing.T, choices []byte, auto bool) {
		if len(choices) > 300 {
			return
		}
		choose := func(n int) int {
			if len(choices) == 0 {
				return 0
			}
			b := choices[0]
			choices = choices[1:]
			return int(b) % n
		}
		tryWalk(t, three, walk(choose, func() bool { return len(choices) > 0 }), auto)
	})
}
