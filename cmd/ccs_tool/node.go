package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"fangnetz/internal/conf"
)

// section is the child of root of that name; without it the complaint says so
// with the word in, which some commands leave out.
func section(root conf.Element, name, file, in string) (conf.Element, error) {
	e, ok := root.First(name)
	if !ok {
		return e, refuse(`Can't find "%s" %s%s`, name, in, file)
	}
	return e, nil
}

// addNode adds a clusternode, with one fence method for -f (ccs_tool, "addnode,
// delnode").
func addNode(root conf.Element, q request) error {
	name := q.words[0]
	nodes, err := section(root, "clusternodes", q.config, "in ")
	if err != nil {
		return err
	}
	if _, ok := nodes.Find("clusternode", "name", name); ok {
		return refuse("node %s already exists in %s", name, q.config)
	}
	id, ok := q.options['n']
	if !ok {
		return refuse("nodeid not specified")
	}
	for _, n := range nodes.All("clusternode") {
		if other, ok := n.Attr("nodeid"); ok && conf.Atoi(other) == conf.Atoi(id) {
			return refuse("nodeid %s already in use", id)
		}
	}
	var device []conf.Attr
	fence, fenced := q.options['f']
	if fenced {
		devices, ok := root.First("fencedevices")
		if ok {
			_, ok = devices.Find("fencedevice", "name", fence)
		}
		if !ok {
			return refuse("fence type '%s' not known", fence)
		}
		args, err := pairs(q.words[1:])
		if err != nil {
			return err
		}
		device = append([]conf.Attr{{Key: "name", Value: fence}}, args...)
	}
	node := nodes.Add("clusternode", conf.Attr{Key: "name", Value: name},
		conf.Attr{Key: "votes", Value: q.or('v', "1")}, conf.Attr{Key: "nodeid", Value: id})
	if alt, ok := q.options['a']; ok {
		node.Add("altname", conf.Attr{Key: "name", Value: alt})
	}
	if fenced {
		node.Add("fence").Add("method", conf.Attr{Key: "name", Value: "single"}).Add("device", device...)
	}
	return nil
}

// pairs reads words like port=1.
func pairs(words []string) ([]conf.Attr, error) {
	var attrs []conf.Attr
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		switch {
		case !ok, !conf.WritableName(key): // the original wrote what no one could read
			return nil, refuse("option '%s' is not opt=value pair", word)
		case key == "name":
			return nil, refuse(`Can't use "name" as a fence argument name`)
		}
		attrs = append(attrs, conf.Attr{Key: key, Value: value})
	}
	return attrs, nil
}

func delNode(root conf.Element, q request) error {
	nodes, ok := root.First("clusternodes")
	if !ok {
		return bare(fmt.Sprintf(`Can't find "clusternodes" in %s`, q.config))
	}
	node, ok := nodes.Find("clusternode", "name", q.words[0])
	if !ok {
		return bare(fmt.Sprintf("node %s does not exist in %s", q.words[0], q.config))
	}
	node.Remove()
	return nil
}

// addNodeIDs gives a number to each node that has none (ccs_tool,
// "addnodeids").
func (c *command) addNodeIDs(q request) int {
	addr, ok := q.options['m']
	if ok && !resolves(q.ctx, addr) {
		fmt.Fprintf(c.stderr, "%s is not a valid multicast address\n", addr)
		return 0
	}
	quiet := *c
	quiet.form.distributes = false // this one never told anybody
	return quiet.edit(q, func(root conf.Element, q request) error {
		return addNodeIDs(root, q, c.stderr)
	})
}

func addNodeIDs(root conf.Element, q request, stderr io.Writer) error {
	var multicast conf.Element
	found := false
	if cman, ok := root.First("cman"); ok {
		multicast, found = cman.First("multicast")
	}
	addr, given := q.options['m']
	switch {
	case given && found:
		multicast.Set("addr", addr)
	case given:
		root.Add("cman").Add("multicast", conf.Attr{Key: "addr", Value: addr})
	case !found:
		fmt.Fprint(stderr, "\nWARNING: The cluster does not have a multicast address.\n"+
			"A default will be assigned a run-time which might not suit your installation\n\n")
	}
	nodes, err := section(root, "clusternodes", q.config, "in ")
	if err != nil {
		return err
	}
	var used []int
	for _, n := range nodes.All("clusternode") {
		id, _ := n.Attr("nodeid")
		used = append(used, conf.Atoi(id))
	}
	next := max(1, conf.Atoi(q.or('n', "1")))
	for i, n := range nodes.All("clusternode") {
		if used[i] != 0 {
			continue
		}
		for slices.Contains(used, next) {
			next++
		}
		used[i] = next
		n.Set("nodeid", strconv.Itoa(next))
		if q.has('v') {
			fmt.Fprintf(stderr, "Node %s now has id %d\n", text(n, "name"), next)
		}
	}
	return nil
}

// resolves reports whether addr is an address, or a name that has one.
func resolves(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupHost(ctx, addr)
	return err == nil && len(found) > 0
}
