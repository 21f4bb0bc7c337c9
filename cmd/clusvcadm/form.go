package main

import (
	"strings"

	"fangnetz/internal/cluster"
)

// letters are 3.1.8's options, for getopt(3).
const letters = "lSue:M:d:r:n:c:m:FvR:s:Z:U:qh?"

// form is what differs between the releases of the original (clusvcadm, "RHEL
// 5 differences").
type form struct {
	release cluster.Release
	letters string
	usage   string // its one verb is the program's name

	rootOnly     bool // refuses any other user before it reads the options
	checksOnline bool // -M refuses a member that is offline without asking
}

func formOf(r cluster.Release) form {
	f := form{release: r, letters: letters, usage: usage + usageFreeze + usageConvalesce + usageLock, checksOnline: true}
	if r == cluster.Release318 {
		return f
	}
	f.letters = strings.Replace(letters, "c:", "", 1)
	f.usage = usage + usageFreeze + usageLock
	if r == cluster.Release2 {
		f.rootOnly, f.checksOnline = true, false
		f.usage = strings.Replace(usage, "on another\n", "on another", 1) + usageLock // -Z and -U exist
	}
	return f
}

const usage = `usage: %s [command]

Resource Group Control Commands:
  -v                     Display version and exit
  -d <group>             Disable <group>.  This stops a group
                         until an administrator enables it again,
                         the cluster loses and regains quorum, or
                         an administrator-defined event script
                         explicitly enables it again.
  -e <group>             Enable <group>
  -e <group> -F          Enable <group> according to failover
                         domain rules (deprecated; always the
                         case when using central processing)
  -e <group> -m <member> Enable <group> on <member>
  -r <group> -m <member> Relocate <group> [to <member>]
                         Stops a group and starts it on another
                         cluster member.
  -M <group> -m <member> Migrate <group> to <member>
                         (e.g. for live migration of VMs)
  -q                     Quiet operation
  -R <group>             Restart a group in place.
  -s <group>             Stop <group>.  This temporarily stops
                         a group.  After the next group or
                         or cluster member transition, the group
                         will be restarted (if possible).
`

const usageFreeze = `  -Z <group>             Freeze resource group.  This prevents
                         transitions and status checks, and is 
                         useful if an administrator needs to 
                         administer part of a service without 
                         stopping the whole service.
  -U <group>             Unfreeze (thaw) resource group.  Restores
                         a group to normal operation.
`

const usageConvalesce = `  -c <group>             Convalesce (repair, fix) resource group.
                         Attempts to start failed, non-critical 
                         resources within a resource group.
`

const usageLock = `Resource Group Locking (for cluster Shutdown / Debugging):
  -l                     Lock local resource group managers.
                         This prevents resource groups from
                         starting.
  -S                     Show lock state
  -u                     Unlock resource group managers.
                         This allows resource groups to start.
`
