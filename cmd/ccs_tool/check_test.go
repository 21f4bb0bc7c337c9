package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wiretest"
)

// fine is a configuration that there is nothing to say about on node1.
const fine = `<?xml version="1.0"?>
<cluster name="alpha" config_version="7">
  <cman two_node="1" expected_votes="1"/>
  <clusternodes>
    <clusternode name="node1" nodeid="1"><fence><method name="1"><device name="bmc" port="1"/></method></fence></clusternode>
    <clusternode name="node2" nodeid="2"><fence><method name="1"><device name="bmc" port="2"/></method></fence></clusternode>
  </clusternodes>
  <fencedevices>
    <fencedevice name="bmc" agent="fence_here" ipaddr="10.0.0.9" passwd="secret1"/>
  </fencedevices>
  <rm>
    <vm name="web" path="/a"/>
    <vm name="db"/>
  </rm>
</cluster>
`

// node1 is a host that check finds itself on.
func node1(t *testing.T) host {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fence_here"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/libvirt/qemu/byhand.xml", filepath.Join(dir, "byhand.xml")); err != nil {
		t.Fatal(err)
	}
	names := map[string][]string{"node1": {"10.0.0.1"}, "node2": {"10.0.0.2"}, "loop": {"127.0.1.1"}, "elsewhere": {"192.0.2.7"}}
	return host{
		name: func() (string, error) { return "node1.example.com", nil },
		addresses: func() ([]net.Addr, error) {
			return []net.Addr{&net.IPNet{IP: net.ParseIP("127.0.0.1")}, &net.IPNet{IP: net.ParseIP("10.0.0.1")}}, nil
		},
		resolve: func(ctx context.Context, name string) ([]string, error) {
			if name == "slow" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			if found, ok := names[name]; ok {
				return found, nil
			}
			return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
		},
		agents: "/nowhere:" + dir, autostart: dir,
	}
}

// checked runs check on a text beside the configuration in force, if there is
// one.
func checked(t *testing.T, text string, cmand *fakeCmand, args ...string) result {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("c", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if cmand != nil {
		wiretest.Serve(t, cmand, true)
	} else {
		refuseConnections(t)
	}
	return play(&command{form: formOf(cluster.Release318), host: node1(t), stdin: strings.NewReader(text)}, args...)
}

func play1(t *testing.T, text string) result { return checked(t, text, nil, "check", "c") }

func TestCheck(t *testing.T) {
	for _, c := range []struct{ fact, from, to, want string }{
		{"nothing to say", "", "", ""},
		{"not well-formed", "</rm>", "", "c:11:3: error: <rm> is not closed: expected </rm> before </cluster> on line 15"},
		{"a device of nobody", `<device name="bmc" port="2"/>`, `<device name="bcm"/>`, `c:6:74: error: device "bcm" of clusternode "node2" names no fencedevice: expected "bmc"`},
		{"no node can start", ` nodeid="2"`, ``, `c:6:5: error: clusternode "node2" has no nodeid: no node can start; expected a number from 1`},
		{"an odd thing", `<rm>`, `<rm colour="red">`, `c:11:7: warning: attribute colour is not known in <rm>: it is not read`},
		{"two nodes without two_node", `two_node="1" `, ``, `c:4:3: advice: there are two nodes without two_node: when one fails, the other one has no quorum`},
		{"no agent", `fence_here`, `fence_gone`, `c:9:29: warning: agent "fence_gone" of fencedevice "bmc" is not installed here: fencing with it fails on this host`},
		{"an agent by its path", `fence_here`, `/none/fence_here`,
			`c:9:29: warning: agent "/none/fence_here" of fencedevice "bmc" is not installed here: fencing with it fails on this host`},
		{"a person", `fence_here`, `fence_manual`, `c:5:5: advice: clusternode "node1" is fenced by fence_manual alone: when it fails, its services wait for a person` + "\n" +
			`c:6:5: advice: clusternode "node2" is fenced by fence_manual alone: when it fails, its services wait for a person`},
		{"a name without an address", `"node2"`, `"node3"`, `c:6:18: warning: "node3" does not resolve here: expected it in /etc/hosts of every node`},
		{"a name server that does not answer", `"node2"`, `"slow"`, `c:6:18: warning: "slow" could not be resolved within 2s: expected it in /etc/hosts of every node`},
		{"a name of the loopback", `"node2"`, `"loop"`, `c:6:18: advice: "loop" resolves to 127.0.1.1, where no other node reaches it: expected its address on the cluster's network`},
		{"this host's second name is another's", `nodeid="1">`, `nodeid="1"><altname name="elsewhere"/>`,
			`c:4:3: warning: clusternode "node2" has 0 altnames and "node1" has 1: expected as many for all` + "\n" +
				`c:5:51: advice: "elsewhere" is this host, and 192.0.2.7 is no address of its interfaces: expected one of them`},
		{"another host's address is its own matter", `"node2"`, `"elsewhere"`, ""},
		{"a machine that libvirt starts", `<vm name="db"/>`, `<vm name="byhand"/>`,
			`c:13:9: advice: libvirt starts vm:byhand by itself when this host boots: it must be the cluster's alone (virsh autostart --disable byhand)`},
	} {
		t.Run(c.fact, func(t *testing.T) {
			want := result{stdout: "c: can be pushed\n"}
			if c.want != "" {
				want.stdout = c.want + "\n" + want.stdout
			}
			if strings.Contains(c.want, ": error: ") {
				want = result{stdout: c.want + "\nc: cannot be pushed\n", exit: 1}
			}
			if got := play1(t, strings.Replace(fine, c.from, c.to, 1)); got != want {
				t.Errorf("check = %+v; want %+v", got, want)
			}
		})
	}
}

func TestCheckReadsWhatItIsTold(t *testing.T) {
	good := result{stdout: "c: can be pushed\n"}
	if got := checked(t, fine, nil, "check", "-cc"); got != good {
		t.Errorf("check -cc = %+v; want %+v", got, good)
	}
	if got := checked(t, fine, nil, "check", "-"); got.stdout != "-: can be pushed\n" {
		t.Errorf("check - = %+v", got)
	}
	if got := checked(t, fine, nil, "check", "none"); got != (result{"", "ccs_tool: cannot read none: No such file or directory\n", 1}) {
		t.Errorf("check none = %+v", got)
	}
	if got := checked(t, fine, nil, "check", "-x"); got.exit != 1 || got.stdout != "" || !strings.Contains(got.stderr, "Usage: ccs_tool check") {
		t.Errorf("check -x = %+v; want a failure", got)
	}
}

// beside is what runs while a file is checked.
var beside = []cluster.Service{
	{Name: "vm:web", State: cluster.Started, Owner: 1}, {Name: "vm:db", State: cluster.Started, Owner: 2}, {Name: "vm:off", State: cluster.Stopped},
}

// What an update would do to services is said beforehand, and so is why there
// would be none.
func TestCheckBesideARunningCluster(t *testing.T) {
	next := strings.Replace(fine, `version="7"`, `version="8"`, 1)
	for _, c := range []struct {
		fact, text string
		want       result
	}{
		{"the same file", fine, result{stdout: "c: can be pushed\n"}},
		{"another name", strings.Replace(next, "alpha", "beta", 1),
			result{"c:2:10: error: the cluster that runs here is \"alpha\": its name cannot be changed\nc: cannot be pushed\n", "", 1}},
		{"the version was not raised", strings.Replace(fine, "<rm>", "<rm >", 1),
			result{"c:2:23: error: config_version 7 is not above 7, which is in force\nc: cannot be pushed\n", "", 1}},
		{"a node's votes are no matter of services", strings.Replace(next, "<rm>", `<rm max_starts="1">`, 1), result{stdout: "c: can be pushed\n"}},
		{"machines", strings.NewReplacer(`<vm name="db"/>`, `<vm name="new"/>`, `path="/a"`, `path="/b" recovery="relocate"`).Replace(next), result{stdout: "" +
			"c: warning: vm:db removed (it IS STOPPED on node2)\n" +
			"c:12:9: advice: vm:web: recovery restart -> relocate (at once; it goes on running on node1)\n" +
			"c:12:9: advice: vm:web: path /a -> /b (at its next start; it goes on running on node1)\n" +
			"c:13:9: advice: vm:new added (it is started, or left running where it runs already)\n" +
			"c: can be pushed\n"}},
	} {
		t.Run(c.fact, func(t *testing.T) {
			if got := checked(t, c.text, &fakeCmand{running: fine, services: beside}, "check", "c"); got != c.want {
				t.Errorf("check = %+v; want %+v", got, c.want)
			}
		})
	}
}

func TestDiffCommand(t *testing.T) {
	next := strings.Replace(fine, `version="7"`, `version="8"`, 1)
	frozen := []cluster.Service{{Name: "vm:db", State: cluster.Started, Owner: 2, Flags: cluster.Frozen}}
	for _, c := range []struct {
		fact, text string
		services   []cluster.Service
		want       result
	}{
		{"nothing but the version and a comment", strings.Replace(next, "<rm>", "<!-- a -->\n<rm>", 1), beside, result{}},
		{"nodes, devices and machines", strings.NewReplacer("secret1", "secret2", "</clusternodes>", `<clusternode name="node4" nodeid="4"/></clusternodes>`,
			`two_node="1" expected_votes="1"`, ``, `<vm name="db"/>`, `<vm name="db" migrate="pause" autostart="0"/><vm name="x" autostart="0"/>`).Replace(next), beside,
			result{"cman: two_node 1 -> 0\ncman: expected_votes 1 -> (none)\nnode node4 added\nfencedevice bmc: passwd changed\n" +
				"vm:db: autostart 1 -> 0 (at once; it goes on running on node2)\nvm:db: migrate live -> pause (at its next migration; it goes on running on node2)\n" +
				"vm:x added (it is not started, for its autostart is 0; where it runs already, it is left running)\n", "", 1}},
		{"a machine that runs is removed", strings.Replace(next, `<vm name="db"/>`, "", 1), beside, result{"vm:db removed (it IS STOPPED on node2)\n", "", 1}},
		{"a frozen one is", strings.Replace(next, `<vm name="db"/>`, "", 1), frozen,
			result{"vm:db removed (it is left running on node2, out of the cluster's hands: it is frozen)\n", "", 1}},
		{"one that is off is", strings.Replace(next, `<vm name="db"/>`, "", 1), nil, result{"vm:db removed (it does not run)\n", "", 1}},
		{"the version was not raised", strings.Replace(fine, `<vm name="db"/>`, "", 1), nil,
			result{"vm:db removed (it does not run)\n", "ccs_tool: c has config_version 7, and 7 is in force: raise it before an update\n", 1}},
		{"a file that is none", "<cluster", nil, result{"", "c:1:1: error: tag <cluster has no >: expected > before the end of the file\n", 2}},
	} {
		t.Run(c.fact, func(t *testing.T) {
			if got := checked(t, c.text, &fakeCmand{running: fine, services: c.services}, "diff", "c"); got != c.want {
				t.Errorf("diff = %+v; want %+v", got, c.want)
			}
		})
	}
	want := result{"", "Unable to connect to the CCS daemon: Connection refused\n", 2}
	if got := checked(t, fine, nil, "diff", "c"); got != want {
		t.Errorf("without cmand: %+v; want %+v", got, want)
	}
}

func TestHistory(t *testing.T) {
	t.Setenv("TZ", "UTC")
	got := checked(t, fine, &fakeCmand{}, "history")
	lines := strings.Split(got.stdout, "\n")
	if got.exit != 0 || got.stderr != "" || len(lines) != 7 {
		t.Fatalf("history = %+v", got)
	}
	for i, want := range []string{"Version  In force since        Node              Bytes Nodes Services", "  -                  2345     2        9",
		"  node1              2376     2       10", "           vm:new added", "           vm:web: path /a -> /b", "           and 3 more"} {
		if !strings.HasSuffix(lines[i], want) {
			t.Errorf("line %d is %q; want %q at its end", i, lines[i], want)
		}
	}
	if got := checked(t, fine, nil, "history"); got != (result{"", "Unable to connect to the CCS daemon: Connection refused\n", 1}) {
		t.Errorf("without cmand: %+v", got)
	}
}

// The old content is pushed, to the byte, under the number after the one in
// force.
func TestRollback(t *testing.T) {
	old := strings.Replace(strings.Replace(fine, `version="7"`, `version='5'`, 1), `<vm name="db"/>`, "<!-- \u00e9 -->", 1)
	serve := func() *fakeCmand {
		f := &fakeCmand{running: fine, services: beside, kept: map[int]string{5: old}, took: make(chan string, 1)}
		f.answer.From, f.answer.To = 7, 8
		return f
	}
	f := serve()
	want := result{stdout: "Config file updated from version 7 to 8\n\nUpdate complete.\n"}
	if got := checked(t, fine, f, "rollback", "5"); got != want {
		t.Errorf("rollback 5 = %+v; want %+v", got, want)
	}
	if got, want := <-f.took, "version 5: "+strings.Replace(old, `version='5'`, `version="8"`, 1); got != want {
		t.Errorf("cmand was sent %q; want %q", got, want)
	}
	f = serve()
	want = result{stdout: "vm:db removed (it IS STOPPED on node2)\n"}
	for _, option := range []string{"-n", "--dry-run"} {
		if got := checked(t, fine, f, "rollback", option, "5"); got != want || len(f.took) > 0 {
			t.Errorf("rollback %s 5 = %+v; want %+v, and no update", option, got, want)
		}
	}
	for version, want := range map[string]string{
		"7": "ccs_tool: version 7 is in force\n", "9": "The CCS daemon refuses: version 9 was not in force here, or too long ago\n",
		"x": "ccs_tool: version \"x\" is not a number from 1 up\n", "0": "ccs_tool: version \"0\" is not a number from 1 up\n",
	} {
		if got := checked(t, fine, f, "rollback", version); got != (result{"", want, 1}) || len(f.took) > 0 {
			t.Errorf("rollback %s = %+v; want %q", version, got, want)
		}
	}
	if got := checked(t, fine, f, "rollback"); got.exit != 1 || !strings.HasPrefix(got.stderr, "Usage: ccs_tool rollback") {
		t.Errorf("rollback without a version: %+v; want the usage and a failure", got)
	}
}
