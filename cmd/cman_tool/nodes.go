package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"fangnetz/internal/cluster"
)

// nodes shows all nodes, or those named, by id (cman, "cman_tool nodes").
func (c *command) nodes(ctx context.Context, q request) int {
	m, err := c.client.Membership(ctx)
	if err != nil {
		return c.lost()
	}
	if q.names != nil {
		m.Nodes = slices.DeleteFunc(m.Nodes, func(n cluster.Voter) bool { return !slices.Contains(q.names, n.Name) })
	}
	if q.has('F') {
		renderFields(c.stdout, m, strings.Split(q.options['F'], ","), c.form)
	} else {
		renderNodes(c.stdout, m, q.has('a'), c.zone)
	}
	return 0
}

func renderNodes(w io.Writer, m cluster.Membership, addresses bool, zone *time.Location) {
	fmt.Fprintln(w, "Node  Sts   Inc   Joined               Name")
	for _, n := range m.Nodes {
		joined := ""
		if n.Online && n.Joined != 0 {
			joined = time.Unix(n.Joined, 0).In(zone).Format(time.DateTime)
		}
		fmt.Fprintf(w, "%4d   %s  %5d   %19s  %s\n", n.ID, letter(n), n.Incarnation, joined, n.Name)
		if addresses && len(n.Addresses) > 0 {
			fmt.Fprintf(w, "       Addresses: %s\n", each(n.Addresses))
		}
	}
}

// letter is the Sts column.
func letter(n cluster.Voter) string {
	if n.Online {
		return "M"
	}
	return "X"
}

// maxFields is how many fields of -F count.
const maxFields = 10

// renderFields prints a line of fields for each node; one that is not known is
// left out.
func renderFields(w io.Writer, m cluster.Membership, fields []string, f form) {
	for _, n := range m.Nodes {
		values := map[string]string{"id": n.ID.String(), "name": n.Name, "type": letter(n), "addr": strings.Join(n.Addresses, ",")}
		if f.votes {
			values["votes"], values["exp"], values["state"] = strconv.Itoa(n.Votes), strconv.Itoa(m.Expected), "Dead"
			if n.Online {
				values["state"] = "Member"
			}
		}
		for _, field := range fields[:min(len(fields), maxFields)] {
			if value, ok := values[field]; ok {
				fmt.Fprintf(w, "%s ", value)
			}
		}
		fmt.Fprintln(w)
	}
}
