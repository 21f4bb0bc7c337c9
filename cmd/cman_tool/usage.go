package main

import (
	"fmt"
	"slices"
)

// usages tell of each operation. Those without a line here are cmand's own
// business (decline.go).
var usages = []struct{ operation, text string }{
	{"status", `  status             show this node's view of the cluster
`},
	{"nodes", `  nodes              show all nodes, members or not
      -a             with their addresses
      -n NAME        only this one; may be given several times
      -F LIST        only these fields, without a heading:
                     id,name,type,addr,votes,exp,state
`},
	{"services", `  services           show the fence domain
`},
	{"version", `  version            show the protocol and the version of cluster.conf
      -r             push /etc/cluster/cluster.conf to all members
      -d             and say what is being done
`},
	{"wait", `  wait               wait until this node is a member
      -q             or until there is quorum
      -t SECONDS     no longer than this; then the exit status is 2
`},
	{"", `
join, leave, kill, expected, votes and debug are cmand's own business, or are
set in cluster.conf: each says how.
`},
}

// usage tells of one operation, or of all.
func (c *command) usage(operation string) {
	known := slices.ContainsFunc(usages, func(u struct{ operation, text string }) bool { return u.operation == operation })
	if !known {
		operation = ""
	}
	fmt.Fprint(c.stdout, "Usage:\n\ncman_tool <status|nodes|services|version|wait> [options]\n\n")
	for _, u := range usages {
		if operation == "" || u.operation == operation {
			fmt.Fprint(c.stdout, u.text)
		}
	}
	if operation == "" {
		fmt.Fprint(c.stdout, "\n  -h                 print this help\n  -V                 print the release\n")
	}
}
