package main

import (
	"fmt"
	"strconv"
	"strings"

	"fangnetz/internal/conf"
)

// thing is a kind of element in <rm> that can be deleted by name (ccs_tool,
// "Services, resources, failover domains").
type thing struct {
	word    string // as complaints call it
	parent  string // section of <rm>; empty: <rm> itself
	element string
	key     string // attribute that names it
	used    func(service conf.Element, name string) bool
}

var (
	vms         = thing{word: "vm", element: "vm", key: "name"}
	services    = thing{word: "service", element: "service", key: "name"}
	scripts     = thing{"Script", "resources", "script", "name", refersTo("script")}
	ips         = thing{"IP", "resources", "ip", "address", refersTo("ip")}
	filesystems = thing{"fs", "resources", "fs", "name", refersTo("fs")}
	fdomains    = thing{"failover domain", "failoverdomains", "failoverdomain", "name", func(service conf.Element, name string) bool {
		domain, ok := service.Attr("domain")
		return ok && domain == name
	}}
)

// refersTo looks at direct children only: the original missed deeper ones.
func refersTo(element string) func(conf.Element, string) bool {
	return func(service conf.Element, name string) bool {
		_, ok := service.Find(element, "ref", name)
		return ok
	}
}

// del removes the thing that the operand names, unless a service refers to it.
func del(t thing) change {
	return func(root conf.Element, q request) error {
		rm, ok := root.First("rm")
		if !ok {
			return bare(fmt.Sprintf(`Can't find "rm" in %s`, q.config))
		}
		parent := rm
		if t.parent != "" {
			if parent, ok = rm.First(t.parent); !ok {
				return bare(fmt.Sprintf(`Can't find "%s" in %s`, t.parent, q.config))
			}
		}
		name := q.words[0]
		e, ok := parent.Find(t.element, t.key, name)
		if !ok {
			return bare(fmt.Sprintf("%s %s does not exist in %s", t.word, name, q.config))
		}
		for _, s := range rm.All("service") {
			if t.used != nil && t.used(s, name) {
				return bare(fmt.Sprintf("%s %s is referenced in service in %s, please remove reference first.", t.word, name, q.config))
			}
		}
		e.Remove()
		return nil
	}
}

// addService adds a service; a script and an address go inside its file system.
func addService(root conf.Element, q request) error {
	name := q.words[0]
	rm, err := section(root, "rm", q.config, "in ")
	if err != nil {
		return err
	}
	if _, ok := rm.Find("service", "name", name); ok {
		return refuse("service %s already exists in %s", name, q.config)
	}
	refs := []struct {
		letter             byte
		element, key, word string
	}{
		{'f', "fs", "name", "fs resource"},
		{'s', "script", "name", "script resource"},
		{'i', "ip", "address", "ip resource"},
	}
	resources, hasResources := rm.First("resources")
	for _, r := range refs {
		ref, ok := q.options[r.letter]
		if !ok {
			continue
		}
		if hasResources {
			_, ok = resources.Find(r.element, r.key, ref)
		}
		if !ok || !hasResources {
			return refuse("%s %s doesn't exist in %s", r.word, ref, q.config)
		}
	}
	attrs, err := serviceAttrs(rm, q)
	if err != nil {
		return err
	}
	if _, ok := q.options['r']; !ok { // not the agent's default, but what the original wrote
		attrs = append(attrs, conf.Attr{Key: "recovery", Value: "relocate"})
	}
	inside := rm.Add("service", attrs...)
	for _, r := range refs {
		if ref, ok := q.options[r.letter]; ok {
			e := inside.Add(r.element, conf.Attr{Key: "ref", Value: ref})
			if r.letter == 'f' {
				inside = e
			}
		}
	}
	return nil
}

// serviceAttrs are those that a service and a virtual machine have in common.
func serviceAttrs(rm conf.Element, q request) ([]conf.Attr, error) {
	attrs := []conf.Attr{{Key: "name", Value: q.words[0]}, {Key: "autostart", Value: q.or('a', "1")}}
	if domain, ok := q.options['d']; ok {
		domains, ok := rm.First("failoverdomains")
		if ok {
			_, ok = domains.Find("failoverdomain", "name", domain)
		}
		if !ok {
			return nil, refuse("failover domain %s doesn't exist in %s", domain, q.config)
		}
		attrs = append(attrs, conf.Attr{Key: "domain", Value: domain})
	}
	if exclusive, ok := q.options['x']; ok {
		attrs = append(attrs, conf.Attr{Key: "exclusive", Value: exclusive})
	}
	if recovery, ok := q.options['r']; ok {
		attrs = append(attrs, conf.Attr{Key: "recovery", Value: recovery})
	}
	return attrs, nil
}

// addResource adds an element to <resources>; where says how the missing
// <rm> is complained of.
func addResource(root conf.Element, q request, t thing, where string, attrs ...conf.Attr) error {
	rm, err := section(root, "rm", q.config, where)
	if err != nil {
		return err
	}
	resources, err := section(rm, "resources", q.config, "")
	if err != nil {
		return err
	}
	if _, ok := resources.Find(t.element, t.key, q.words[0]); ok {
		return refuse("%s %s already exists", t.word, q.words[0])
	}
	resources.Add(t.element, attrs...)
	return nil
}

func addScript(root conf.Element, q request) error {
	return addResource(root, q, scripts, "", conf.Attr{Key: "file", Value: q.words[1]}, conf.Attr{Key: "name", Value: q.words[0]})
}

func addIP(root conf.Element, q request) error {
	return addResource(root, q, ips, "", conf.Attr{Key: "address", Value: q.words[0]}, conf.Attr{Key: "monitor_link", Value: "1"})
}

func addFS(root conf.Element, q request) error {
	flag := func(letter byte) string {
		if q.has(letter) {
			return "1"
		}
		return "0"
	}
	return addResource(root, q, filesystems, "in ",
		conf.Attr{Key: "device", Value: q.words[1]}, conf.Attr{Key: "force_fsck", Value: flag('k')},
		conf.Attr{Key: "force_unmount", Value: flag('u')}, conf.Attr{Key: "fstype", Value: q.or('t', "ext3")},
		conf.Attr{Key: "mountpoint", Value: q.words[2]}, conf.Attr{Key: "name", Value: q.words[0]},
		conf.Attr{Key: "options", Value: q.or('p', "")}, conf.Attr{Key: "self_fence", Value: flag('s')})
}

// addFDomain adds a failover domain. Each node's priority is its place among
// the operands, unless it is given as NODE=PRIORITY, which is ours.
func addFDomain(root conf.Element, q request) error {
	name := q.words[0]
	rm, err := section(root, "rm", q.config, "in ")
	if err != nil {
		return err
	}
	domains, err := section(rm, "failoverdomains", q.config, "")
	if err != nil {
		return err
	}
	if _, ok := domains.Find("failoverdomain", "name", name); ok {
		return refuse("failover domain %s already exists", name)
	}
	nodes, err := section(root, "clusternodes", q.config, "in ")
	if err != nil {
		return err
	}
	var members [][]conf.Attr
	for i, word := range q.words[1:] {
		node, priority, err := member(nodes, word, i+1, q.config)
		if err != nil {
			return err
		}
		members = append(members, []conf.Attr{{Key: "name", Value: node}, {Key: "priority", Value: priority}})
	}
	flag := map[bool]string{false: "0", true: "1"}
	domain := domains.Add("failoverdomain", conf.Attr{Key: "name", Value: name},
		conf.Attr{Key: "ordered", Value: flag[q.has('p')]}, conf.Attr{Key: "restricted", Value: flag[q.has('r')]})
	for _, m := range members {
		domain.Add("failoverdomainnode", m...)
	}
	return nil
}

// member reads NODE or NODE=PRIORITY; place is the priority that the word has
// by itself.
func member(nodes conf.Element, word string, place int, file string) (node, priority string, err error) {
	if _, ok := nodes.Find("clusternode", "name", word); ok {
		return word, strconv.Itoa(place), nil
	}
	if i := strings.LastIndexByte(word, '='); i >= 0 {
		node, priority = word[:i], word[i+1:]
		if _, ok := nodes.Find("clusternode", "name", node); ok {
			if n, err := strconv.Atoi(priority); err != nil || n < 1 || n > 100 {
				return "", "", refuse("priority of %s (%s) is not a number from 1 to 100", node, priority)
			}
			return node, priority, nil
		}
	}
	return "", "", refuse("Can't find node %s in %s.", word, file)
}

// addVM adds a virtual machine, in the family's manner: what a service has as
// options, and the vm agent's attributes as ATTRIBUTE=VALUE.
func addVM(root conf.Element, q request) error {
	name := q.words[0]
	rm, err := section(root, "rm", q.config, "in ")
	if err != nil {
		return err
	}
	if _, ok := rm.Find("vm", "name", name); ok {
		return refuse("vm %s already exists in %s", name, q.config)
	}
	attrs, err := serviceAttrs(rm, q)
	if err != nil {
		return err
	}
	for _, word := range q.words[1:] {
		key, value, ok := strings.Cut(word, "=")
		switch {
		case !ok:
			return refuse("option '%s' is not opt=value pair", word)
		case key == "name" || key == "ref" || !conf.KnownAttr("vm", key):
			return refuse(`vm has no attribute "%s" to give`, key)
		}
		attrs = append(attrs, conf.Attr{Key: key, Value: value})
	}
	rm.Add("vm", attrs...)
	return nil
}
