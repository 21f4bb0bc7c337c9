package main

import "strings"

// The usages are the originals', byte for byte; those of what is ours follow
// them.

const usage = `Usage:
  ccs_tool [options] <command>

Options:
  -verbose            Make some operations print more details.
  -h                  Print this usage and exit.
  -V                  Print version information and exit.

Commands:
  help                Print this usage and exit.
  query <xpath query> Query the cluster configuration.
  addnode <node>      Add a node
  delnode <node>      Delete a node
  lsnode              List nodes
  addservice <name>   Add a service
  delservice <name>   Delete a service
  lsservice           List services
  lsfence             List fence devices
  addfence <fencedev> Add a new fence device
  delfence <fencedev> Delete a fence device
  addscript <name>    Add a script resource
  delscript <name>    Delete a script resource
  lsscript            List script resources
  addip <name>        Add an IP address resource
  delip <name>        Delete an IP address resource
  lsip                List IP address resources
  addfs <name>        Add an filesystem resource
  delfs <name>        Delete an filesystem resource
  lsfs                List filesystem resources
  addfdomain <name>   Add an failover domain
  delfdomain <name>   Delete an failover domain
  lsfdomains          List failover domains
  create              Create a skeleton config file
  addnodeids          Assign node ID numbers to all nodes

`

// usageOf is usage with the commands that the release had.
func usageOf(f form) string {
	var b strings.Builder
	for line := range strings.Lines(usage) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		kind := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(word, "add"), "del"), "ls")
		switch {
		case kind == "service" || kind == "script" || kind == "ip" || kind == "fs" || strings.HasPrefix(kind, "fdomain"):
			if !f.resources {
				continue
			}
		case word == "query" && f.distributes:
			line = "  update <xml file>   Tells ccsd to upgrade to new config file.\n" +
				"  upgrade <location>  Upgrade old CCS format to new xml format.\n"
		case word == "Usage:" && f.distributes:
			line = "Usage::\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

const (
	fileUsage = ` -c --configfile    Name of configuration file (/etc/cluster/cluster.conf)
 -o --outputfile    Name of output file (defaults to same as --configfile)
`
	tellUsage = ` -C --no_ccs        Don't tell CCSD about this change
                    default: run "ccs_tool update" if file is updated in place)
 -F --force_ccs     Force "ccs_tool upgrade" even if input & output files differ
`
	helpUsage = ` -h --help          Display this help text
`
	listUsage = ` -v --verbose       Print all properties of the item
 -c --configfile    Name of configuration file (/etc/cluster/cluster.conf)
` + helpUsage
)

const addnodeHead = `<nodename> [<fencearg>=<value>]...
 -n --nodeid        Nodeid (required)
 -v --votes         Number of votes for this node (default 1)
 -a --altname       Alternative name/interface for multihomed hosts
 -f --fence_type    Type of fencing to use
`

func addnodeTail(f form) string {
	first, second := "newnode1 -n 1 -f manual ipaddr=newnode", "newnode2 -n 2 -f apc -o- newnode.temp.net port=1"
	if f.distributes {
		first, second = "-n 1 -f manual ipaddr=newnode", "-n 2 -f apc -o- newnode.temp.net port=1"
	}
	return `
Examples:

Add a new node to default configuration file:
  ccs_tool addnode ` + first + `

Add a new node and dump config file to stdout rather than save it
  ccs_tool addnode ` + second + "\n"
}

const delfenceTail = `
delfence will allow you to remove a fence device that is in use by nodes.
This is to allow changes to be made, but be aware that it may produce an
invalid configuration file if you don't add it back in again.
`

const addnodeidsHead = `Add node IDs to all nodes in the config file that don't have them.
Nodes with IDs will not be afftected, so you can run this as many times
as you like without doing any harm.
It will optionally add a multicast address to the cluster config too.

Usage: ccs_tool addnodeids [options] <name>
 -n --nodeid        Nodeid to start with (default 1)
 -m --multicast     Set or change the multicast address
 -v --verbose       Print nodeids that are assigned
`

const addserviceHead = `<servicename>
 -a --autostart       Start the service on boot
 -d --domain          Failover domain for the service
 -x --exclusive       Do not run other services on the same server
 -r --recovery        Recovery policy
 -f --fs              Filesystem resource for the service
 -s --script          Script resource for the service
 -i --ip              IP address resource for the service
`

const addfsHead = `<name> <device> <mountpoint>
 -t --type          Type of the filesystem (ext3, ext4, etc.)
                    Default type is ext3.
 -p --options       Mount options
 -k --force_fsck    Force fsck before mount
 -u --force_unmount Call umount with force flag
 -s --self_fence    Use 'self_fence' feature
`

const addfdomainHead = `<name> <node1> ... <nodeN>
 -p --ordered       Allows you to specify a preference order
                    among the members of a failover domain
 -r --restricted    Allows you to restrict the members that can
                    run a particular cluster service.
`

const addvmHead = `<name> [<attribute>=<value>]...
 -a --autostart     Start the virtual machine on boot
 -d --domain        Failover domain for the virtual machine
 -x --exclusive     Do not run other services on the same server
 -r --recovery      Recovery policy
`

const addvmTail = `
Example:

  ccs_tool addvm web -d prefer1 migrate=live path=/srv/machines
`

// createUsage and createUsage2 are those of 3.x and of 2.x.
const createUsage = `Usage: ccs_tool create [-2] <clustername>
 -2                 Create a 2-node cman cluster config file
 -n <num>           Create skeleton entries for <num> nodes
 -f <device>        Add a fence device to the node skeletons
 -c --configfile    Name of configuration file (/etc/cluster/cluster.conf)
` + helpUsage + createNote + `to cman.
` + createExample + `
If you add -n <numbner> to the command then create will add skeleton entries for
that many nodes. This file WILL NEED EDITTING MANUALLY before it can be used
by cman.
`

const createUsage2 = `Usage: ccs_tool create [-2] <clustername>
 -2                 Create a 2-node cman cluster config file
 -c --configfile    Name of configuration file (/etc/cluster/cluster.conf)
` + helpUsage + createNote + `to ccsd.
` + createExample + "\n"

const createNote = `
Note that "create" on its own will not create a valid configuration file.
Fence agents and nodes will need to be added to it before handing it over
`

const createExample = `
eg:
  ccs_tool create MyCluster
  ccs_tool addfence apc fence_apc ipaddr=apc.domain.net user=apc password=apc
  ccs_tool addnode node1 -n 1 -f apc port=1
  ccs_tool addnode node2 -n 2 -f apc port=2
  ccs_tool addnode node3 -n 3 -f apc port=3
  ccs_tool addnode node4 -n 4 -f apc port=4
`

const checkUsage = `Usage: ccs_tool check [options] [<file>]
 -c --configfile    Name of configuration file (/etc/cluster/cluster.conf)
` + helpUsage + `
Say what is wrong with the file, what could be better, what is missing on this
host, and what pushing it would do to the services. The exit status is 0 when
it can be pushed.
`

const diffUsage = `Usage: ccs_tool diff [options] [<file>]
 -c --configfile    Name of configuration file (/etc/cluster/cluster.conf)
` + helpUsage + `
Say what pushing the file would change. The exit status is 0 when nothing
changes, 1 when something does, 2 when that cannot be told.
`

const historyUsage = `Usage: ccs_tool history [options]
` + helpUsage + `
List the configurations that were in force on this node, the latest last.
`

const rollbackUsage = `Usage: ccs_tool rollback [options] <version>
 -n --dry-run       Say what would change, and change nothing
` + helpUsage + `
Push the content of an older version again, under a new version number.
`
