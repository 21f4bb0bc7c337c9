// Package scenario is the language in which tests and people tell a cluster
// what happens to it, and read what it then does: `down node1`, `enable vm:web
// on node2`, `fenced node1`, `status`. docs/scenario.md is its manual.
package scenario
