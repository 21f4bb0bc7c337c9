package conf

import (
	"path"
	"slices"
)

// Advice returns what works as it is written and could be better, by place.
func (d *Document) Advice() Faults {
	c, _ := d.Config()
	r := &reader{d: d}
	root := d.root()
	nodes := root.SelectElement("clusternodes")
	if len(c.Nodes) == 2 && !c.TwoNode && root.SelectElement("quorumd") == nil && c.Nodes[0].Votes == c.Nodes[1].Votes {
		r.fault(Advice, nodes, "", "there are two nodes without two_node: when one fails, the other one has no quorum")
	}
	manual := map[string]bool{}
	for _, fd := range c.FenceDevices {
		manual[fd.Name] = path.Base(fd.Agent) == "fence_manual"
	}
	elements := byName(nodes)
	for _, n := range c.Nodes {
		able := func(m FenceMethod) bool {
			return !slices.ContainsFunc(m.Devices, func(d Device) bool { return manual[d.Name] })
		}
		if len(n.Fence) > 0 && !slices.ContainsFunc(n.Fence, able) {
			r.fault(Advice, elements["clusternode:"+n.Name], "", "clusternode %q is fenced by fence_manual alone: when it fails, its services wait for a person", n.Name)
		}
	}
	r.faults.Sort()
	return r.faults
}

// Say returns a fault at the first element of that name whose attribute is
// value; without such an element it has no place.
func (d *Document) Say(severity Severity, element, key, value, message string) Fault {
	r := &reader{d: d}
	for _, e := range d.root().FindElements("//" + element) {
		if v, ok := attr(e, key); ok && v == value {
			r.fault(severity, e, key, "%s", message)
			return r.faults[0]
		}
	}
	return Fault{File: d.file, Severity: severity, Message: message}
}
