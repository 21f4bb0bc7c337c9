package main

import (
	"strings"

	"fangnetz/internal/cluster"
)

// form is what differs between the releases of the original (clustat,
// "Differences between versions").
type form struct {
	release cluster.Release
	usage   string // its one verb is the program's name

	asksForVersion bool // -v fails without cmand
	fastList       bool // -f lists members as the ring does
	flags          bool // services' flags are shown
	headingFirst   bool // -m and -s print the heading before they look
	needsStates    bool // text without service states is a failure
}

func formOf(r cluster.Release) form {
	f := form{release: r, usage: usage}
	switch r {
	case cluster.Release318:
		f.fastList, f.flags = true, true
		return f
	case cluster.Release2:
		f.headingFirst = true
	}
	f.asksForVersion, f.needsStates = true, true
	f.usage = strings.NewReplacer(
		"version and exit", "version & cluster plugin and exit",
		"-Q                 ", "-Q\t\t\t", "-f                 ", "-f\t\t\t", "-l                 ", "-l\t\t\t",
	).Replace(usage)
	return f
}

const usage = `usage: %s <options>
    -i <interval>      Refresh every <interval> seconds.  May not be used
                       with -x.
    -I                 Display local node ID and exit
    -m <member>        Display status of <member> and exit
    -s <service>       Display status of <service> and exit
    -v                 Display version and exit
    -x                 Dump information as XML
    -Q                 Return 0 if quorate, 1 if not (no output)
    -f                 Enable fast clustat reports
    -l                 Use long format for services

`
