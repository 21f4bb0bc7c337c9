package main

import (
	"context"
	"fmt"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

// drain empties a node, or fills it again, and shows each service that moves
// while it runs: a line when a migration begins, and one when the service has
// arrived. On a terminal a last line tells how far the migrations have come.
func (c *command) drain(ctx context.Context, a wire.Action, st cluster.Status, name string) int {
	if !st.Manager.Running {
		fmt.Fprintln(c.stdout, "Could not connect to resource group manager")
		return 1
	}
	m := newMoves(st, a.Target, a.Verb == wire.Undrain)
	if a.Verb == wire.Drain {
		fmt.Fprintf(c.stdout, "Draining %s: %s there\n", name, running(m.left()))
	} else {
		fmt.Fprintf(c.stdout, "Undraining %s\n", name)
	}
	f, columns, onTerminal := c.terminal()
	show := func(lines []string, last string) {
		if onTerminal {
			fmt.Fprint(f, "\r\x1b[K")
		}
		for _, line := range lines {
			fmt.Fprintln(c.stdout, line)
		}
		if onTerminal {
			fmt.Fprintf(f, "%.*s", columns-1, last)
		}
	}
	watching, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.client.Watch(watching, func(ev wire.Event) error {
			show(m.lines(ev), m.progress(ev))
			return nil
		}) // without it only the end is shown
	}()
	answer, err := c.client.Act(ctx, a)
	stop()
	<-ended
	show(nil, "")
	if err != nil {
		return c.lost(err)
	}
	if st, err := c.status(ctx); err == nil {
		show(m.lines(wire.Event{Status: st}), "") // what came after the last event
		if a.Verb == wire.Drain {
			show(m.stranded(st), "")
		}
	}
	c.drained(a, answer, name)
	return answer.Result.ExitStatus()
}

// drained prints how it ended.
func (c *command) drained(a wire.Action, answer wire.Answer, name string) {
	switch result := c.form.release.Words(answer.Result); {
	case answer.Result == cluster.Success && a.Verb == wire.Drain:
		fmt.Fprintf(c.stdout, "%s is drained: nothing is started there until it is undrained\n", name)
	case answer.Result == cluster.Success:
		fmt.Fprintf(c.stdout, "%s is drained no more\n", name)
	case answer.Result == cluster.Failure && a.Verb == wire.Drain:
		fmt.Fprintf(c.stdout, "%s: %s is drained, but not everything could be moved\n", result, name)
	default:
		fmt.Fprintf(c.stdout, "%s\n", result)
	}
	if answer.Problem != "" {
		fmt.Fprintf(c.stdout, "  %s\n", strings.ReplaceAll(answer.Problem, "\n", "\n  "))
	}
}

// running says how many services run.
func running(n int) string {
	switch n {
	case 0:
		return "nothing runs"
	case 1:
		return "1 service runs"
	}
	return fmt.Sprintf("%d services run", n)
}

// moves follows services on their way from or to a node.
type moves struct {
	node    cluster.NodeID
	back    bool                      // to it
	members []cluster.Member          //
	owner   map[string]cluster.NodeID // where each service ran last
	moving  map[string]bool           // its migration was shown
}

func newMoves(st cluster.Status, node cluster.NodeID, back bool) *moves {
	m := &moves{node: node, back: back, members: st.Members, owner: map[string]cluster.NodeID{}, moving: map[string]bool{}}
	for _, s := range st.Services {
		if s.State == cluster.Started {
			m.owner[s.Name] = s.Owner
		}
	}
	return m
}

// left counts the services on the node.
func (m *moves) left() int {
	n := 0
	for _, owner := range m.owner {
		if owner == m.node {
			n++
		}
	}
	return n
}

// lines says what has happened since the event before.
func (m *moves) lines(ev wire.Event) []string {
	var lines []string
	for _, g := range ev.Migrations {
		if (g.From == m.node || m.back && g.To == m.node) && !m.moving[g.Service] {
			m.moving[g.Service] = true
			lines = append(lines, fmt.Sprintf("%s is migrating from %s to %s", g.Service, memberName(m.members, g.From), memberName(m.members, g.To)))
		}
	}
	for _, s := range ev.Status.Services {
		before := m.owner[s.Name]
		if s.State != cluster.Started || s.Owner == before {
			continue // on its way, or where it was
		}
		m.owner[s.Name] = s.Owner
		switch {
		case before == m.node:
			lines = append(lines, fmt.Sprintf("%s is now running on %s, %d left", s.Name, memberName(m.members, s.Owner), m.left()))
		case m.back && s.Owner == m.node:
			lines = append(lines, fmt.Sprintf("%s is now running on %s", s.Name, memberName(m.members, s.Owner)))
		}
	}
	return lines
}

// progress says how far the migrations have come that the node has part in.
func (m *moves) progress(ev wire.Event) string {
	var parts []string
	for _, g := range ev.Migrations {
		if g.From == m.node || g.To == m.node {
			parts = append(parts, fmt.Sprintf("%s %.0f %%", g.Service, percent(g.Progress)))
		}
	}
	return strings.Join(parts, ", ")
}

// stranded says which services left the node and arrived nowhere.
func (m *moves) stranded(st cluster.Status) []string {
	var lines []string
	for _, s := range st.Services {
		if m.owner[s.Name] == m.node && s.Owner != m.node {
			lines = append(lines, fmt.Sprintf("%s is %s", s.Name, s.State))
		}
	}
	return lines
}
