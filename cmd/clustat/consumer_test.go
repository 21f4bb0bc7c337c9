package main

import (
	"os/exec"
	"testing"

	"fangnetz/internal/cluster"
)

// consumers read clustat the ways that monitoring plug-ins and fence and
// resource scripts do. They need what their authors had: bash, awk, perl, python3.
var consumers = map[string]struct{ script, want string }{
	"perl: services below the dashed rule": {`clustat | perl -ne '
		if (/^\s*-{7} -{4}\s+-{5} -{6}\s+-{5}\s*$/) { $below = 1; next }
		next unless $below;
		my ($name, $owner, $state) = split;
		print "$name|$owner|$state\n";'`,
		"service:db|(node2)|failed\nservice:web|node1|started\nvm:mail|(none)|disabled\n"},
	"perl: members between the rules": {`clustat | perl -ne '
		$in = 1, next if /^\s*-+ -+\s+-{4}\s-{6}$/;
		last if $in and /^\s*$/;
		print "$1 $2 $3 @{[scalar split /, /, $4]}\n" if $in and /^\s(\S+)\s+(\d+)\s(Online|Offline)(.*)$/;'`,
		"node1 1 Online 3\nnode2 2 Online 2\nnode3 3 Offline 0\n"},
	"perl: quorum and the cluster's name and time": {`clustat | perl -0ne '
		print "$1 $2\n" if /^Cluster Status for (\S+) @ \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\nMember Status: (\w+)\n\n/'`,
		"alpha Quorate\n"},
	"perl: attributes by name, as XML::Simple gives them": {`clustat -x | perl -ne '
		next unless /<group /;
		my %group = /(\w+)="([^"]*)"/g;
		print "$group{name} is $group{state_str} ($group{state}) on $group{owner}, last $group{last_owner}\n";'`,
		"service:db is failed (114) on none, last node2\nservice:web is started (112) on node1, last node2\nvm:mail is disabled (119) on none, last none\n"},
	"perl: fixed columns": {`clustat | perl -ne 'print join("|", unpack("x A30 x A30 x A14", $_)), "\n" if /^ (service|vm):/'`,
		"service:db|(node2)|failed\nservice:web|node1|started\nvm:mail|(none)|disabled\n"},
	"python: ElementTree": {`clustat -x | python3 -c '
import sys, xml.etree.ElementTree as et
root = et.parse(sys.stdin).getroot()
print(root.tag, root.get("version"), root.find("./cluster").get("name"), int(root.find("cluster").get("id")))
print(root.find("quorum").attrib)
for n in root.findall("./nodes/node"): print(n.get("name"), int(n.get("nodeid"), 16), n.get("state"), n.get("local"), n.get("rgmanager"))
for g in root.iter("group"): print(g.attrib["name"], g.attrib["state_str"], g.attrib["owner"])'`,
		"clustat 4.1.1 alpha 12345\n{'quorate': '1', 'groupmember': '1'}\nnode1 1 1 1 1\nnode2 2 1 0 1\nnode3 3 0 0 0\n" +
			"service:db failed none\nservice:web started node1\nvm:mail disabled none\n"},
	"python: minidom, services of the local node": {`python3 -c '
import subprocess, xml.dom.minidom
doc = xml.dom.minidom.parseString(subprocess.check_output(["clustat", "-x"])).childNodes[0]
me = [n for n in doc.getElementsByTagName("nodes")[0].getElementsByTagName("node") if n.attributes["local"].value == "1"][0].attributes["name"].value
print(me, [g.getAttribute("name") for g in doc.getElementsByTagName("group") if g.getAttribute("owner") == me])'`,
		"node1 ['service:web']\n"},
	"python: JSON": {`clustat --json | python3 -c '
import sys, json
c = json.load(sys.stdin)
print(c["schema"], c["quorate"], [m["name"] for m in c["members"] if not m["online"]], {s["name"]: s["owner"] for s in c["services"]})'`,
		"1 True ['node3'] {'service:db': None, 'service:web': 'node1', 'vm:mail': None}\n"},
	"bash: attributes made variables": {`line=$(clustat -xm node3 | grep 'name="node3"'); line=${line#*<node}
		for word in ${line%/>}; do eval "declare x_$word"; done; echo "$x_state $x_estranged $x_nodeid"`,
		"0 0 0x00000003\n"},
	"bash: exit statuses": {`for s in web db vm:mail nothing; do clustat -s $s >/dev/null; echo $?; done
		for m in node1 node3; do clustat -m $m >/dev/null; echo $?; done; clustat -Q; echo $?`,
		"0\n114\n119\n255\n0\n1\n0\n"},
	"awk: the owner of a service":   {`clustat -s web | awk '/service:web/ { print $2, $3 }'`, "node1 started\n"},
	"awk: how many are not started": {`clustat | awk '/^ (service|vm):/ && $NF != "started"' | wc -l`, "2\n"},
	"sed: long blocks": {`clustat -l | sed -n 's/^Service Name *: //p; s/^  Current State *: \([a-z]*\) (\([0-9]*\))$/\1 \2/p; s/^  Owner *: //p'`,
		"service:db\nfailed 114\nnone\nservice:web\nstarted 112\nnode1\nvm:mail\ndisabled 119\nnone\n"},
	"grep and cut: who is here": {`clustat | grep Local | cut -d' ' -f2; clustat -I`, "node1\n0x00000001\n"},
}

func TestConsumers(t *testing.T) {
	onPath(t)
	st := one()
	st.Members = append(st.Members,
		cluster.Member{Name: "node2", ID: 2, Configured: true, Known: true, Online: true, Manager: true},
		cluster.Member{Name: "node3", ID: 3, Configured: true, Known: true})
	st.Services = []cluster.Service{
		{Name: "service:web", State: cluster.Started, Owner: 1, LastOwner: 2},
		{Name: "service:db", State: cluster.Failed, LastOwner: 2}, {Name: "vm:mail", State: cluster.Disabled}}
	serve(t, fakeCmand{status: st})
	for _, compat := range []string{"", "6.0", "5"} {
		t.Setenv("RHCS_COMPAT", compat)
		for name, c := range consumers {
			out, err := exec.Command("bash", "-c", "set -o pipefail; "+c.script).CombinedOutput()
			if err != nil || string(out) != c.want {
				t.Errorf("RHCS_COMPAT=%s, %s: %v\n%swant\n%s", compat, name, err, out, c.want)
			}
		}
	}
}
