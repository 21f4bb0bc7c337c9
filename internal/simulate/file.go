package simulate

import (
	"fmt"
	"strconv"
	"strings"

	"fangnetz/internal/scenario"
)

// String is the schedule as a file: what is left to chance, cluster.conf, and
// below dashes a line for each command, with its time in milliseconds before
// it. The commands are those of package scenario as far as they are there, and
// those of Sim.do.
func (p *Schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\n%s----\n", p.Seed, p.settings.text())
	for _, c := range p.Commands {
		fmt.Fprintln(&b, c)
	}
	return b.String()
}

// Parse reads what String has written; lines that begin with # are left out.
func Parse(text string) (*Schedule, error) {
	p := &Schedule{}
	head, body, ok := strings.Cut(text, "----\n")
	if !ok {
		return nil, fmt.Errorf("no line of dashes between cluster.conf and the commands")
	}
	for strings.HasPrefix(head, "#") {
		_, head, _ = strings.Cut(head, "\n")
	}
	first, config, _ := strings.Cut(head, "\n")
	var err error
	if p.Seed, err = strconv.ParseUint(strings.TrimPrefix(first, "seed "), 10, 64); err != nil {
		return nil, fmt.Errorf("line %q: expected `seed` and a number", first)
	}
	if p.settings, err = readSettings(config); err != nil {
		return nil, err
	}
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		at, rest, _ := strings.Cut(line, " ")
		c := Command{}
		if c.At, err = strconv.ParseInt(at, 10, 64); err == nil {
			c.Command, err = scenario.Parse(rest)
		}
		if err != nil {
			return nil, fmt.Errorf("line %q: %v", line, err)
		}
		p.Commands = append(p.Commands, c)
	}
	return p, nil
}
