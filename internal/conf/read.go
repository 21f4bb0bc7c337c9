package conf

import (
	"slices"
	"strings"
	"time"

	"fangnetz/internal/cluster"

	"github.com/beevik/etree"
)

// maxName is the longest cluster name, in bytes (cluster.conf, "cluster").
const maxName = 15

// maxFence is how many methods of a node, and devices of a method, are used
// (cluster.conf, "fence, unfence, fencedevices").
const maxFence = 8

// Config returns what the file says, with the defaults filled in, and all that
// is wrong with it by place. The Config is there whatever the faults.
//
// Errors are: two nodes of one name or id; a device that names no fencedevice
// while another one does (in a file where none does, fencing was never set up:
// a warning); votes beyond 0 to 255; a transport that does not exist.
func (d *Document) Config() (*Config, Faults) {
	r := &reader{d: d, set: defaults()}
	root := d.root()
	r.strangers(root)
	c := r.set.config
	r.cluster(root, &c)
	r.cman(root, &c)
	r.nodes(r.one(root, "clusternodes"), &c)
	r.fencing(root, &c)
	r.quorum(root, &c)
	r.manager(r.one(root, "rm"), &c)
	r.faults.Sort()
	return &c, r.faults
}

func (r *reader) cluster(root *etree.Element, c *Config) {
	r.text(root, "name", &c.Name)
	switch {
	case c.Name == "":
		r.unstartable(root, "name", "cluster has no name: no node can start; expected 1 to %d characters", maxName)
	case len(c.Name) > maxName:
		r.unstartable(root, "name", "cluster name %q is too long: no node can start; expected at most %d characters", c.Name, maxName)
	}
	if !r.number(root, "config_version", &c.Version) {
		r.warn(root, "", "cluster has no config_version: it counts as 0")
	}
	r.text(root, "alias", &c.Alias)
}

// cman reads <cman> and <totem> (cluster.conf, sections of these names).
func (r *reader) cman(root *etree.Element, c *Config) {
	cman := r.one(root, "cman")
	r.flag(cman, "two_node", &c.TwoNode)
	r.number(cman, "expected_votes", &c.ExpectedVotes)
	r.number(cman, "port", &c.Port)
	r.text(cman, "keyfile", &c.KeyFile)
	r.text(cman, "transport", &c.Transport)
	if broadcast, _ := attr(cman, "broadcast"); broadcast == "yes" {
		c.Broadcast = true
	}
	if cast := r.one(cman, "multicast"); cast != nil {
		r.text(cast, "addr", &c.Multicast)
		r.number(cast, "port", &c.Port)
		r.number(cast, "ttl", &c.TTL)
	}
	if !slices.Contains(transports, c.Transport) {
		r.refuse(cman, "transport", "transport %q does not exist: expected udp, udpb, udpu or rdma", c.Transport)
	}

	if c.Broadcast && c.Transport != "" && c.Transport != "udpb" {
		r.refuse(cman, "transport", "transport %q and broadcast exclude each other: expected udpb", c.Transport)
	}
	if c.TTL < 0 || c.TTL > 255 {
		r.refuse(cman.SelectElement("multicast"), "ttl", "ttl %d is out of range: expected 0 to 255", c.TTL)
	}

	hash, ok := attr(cman, "hash_cluster_id")
	c.ClusterID = ClusterID(c.Name, !ok || hash == "yes" || hash == "on")
	id := 0
	if r.number(cman, "cluster_id", &id) && id > 0 {
		c.ClusterID = uint32(id)
	}

	totem := r.one(root, "totem")
	r.ticks(totem, "token", time.Millisecond, 1, &c.Totem.Token)
	r.ticks(totem, "consensus", time.Millisecond, 1, &c.Totem.Consensus)
	if v, ok := attr(totem, "secauth"); ok {
		c.Totem.SecAuth = isYes(v)
	}
	if c.KeyFile == "" {
		r.text(totem, "keyfile", &c.KeyFile)
	}
}

func (r *reader) nodes(parent *etree.Element, c *Config) {
	if parent == nil {
		r.unstartable(r.d.root(), "", "cluster has no <clusternodes>: no node can start")
	}
	for _, e := range all(parent, "clusternode") {
		n := r.set.node
		r.text(e, "name", &n.Name)
		if n.Name == "" {
			r.warn(e, "name", "clusternode has no name: it is not read")
			continue
		}
		if c.NodeByName(n.Name) != nil {
			r.refuse(e, "name", "clusternode %q is given twice: expected each name once", n.Name)
			continue
		}
		r.nodeID(e, &n, c)
		r.number(e, "votes", &n.Votes)
		if n.Votes < 0 || n.Votes > maxVotes {
			r.refuse(e, "votes", "clusternode %q has %d votes: expected 0 to %d", n.Name, n.Votes, maxVotes)
		}
		for _, alt := range e.SelectElements("altname") {
			if name, _ := attr(alt, "name"); name != "" {
				n.AltNames = append(n.AltNames, name)
			} else {
				r.warn(alt, "name", "altname of clusternode %q has no name: it is not read", n.Name)
			}
		}
		c.Nodes = append(c.Nodes, n)
	}
	if parent != nil && len(c.Nodes) == 0 {
		r.unstartable(parent, "", "there is no clusternode: no node can start")
	}
	for _, n := range c.Nodes {
		if len(n.AltNames) != len(c.Nodes[0].AltNames) {
			r.warn(parent, "", "clusternode %q has %d altnames and %q has %d: expected as many for all", n.Name, len(n.AltNames), c.Nodes[0].Name, len(c.Nodes[0].AltNames))
		}
	}
}

func (r *reader) nodeID(e *etree.Element, n *Node, c *Config) {
	id := 0
	switch found := r.number(e, "nodeid", &id); {
	case !found:
		r.unstartable(e, "", "clusternode %q has no nodeid: no node can start; expected a number from 1", n.Name)
		return
	case id <= 0:
		r.unstartable(e, "nodeid", "clusternode %q has nodeid %d: no node can start; expected a number from 1", n.Name, id)
		return
	}
	n.ID = cluster.NodeID(id)
	if other := c.NodeByID(n.ID); other != nil {
		r.refuse(e, "nodeid", "clusternode %q has nodeid %d, as has %q: expected each nodeid once", n.Name, id, other.Name)
	}
}

// quorum looks at what only the whole file shows.
func (r *reader) quorum(root *etree.Element, c *Config) {
	cman := root.SelectElement("cman")
	if c.TwoNode && len(c.Nodes) != 2 {
		r.unstartable(cman, "two_node", "two_node is set for %d nodes: no node can start; expected 2", len(c.Nodes))
	}
	for _, n := range c.Nodes {
		if c.TwoNode && n.Votes != 1 {
			r.unstartable(cman, "two_node", "two_node is set and clusternode %q has %d votes: no node can start; expected 1", n.Name, n.Votes)
		}
	}
	if c.TwoNode && c.ExpectedVotes > 1 {
		r.warn(cman, "expected_votes", "expected_votes %d does not count: two_node sets it to 1", c.ExpectedVotes)
	}
	if disk := r.one(root, "quorumd"); disk != nil {
		r.warn(disk, "", "quorumd is not run: a quorum disk has no votes here")
	}
}

// fencing reads the nodes' <fence> and <unfence>, <fencedevices> and
// <fence_daemon> (cluster.conf, sections of these names).
func (r *reader) fencing(root *etree.Element, c *Config) {
	daemon := r.one(root, "fence_daemon")
	r.ticks(daemon, "post_join_delay", time.Second, 0, &c.FenceDaemon.PostJoinDelay)
	r.ticks(daemon, "post_fail_delay", time.Second, 0, &c.FenceDaemon.PostFailDelay)
	r.ticks(daemon, "override_time", time.Second, 0, &c.FenceDaemon.OverrideTime)
	r.flag(daemon, "clean_start", &c.FenceDaemon.CleanStart)

	for _, e := range all(r.one(root, "fencedevices"), "fencedevice") {
		fd := FenceDevice{Attrs: attrs(e)}
		r.text(e, "name", &fd.Name)
		r.text(e, "agent", &fd.Agent)
		switch {
		case fd.Name == "":
			r.warn(e, "name", "fencedevice has no name: it is not read")
			continue
		case fd.Agent == "":
			r.warn(e, "agent", "fencedevice %q has no agent: fencing with it fails", fd.Name)
		}
		if slices.ContainsFunc(c.FenceDevices, func(o FenceDevice) bool { return o.Name == fd.Name }) {
			r.warn(e, "name", "fencedevice %q is given twice: only the first is read", fd.Name)
			continue
		}
		c.FenceDevices = append(c.FenceDevices, fd)
	}

	var lines []deviceLine
	seen := map[string]bool{}
	for _, e := range all(root.SelectElement("clusternodes"), "clusternode") {
		name, _ := attr(e, "name")
		n := c.NodeByName(name)
		if n == nil || seen[name] {
			continue
		}
		seen[name] = true
		for _, m := range all(r.one(e, "fence"), "method") {
			r.method(m, n, &lines)
		}
		n.Unfence = r.devices(r.one(e, "unfence"), n.Name, &lines)
	}
	r.references(lines, c)
	r.unfenced(root, c)
}

// unfenced warns of nodes that nothing cuts off.
func (r *reader) unfenced(root *etree.Element, c *Config) {
	nodes := root.SelectElement("clusternodes")
	fenced := func(n Node) bool { return len(n.Fence) > 0 }
	switch {
	case len(c.Nodes) < 2:
		return
	case !slices.ContainsFunc(c.Nodes, fenced):
		r.warn(nodes, "", "no node has a fence method: when one fails, its services stay down")
		return
	}
	elements := byName(nodes)
	for _, n := range c.Nodes {
		if !fenced(n) {
			r.warn(elements["clusternode:"+n.Name], "", "clusternode %q has no fence method: when it fails, its services stay down", n.Name)
		}
	}
}

func (r *reader) method(e *etree.Element, n *Node, lines *[]deviceLine) {
	m := FenceMethod{}
	r.text(e, "name", &m.Name)
	if len(n.Fence) == maxFence {
		r.warn(e, "", "clusternode %q has more than %d fence methods: this one is not read", n.Name, maxFence)
		return
	}
	if slices.ContainsFunc(n.Fence, func(o FenceMethod) bool { return o.Name == m.Name }) {
		r.warn(e, "name", "clusternode %q has two methods %q: expected each name once", n.Name, m.Name)
	}
	m.Devices = r.devices(e, n.Name, lines)
	if len(m.Devices) == 0 {
		r.warn(e, "", "method %q of clusternode %q has no device: it always fails", m.Name, n.Name)
	}
	n.Fence = append(n.Fence, m)
}

// deviceLine is a <device> whose fencedevice is still to be looked for.
type deviceLine struct {
	e          *etree.Element
	name, node string
}

func (r *reader) devices(parent *etree.Element, node string, lines *[]deviceLine) []Device {
	var devices []Device
	for _, e := range all(parent, "device") {
		if len(devices) == maxFence {
			r.warn(e, "", "more than %d devices: this one is not read", maxFence)
			continue
		}
		dev := Device{Attrs: attrs(e)}
		r.text(e, "name", &dev.Name)
		devices = append(devices, dev)
		*lines = append(*lines, deviceLine{e, dev.Name, node})
	}
	return devices
}

// references looks for the fencedevice of each device.
func (r *reader) references(lines []deviceLine, c *Config) {
	known := map[string]bool{}
	var names []string
	for _, fd := range c.FenceDevices {
		known[fd.Name] = true
		names = append(names, `"`+fd.Name+`"`)
	}
	severity, expected := Warning, "a fencedevice of that name"
	if slices.ContainsFunc(lines, func(l deviceLine) bool { return known[l.name] }) {
		severity, expected = Error, strings.Join(names, " or ")
	}
	for _, l := range lines {
		if !known[l.name] {
			r.fault(severity, l.e, "name", "device %q of clusternode %q names no fencedevice: expected %s", l.name, l.node, expected)
		}
	}
}

// attrs returns all attributes but name, in file order.
func attrs(e *etree.Element) []Attr {
	var out []Attr
	for _, a := range e.Attr {
		if key := a.FullKey(); key != "name" {
			out = append(out, Attr{key, a.Value})
		}
	}
	return out
}
