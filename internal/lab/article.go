package lab

import (
	"fmt"
	"strings"
)

// Article is the cluster.conf of the article that the lab plays, for two
// hosts: power switches that answer IPMI in place of its blade centre, times
// that suit a test, and its <rm> section as a comment until the machines are
// there.
type Article struct {
	Version  int
	Services bool   // the <rm> section counts
	Password string // of host2's power switch; empty: the right one
}

// Text is the file. The first host has the delay that decides a race of two
// nodes that fence each other: it survives.
func (a Article) Text(hosts []*Host) string {
	var nodes, devices strings.Builder
	for _, h := range hosts {
		delay, password := "", PowerPassword
		if h.number == 1 && len(hosts) > 1 {
			delay = ` delay="5"`
		}
		if h.number == 2 && a.Password != "" {
			password = a.Password
		}
		fmt.Fprintf(&nodes, `        <clusternode name="%s" nodeid="%d" votes="1">
            <fence>
                <method name="1">
                    <device name="power-%s"%s/>
                </method>
            </fence>
        </clusternode>
`, h.ClusterName(), h.number, h.Name, delay)
		fmt.Fprintf(&devices, `        <fencedevice agent="fence_ipmilan" ipaddr="%s" login="%s" name="power-%s" passwd="%s" lanplus="1" cipher="3"/>
`, h.PowerAddress(), PowerUser, h.Name, password)
	}
	begin, end, cman := "    <!--\n", "    -->\n", ""
	if a.Services {
		begin, end = "", ""
	}
	if len(hosts) == 2 {
		cman = `    <cman expected_votes="1" two_node="1">
        <multicast addr="225.0.0.250"/>
    </cman>
`
	}
	if len(hosts) > 1 {
		cman += `    <totem token="2000"/>
`
	}
	return fmt.Sprintf(`<?xml version="1.0"?>
<cluster alias="kvmcluster" config_version="%d" name="examplecluster">
    <fence_daemon clean_start="0" post_fail_delay="0" post_join_delay="6"/>
    <clusternodes>
%s    </clusternodes>
%s    <fencedevices>
%s    </fencedevices>
%s%s%s</cluster>
`, a.Version, nodes.String(), cman, devices.String(), begin, services(hosts), end)
}

// services is the article's <rm> section: each machine has a home, which binds
// it only while that host is up. autostart is off, so that the administrator's
// first clusvcadm -e is what starts them.
func services(hosts []*Host) string {
	var domains, machines strings.Builder
	for _, h := range hosts {
		fmt.Fprintf(&domains, `            <failoverdomain name="kvm-node%d" ordered="0" restricted="0">
                <failoverdomainnode name="%s" priority="1"/>
            </failoverdomain>
`, h.number, h.ClusterName())
		fmt.Fprintf(&machines, `        <vm name="vm%d" domain="kvm-node%d" autostart="0"/>
`, h.number, h.number)
	}
	return fmt.Sprintf(`    <rm status_poll_interval="2">
        <failoverdomains>
%s        </failoverdomains>
        <resources/>
%s    </rm>
`, domains.String(), machines.String())
}
