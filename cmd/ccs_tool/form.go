package main

import (
	"slices"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/getopt"
)

// form is what differs between the releases of the original (ccs_tool, "RHEL
// 5: differences in editing").
type form struct {
	release cluster.Release
	usage   string

	queries     bool // has query
	resources   bool // has the commands for services, resources and domains
	distributes bool // an edit is followed by an update; has upgrade
	needsFence  bool // addnode takes no node without a fence device
	serialised  bool // create writes what an edit would write
	oneTooFew   bool // create leaves out the last node
	family      []subcommand
}

func formOf(r cluster.Release) form {
	f := form{release: r, queries: true, resources: true}
	switch r {
	case cluster.Release3012:
		f.resources, f.oneTooFew = false, true
	case cluster.Release2:
		f = form{release: r, distributes: true, needsFence: true, serialised: true}
	}
	f.usage = usageOf(f)
	f.family = subcommands(f)
	return f
}

func (f form) subcommand(name string) (subcommand, bool) {
	i := slices.IndexFunc(f.family, func(s subcommand) bool { return s.name == name })
	if i < 0 {
		return subcommand{}, false
	}
	return f.family[i], true
}

// subcommand is one word of the family, with its options.
type subcommand struct {
	name    string
	letters string // getopt(3)
	long    []getopt.Long
	numbers string // letters whose argument is a number from 0 up
	least   int    // operands
	needs   string // letters that must be given
	usage   string
	run     func(*command, request) int
	misused int // exit status after a wrong option
}

// longs makes getopt's table of words like `nodeid:n`; spec has a colon behind
// each letter that takes an argument.
func longs(spec, words string) []getopt.Long {
	var table []getopt.Long
	for word := range strings.FieldsSeq(words) {
		name, letter, _ := strings.Cut(word, ":")
		table = append(table, getopt.Long{Name: name, Letter: letter[0], Arg: strings.Contains(spec, letter+":")})
	}
	return table
}

// subcommands are those of the release, and ours.
func subcommands(f form) []subcommand {
	const files, fileWords = "c:o:h?", "configfile:c outputfile:o "
	letters, words, told := files, fileWords, ""
	if f.distributes {
		letters, words, told = "CF"+files, fileWords+"no_ccs:C force_ccs:F ", tellUsage
	}
	edit := func(name, more, moreWords, numbers string, least int, head, tail string, change change) subcommand {
		return subcommand{name, more + letters, longs(more+letters, words+moreWords), numbers, least, "",
			"Usage: ccs_tool " + name + " [options] " + head + fileUsage + told + helpUsage + tail,
			func(c *command, q request) int { return c.edit(q, change) }, 0}
	}
	list := func(name string, show show) subcommand {
		return subcommand{name, "c:vh?", longs("c:v", "configfile:c verbose:v"), "", 0, "",
			"Usage: ccs_tool " + name + " [options]\n" + listUsage,
			func(c *command, q request) int { return c.list(q, show) }, 0}
	}
	const name = "<name>\n"
	all := []subcommand{
		edit("addnode", "n:v:a:f:", "nodeid:n votes:v altname:a fence_type:f", "nv", 1,
			addnodeHead, addnodeTail(f), addNode),
		edit("delnode", "", "", "", 1, name, "", delNode),
		edit("addfence", "", "", "", 2, "<name> <agent> [param=value]\n", "", addFence),
		edit("delfence", "", "", "", 1, name, delfenceTail, delFence),
		{"addnodeids", "n:m:v" + files, longs("n:m:v"+files, fileWords+"nodeid:n multicast:m verbose:v"), "n", 0, "",
			addnodeidsHead + fileUsage + told + helpUsage,
			func(c *command, q request) int { return c.addNodeIDs(q) }, 0},
		list("lsnode", lsNode),
		list("lsfence", lsFence),
	}
	if f.needsFence {
		all[0].needs = "f"
	}
	create := subcommand{"create", "2n:f:c:h?", longs("c:", "configfile:c"), "", 1, "", createUsage, (*command).create, 0}
	if f.serialised {
		create.letters, create.usage = "2c:h?", createUsage2
	}
	all = append(all, create,
		edit("addvm", "a:d:x:r:", "autostart:a domain:d exclusive:x recovery:r", "ax", 1, addvmHead, addvmTail, addVM),
		edit("delvm", "", "", "", 1, name, "", del(vms)),
		list("lsvm", lsVM),
		subcommand{"check", "c:h?", longs("c:", "configfile:c help:h"), "", 0, "", checkUsage, (*command).check, 1},
		subcommand{"diff", "c:h?", longs("c:", "configfile:c help:h"), "", 0, "", diffUsage, (*command).diff, 2},
		subcommand{"history", "h?", longs("", "help:h"), "", 0, "", historyUsage, (*command).history, 1},
		subcommand{"rollback", "nh?", longs("", "dry-run:n help:h"), "", 1, "", rollbackUsage, (*command).rollback, 1})
	if !f.resources {
		return all
	}
	return append(all,
		edit("addservice", "a:d:x:r:f:s:i:", "autostart:a domain:d exclusive:x recovery:r fs:f script:s ip:i", "ax", 1,
			addserviceHead, "", addService),
		edit("addscript", "", "", "", 2, "<name> <path_to_script>\n", "", addScript),
		edit("addip", "", "", "", 1, "<IP_address>\n", "", addIP),
		edit("addfs", "t:p:kus", "type:t options:p force_fsck:k force_unmount:u self_fence:s", "", 3, addfsHead, "", addFS),
		edit("addfdomain", "pr", "ordered:p restricted:r", "", 2, addfdomainHead, "", addFDomain),
		edit("delservice", "", "", "", 1, name, "", del(services)),
		edit("delscript", "", "", "", 1, name, "", del(scripts)),
		edit("delip", "", "", "", 1, name, "", del(ips)),
		edit("delfs", "", "", "", 1, name, "", del(filesystems)),
		edit("delfdomain", "", "", "", 1, name, "", del(fdomains)),
		list("lsservice", lsService),
		list("lsscript", lsScript),
		list("lsip", lsIP),
		list("lsfs", lsFS),
		list("lsfdomains", lsFDomains),
	)
}
