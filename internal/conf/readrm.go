package conf

import (
	"strings"
	"time"

	"github.com/beevik/etree"
)

// maxFullName is the longest name of a service with its type (rgmanager,
// "Objects and names").
const maxFullName = 63

// manager reads <rm> (rgmanager, "Configuration of the rm section").
func (r *reader) manager(rm *etree.Element, c *Config) {
	if rm == nil {
		return
	}
	r.ticks(rm, "status_poll_interval", time.Second, 1, &c.StatusPollInterval)
	for key, to := range map[string]*int{"max_starts": &c.Limits.Starts, "max_stops": &c.Limits.Stops, "max_migrations": &c.Limits.Migrations} {
		if n := *to; r.number(rm, key, to) && *to < 1 {
			r.warn(rm, key, "%s %d does not count: expected a number from 1", key, *to)
			*to = n
		}
	}
	r.domains(r.one(rm, "failoverdomains"), c)
	shared := map[string]*etree.Element{} // of <resources>, by full name
	if resources := r.one(rm, "resources"); resources != nil {
		for e := range resources.ChildElementsSeq() {
			name, _ := attr(e, "name")
			if full := e.Tag + ":" + name; shared[full] == nil {
				shared[full] = e
			}
		}
	}
	if changed := r.one(rm, "resource-defaults"); changed != nil {
		for e := range changed.ChildElementsSeq() {
			if svc, ok := r.set.services[e.Tag]; ok {
				r.set.services[e.Tag] = r.attributes(e, svc)
			}
		}
	}
	r.services(rm, shared, c)
}

// domains reads the failover domains. As in the original a node given twice
// ends its domain, and a domain given twice ends them all; names of domains
// are compared without case (rgmanager, "Failover domains and choice of
// node").
func (r *reader) domains(parent *etree.Element, c *Config) {
	seen := map[string]bool{}
	for _, e := range all(parent, "failoverdomain") {
		var d FailoverDomain
		r.text(e, "name", &d.Name)
		switch {
		case d.Name == "":
			r.warn(e, "name", "failoverdomain has no name: it is not read")
			continue
		case seen[strings.ToLower(d.Name)]:
			r.warn(e, "name", "failoverdomain %q is given twice: neither it nor the domains after it are read", d.Name)
			return
		}
		seen[strings.ToLower(d.Name)] = true
		r.flag(e, "ordered", &d.Ordered)
		r.flag(e, "restricted", &d.Restricted)
		r.flag(e, "nofailback", &d.NoFailback)
		d.Members = r.domainMembers(e, d, c)
		c.Domains = append(c.Domains, d)
	}
}

func (r *reader) domainMembers(domain *etree.Element, d FailoverDomain, c *Config) []DomainMember {
	var members []DomainMember
	seen := map[string]bool{}
	for _, e := range domain.SelectElements("failoverdomainnode") {
		var m DomainMember
		r.text(e, "name", &m.Node)
		switch {
		case m.Node == "":
			r.warn(e, "name", "failoverdomainnode of domain %q has no name: it is not read", d.Name)
			continue
		case seen[m.Node]:
			r.warn(e, "name", "node %q is given twice in domain %q: neither it nor the nodes after it are read", m.Node, d.Name)
			return members
		case c.NodeByName(m.Node) == nil:
			r.warn(e, "name", "node %q of domain %q is no clusternode: it never matches", m.Node, d.Name)
		}
		seen[m.Node] = true
		if r.number(e, "priority", &m.Priority) && (m.Priority < 1 || m.Priority > 100) {
			r.warn(e, "priority", "priority %d of node %q counts as 0, better than 1: expected 1 to 100", m.Priority, m.Node)
			m.Priority = 0
		}
		members = append(members, m)
	}
	return members
}

// services reads the vm and service elements of <rm>.
func (r *reader) services(rm *etree.Element, shared map[string]*etree.Element, c *Config) {
	seen := map[string]*etree.Element{}
	for e := range rm.ChildElementsSeq() {
		switch e.Tag {
		case "vm", "service":
		case "failoverdomains", "resources", "resource-defaults", "events":
			continue
		default:
			r.warn(e, "", "<%s> in <rm> is not run: expected <vm> or <service>", e.FullTag())
			continue
		}
		from := e
		if ref, ok := attr(e, "ref"); ok {
			if from = shared[e.Tag+":"+ref]; from == nil {
				r.warn(e, "ref", "reference to nonexistent resource %q (type %s): it is not read", ref, e.Tag)
				continue
			}
		}
		svc := r.attributes(from, r.set.services[e.Tag])
		r.text(from, "name", &svc.Name)
		r.inside(e, &svc)
		full := svc.FullName()
		switch {
		case svc.Name == "":
			r.warn(e, "name", "<%s> has no name: it is not read", e.Tag)
			continue
		case seen[full] != nil:
			r.warn(e, "name", "%s is given twice: only the first is read", full)
			continue
		case len(full) > maxFullName:
			r.warn(e, "name", "name %s is too long: expected at most %d characters", full, maxFullName)
		}
		seen[full] = e
		c.Services = append(c.Services, svc)
	}

	domains := map[string]bool{"": true}
	for _, d := range c.Domains {
		domains[strings.ToLower(d.Name)] = true
	}
	for _, svc := range c.Services {
		e := seen[svc.FullName()]
		if !domains[strings.ToLower(svc.Domain)] {
			r.warn(e, "domain", "domain %q of %s does not exist: all nodes count alike", svc.Domain, svc.FullName())
		}
		if svc.Depend != "" && seen[svc.Depend] == nil {
			r.warn(e, "depend", "%s depends on %q, which does not exist", svc.FullName(), svc.Depend)
		}
	}
}

// attributes returns svc changed by what e says (rgmanager, "Virtual
// machines: attributes", "Failure, recovery policy, restart limits").
func (r *reader) attributes(e *etree.Element, svc Service) Service {
	r.text(e, "domain", &svc.Domain)
	r.flag(e, "autostart", &svc.Autostart)
	if v, ok := attr(e, "exclusive"); ok {
		r.exclusive(e, v, &svc.Exclusive)
	}
	r.text(e, "recovery", &svc.Recovery)
	r.number(e, "max_restarts", &svc.MaxRestarts)
	r.span(e, "restart_expire_time", &svc.RestartExpire)
	r.text(e, "depend", &svc.Depend)
	r.text(e, "depend_mode", &svc.DependMode)
	r.number(e, "priority", &svc.Priority)
	if svc.VM == nil {
		return svc
	}
	vm := *svc.VM
	for key, to := range map[string]*string{
		"xmlfile":           &vm.XMLFile,
		"path":              &vm.Path,
		"snapshot":          &vm.Snapshot,
		"migrate":           &vm.Migrate,
		"migrate_options":   &vm.MigrateOptions,
		"migration_mapping": &vm.Mapping,
		"use_virsh":         &vm.UseVirsh,
		"status_program":    &vm.StatusProgram,
		"hypervisor":        &vm.Hypervisor,
		"hypervisor_uri":    &vm.HypervisorURI,
		"migration_uri":     &vm.MigrationURI,
	} {
		r.text(e, key, to)
	}
	r.yes(e, "tunnelled", &vm.Tunnelled)
	r.yes(e, "no_kill", &vm.NoKill)
	svc.VM = &vm
	return svc
}

// exclusive is on for yes and for numbers above 0 (rgmanager, "Exclusive
// services").
func (r *reader) exclusive(e *etree.Element, v string, to *int) {
	switch v {
	case "yes":
		*to = 1
	case "no":
		*to = 0
	default:
		r.number(e, "exclusive", to)
		*to = max(*to, 0)
	}
}

// inside looks at a service's children: <action> changes a machine's
// time-outs and intervals, all others are resources (rgmanager, "The resource
// tree").
func (r *reader) inside(e *etree.Element, svc *Service) {
	for c := range e.ChildElementsSeq() {
		if c.Tag != "action" {
			svc.Children = true
			continue
		}
		if svc.VM != nil {
			r.action(c, svc.VM)
		}
	}
}

// action reads one <action>. For a status check depth tells which: 0, 10 or
// * for both; not given, it is 0.
func (r *reader) action(e *etree.Element, vm *VM) {
	set := func(key string, to *time.Duration) {
		d := *to
		if r.span(e, key, &d); d > 0 {
			*to = d
		}
	}
	name, _ := attr(e, "name")
	depth, _ := attr(e, "depth")
	switch name {
	case "start":
		set("timeout", &vm.StartTimeout)
	case "stop":
		set("timeout", &vm.StopTimeout)
	case "migrate":
		set("timeout", &vm.MigrateTimeout)
	case "status":
		if depth != "10" {
			set("interval", &vm.StatusInterval)
			set("timeout", &vm.StatusTimeout)
		}
		if depth == "10" || depth == "*" {
			set("interval", &vm.DeepInterval)
			set("timeout", &vm.DeepTimeout)
		}
	}
}
