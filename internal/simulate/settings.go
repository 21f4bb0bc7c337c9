package simulate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// settings are what cluster.conf says.
type settings struct {
	version  int
	nodes    cluster.NodeIDs
	twoNode  bool
	weighted bool // node 1 has two votes
	delay    int  // post_fail_delay, seconds
	services []service
	domains  []string // <failoverdomain>
	limits   string   // attributes of <rm>
}

type service struct {
	name      string
	autostart bool
	attrs     string // further ones
}

func randomSettings(r *rand.Rand) settings {
	set := settings{version: 1}
	nodes := pick(r, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4)
	if r.IntN(40) == 0 {
		nodes = 5 + r.IntN(12)
	}
	for i := range nodes {
		set.nodes = set.nodes.With(cluster.NodeID(i + 1))
	}
	set.twoNode = nodes == 2 && r.IntN(4) > 0
	set.weighted = nodes > 2 && r.IntN(6) == 0
	if r.IntN(3) == 0 {
		set.delay = 1 + r.IntN(6)
	}
	if r.IntN(3) == 0 {
		set.domains = append(set.domains, domain(r, nodes, "d1"), domain(r, nodes, "d2"))
	}
	if r.IntN(3) == 0 {
		set.limits = fmt.Sprintf(` max_starts="%d" max_stops="%d" max_migrations="%d"`, 1+r.IntN(2), 1+r.IntN(2), 1+r.IntN(2))
	}
	for i := range 1 + r.IntN(3) {
		svc := service{name: universe[i], autostart: r.IntN(8) > 0}
		if r.IntN(2) == 0 {
			svc.attrs += fmt.Sprintf(` recovery="%s"`, pick(r, "restart", "relocate", "disable", "restart-disable"))
		}
		if r.IntN(3) == 0 {
			svc.attrs += fmt.Sprintf(` max_restarts="%d" restart_expire_time="%d"`, 1+r.IntN(3), 10+r.IntN(600))
		}
		if len(set.domains) > 0 && r.IntN(2) == 0 {
			svc.attrs += pick(r, ` domain="d1"`, ` domain="d2"`)
		}
		if r.IntN(12) == 0 {
			svc.attrs += ` exclusive="1"`
		}
		if i > 0 && r.IntN(5) == 0 {
			svc.attrs += fmt.Sprintf(` depend="vm:%s"`, universe[i-1])
		}
		set.services = append(set.services, svc)
	}
	return set
}

func domain(r *rand.Rand, nodes int, name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<failoverdomain name="%s" ordered="%d" restricted="%d" nofailback="%d">`, name, r.IntN(2), r.IntN(2), r.IntN(2))
	for i := range nodes {
		if r.IntN(3) > 0 || i == nodes-1 {
			fmt.Fprintf(&b, `<failoverdomainnode name="node%d" priority="%d"/>`, i+1, 1+r.IntN(3))
		}
	}
	b.WriteString(`</failoverdomain>`)
	return b.String()
}

func (set settings) exclusive() bool {
	return slices.ContainsFunc(set.services, func(s service) bool { return strings.Contains(s.attrs, "exclusive") })
}

func (set settings) votes(id cluster.NodeID) int {
	if set.weighted && id == 1 {
		return 2
	}
	return 1
}

// text is cluster.conf.
func (set settings) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<cluster name="sim" config_version="%d">`+"\n", set.version)
	if set.twoNode {
		b.WriteString(`<cman two_node="1" expected_votes="1"/>` + "\n")
	}
	fmt.Fprintf(&b, `<fence_daemon post_fail_delay="%d" post_join_delay="3" override_time="3"/>`+"\n<clusternodes>\n", set.delay)
	for _, id := range set.nodes {
		fmt.Fprintf(&b, `<clusternode name="%s" nodeid="%d" votes="%d"/>`+"\n", nodeName(id), id, set.votes(id))
	}
	fmt.Fprintf(&b, "</clusternodes>\n<rm%s>\n", set.limits)
	if len(set.domains) > 0 {
		fmt.Fprintf(&b, "<failoverdomains>%s</failoverdomains>\n", strings.Join(set.domains, "\n"))
	}
	for _, s := range set.services {
		auto := ""
		if !s.autostart {
			auto = ` autostart="0"`
		}
		fmt.Fprintf(&b, "<vm name=%q%s%s/>\n", s.name, auto, s.attrs)
	}
	b.WriteString("</rm>\n</cluster>\n")
	return b.String()
}

// readSettings reads what text has written.
func readSettings(text string) (settings, error) {
	doc, err := conf.Parse("cluster.conf", []byte(text))
	if err != nil {
		return settings{}, err
	}
	c, _ := doc.Config()
	set := settings{version: c.Version, twoNode: c.TwoNode, delay: int(c.FenceDaemon.PostFailDelay.Seconds())}
	for _, n := range c.Nodes {
		set.nodes = set.nodes.With(n.ID)
		set.weighted = set.weighted || n.Votes == 2
	}
	_, set.limits, _ = strings.Cut(text, "<rm")
	set.limits, _, _ = strings.Cut(set.limits, ">")
	_, inner, _ := strings.Cut(text, "<failoverdomains>")
	inner, _, more := strings.Cut(inner, "</failoverdomains>\n")
	if more {
		set.domains = strings.Split(inner, "\n")
	}
	for line := range strings.Lines(text) {
		attrs, is := strings.CutPrefix(line, `<vm name="`)
		if !is {
			continue
		}
		name, attrs, _ := strings.Cut(attrs, `"`)
		attrs, plain := strings.CutPrefix(strings.TrimSuffix(attrs, "/>\n"), ` autostart="0"`)
		set.services = append(set.services, service{name: name, autostart: !plain, attrs: attrs})
	}
	return set, nil
}

// settings reads a cluster.conf once.
func (s *Sim) settings(text string) settings {
	set, ok := s.read[text]
	if !ok {
		set, _ = readSettings(text) // a text of ours
		s.read[text] = set
	}
	return set
}

// versionOf is what text says, which settings has written.
func versionOf(text string) int {
	_, after, _ := strings.Cut(text, `config_version="`)
	number, _, _ := strings.Cut(after, `"`)
	n, _ := strconv.Atoi(number)
	return n
}
