package rgmanager

import (
	"fmt"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// Candidates says of every configured node, sorted, how well it suits a
// service and why not better; nil when there is no such service.
func (m *Machine) Candidates(name string) []cluster.Candidate {
	c, s := m.service(name)
	if s == nil {
		return nil
	}
	var list []cluster.Candidate
	for _, id := range m.nodeIDs() {
		if m.conf.NodeByID(id) != nil {
			sc, why := m.suits(name, c, s, id, m.willing())
			list = append(list, cluster.Candidate{Node: id, Score: sc.String(), Reason: why})
		}
	}
	return list
}

// suits rates a node like score, and says why it is not rated best, or why it
// cannot run the service in spite of it.
func (m *Machine) suits(name string, c *conf.Service, s *service, id cluster.NodeID, online cluster.NodeIDs) (score, string) {
	n, sc := m.Nodes[id], m.score(c, s, id, online)
	switch {
	case n.Victim != nil:
		return sc, "is being fenced"
	case !n.Up:
		return sc, "offline"
	case n.Leaving:
		return sc, "leaving"
	case n.Drained:
		return sc, "drained"
	case !n.Ready:
		return sc, "has not said yet what it runs"
	}
	if other := m.rival(name, c, id); other != "" {
		return sc, "exclusive: " + other + " runs there"
	}
	d := m.domain(c)
	switch {
	case sc == best:
		return sc, ""
	case sc == illegal:
		return sc, fmt.Sprintf("not in restricted domain %s", d.Name)
	case sc == good:
		return sc, fmt.Sprintf("not in domain %s, of which a node is online", d.Name)
	case d.NoFailback && s.Owner != 0 && online.Has(s.Owner):
		return sc, fmt.Sprintf("it runs on %s, and domain %s has nofailback", m.nodeName(s.Owner), d.Name)
	}
	return sc, fmt.Sprintf("another node comes first in ordered domain %s", d.Name)
}

// why says in one line why a service goes to node chosen and not to another.
func (m *Machine) why(name string, c *conf.Service, s *service, chosen cluster.NodeID, online cluster.NodeIDs) string {
	var others []string
	for _, id := range m.nodeIDs() {
		if id == chosen || m.conf.NodeByID(id) == nil {
			continue
		}
		switch sc, reason := m.suits(name, c, s, id, online); {
		case reason != "":
			others = append(others, m.nodeName(id)+": "+reason)
		case !m.hasSlot(startSlot, id):
			others = append(others, m.nodeName(id)+": starts enough already")
		case sc == best && id < chosen:
			others = append(others, m.nodeName(id)+": failed or left out")
		}
		if len(others) == maxOthers {
			break
		}
	}
	text := fmt.Sprintf("%s is %s", m.nodeName(chosen), m.score(c, s, chosen, online))
	if len(others) > 0 {
		text += " (" + strings.Join(others, ", ") + ")"
	}
	return text
}

// maxOthers is how many nodes a reason speaks of that were not chosen.
const maxOthers = 4
