package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"fangnetz/internal/cluster"
)

// status shows this node's view (cman, "cman_tool status").
func (c *command) status(ctx context.Context) int {
	m, err := c.client.Membership(ctx)
	if err != nil {
		return c.lost()
	}
	renderStatus(c.stdout, m, c.form)
	return 0
}

// Ports that something of the original listened on here; cmand is both.
const (
	portCman      = "0 "
	portRgmanager = "177 "
)

func renderStatus(w io.Writer, m cluster.Membership, f form) {
	var local cluster.Voter
	members := 0
	for _, n := range m.Nodes {
		if n.Online {
			members++
		}
		if n.ID == m.Local {
			local = n
		}
	}
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	line("Version: %s", f.protocol)
	line("Config Version: %d", m.Cluster.ConfigVersion)
	line("Cluster Name: %s", m.Cluster.Name)
	line("Cluster Id: %d", m.Cluster.ID)
	line("Cluster Member: Yes")
	line("Cluster Generation: %d", m.Cluster.Generation)
	state, flags := "Cluster-Member", ""
	if m.TwoNode {
		flags = " 2node"
	}
	switch {
	case m.Leaving:
		state = "Leaving"
		flags += " Shutdown"
	case !local.Online:
		state = "Joining"
	}
	line("Membership state: %s", state)
	line("Nodes: %d", members)
	line("Expected votes: %d", m.Expected)
	line("Total votes: %d", m.Total)
	if f.votes {
		line("Node votes: %d", local.Votes)
	}
	blocked := " "
	if !m.Quorate {
		blocked = "Activity blocked"
	}
	line("Quorum: %d %s", m.Quorum, blocked)
	ports, subsystems := portCman, 3 // members, configuration, fencing
	if m.Manager {
		ports, subsystems = portCman+portRgmanager, 4
	}
	line("Active subsystems: %d", subsystems)
	line("Flags:%s ", flags)
	line("Ports Bound: %s ", ports)
	line("Node name: %s", local.Name)
	line("Node ID: %d", m.Local)
	line("Multicast addresses: %s", each(m.Groups))
	line("Node addresses: %s", each(local.Addresses))
}

// each puts a blank behind each word.
func each(words []string) string {
	var b strings.Builder
	for _, word := range words {
		b.WriteString(word + " ")
	}
	return b.String()
}
