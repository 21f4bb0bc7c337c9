package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/wire"
)

// update makes file the configuration of all nodes and says how it went
// (ccs_tool, "RHEL 5: update").
func (c *command) update(ctx context.Context, file string) int { return c.end(c.push(ctx, file)) }

// end prints how an update ended; no problem is success.
func (c *command) end(problem string) int {
	if problem != "" {
		fmt.Fprintf(c.stderr, "%s\n\nFailed to update config file.\n", problem)
		return 1
	}
	fmt.Fprint(c.stdout, "\nUpdate complete.\n")
	return 0
}

// push sends file to cmand. It returns the original's words for what went
// wrong, or "".
func (c *command) push(ctx context.Context, file string) string {
	path, err := filepath.Abs(file)
	if err != nil {
		return "Unable to get the current working directory."
	}
	if _, err := c.client.Status(ctx); err != nil {
		return "Unable to connect to the CCS daemon: " + wire.SystemError(err)
	}
	text, err := os.ReadFile(path)
	if err != nil && c.form.distributes {
		return fmt.Sprintf("I/O warning : failed to load external entity \"%s\"\nUnable to parse %s", path, path)
	}
	if err != nil {
		return fmt.Sprintf("%s: %s\nUnable to parse %s", file, wire.SystemError(err), path)
	}
	if problem := c.flaws(file, path, text); problem != "" {
		return problem
	}
	return c.send(ctx, file, path, text)
}

// send has cmand make text the configuration of all nodes. Faults call it
// file, and complaints of the whole path.
func (c *command) send(ctx context.Context, file, path string, text []byte) string {
	answer, err := c.client.Update(ctx, file, text)
	if refusal, ok := errors.AsType[*wire.Refusal](err); ok {
		return "The CCS daemon refuses: " + refusal.Words
	}
	if err != nil { // our own words: the original asked each node itself
		return fmt.Sprintf("No answer from the CCS daemon: %s\nThe update may or may not have been made.", wire.SystemError(err))
	}
	if c.verbose {
		c.rounds(ctx, answer)
	}
	return c.outcome(path, answer)
}

// rounds names the members that were asked to store the configuration, and
// once more when they were told to take it into use.
func (c *command) rounds(ctx context.Context, answer wire.UpdateAnswer) {
	lost := wire.LostRace(answer.From, answer.To, 0)
	rounds := 0
	switch before, _, _ := strings.Cut(lost, "\n"); {
	case len(answer.Faults) == 0 && answer.Problem == "", strings.HasPrefix(answer.Problem, before):
		rounds = 2
	case len(answer.Nodes) > 0:
		rounds = 1
	}
	st, err := c.client.Status(ctx)
	if err != nil {
		return
	}
	addresses := map[cluster.NodeID][]string{}
	if m, err := c.client.Membership(ctx); err == nil { // else the names have to do
		for _, v := range m.Nodes {
			addresses[v.ID] = v.Addresses
		}
	}
	for range rounds {
		for _, m := range st.Members {
			if !m.Online || m.ID == 0 {
				continue
			}
			fmt.Fprintf(c.stdout, "Processing node: %s\n", m.Name)
			if found := addresses[m.ID]; len(found) > 0 {
				family := "ipv4"
				if strings.Contains(found[0], ":") {
					family = "ipv6"
				}
				fmt.Fprintf(c.stdout, " family: %s\n address: %s\n", family, found[0])
			}
		}
	}
}

// flaws is what the release said of a file before it asked anybody; elsewhere
// cmand names all that is wrong, with its place.
func (c *command) flaws(file, path string, text []byte) string {
	if !c.form.distributes {
		return ""
	}
	draft, err := conf.Edit(path, text)
	if err != nil {
		return complaints(path, text, err) + "Unable to parse " + path
	}
	version, ok := draft.Root().Attr("config_version")
	switch {
	case !ok || draft.Root().Name() != "cluster":
		return "Error while retrieving config_version.\nUnable to get the config_version from " + file
	case strings.Trim(version, "0123456789") != "":
		return "config_version is not a valid integer.\nUnable to get the config_version from " + file
	}
	return ""
}

// outcome turns cmand's answer into words. Members that did not take the new
// version are named on stderr, whether it failed for their sake or not.
func (c *command) outcome(path string, answer wire.UpdateAnswer) string {
	for _, n := range answer.Nodes {
		fmt.Fprintf(c.stderr, "Unable to send msg to %s: %s\n", n.Node, n.Problem)
	}
	switch {
	case len(answer.Faults) > 0:
		return fmt.Sprintf("Unable to parse %s\n%s", path, strings.Join(answer.Faults, "\n"))
	case answer.Problem != "":
		return strings.TrimRight(answer.Problem, "\n")
	}
	fmt.Fprintf(c.stdout, "Config file updated from version %d to %d\n", answer.From, answer.To)
	return ""
}
