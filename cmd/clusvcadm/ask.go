package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/term"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

// ask resolves the target, has the request carried out, however long it
// takes, and prints the result (clusvcadm, "Sequence of one run").
func (c *command) ask(ctx context.Context, q request) int {
	st, err := c.status(ctx)
	if err != nil {
		fmt.Fprintln(c.stdout, "Could not connect to cluster service")
		return 1
	}
	a := wire.Action{Verb: q.verb, Service: q.service, ByDomain: q.byDomain, DryRun: q.dryRun}
	name := ""
	if q.target != nil {
		m, ok := c.target(st.Members, *q.target)
		if !ok {
			return 1
		}
		a.Target, name = m.ID, m.Name
		if q.verb == wire.Migrate && !m.Online && c.form.checksOnline {
			fmt.Fprintf(c.stdout, "'%s' is offline\n", name)
			return 1
		}
	}
	words := progress(q, name)
	switch {
	case q.dryRun:
		return c.try(ctx, a, st, words)
	case q.whole():
		return c.drain(ctx, a, st, name)
	}
	fmt.Fprint(c.stdout, words)
	if !st.Manager.Running {
		fmt.Fprintln(c.stdout, "Could not connect to resource group manager")
		return 1
	}
	end := func() {}
	if q.verb == wire.Migrate {
		end = c.follow(ctx, words, q.service)
	}
	answer, err := c.client.Act(ctx, a)
	end()
	if err != nil {
		return c.lost(err)
	}
	fmt.Fprintln(c.stdout, c.form.release.Words(answer.Result))
	if answer.Result == cluster.Success && (q.verb == wire.Enable || q.verb == wire.Relocate) {
		warning := ""
		if a.Target != 0 && a.Target != answer.Owner {
			warning = "Warning: "
		}
		fmt.Fprintf(c.stdout, "%s%s is now running on %s\n", warning, q.service, memberName(st.Members, answer.Owner))
	}
	c.explain(answer)
	return answer.Result.ExitStatus()
}

// explain says on a terminal why something was refused; scripts hear what the
// original said, and no more.
func (c *command) explain(answer wire.Answer) {
	f, ok := c.stderr.(*os.File)
	if ok && term.IsTerminal(int(f.Fd())) && answer.Problem != "" && answer.Result != cluster.Success && c.form.release == cluster.Release318 {
		fmt.Fprintln(f, answer.Problem)
	}
}

// status asks cmand how the cluster is, and does not wait for ever.
func (c *command) status(ctx context.Context) (cluster.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	return c.client.Status(ctx)
}

// lost says that there is no answer, and why. What was asked for may go on.
func (c *command) lost(err error) int {
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		fmt.Fprintln(c.stdout, "Could not connect to resource group manager")
	case errors.Is(err, syscall.EPIPE):
		fmt.Fprintf(c.stderr, "msg_send: %s\nError sending message to resource group manager.\n", wire.SystemError(err))
	default:
		fmt.Fprintf(c.stderr, "msg_receive: %s\nError receiving reply!\n", wire.SystemError(err))
	}
	return 1
}

// progress is the line that the result will end; target is empty when none
// was given (clusvcadm, "Progress line").
func progress(q request, target string) string {
	to := ""
	if target != "" {
		to = " to " + target
	}
	switch q.verb {
	case wire.Relocate:
		return fmt.Sprintf("Trying to relocate %s%s...", q.service, to)
	case wire.Migrate:
		return fmt.Sprintf("Trying to migrate %s%s...", q.service, to)
	case wire.Drain:
		return fmt.Sprintf("Trying to drain %s...", target)
	case wire.Undrain:
		return fmt.Sprintf("Trying to undrain %s...", target)
	}
	doing := map[wire.Verb]string{
		wire.Enable: "trying to enable", wire.Disable: "disabling", wire.Stop: "stopping", wire.Restart: "trying to restart",
		wire.Freeze: "freezing", wire.Unfreeze: "unfreezing", wire.Convalesce: "convalescing",
	}[q.verb]
	if target == "" {
		return fmt.Sprintf("Local machine %s %s...", doing, q.service)
	}
	return fmt.Sprintf("Member %s %s %s...", target, doing, q.service)
}

// memberName names a member by id; one that is not known is (null), as the
// original prints it.
func memberName(members []cluster.Member, id cluster.NodeID) string {
	for _, m := range members {
		if m.ID == id {
			return m.Name
		}
	}
	return "(null)"
}
