package daemon

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// (cman, "Quorum arithmetic"), the cases of its table that have no device.
func TestVotes(t *testing.T) {
	nodes := func(n int, attrs string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `<clusternode name="n%d" nodeid="%d" %s/>`, i+1, i+1, attrs)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		cman, nodes             string
		online                  cluster.NodeIDs
		expected, total, quorum int
	}{
		"three nodes":                         {``, nodes(3, ""), cluster.NodeIDs{1, 2, 3}, 3, 3, 2},
		"three nodes, one is there":           {``, nodes(3, ""), cluster.NodeIDs{3}, 3, 1, 2},
		"four nodes":                          {``, nodes(4, ""), cluster.NodeIDs{1, 2}, 4, 2, 3},
		"five nodes":                          {``, nodes(5, ""), cluster.NodeIDs{1, 2, 3}, 5, 3, 3},
		"two_node":                            {`<cman two_node="1" expected_votes="1"/>`, nodes(2, ""), cluster.NodeIDs{1, 2}, 1, 2, 1},
		"two_node, one is there":              {`<cman two_node="1"/>`, nodes(2, ""), cluster.NodeIDs{1}, 1, 1, 1},
		"expected_votes":                      {`<cman expected_votes="5"/>`, nodes(3, ""), cluster.NodeIDs{1, 2, 3}, 5, 3, 3},
		"more votes than are expected":        {`<cman expected_votes="1"/>`, nodes(3, ""), cluster.NodeIDs{1, 2, 3}, 1, 3, 2},
		"several votes each":                  {``, nodes(3, `votes="3"`), cluster.NodeIDs{1, 2}, 9, 6, 5},
		"a node that is not in the file":      {``, nodes(3, ""), cluster.NodeIDs{1, 2, 9}, 3, 2, 2},
		"nobody is there: not in a ring, yet": {``, nodes(3, ""), nil, 3, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := conf.Parse("cluster.conf", []byte(`<cluster name="a" config_version="1">`+c.cman+`<clusternodes>`+c.nodes+`</clusternodes></cluster>`))
			if err != nil {
				t.Fatal(err)
			}
			config, _ := doc.Config()
			m := membership(config, cluster.View{Online: c.online}, entrances{})
			if m.Expected != c.expected || m.Total != c.total || m.Quorum != c.quorum {
				t.Errorf("expected %d, total %d, quorum %d; want %d, %d, %d", m.Expected, m.Total, m.Quorum, c.expected, c.total, c.quorum)
			}
		})
	}
}

func TestEntrances(t *testing.T) {
	e, start := entrances{}, time.Unix(1_000_000, 0)
	for i, online := range []cluster.NodeIDs{{1, 2}, {1, 2, 3}, {1, 3}, {1, 2, 3}} {
		e.note(cluster.View{Online: online, Ring: cluster.RingID{Seq: uint64(4 * (i + 1))}}, start.Add(time.Duration(i)*time.Second))
	}
	e.note(cluster.View{Online: cluster.NodeIDs{1, 2}, Ring: cluster.RingID{Seq: 20}}, start.Add(time.Hour))
	want := entrances{1: {start, 4}, 2: {start.Add(3 * time.Second), 16}, 3: {time.Time{}, 8}}
	for id, w := range want {
		if e[id] != w {
			t.Errorf("node %d: %v; want %v", id, e[id], w)
		}
	}
}

func TestMulticast(t *testing.T) {
	for name, c := range map[string]struct {
		c    conf.Config
		six  bool
		want string
	}{
		"from the cluster id":    {conf.Config{ClusterID: 12320}, false, "[239.192.48.80]"},
		"two links":              {conf.Config{ClusterID: 12320, Nodes: []conf.Node{{AltNames: []string{"b"}}}}, false, "[239.192.48.80 239.192.48.81]"},
		"IPv6":                   {conf.Config{ClusterID: 12320}, true, "[ff15::3020]"},
		"as given":               {conf.Config{ClusterID: 1, Multicast: "239.195.2.35"}, false, "[239.195.2.35]"},
		"broadcast":              {conf.Config{ClusterID: 1, Broadcast: true}, false, "[255.255.255.255]"},
		"broadcast as transport": {conf.Config{ClusterID: 1, Transport: "udpb"}, false, "[255.255.255.255]"},
	} {
		if got := fmt.Sprint(multicast(&c.c, c.six)); got != c.want {
			t.Errorf("%s: %s; want %s", name, got, c.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	if got := fmt.Sprint(addresses(t.Context(), []string{"192.0.2.7", "no such name", "::1"})); got != "[192.0.2.7 ::1]" {
		t.Errorf("addresses are %s", got)
	}
}
