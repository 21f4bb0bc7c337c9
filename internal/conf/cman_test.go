package conf

import (
	"strings"
	"testing"
)

// The table is the one in cman, "Cluster id, multicast address, ports, node
// ids and names".
func TestClusterIDAndMulticast(t *testing.T) {
	for _, test := range []struct {
		name          string
		add           uint32
		addAddr       string
		hash          uint32
		hashAddr, ip6 string
	}{
		{"alpha", 3169, "239.192.12.109", 12320, "239.192.48.80", "ff15::3020"},
		{"mycluster", 56756, "239.192.221.146", 65461, "239.192.255.181", "ff15::ffb5"},
		{"test", 1678, "239.192.6.148", 56885, "239.192.222.20", "ff15::de35"},
		{"Cluster1", 22681, "239.192.88.241", 7387, "239.192.28.247", "ff15::1cdb"},
		{"abcdefghijklmno", 65423, "239.192.255.143", 61186, "239.192.239.241", "ff15::ef02"},
	} {
		add, hash := ClusterID(test.name, false), ClusterID(test.name, true)
		if add != test.add || hash != test.hash {
			t.Errorf("ClusterID(%s) = %d, %d; want %d, %d", test.name, add, hash, test.add, test.hash)
		}
		if a, h := MulticastAddr(add, false).String(), MulticastAddr(hash, false).String(); a != test.addAddr || h != test.hashAddr {
			t.Errorf("MulticastAddr of %s = %s, %s; want %s, %s", test.name, a, h, test.addAddr, test.hashAddr)
		}
		if got := MulticastAddr(hash, true).String(); got != test.ip6 {
			t.Errorf("MulticastAddr of %s = %s, want %s", test.name, got, test.ip6)
		}
		for attr, want := range map[string]uint32{"": hash, `hash_cluster_id="yes"`: hash, `hash_cluster_id="on"`: hash,
			`hash_cluster_id="no"`: add, `cluster_id="9"`: 9, `cluster_id="0"`: hash} {
			c, _ := parse(t, `<cluster name="`+test.name+`"><cman `+attr+`/></cluster>`).Config()
			if c.ClusterID != want {
				t.Errorf("<cman %s> of %s: id %d, want %d", attr, test.name, c.ClusterID, want)
			}
		}
	}
}

func TestLocalNode(t *testing.T) {
	nodes := func(names ...string) *Config {
		c := &Config{}
		for _, n := range names {
			c.Nodes = append(c.Nodes, Node{Name: n})
		}
		return c
	}
	for _, test := range []struct {
		name     string
		config   *Config
		hostname string
		addrs    []string
		want     string
	}{
		{"exact name", nodes("h1", "h1.a", "h1.b"), "h1.b", nil, "h1.b"},
		{"name without domain", nodes("h1.b", "h1"), "h1.a", nil, "h1"},
		{"first label", nodes("h2.b", "h1.b"), "h1.a", nil, "h1.b"},
		{"first label of a short host name", nodes("h1.b"), "h1", nil, "h1.b"},
		{"name of an address", nodes("h1-cluster.a"), "h1.a", []string{"h1.a", "h1-cluster.a", "10.0.0.1"}, "h1-cluster.a"},
		{"short name of an address", nodes("h1-cluster"), "h1.a", []string{"h1-cluster.a"}, "h1-cluster"},
		{"address", nodes("10.0.0.2", "10.0.0.1"), "h1", []string{"10.0.0.1"}, "10.0.0.1"},
		{"an address has no first label", nodes("10.0.0.2"), "10", []string{"10.9.9.9"}, ""},
		{"nobody", nodes("h1"), "h2", []string{"10.0.0.1"}, ""},
		{"no host name", nodes(".x", "h1"), "", nil, ""},
	} {
		got := ""
		if n := test.config.LocalNode(test.hostname, test.addrs); n != nil {
			got = n.Name
		}
		if got != test.want {
			t.Errorf("%s: LocalNode(%q, %q) = %q, want %q", test.name, test.hostname, test.addrs, got, test.want)
		}
	}
}

// Texts of cman, "Start-up checks and their texts".
func TestRunnable(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{"", "", ""},
		{`name="a" `, ``, "Can't find cluster name in CCS"},
		{`name="a"`, `name="abcdefghijklmnop"`, "Invalid cluster name. It must be 15 characters or fewer"},
		{` nodeid="2"`, ``, "No node ID for n2, run 'ccs_tool addnodeids' to fix"},
		{`nodeid="2"`, `nodeid="x"`, "No node ID for n2, run 'ccs_tool addnodeids' to fix"},
		{`nodeid="2"`, `nodeid="2" votes="-1"`, "Found negative votes for this node in CCS"},
		{`nodeid="2"`, `nodeid="2" votes="256"`, "Found invalid votes for node in CCS"},
		{`<rm>`, `<cman transport="tcp"/><rm>`, "Transport option value can be one of udp, udpb, udpu, rdma"},
		{`<rm>`, `<cman transport="udp" broadcast="yes"/><rm>`, "Transport and broadcast option are mutually exclusive"},
		{`<rm>`, `<cman transport="udpb" broadcast="yes"/><rm>`, ""},
		{`<rm>`, `<cman><multicast ttl="256"/></cman><rm>`, "TTL value (256) out of range (0 - 255)"},
		{`<rm>`, `<cman two_node="1"/><rm>`, ""},
		{`nodeid="2"`, `nodeid="2" votes="2"`, ""},
		{`<clusternode name="n1"`, `<cman two_node="1"/><clusternode name="n1"`, ""}, // not where <cman> belongs: not read
	} {
		c, _ := parse(t, strings.Replace(two(""), test.old, test.new, 1)).Config()
		got := ""
		if err := c.Runnable(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s instead of %s: Runnable() = %q, want %q", test.new, test.old, got, test.want)
		}
	}
	for text, want := range map[string]string{
		`<cluster name="a"/>`: "Cannot find node name in cluster.conf",
		`<cluster name="a"><cman two_node="1"/><clusternodes><clusternode name="n" nodeid="1"/></clusternodes></cluster>`:                                             "two_node is set but there are not 2 nodes in cluster.conf",
		`<cluster name="a"><cman two_node="1"/><clusternodes><clusternode name="n" nodeid="1"/><clusternode name="m" nodeid="2" votes="2"/></clusternodes></cluster>`: "two_node set but votes not set to 1",
	} {
		c, _ := parse(t, text).Config()
		if err := c.Runnable(); err == nil || err.Error() != want {
			t.Errorf("%s: Runnable() = %v, want %s", text, err, want)
		}
	}
}
