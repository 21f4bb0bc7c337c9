package conf

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// objects puts all that the file says into words, in the order in which it is
// to be told.
func (d *Document) objects() []object {
	c, _ := d.Config()
	root := d.root()
	rm := root.SelectElement("rm")
	all := []object{
		section(root, "cluster", word{key: "name", value: c.Name}, word{key: "config_version"}),
		section(root.SelectElement("cman"), "cman", word{key: "two_node", value: bit(c.TwoNode)}, word{key: "expected_votes", value: count(c.ExpectedVotes)},
			word{key: "cluster_id", value: strconv.FormatUint(uint64(c.ClusterID), 10)}, word{key: "transport", value: c.Transport},
			word{key: "broadcast", value: yes(c.Broadcast)}, word{key: "port", value: count(c.Port)}, word{key: "keyfile", value: c.KeyFile},
			word{key: "multicast addr", value: c.Multicast}, word{key: "multicast ttl", value: strconv.Itoa(c.TTL)}),
		section(root.SelectElement("totem"), "totem", word{key: "token", value: ms(c.Totem.Token)}, word{key: "consensus", value: ms(c.Totem.Consensus)},
			word{key: "secauth", value: yes(c.Totem.SecAuth)}, word{key: "keyfile"}),
		section(root.SelectElement("fence_daemon"), "fence_daemon", word{key: "post_join_delay", value: sec(c.FenceDaemon.PostJoinDelay)},
			word{key: "post_fail_delay", value: sec(c.FenceDaemon.PostFailDelay)}, word{key: "override_time", value: sec(c.FenceDaemon.OverrideTime)},
			word{key: "clean_start", value: bit(c.FenceDaemon.CleanStart)}),
	}
	elements := byName(root.SelectElement("clusternodes"))
	for _, n := range c.Nodes {
		shown, hidden := fenceWords(n)
		all = append(all, section(elements["clusternode:"+n.Name], "node "+n.Name, word{key: "name"}, word{key: "nodeid", value: count(int(n.ID))},
			word{key: "votes", value: strconv.Itoa(n.Votes)}, word{key: "altname", value: strings.Join(n.AltNames, " ")},
			word{key: "fence", value: shown, hidden: hidden}))
	}
	for _, f := range c.FenceDevices {
		all = append(all, object{subject: "fencedevice " + f.Name, words: deviceWords(f.Attrs)})
	}
	all = append(all, section(rm, "rm", word{key: "status_poll_interval", value: sec(c.StatusPollInterval)},
		word{key: "max_starts", value: strconv.Itoa(c.Limits.Starts)}, word{key: "max_stops", value: strconv.Itoa(c.Limits.Stops)},
		word{key: "max_migrations", value: strconv.Itoa(c.Limits.Migrations)}))
	for _, fd := range c.Domains {
		var members []string
		for _, m := range fd.Members {
			members = append(members, m.Node+"="+strconv.Itoa(m.Priority))
		}
		all = append(all, object{subject: "failoverdomain " + fd.Name, words: []word{{key: "ordered", value: bit(fd.Ordered)},
			{key: "restricted", value: bit(fd.Restricted)}, {key: "nofailback", value: bit(fd.NoFailback)},
			{key: "nodes", value: strings.Join(members, " ")}}})
	}
	elements = byName(rm)
	for _, s := range c.Services {
		o := section(elements[s.FullName()], s.FullName(), s.words()...)
		o.service = s.FullName()
		if e := elements[s.FullName()]; e != nil && s.Children {
			o.words = append(o.words, word{key: "resources", hidden: resources(e)})
		}
		all = append(all, o)
	}
	all = append(all, unread(root, "cman", "totem", "fence_daemon", "clusternodes", "fencedevices", "rm")...)
	return append(all, unread(rm, "failoverdomains", "vm", "service")...)
}

// section is an element of which there is one; the attributes that have no
// words of their own are compared unseen.
func section(e *etree.Element, subject string, words ...word) object {
	if e != nil {
		for _, a := range e.Attr {
			if key := a.FullKey(); find(words, key) == nil {
				words = append(words, word{key: key, hidden: a.Value})
			}
		}
	}
	return object{subject: subject, words: words}
}

// byName finds the elements below parent by what they are and their names; the
// first of a name counts.
func byName(parent *etree.Element) map[string]*etree.Element {
	m := map[string]*etree.Element{}
	if parent == nil {
		return m
	}
	for e := range parent.ChildElementsSeq() {
		name, _ := attr(e, "name")
		if ref, ok := attr(e, "ref"); ok {
			name = ref
		}
		if full := e.Tag + ":" + name; m[full] == nil {
			m[full] = e
		}
	}
	return m
}

func resources(service *etree.Element) string {
	var b strings.Builder
	for c := range service.ChildElementsSeq() {
		if c.Tag != "action" { // its time-outs have words
			b.WriteString(canonical(c))
		}
	}
	return b.String()
}

// unread is what stands below e besides the elements that have objects.
func unread(e *etree.Element, but ...string) []object {
	var all []object
	if e == nil {
		return nil
	}
	for c := range e.ChildElementsSeq() {
		name := "<" + c.FullTag() + ">"
		switch i := slices.IndexFunc(all, func(o object) bool { return o.subject == name }); {
		case slices.Contains(but, c.FullTag()):
		case i >= 0:
			all[i].words[0].hidden += canonical(c)
		default:
			all = append(all, object{subject: name, words: []word{{key: "contents", hidden: canonical(c)}}})
		}
	}
	return all
}

// words of a service; commands are compared unseen, for they may hold secrets.
func (s Service) words() []word {
	words := []word{{key: "name"}, {key: "ref"},
		{key: "domain", value: s.Domain}, {key: "autostart", value: bit(s.Autostart)}, {key: "exclusive", value: strconv.Itoa(s.Exclusive)},
		{key: "recovery", value: orWord(s.Recovery, "restart")}, {key: "max_restarts", value: strconv.Itoa(s.MaxRestarts)},
		{key: "restart_expire_time", value: sec(s.RestartExpire)}, {key: "depend", value: s.Depend}, {key: "depend_mode", value: s.DependMode},
		{key: "priority", value: strconv.Itoa(s.Priority)}}
	if vm := s.VM; vm != nil {
		words = append(words, word{key: "xmlfile", value: vm.XMLFile}, word{key: "path", value: vm.Path}, word{key: "snapshot", value: vm.Snapshot},
			word{key: "migrate", value: vm.Migrate}, word{key: "migrate_options", hidden: vm.MigrateOptions},
			word{key: "tunnelled", value: yes(vm.Tunnelled)}, word{key: "migration_mapping", value: vm.Mapping}, word{key: "use_virsh", value: vm.UseVirsh},
			word{key: "status_program", hidden: vm.StatusProgram}, word{key: "hypervisor", value: vm.Hypervisor},
			word{key: "hypervisor_uri", value: vm.HypervisorURI}, word{key: "migration_uri", value: vm.MigrationURI}, word{key: "no_kill", value: yes(vm.NoKill)},
			word{key: "start timeout", value: sec(vm.StartTimeout)}, word{key: "stop timeout", value: sec(vm.StopTimeout)},
			word{key: "migrate timeout", value: sec(vm.MigrateTimeout)},
			word{key: "status interval", value: sec(vm.StatusInterval)}, word{key: "status timeout", value: sec(vm.StatusTimeout)},
			word{key: "deep status interval", value: sec(vm.DeepInterval)}, word{key: "deep status timeout", value: sec(vm.DeepTimeout)})
	}
	return words
}

// fenceWords names a node's methods and devices; what the devices are told is
// hidden.
func fenceWords(n Node) (shown, hidden string) {
	var methods []string
	tell := func(devices []Device) string {
		var names []string
		for _, d := range devices {
			names = append(names, d.Name)
			for _, a := range d.Attrs {
				hidden += a.Key + "=" + a.Value + "\x00"
			}
		}
		return strings.Join(names, "+")
	}
	for _, m := range n.Fence {
		methods = append(methods, tell(m.Devices))
		hidden += "method " + m.Name + "\x00"
	}
	if len(n.Unfence) > 0 {
		methods = append(methods, "unfence "+tell(n.Unfence))
	}
	return strings.Join(methods, ", "), hidden
}

// plain are the arguments of agents that hold no secret in any of them.
const plain = "agent ipaddr ip ipport port plug action option delay lanplus ssl secure power_wait power_timeout login_timeout shell_timeout retry_on method"

func deviceWords(attrs []Attr) []word {
	var words []word
	for _, a := range attrs {
		if has(plain, a.Key) {
			words = append(words, word{key: a.Key, value: a.Value})
		} else {
			words = append(words, word{key: a.Key, hidden: a.Value + "\x00"}) // present even if it is empty
		}
	}
	return words
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// count is empty for 0, which stands for what is not given.
func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func ms(d time.Duration) string  { return count(int(d / time.Millisecond)) }
func sec(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

func orWord(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
