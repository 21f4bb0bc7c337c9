package rgmanager

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
)

// large returns a settled cluster: each service runs on the node that its
// ordered domain prefers.
func large(b *testing.B, nodes, services int) *Machine {
	var text strings.Builder
	text.WriteString(`<cluster name="large" config_version="1"><clusternodes>`)
	for i := 1; i <= nodes; i++ {
		fmt.Fprintf(&text, `<clusternode name="node%d" nodeid="%d"/>`, i, i)
	}
	text.WriteString(`</clusternodes><rm><failoverdomains>`)
	for i := 1; i <= nodes; i++ {
		fmt.Fprintf(&text, `<failoverdomain name="d%d" ordered="1"><failoverdomainnode name="node%d" priority="1"/>`+
			`<failoverdomainnode name="node%d" priority="2"/></failoverdomain>`, i, i, i%nodes+1)
	}
	text.WriteString(`</failoverdomains>`)
	for i := range services {
		fmt.Fprintf(&text, `<vm name="vm%d" domain="d%d"/>`, i, i%nodes+1)
	}
	text.WriteString(`</rm></cluster>`)
	m, err := New(text.String())
	if err != nil {
		b.Fatal(err)
	}
	m.Quorate = true
	for i := range nodes {
		id := cluster.NodeID(i + 1)
		m.Nodes[id] = &node{Online: true, Up: true, Ready: true, Boot: "1"}
	}
	for i := range services {
		id := cluster.NodeID(i%nodes + 1)
		s := m.Services[fmt.Sprintf("vm:vm%d", i)]
		s.State, s.Owner, s.Changed, s.MayRun = cluster.Started, id, 1, cluster.NodeIDs{id}
	}
	return m
}

func sizes(b *testing.B, bench func(b *testing.B, nodes, services int)) {
	for _, n := range []struct{ nodes, services int }{{2, 10}, {8, 100}, {16, 1000}, {32, 1000}, {32, 10000}} {
		b.Run(fmt.Sprintf("nodes=%d/services=%d", n.nodes, n.services), func(b *testing.B) { bench(b, n.nodes, n.services) })
	}
}

// BenchmarkEvent is one request and its answer: a restart, refused.
func BenchmarkEvent(b *testing.B) {
	sizes(b, func(b *testing.B, nodes, services int) {
		m := large(b, nodes, services)
		b.ReportAllocs()
		for b.Loop() {
			m.Step(Request{ID: "1", From: 1, Verb: "enable", Service: "vm:vm1"})
		}
	})
}

// BenchmarkNodeDeath is a node's fencing that has succeeded: what it ran is
// looked for.
func BenchmarkNodeDeath(b *testing.B) {
	sizes(b, func(b *testing.B, nodes, services int) {
		m := large(b, nodes, services)
		ev := Membership{Ring: cluster.RingID{Node: 1, Seq: 8}, Quorate: true}
		for i := 1; i < nodes; i++ {
			ev.Members, ev.Online = append(ev.Members, Member{cluster.NodeID(i), "1"}), append(ev.Online, cluster.NodeID(i))
		}
		m.Step(ev)
		before, err := m.Snapshot()
		if err != nil {
			b.Fatal(err)
		}
		fenced := Fenced{Op: m.Nodes[cluster.NodeID(nodes)].Victim.Op, Victim: cluster.NodeID(nodes)}
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			if m, err = Restore(before); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			sought := 0
			for _, a := range m.Step(fenced) {
				if f, ok := a.(Find); ok && f.On == 1 {
					sought = len(f.Services)
				}
			}
			if sought < services/nodes {
				b.Fatalf("looked for %d services", sought)
			}
		}
	})
}

// BenchmarkStatus is what one clustat costs cmand.
func BenchmarkStatus(b *testing.B) {
	sizes(b, func(b *testing.B, nodes, services int) {
		m := large(b, nodes, services)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(m.Status(1)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
