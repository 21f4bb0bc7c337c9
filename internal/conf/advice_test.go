package conf

import (
	"strings"
	"testing"
)

func TestAdvice(t *testing.T) {
	const hand = `<cluster name="a" config_version="1"><cman two_node="1"/><clusternodes>
<clusternode name="n1" nodeid="1"><fence><method name="1"><device name="h"/></method></fence></clusternode>
<clusternode name="n2" nodeid="2"><fence><method name="1"><device name="d"/></method><method name="2"><device name="h"/></method></fence></clusternode>
</clusternodes><fencedevices><fencedevice name="h" agent="/sbin/fence_manual"/><fencedevice name="d" agent="fence_x"/></fencedevices></cluster>`
	for _, c := range []struct{ fact, from, to, want string }{
		{"one node is in the hand of a person", "", "", `c:2:1: advice: clusternode "n1" is fenced by fence_manual alone: when it fails, its services wait for a person`},
		{"each has an agent", `<device name="h"/></method></fence></clusternode>
<clusternode name="n2"`, `<device name="d"/></method></fence></clusternode>
<clusternode name="n2"`, ""},
		{"a person before an agent", `<device name="h"/></method></fence>`, `<device name="h"/></method><method name="2"><device name="d"/></method></fence>`,
			`c:2:1: advice: clusternode "n1" has fence methods behind fence_manual: they are never tried, for a person is waited for`},
		{"two nodes without two_node", `<cman two_node="1"/>`, "", `c:1:38: advice: there are two nodes without two_node: when one fails, the other one has no quorum`},
		{"a machine that cannot migrate", `<clusternodes>`, `<rm><vm name="w" migrate_options="--copy-storage-all"/></rm><clusternodes>`,
			`c:1:62: warning: vm:w: migrate_options: "--copy-storage-all" is not supported`},
	} {
		t.Run(c.fact, func(t *testing.T) {
			d, err := Parse("c", []byte(strings.Replace(hand, c.from, c.to, 1)))
			if err != nil {
				t.Fatal(err)
			}
			got, _, _ := strings.Cut(d.Advice().Error(), "\n")
			if got != c.want {
				t.Errorf("Advice() = %q; want %q", got, c.want)
			}
		})
	}
}

// What cannot be pushed is what no node can start from, and the other way
// round.
func TestPushable(t *testing.T) {
	for _, c := range []struct {
		fact, text string
		want       bool
	}{
		{"two good nodes", two(""), true},
		{"an odd one", strings.Replace(two(""), "<cluster", `<cluster colour="red"`, 1), true},
		{"no name", `<cluster config_version="1"><clusternodes><clusternode name="n" nodeid="1"/></clusternodes></cluster>`, false},
		{"a long name", `<cluster name="abcdefghijklmnop" config_version="1"><clusternodes><clusternode name="n" nodeid="1"/></clusternodes></cluster>`, false},
		{"no clusternodes", `<cluster name="a" config_version="1"/>`, false},
		{"no clusternode", `<cluster name="a" config_version="1"><clusternodes/></cluster>`, false},
		{"a nameless clusternode alone", `<cluster name="a" config_version="1"><clusternodes><clusternode nodeid="1"/></clusternodes></cluster>`, false},
		{"no nodeid", `<cluster name="a" config_version="1"><clusternodes><clusternode name="n"/></clusternodes></cluster>`, false},
		{"one id twice", strings.Replace(two(""), `nodeid="2"`, `nodeid="1"`, 1), false},
		{"256 votes", strings.Replace(two(""), `nodeid="2"`, `nodeid="2" votes="256"`, 1), false},
		{"an unknown transport", strings.Replace(two(""), "<clusternodes>", `<cman transport="tcp"/><clusternodes>`, 1), false},
		{"two_node for one", `<cluster name="a" config_version="1"><cman two_node="1"/><clusternodes><clusternode name="n" nodeid="1"/></clusternodes></cluster>`, false},
		{"two_node with two votes", strings.Replace(strings.Replace(two(""), `nodeid="2"`, `nodeid="2" votes="2"`, 1), "<clusternodes>", `<cman two_node="1"/><clusternodes>`, 1), false},
	} {
		t.Run(c.fact, func(t *testing.T) {
			d, err := Parse("c", []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			config, faults := d.Config()
			if faults.Pushable() != c.want {
				t.Errorf("Pushable() = %v; want %v; faults:\n%v", !c.want, c.want, faults)
			}
			if can := config.Runnable() == nil && len(faults.Errors()) == 0; can != c.want {
				t.Errorf("cmand takes it: %v; want %v", can, c.want)
			}
		})
	}
}
