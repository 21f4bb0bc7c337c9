package main

import (
	"context"
	"errors"
	"fmt"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

// try prints what a would lead to: the steps, what speaks for and against each
// node, and the result, which is the exit status too.
func (c *command) try(ctx context.Context, a wire.Action, st cluster.Status, words string) int {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	answer, err := c.client.Act(ctx, a)
	if refusal, ok := errors.AsType[*wire.Refusal](err); ok {
		fmt.Fprintf(c.stdout, "%s\nThis cmand cannot try: %s\n", words, refusal.Words)
		return 1
	}
	if err != nil {
		return c.lost(err)
	}
	fmt.Fprintf(c.stdout, "%s only trying, nothing is done\n", words)
	if t := answer.Trial; t != nil {
		for i, step := range t.Steps {
			fmt.Fprintf(c.stdout, "%3d. %s\n", i+1, step)
		}
		candidates(c, st, *t)
	}
	if answer.Problem != "" {
		fmt.Fprintln(c.stdout, answer.Problem)
	}
	fmt.Fprintf(c.stdout, "Result: %s\n", c.form.release.Words(answer.Result))
	if answer.Owner != 0 && answer.Result == cluster.Success {
		fmt.Fprintf(c.stdout, "%s would be running on %s\n", a.Service, memberName(st.Members, answer.Owner))
	}
	return answer.Result.ExitStatus()
}

// candidates lists the nodes with their scores.
func candidates(c *command, st cluster.Status, t cluster.Trial) {
	if len(t.Candidates) == 0 {
		return
	}
	width := 0
	for _, n := range t.Candidates {
		width = max(width, len(memberName(st.Members, n.Node)))
	}
	fmt.Fprintln(c.stdout, "Candidates:")
	for _, n := range t.Candidates {
		line := fmt.Sprintf("  %-*s  %s", width, memberName(st.Members, n.Node), n.Score)
		if n.Reason != "" {
			line = fmt.Sprintf("  %-*s  %-7s  %s", width, memberName(st.Members, n.Node), n.Score, n.Reason)
		}
		fmt.Fprintln(c.stdout, line)
	}
}
