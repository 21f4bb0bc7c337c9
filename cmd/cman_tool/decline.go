package main

import "context"

// decline answers for what cmand does by itself, or cluster.conf says: with one
// line that tells the way, and never with success.
func (c *command) decline(ctx context.Context, q request) int {
	_, err := c.client.Status(ctx)
	switch running := err == nil; {
	case q.operation == "join" && q.has('t') && !q.has('w') && !q.has('q'):
		return c.die("timeout is only appropriate with wait")
	case q.operation == "join" && running:
		return c.die("Node is already active")
	case q.operation == "join":
		return c.die("the node joins when cmand starts: systemctl start cmand")
	case q.operation == "kill" && q.names == nil:
		return c.die("No node name specified\n")
	case !running:
		return c.lost()
	}
	return c.die("%s", map[string]string{
		"leave":    "the node leaves when cmand ends: systemctl stop cmand",
		"kill":     "a node is not killed from here: stop cmand on it, or cut its power, and the others fence it",
		"expected": "the expected votes are <cman expected_votes> in cluster.conf: change it and run ccs_tool update",
		"votes":    "a node's votes are <clusternode votes> in cluster.conf: change them and run ccs_tool update",
		"debug":    "cmand writes all that it knows to its log",
	}[q.operation])
}
