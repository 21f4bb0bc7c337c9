package main

import (
	"cmp"
	"errors"
	"fmt"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/wire"
)

// diff says what an update with a file would change, and what that does to the
// services. Its exit status is diff(1)'s.
func (c *command) diff(q request) int {
	file := q.file()
	text, err := c.read(file)
	if err != nil {
		c.fail(short(fmt.Sprintf("cannot read %s: %s", file, wire.SystemError(err))))
		return 2
	}
	doc, err := conf.Parse(file, text)
	if err != nil {
		findings(c.stderr, err.(conf.Faults))
		return 2
	}
	return c.compare(q, doc)
}

// compare prints what doc would change.
func (c *command) compare(q request, doc *conf.Document) int {
	running, err := c.inForce(q.ctx)
	if err != nil {
		fmt.Fprintln(c.stderr, noAnswer(err))
		return 2
	}
	st, err := c.client.Status(q.ctx)
	if err != nil {
		fmt.Fprintln(c.stderr, noAnswer(err))
		return 2
	}
	config, _ := doc.Config()
	changes := conf.Diff(running, doc)
	for _, change := range changes {
		if words := effect(change, config, st); words != "" {
			fmt.Fprintf(c.stdout, "%s (%s)\n", change, words)
		} else {
			fmt.Fprintln(c.stdout, change)
		}
	}
	if len(changes) == 0 {
		return 0
	}
	if now, _ := running.Config(); config.Version <= now.Version {
		fmt.Fprintf(c.stderr, "ccs_tool: %s has config_version %d, and %d is in force: raise it before an update\n", doc.File(), config.Version, now.Version)
	}
	return 1
}

// noAnswer says why cmand did not answer.
func noAnswer(err error) string {
	if refusal, ok := errors.AsType[*wire.Refusal](err); ok {
		return "The CCS daemon refuses: " + refusal.Words
	}
	return "Unable to connect to the CCS daemon: " + wire.SystemError(err)
}

// effect says what a change does to its service; empty when it is about none.
func effect(change conf.Change, after *conf.Config, st cluster.Status) string {
	var now cluster.Service
	for _, s := range st.Services {
		if s.Name == change.Service {
			now = s
		}
	}
	owner := ""
	for _, m := range st.Members {
		if now.Owner != 0 && m.ID == now.Owner && runs(now.State) {
			owner = cmp.Or(m.Name, m.ID.String())
		}
	}
	goesOn := ""
	if owner != "" {
		goesOn = "; it goes on running on " + owner
	}
	switch change.Effect {
	case conf.Added:
		if s := after.Service(change.Service); s != nil && !s.Autostart {
			return "it is not started, for its autostart is 0; where it runs already, it is left running"
		}
		return "it is started, or left running where it runs already"
	case conf.Removed:
		switch {
		case owner == "":
			return "it does not run"
		case now.Flags&cluster.Frozen != 0:
			return "it is left running on " + owner + ", out of the cluster's hands: it is frozen"
		}
		return "it IS STOPPED on " + owner
	case conf.AtOnce:
		return "at once" + goesOn
	case conf.NextStart:
		return "at its next start" + goesOn
	case conf.NextMigration:
		return "at its next migration" + goesOn
	}
	return ""
}

// runs reports whether a service in that state may run on its owner.
func runs(s cluster.State) bool {
	switch s {
	case cluster.Stopped, cluster.Disabled, cluster.Uninitialized, cluster.Recovering:
		return false
	}
	return true
}
