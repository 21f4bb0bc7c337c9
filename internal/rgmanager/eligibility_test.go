package rgmanager_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// domainCase is a random failover domain, as words that people write.
type domainCase struct {
	ordered, restricted, nofailback string // attribute values
	members                         []string
	priorities                      []string // of members
	online                          []bool   // of n1 to n4
	owner                           int      // of the service, 0: none
	exclusive                       string
	busy                            map[int]bool // nodes that run something else
	lonely                          map[int]bool // nodes that run something exclusive
}

var (
	flagTexts      = map[string]bool{"": false, "0": false, "1": true, "2": true, "-1": true, "yes": false, "no": false, "1x": true, " 1": true}
	priorityTexts  = map[string]int{"": 0, "1": 1, "2": 2, "02": 2, " 2": 2, "3x": 3, "100": 100, "101": 0, "0": 0, "-1": 0, "abc": 0, "1.9": 1}
	exclusiveTexts = map[string]bool{"": false, "0": false, "1": true, "2": true, "-1": false, "yes": true, "no": false, "abc": false}
)

func pick[T any](r *rand.Rand, m map[string]T) string {
	keys := slices.Sorted(func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	})
	return keys[r.IntN(len(keys))]
}

func randomCase(r *rand.Rand) domainCase {
	c := domainCase{ordered: pick(r, flagTexts), restricted: pick(r, flagTexts), nofailback: pick(r, flagTexts),
		exclusive: pick(r, exclusiveTexts), busy: map[int]bool{}, lonely: map[int]bool{}}
	for range r.IntN(5) {
		c.members = append(c.members, []string{"n1", "n2", "n3", "n4", "N2", "n9"}[r.IntN(6)])
		c.priorities = append(c.priorities, pick(r, priorityTexts))
	}
	var up []int
	for id := 1; id <= 4; id++ {
		c.online = append(c.online, r.IntN(4) > 0)
		if c.online[id-1] {
			up = append(up, id)
			c.busy[id], c.lonely[id] = r.IntN(4) == 0, r.IntN(6) == 0
		}
	}
	if len(up) > 0 && r.IntN(2) == 0 {
		c.owner = up[r.IntN(len(up))]
	}
	return c
}

// read returns the members that count: a repeated one ends the list.
func (c domainCase) read() (names []string, priorities []int) {
	for i, name := range c.members {
		if slices.Contains(names, name) {
			break
		}
		names, priorities = append(names, name), append(priorities, priorityTexts[c.priorities[i]])
	}
	return names, priorities
}

// score is the table of the manual, read naively (rgmanager, "Failover domains
// and choice of node").
func (c domainCase) score(id int) string {
	names, priorities := c.read()
	if !c.online[id-1] {
		return "illegal"
	}
	mine := slices.Index(names, fmt.Sprintf("n%d", id))
	someOnline, betterOnline := false, false
	for i, name := range names {
		n := slices.Index([]string{"n1", "n2", "n3", "n4"}, strings.ToLower(name)) // members are looked up without case
		if n < 0 || !c.online[n] {
			continue
		}
		someOnline = true
		betterOnline = betterOnline || mine >= 0 && priorities[i] < priorities[mine]
	}
	restricted := flagTexts[c.restricted]
	stays := flagTexts[c.nofailback] && c.owner != 0
	switch {
	case mine < 0 && restricted:
		return "illegal"
	case mine < 0 && someOnline:
		return "good"
	case mine < 0:
		return "best"
	case stays && c.owner == id:
		return "best"
	case stays:
		return "better"
	case flagTexts[c.ordered] && betterOnline:
		return "better"
	}
	return "best"
}

// target is the choice, read naively: of the best that exclusive allows the
// last.
func (c domainCase) target() string {
	rank := []string{"illegal", "good", "better", "best"}
	high, chosen := 0, "none"
	for id := 1; id <= 4; id++ {
		if c.refused(id) {
			continue
		}
		if s := slices.Index(rank, c.score(id)); s > 0 && s >= high {
			high, chosen = s, fmt.Sprintf("n%d", id)
		}
	}
	return chosen
}

func (c domainCase) refused(id int) bool {
	return c.lonely[id] || exclusiveTexts[c.exclusive] && c.busy[id]
}

// script is the case as a scenario that asks all three questions.
func (c domainCase) script() string {
	var b strings.Builder
	b.WriteString("cluster\n<cluster name=\"q\" config_version=\"1\"><clusternodes>")
	for id := 1; id <= 4; id++ {
		fmt.Fprintf(&b, `<clusternode name="n%d" nodeid="%d"/>`, id, id)
	}
	fmt.Fprintf(&b, `</clusternodes><rm><failoverdomains><failoverdomain name="d" ordered=%q restricted=%q nofailback=%q>`,
		c.ordered, c.restricted, c.nofailback)
	for i, name := range c.members {
		fmt.Fprintf(&b, `<failoverdomainnode name=%q priority=%q/>`, name, c.priorities[i])
	}
	fmt.Fprintf(&b, `</failoverdomain></failoverdomains><service name="a" domain="D" exclusive=%q/>`, c.exclusive)
	for id := 1; id <= 4; id++ {
		fmt.Fprintf(&b, `<service name="busy%d"/><service name="lonely%d" exclusive="1"/>`, id, id)
	}
	b.WriteString("</rm></cluster>\n----\n")
	for id := 1; id <= 4; id++ {
		fmt.Fprintf(&b, "node n%d %s\n", id, map[bool]string{true: "online", false: "offline"}[c.online[id-1]])
	}
	running := func(name string, on int) {
		if on == 0 {
			fmt.Fprintf(&b, "service %s stopped changed 1\n", name)
			return
		}
		fmt.Fprintf(&b, "service %s started on n%d changed 1\n", name, on)
	}
	running("a", c.owner)
	for id := 1; id <= 4; id++ {
		for name, there := range map[string]bool{"busy": c.busy[id], "lonely": c.lonely[id]} {
			on := 0
			if there {
				on = id
			}
			running(fmt.Sprintf("%s%d", name, id), on)
		}
	}
	b.WriteString("> eligibility a\n> target a\n> candidates a\n")
	return b.String()
}

// TestEligibility asks about random domains, and compares with a second,
// naive reading of the manual.
func TestEligibility(t *testing.T) {
	for seed := range 400 {
		c := randomCase(rand.New(rand.NewPCG(uint64(seed), 1)))
		var want strings.Builder
		var candidates []string
		for id := 1; id <= 4; id++ {
			fmt.Fprintf(&want, "n%d %s\n", id, c.score(id))
			if c.score(id) == "best" && id != c.owner && !c.refused(id) {
				candidates = append(candidates, fmt.Sprintf("n%d", id))
			}
		}
		want.WriteString(c.target() + "\n" + words(candidates...))
		if got := play(t, c.script()); got != want.String() {
			t.Fatalf("seed %d: %s\n got %s\nwant %s", seed, c.script(), got, want.String())
		}
	}
}
