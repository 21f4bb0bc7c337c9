package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"fangnetz/internal/conf"
	"fangnetz/internal/wire"
)

// check says what is wrong with a file, and whether it can be pushed: in
// itself, on this host, and beside the configuration that is in force, if this
// user may see that.
func (c *command) check(q request) int {
	file := q.file()
	text, err := c.read(file)
	if err != nil {
		return c.fail(short(fmt.Sprintf("cannot read %s: %s", file, wire.SystemError(err))))
	}
	faults := c.findings(q.ctx, file, text)
	findings(c.stdout, faults)
	if !faults.Pushable() {
		fmt.Fprintf(c.stdout, "%s: cannot be pushed\n", file)
		return 1
	}
	fmt.Fprintf(c.stdout, "%s: can be pushed\n", file)
	return 0
}

// findings prints one fault a line.
func findings(w io.Writer, faults conf.Faults) {
	for _, f := range faults {
		fmt.Fprintf(w, "%s: %s: %s\n", f.Place(), f.Severity, f.Message)
	}
}

// findings are all that there is to say about a text, by place.
func (c *command) findings(ctx context.Context, file string, text []byte) conf.Faults {
	doc, err := conf.Parse(file, text)
	if err != nil {
		return err.(conf.Faults)
	}
	config, faults := doc.Config()
	faults = append(faults, doc.Advice()...)
	faults = append(faults, c.host.advice(ctx, doc, config)...)
	faults = append(faults, c.beside(ctx, doc, config)...)
	faults.Sort()
	return faults
}

// beside is what there is to say about a configuration in view of the one that
// is in force.
func (c *command) beside(ctx context.Context, doc *conf.Document, config *conf.Config) conf.Faults {
	running, err := c.inForce(ctx)
	if err != nil || bytes.Equal(running.Bytes(), doc.Bytes()) {
		return nil // there is none, or it is none of this user's business
	}
	var faults conf.Faults
	say := func(severity conf.Severity, element, key, value, format string, args ...any) {
		faults = append(faults, doc.Say(severity, element, key, value, fmt.Sprintf(format, args...)))
	}
	now, _ := running.Config()
	if config.Name != now.Name {
		say(conf.Error, "cluster", "name", config.Name, "the cluster that runs here is %q: its name cannot be changed", now.Name)
	}
	if config.Version <= now.Version {
		say(conf.Error, "cluster", "config_version", strconv.Itoa(config.Version), "config_version %d is not above %d, which is in force", config.Version, now.Version)
	}
	st, err := c.client.Status(ctx)
	if err != nil {
		return faults
	}
	for _, change := range conf.Diff(running, doc) {
		if change.Service == "" {
			continue
		}
		severity, words := conf.Advice, effect(change, config, st)
		if change.Effect == conf.Removed {
			severity = conf.Warning
		}
		element, name, _ := strings.Cut(change.Service, ":")
		say(severity, element, "name", name, "%s (%s)", change, words)
	}
	return faults
}

// inForce is the configuration that is in force. The error is the wire's.
func (c *command) inForce(ctx context.Context) (*conf.Document, error) {
	running, err := c.client.Config(ctx, 0)
	if err != nil {
		return nil, err
	}
	return conf.Parse("running", running.Text)
}
