package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"fangnetz/internal/conf"
)

// show prints a part of the configuration whose root is given.
type show func(w io.Writer, root conf.Element, q request) error

// list shows what is in the file that q names (ccs_tool, "Listing commands").
func (c *command) list(q request, show show) int {
	draft, status := c.open(q.config)
	if draft == nil {
		return status
	}
	if err := show(c.stdout, draft.Root(), q); err != nil {
		return c.fail(err)
	}
	return 0
}

// text is an attribute as the C library prints it, missing or not.
func text(e conf.Element, key string) string {
	return or(e, key, "(null)")
}

func or(e conf.Element, key, otherwise string) string {
	if v, ok := e.Attr(key); ok {
		return v
	}
	return otherwise
}

// number is an attribute that counts as 0 when it is none.
func integer(e conf.Element, key, otherwise string) int {
	return conf.Atoi(or(e, key, otherwise))
}

// properties prints the attributes but for those left out; with nothing left
// there is no line.
func properties(w io.Writer, heading string, e conf.Element, but ...string) {
	var words strings.Builder
	for _, a := range e.Attrs() {
		if !slices.Contains(but, a.Key) {
			fmt.Fprintf(&words, " %s=%s", a.Key, a.Value)
		}
	}
	if words.Len() > 0 {
		fmt.Fprintf(w, "%s%s\n", heading, words.String())
	}
}

func clusterLine(w io.Writer, root conf.Element) {
	fmt.Fprintf(w, "\nCluster name: %s, config_version: %s\n\n", text(root, "name"), text(root, "config_version"))
}

// lsNode lists the nodes, each with the first device of its first method.
func lsNode(w io.Writer, root conf.Element, q request) error {
	clusterLine(w, root)
	nodes, err := section(root, "clusternodes", q.config, "in ")
	if err != nil {
		return err
	}
	if cman, ok := root.First("cman"); ok {
		if multicast, ok := cman.First("multicast"); ok {
			if addr, ok := multicast.Attr("addr"); ok {
				fmt.Fprintf(w, "Multicast address for cluster: %s\n\n", addr)
			}
		}
	}
	fmt.Fprintln(w, "Nodename                        Votes Nodeid Fencetype")
	for _, n := range nodes.All("clusternode") {
		device, fenced := firstDevice(n)
		name := ""
		if fenced {
			name = text(device, "name")
		}
		fmt.Fprintf(w, "%s %3d  %3d    %s\n", left(text(n, "name"), 32), integer(n, "votes", "1"), integer(n, "nodeid", "0"), name)
		if !q.has('v') {
			continue
		}
		if alt, ok := n.First("altname"); ok {
			fmt.Fprintf(w, " altname name=%s", text(alt, "name"))
			for _, a := range alt.Attrs() {
				if a.Key != "name" {
					fmt.Fprintf(w, " %s=%s", a.Key, a.Value)
				}
			}
			fmt.Fprintln(w)
		}
		properties(w, "  Node properties: ", n, "name", "votes", "nodeid")
		if fenced {
			properties(w, "  Fence properties: ", device, "name", "agent")
		}
	}
	return nil
}

func firstDevice(node conf.Element) (conf.Element, bool) {
	fence, ok := node.First("fence")
	if !ok {
		return conf.Element{}, false
	}
	method, ok := fence.First("method")
	if !ok {
		return conf.Element{}, false
	}
	return method.First("device")
}

func lsFence(w io.Writer, root conf.Element, q request) error {
	devices, err := section(root, "fencedevices", q.config, "in ")
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "Name             Agent")
	for _, d := range devices.All("fencedevice") {
		fmt.Fprintf(w, "%s %s\n", left(text(d, "name"), 16), text(d, "agent"))
		if q.has('v') {
			properties(w, "  Properties: ", d, "name", "agent")
		}
	}
	return nil
}

func lsService(w io.Writer, root conf.Element, q request) error {
	clusterLine(w, root)
	rm, err := section(root, "rm", q.config, "in ")
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "Name                             Autostart Exclusive Recovery")
	for _, s := range rm.All("service") {
		serviceRow(w, s, "0") // the original's word for none, though the service does start
	}
	return nil
}

// serviceRow is one line; autostart is what counts when the service has none.
func serviceRow(w io.Writer, s conf.Element, autostart string) {
	fmt.Fprintf(w, "%s       %3d       %3d %s\n", left(text(s, "name"), 32), integer(s, "autostart", autostart),
		integer(s, "exclusive", "0"), or(s, "recovery", "-"))
}

// lsVM lists the virtual machines as lsservice does the services; -v adds
// what else they have.
func lsVM(w io.Writer, root conf.Element, q request) error {
	clusterLine(w, root)
	rm, err := section(root, "rm", q.config, "in ")
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "Name                             Autostart Exclusive Recovery")
	for _, vm := range rm.All("vm") {
		serviceRow(w, vm, "1")
		if q.has('v') {
			properties(w, "  Properties: ", vm, "name", "autostart", "exclusive", "recovery")
		}
	}
	return nil
}

// inRM is a section of <rm>.
func inRM(root conf.Element, name string, q request) (conf.Element, error) {
	rm, err := section(root, "rm", q.config, "in ")
	if err != nil {
		return rm, err
	}
	return section(rm, name, q.config, "in ")
}

func lsScript(w io.Writer, root conf.Element, q request) error {
	resources, err := inRM(root, "resources", q)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "Name             Path")
	for _, s := range resources.All("script") {
		fmt.Fprintf(w, "%s %s\n", left(text(s, "name"), 16), text(s, "file"))
	}
	return nil
}

func lsIP(w io.Writer, root conf.Element, q request) error {
	resources, err := inRM(root, "resources", q)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "IP")
	for _, ip := range resources.All("ip") {
		fmt.Fprintln(w, text(ip, "address"))
	}
	return nil
}

func lsFS(w io.Writer, root conf.Element, q request) error {
	resources, err := inRM(root, "resources", q)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "Name             Type  FUS Device              Mountpoint")
	for _, fs := range resources.All("fs") {
		fmt.Fprintf(w, "%s %s %s%s%s %s %s\n", cut(fs, "name", 16), cut(fs, "fstype", 5),
			star(fs, "force_fsck"), star(fs, "force_unmount"), star(fs, "self_fence"), cut(fs, "device", 19), text(fs, "mountpoint"))
	}
	return nil
}

func lsFDomains(w io.Writer, root conf.Element, q request) error {
	domains, err := inRM(root, "failoverdomains", q)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "Name             OR Nodes")
	for _, d := range domains.All("failoverdomain") {
		var names []string
		for _, n := range d.All("failoverdomainnode") {
			names = append(names, text(n, "name"))
		}
		fmt.Fprintf(w, "%s %s%s %s\n", cut(d, "name", 16), star(d, "ordered"), star(d, "restricted"), strings.Join(names, ","))
	}
	return nil
}

// star is the flag of an attribute that is not 0.
func star(e conf.Element, key string) string {
	if integer(e, key, "0") != 0 {
		return "*"
	}
	return " "
}

// left fills s up to width bytes.
func left(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-len(s)))
}

// cut is an attribute in exactly width bytes. A missing one is "(null)" where
// that fits whole, as the C library has it.
func cut(e conf.Element, key string, width int) string {
	s := text(e, key)
	if _, ok := e.Attr(key); !ok && width < len(s) {
		s = ""
	}
	return left(s[:min(len(s), width)], width)
}
