package main

import "fangnetz/internal/cluster"

// operations are what cman_tool can be asked for (cman, "cman_tool: command
// line").
var operations = []string{"join", "leave", "kill", "expected", "votes", "version", "wait", "status", "nodes", "services", "debug"}

// form is what differs between the releases of the original.
type form struct {
	release  cluster.Release
	letters  string // for getopt(3)
	protocol string
	votes    bool // status shows this node's votes, and nodes -F knows them
	groups   bool // services are a table of groups
}

func formOf(r cluster.Release) form {
	if r == cluster.Release2 {
		return form{release: r, letters: "m:n:v:e:2p:c:i:N:t:o:k:F:VAwfqah?XDd::r:", protocol: "6.1.0", groups: true}
	}
	return form{release: r, letters: "m:n:v:e:2p:c:i:N:t:o:k:F:C:VAPwfqazh?XD::Sd::r::", protocol: "6.2.0", votes: true}
}
