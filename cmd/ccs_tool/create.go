package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"fangnetz/internal/conf"
	"fangnetz/internal/wire"
)

// create writes a skeleton (ccs_tool, "create").
func (c *command) create(q request) int {
	name := q.words[0]
	if !conf.Writable(name) {
		return c.fail(refuse("%q cannot be written as XML", name))
	}
	if _, err := os.Stat(q.config); err == nil {
		return c.fail(short(q.config + " already exists"))
	}
	if c.form.serialised {
		return c.save(minimal(name, q.has('2')), q.config)
	}
	if n := conf.Atoi(q.or('n', "0")); n > mostNodes {
		return c.fail(short(fmt.Sprintf("argument to n (%d) is above %d", n, mostNodes)))
	}
	f, err := os.OpenFile(q.config, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		fmt.Fprintf(c.stderr, " Can't open output file: %s\n", wire.SystemError(err))
		return 0
	}
	_, err = io.WriteString(f, c.skeleton(name, q))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil { // the original did not look
		return c.fail(short("Error writing new config file " + q.config))
	}
	return 0
}

// mostNodes bounds the skeletons, which nobody fills in by the thousand.
const mostNodes = 4096

// minimal is the skeleton of 2.x.
func minimal(name string, two bool) *conf.Draft {
	d := conf.New("cluster", conf.Attr{Key: "name", Value: name}, conf.Attr{Key: "config_version", Value: "1"})
	root := d.Root()
	if two {
		root.Add("cman", conf.Attr{Key: "two_node", Value: "1"}, conf.Attr{Key: "expected_votes", Value: "1"})
	}
	root.Add("clusternodes")
	root.Add("fencedevices")
	rm := root.Add("rm")
	rm.Add("failoverdomains")
	rm.Add("resources")
	return d
}

// skeleton is that of 3.x. ADDARGS, which no XML reader takes, makes sure that
// it is not used before it has been edited.
func (c *command) skeleton(name string, q request) string {
	nodes := conf.Atoi(q.or('n', "0"))
	if q.has('2') {
		nodes = 2
	}
	if c.form.oneTooFew {
		nodes--
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<?xml version=\"1.0\"?>\n<cluster name=\"%s\" config_version=\"1\">\n\n", escape(name))
	if q.has('2') {
		b.WriteString("  <cman two_node=\"1\" expected_votes=\"1\"/>\n")
	}
	b.WriteString("  <clusternodes>\n")
	agent, fenced := q.options['f']
	for i := range max(0, nodes) {
		fmt.Fprintf(&b, "    <clusternode name=\"NEEDNAME-%02d\" votes=\"1\" nodeid=\"%d\">\n      <fence>\n        <method name=\"single\">\n", i+1, i+1)
		if fenced {
			b.WriteString("          <device name=\"fence1\" ADDARGS/>\n")
		}
		b.WriteString("        </method>\n      </fence>\n    </clusternode>\n")
	}
	b.WriteString("  </clusternodes>\n\n  <fencedevices>\n")
	if fenced {
		fmt.Fprintf(&b, "    <fencedevice name=\"fence1\" agent=\"%s\" ADDARGS/>\n", escape(agent))
	}
	b.WriteString("  </fencedevices>\n\n  <rm>\n    <failoverdomains/>\n    <resources/>\n  </rm>\n</cluster>\n")
	return b.String()
}

// escape makes s an attribute's value; the original wrote it as it was.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
