// Package scenario is the language in which tests and people tell a cluster
// what happens to it, and read what it then does: `down node1`, `enable vm:web
// on node2`, `fenced node1`, `status`. docs/scenario.md is its manual.
//
// World is a cluster of which only the decisions are real: package rgmanager's
// machine, one for all nodes. What the nodes run, and how operations and
// fencing end, is made up, as the commands say. The daemon and the network are
// not in it.
package scenario
