package conf

import (
	"path"
	"slices"
)

// Advice returns what works as it is written and could be better, by place, and
// what a machine asks for and will not get.
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
		byHand := slices.IndexFunc(n.Fence, func(m FenceMethod) bool {
			return slices.ContainsFunc(m.Devices, func(d Device) bool { return manual[d.Name] })
		})
		e := elements["clusternode:"+n.Name]
		switch {
		case byHand == 0 && len(n.Fence) == 1:
			r.fault(Advice, e, "", "clusternode %q is fenced by fence_manual alone: when it fails, its services wait for a person", n.Name)
		case byHand >= 0 && byHand < len(n.Fence)-1:
			r.fault(Advice, e, "", "clusternode %q has fence methods behind fence_manual: they are never tried, for a person is waited for", n.Name)
		}
	}
	elements = byName(root.SelectElement("rm"))
	for _, s := range c.Services {
		if s.VM == nil {
			continue
		}
		for _, err := range s.VM.Refusals() {
			r.fault(Warning, elements[s.FullName()], "", "%s: %v", s.FullName(), err)
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
