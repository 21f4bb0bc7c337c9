package conf

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// two is a file with two fenced nodes, n1 and n2; rm goes into <rm>.
func two(rm string) string {
	fence := `<fence><method name="1"><device name="f"/></method></fence>`
	return `<cluster name="a" config_version="1"><clusternodes>` +
		`<clusternode name="n1" nodeid="1">` + fence + `</clusternode>` +
		`<clusternode name="n2" nodeid="2">` + fence + `</clusternode></clusternodes>` +
		`<fencedevices><fencedevice name="f" agent="fence_f"/></fencedevices>` +
		"\n<rm>" + rm + `</rm></cluster>`
}

func TestArticle(t *testing.T) {
	d, err := Parse("cluster.conf", sample(t, "article-rm.conf"))
	if err != nil {
		t.Fatal(err)
	}
	got, faults := d.Config()
	if len(faults) > 0 {
		t.Errorf("faults:\n%v", faults)
	}
	if err := got.Runnable(); err != nil {
		t.Errorf("Runnable() = %v", err)
	}
	methods := func(blade, host string) []FenceMethod {
		return []FenceMethod{
			{Name: "1", Devices: []Device{{Name: "blade-mgmt", Attrs: []Attr{{"blade", blade}}}}},
			{Name: "2", Devices: []Device{{Name: "manual", Attrs: []Attr{{"nodename", host}}}}},
		}
	}
	vm := func(name, domain string) Service {
		return Service{Type: "vm", Name: name, Domain: domain, Autostart: true, DependMode: "hard", VM: &VM{
			Migrate: "live", Hypervisor: "auto", HypervisorURI: "auto", MigrationURI: "auto",
			StartTimeout: 300 * time.Second, StopTimeout: 120 * time.Second, MigrateTimeout: 600 * time.Second,
			StatusInterval: 30 * time.Second, StatusTimeout: 10 * time.Second, DeepInterval: 60 * time.Second, DeepTimeout: 20 * time.Second,
		}}
	}
	want := &Config{
		Name: "examplecluster", Version: 2, Alias: "kvmcluster",
		ClusterID: 62031, TwoNode: true, ExpectedVotes: 1,
		Multicast: "225.0.0.250", TTL: 1, Port: 5405,
		Totem: Totem{Token: 10 * time.Second, SecAuth: true},
		Nodes: []Node{
			{Name: "host1-cluster.example.com", ID: 1, Votes: 1, Fence: methods("1", "host1.example.com")},
			{Name: "host2-cluster.example.com", ID: 2, Votes: 1, Fence: methods("2", "host2.example.com")},
		},
		FenceDevices: []FenceDevice{
			{Name: "blade-mgmt", Agent: "fence_bladecenter", Attrs: []Attr{{"agent", "fence_bladecenter"},
				{"ipaddr", "192.168.10.100"}, {"login", "fence"}, {"passwd", "redhat"}}},
			{Name: "manual", Agent: "fence_manual", Attrs: []Attr{{"agent", "fence_manual"}}},
		},
		FenceDaemon: FenceDaemon{PostJoinDelay: 30 * time.Second, OverrideTime: 3 * time.Second},
		Domains: []FailoverDomain{
			{Name: "kvm-node1", Members: []DomainMember{{Node: "host1-cluster.example.com", Priority: 1}}},
			{Name: "kvm-node2", Members: []DomainMember{{Node: "host2-cluster.example.com", Priority: 1}}},
		},
		Services: []Service{vm("vm1", "kvm-node1"), vm("vm2", "kvm-node2"), vm("vm3", "kvm-node1"), vm("vm4", "kvm-node2")},

		StatusPollInterval: 10 * time.Second,
		Limits:             Limits{Starts: 4, Stops: 8, Migrations: 2},
	}
	// The id by hand: FNV-1a of the name, folded.
	h := uint32(0x811c9dc5)
	for _, b := range []byte(want.Name) {
		h = (h ^ uint32(b)) * 0x01000193
	}
	want.ClusterID = h>>16 ^ h&0xffff
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Config (-want +got):\n%s", diff)
	}
}

func TestEverySettingIsRead(t *testing.T) {
	c, faults := parse(t, `<cluster name="a" config_version="7">
<cman two_node="0" expected_votes="3" cluster_id="77" port="6000" keyfile="/k" transport="udpu"><multicast addr="239.1.1.1" ttl="4"/></cman>
<totem token="21000" consensus="30000" secauth="off"/>
<fence_daemon post_join_delay="20" post_fail_delay="5" override_time="0" clean_start="1"/>
<clusternodes><clusternode name="n1" nodeid="3" votes="2"><altname name="n1-b"/><fence><method name="1"><device name="f" port="1"/></method></fence>
<unfence><device name="f" port="1" action="on"/></unfence></clusternode></clusternodes>
<fencedevices><fencedevice name="f" agent="fence_f"/></fencedevices>
<rm status_poll_interval="3" max_starts="1" max_stops="2" max_migrations="3"><vm name="v" autostart="0" exclusive="yes" recovery="relocate" max_restarts="3" restart_expire_time="5m"
 depend="vm:w" depend_mode="soft" priority="4" xmlfile="/x" path="/p" snapshot="/s" migrate="pause" migrate_options="--o" tunnelled="1"
 migration_mapping="a:b" use_virsh="1" status_program="/bin/true" hypervisor="qemu" hypervisor_uri="qemu:///x" migration_uri="qemu+ssh://%s/x"
 no_kill="yes"><action name="start" timeout="10"/><action name="stop" timeout="1m"/><action name="migrate" timeout="1h"/><action name="status" interval="9"/>
 <action name="status" depth="10" interval="2m" timeout="45"/></vm>
<vm name="w"><script/><action name="status" depth="*" interval="7"/></vm></rm></cluster>`).Config()
	if len(faults) > 0 {
		t.Errorf("faults:\n%v", faults)
	}
	want := &Config{
		Name: "a", Version: 7, ClusterID: 77, ExpectedVotes: 3, Transport: "udpu", Multicast: "239.1.1.1", TTL: 4, Port: 6000, KeyFile: "/k",
		Totem:        Totem{Token: 21 * time.Second, Consensus: 30 * time.Second},
		FenceDaemon:  FenceDaemon{PostJoinDelay: 20 * time.Second, PostFailDelay: 5 * time.Second, CleanStart: true},
		FenceDevices: []FenceDevice{{Name: "f", Agent: "fence_f", Attrs: []Attr{{"agent", "fence_f"}}}},
		Nodes: []Node{{Name: "n1", ID: 3, Votes: 2, AltNames: []string{"n1-b"},
			Fence:   []FenceMethod{{Name: "1", Devices: []Device{{Name: "f", Attrs: []Attr{{"port", "1"}}}}}},
			Unfence: []Device{{Name: "f", Attrs: []Attr{{"port", "1"}, {"action", "on"}}}}}},
		StatusPollInterval: 3 * time.Second,
		Limits:             Limits{Starts: 1, Stops: 2, Migrations: 3},
		Services: []Service{
			{Type: "vm", Name: "v", Exclusive: 1, Recovery: "relocate", MaxRestarts: 3, RestartExpire: 5 * time.Minute,
				Depend: "vm:w", DependMode: "soft", Priority: 4, VM: &VM{XMLFile: "/x", Path: "/p", Snapshot: "/s", Migrate: "pause",
					MigrateOptions: "--o", Tunnelled: true, Mapping: "a:b", UseVirsh: "1", StatusProgram: "/bin/true", Hypervisor: "qemu",
					HypervisorURI: "qemu:///x", MigrationURI: "qemu+ssh://%s/x", NoKill: true,
					StartTimeout: 10 * time.Second, StopTimeout: time.Minute, MigrateTimeout: time.Hour,
					StatusInterval: 9 * time.Second, StatusTimeout: 10 * time.Second, DeepInterval: 2 * time.Minute, DeepTimeout: 45 * time.Second}},
			{Type: "vm", Name: "w", Autostart: true, DependMode: "hard", Children: true, VM: &VM{Migrate: "live", Hypervisor: "auto",
				HypervisorURI: "auto", MigrationURI: "auto", StartTimeout: 300 * time.Second, StopTimeout: 120 * time.Second,
				MigrateTimeout: 600 * time.Second, StatusInterval: 7 * time.Second, StatusTimeout: 10 * time.Second,
				DeepInterval: 7 * time.Second, DeepTimeout: 20 * time.Second}},
		},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("Config (-want +got):\n%s", diff)
	}
}

// Each file is two("") with one thing changed.
func TestCheckNamesWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		name, old, new string
		want           string // without the place
		at             int    // column in line 1; 0: not asked
	}{
		{"nothing", "", "", "", 0},
		{"node name twice", `"n2"`, `"n1"`, `clusternode "n1" is given twice: expected each name once`, 0},
		{"node id twice", `nodeid="2"`, `nodeid="1"`, `clusternode "n2" has nodeid 1, as has "n1": expected each nodeid once`, 0},
		{"device misspelled", `<device name="f"/>`, `<device name="g"/>`,
			`device "g" of clusternode "n1" names no fencedevice: expected "f"`, 118},
		{"no device resolves", `<fencedevice name="f"`, `<fencedevice name="g"`,
			`warning: device "f" of clusternode "n1" names no fencedevice: expected a fencedevice of that name`, 0},
		{"too many votes", `nodeid="1"`, `nodeid="1" votes="256"`, `clusternode "n1" has 256 votes: expected 0 to 255`, 0},
		{"transport unknown", `<clusternodes>`, `<cman transport="tcp"/><clusternodes>`,
			`transport "tcp" does not exist: expected udp, udpb, udpu or rdma`, 0},
		{"broadcast by udpu", `<clusternodes>`, `<cman transport="udpu" broadcast="yes"/><clusternodes>`,
			`transport "udpu" and broadcast exclude each other: expected udpb`, 0},
		{"ttl too high", `<clusternodes>`, `<cman><multicast ttl="300"/></cman><clusternodes>`,
			`ttl 300 is out of range: expected 0 to 255`, 0},
		{"no name", `name="a" `, ``, `warning: cluster has no name: no node can start; expected 1 to 15 characters`, 1},
		{"long name", `name="a"`, `name="abcdefghijklmnop"`,
			`warning: cluster name "abcdefghijklmnop" is too long: no node can start; expected at most 15 characters`, 10},
		{"no version", ` config_version="1"`, ``, `warning: cluster has no config_version: it counts as 0`, 1},
		{"version with a letter", `config_version="1"`, `config_version="1b"`, `warning: config_version "1b" is not a number: it counts as 1`, 19},
		{"no nodeid", ` nodeid="2"`, ``, `warning: clusternode "n2" has no nodeid: no node can start; expected a number from 1`, 0},
		{"nodeid 0", `nodeid="2"`, `nodeid="0"`, `warning: clusternode "n2" has nodeid 0: no node can start; expected a number from 1`, 0},
		{"nameless node", `name="n2" `, ``, `warning: clusternode has no name: it is not read`, 0},
		{"two_node with more votes", `nodeid="1">`, `nodeid="1" votes="3">`, ``, 0},
		{"unknown element", `<clusternodes>`, `<cmna/><clusternodes>`, `warning: <cmna> is not known in <cluster>: it is not read`, 38},
		{"unknown attribute", `nodeid="1"`, `nodeid="1" vote="2"`, `warning: attribute vote is not known in <clusternode>: it is not read`, 0},
		{"element twice", `<clusternodes>`, `<cman/><cman/><clusternodes>`, `warning: <cman> is given twice: only the first is read`, 45},
		{"no fence method", `<fence><method name="1"><device name="f"/></method></fence></clusternode><clusternode name="n2"`, `</clusternode><clusternode name="n2"`,
			`warning: clusternode "n1" has no fence method: when it fails, its services stay down`, 0},
		{"empty method", `<device name="f"/></method></fence></clusternode><cl`, `</method></fence></clusternode><cl`,
			`warning: method "1" of clusternode "n1" has no device: it always fails`, 0},
		{"fencedevice twice", `<fencedevices>`, `<fencedevices><fencedevice name="f" agent="fence_g"/>`,
			`warning: fencedevice "f" is given twice: only the first is read`, 0},
		{"fencedevice without agent", ` agent="fence_f"`, ``, `warning: fencedevice "f" has no agent: fencing with it fails`, 0},
		{"negative delay", `<clusternodes>`, `<fence_daemon post_join_delay="-1"/><clusternodes>`,
			`warning: post_join_delay -1 is ignored: expected at least 0`, 0},
		{"quorum disk", `<clusternodes>`, `<quorumd label="q"/><clusternodes>`, `warning: quorumd is not run: a quorum disk has no votes here`, 0},
		{"poll interval 0", `<rm>`, `<rm status_poll_interval="0">`, `warning: status_poll_interval 0 is ignored: expected at least 1`, 0},
		{"domain missing", `<rm>`, `<rm><vm name="v" domain="d"/>`, `warning: domain "d" of vm:v does not exist: all nodes count alike`, 0},
		{"limit 0", `<rm>`, `<rm max_starts="0">`, `warning: max_starts 0 does not count: expected a number from 1`, 0},
		{"dependency missing", `<rm>`, `<rm><vm name="v" depend="vm:w"/>`, `warning: vm:v depends on "vm:w", which does not exist`, 0},
		{"reference to nothing", `<rm>`, `<rm><vm ref="v"/>`, `warning: reference to nonexistent resource "v" (type vm): it is not read`, 0},
		{"service of another type", `<rm>`, `<rm><script name="s"/>`, `warning: <script> in <rm> is not run: expected <vm> or <service>`, 0},
		{"autostart yes", `<rm>`, `<rm><vm name="v" autostart="yes"/>`, `warning: autostart "yes" is not a number: it counts as 0`, 0},
		{"time without unit known", `<rm>`, `<rm><vm name="v" restart_expire_time="5x"/>`,
			`warning: restart_expire_time "5x" is not a time: it counts as 0; expected a number and s m h d w or y`, 0},
		{"name too long", `<rm>`, `<rm><vm name="` + strings.Repeat("v", 61) + `"/>`,
			`warning: name vm:` + strings.Repeat("v", 61) + ` is too long: expected at most 63 characters`, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := parse(t, strings.Replace(two(""), test.old, test.new, 1))
			var got []string
			for _, f := range d.Check() {
				if f.Line < 1 || f.Column < 1 {
					t.Errorf("%v has no place", f)
				}
				if test.at != 0 && (f.Line != 1 || f.Column != test.at) {
					t.Errorf("%v: want column %d", f, test.at)
				}
				got = append(got, strings.TrimPrefix(f.String(), fmt.Sprintf("c:%d:%d: ", f.Line, f.Column)))
			}
			switch {
			case test.want == "" && len(got) > 0:
				t.Errorf("Check() = %q, want nothing", got)
			case test.want != "" && !slices.Contains(got, test.want):
				t.Errorf("Check() = %q, want %q", got, test.want)
			}
		})
	}
}

func TestTwoNodeIsChecked(t *testing.T) {
	text := strings.Replace(two(""), "<clusternodes>", `<cman two_node="1" expected_votes="2"/><clusternodes>`, 1)
	text = strings.Replace(text, `nodeid="2"`, `nodeid="2" votes="3"`, 1)
	want := []string{
		`c:1:44: warning: two_node is set and clusternode "n2" has 3 votes: no node can start; expected 1`,
		`c:1:57: warning: expected_votes 2 does not count: two_node sets it to 1`,
	}
	if diff := cmp.Diff(want, lineList(parse(t, text).Check())); diff != "" {
		t.Errorf("Check() (-want +got):\n%s", diff)
	}
}

func TestFirstOneWins(t *testing.T) {
	c, _ := parse(t, `<cluster name="a"><cman port="1"/><cman port="2"/><clusternodes><clusternode name="n" nodeid="1" votes="2"/>`+
		`<clusternode name="n" nodeid="2"/><clusternode name="m" nodeid="1"/></clusternodes><fencedevices>`+
		`<fencedevice name="f" agent="x"/><fencedevice name="f" agent="y"/></fencedevices></cluster>`).Config()
	if len(c.Nodes) != 2 || c.NodeByName("n").Votes != 2 || c.NodeByID(1).Name != "n" {
		t.Errorf("nodes = %v", c.Nodes)
	}
	if c.NodeByID(2) != nil || c.NodeByID(0) != nil {
		t.Error("a node has id 2 or 0")
	}
	if c.Port != 1 || len(c.FenceDevices) != 1 || c.FenceDevices[0].Agent != "x" {
		t.Errorf("port = %d, fence devices = %v", c.Port, c.FenceDevices)
	}
}

func TestAtMostEightMethodsAndDevices(t *testing.T) {
	method := `<method name="m"><device name="f"/>` + strings.Repeat(`<device name="f"/>`, 8) + `</method>`
	text := strings.Replace(two(""), `<fence>`, `<fence>`+strings.Repeat(method, 8), 1)
	c, _ := parse(t, text).Config()
	if n := c.Nodes[0]; len(n.Fence) != 8 || len(n.Fence[0].Devices) != 8 {
		t.Errorf("%d methods, %d devices; want 8 and 8", len(n.Fence), len(n.Fence[0].Devices))
	}
}
