package rgmanager

import (
	"encoding/json"
	"fmt"
	"runtime"
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

// BenchmarkNodeDeath is a node's fencing that has succeeded: all that it ran
// is looked for, with as many slots as it takes.
func BenchmarkNodeDeath(b *testing.B) {
	sizes(b, func(b *testing.B, nodes, services int) {
		before, fenced := dead(b, nodes, services, `max_starts="100000"`)
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			m, err := Restore(before)
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			m.Step(fenced)
			b.StopTimer()
			if n := under(m); n < services/nodes {
				b.Fatalf("looked for %d services", n)
			}
			b.StartTimer()
		}
	})
}

// BenchmarkRecovery goes on until all that a dead node ran is started again,
// four at a time on each node; ns/event is the mean of all events.
func BenchmarkRecovery(b *testing.B) {
	sizes(b, func(b *testing.B, nodes, services int) {
		before, fenced := dead(b, nodes, services, "")
		events := 0
		for b.Loop() {
			b.StopTimer()
			m, err := Restore(before)
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			todo := m.Step(fenced)
			for len(todo) > 0 {
				a := todo[0]
				todo = todo[1:]
				switch a := a.(type) {
				case Find:
					ev := Found{Node: a.On}
					for _, q := range a.Services {
						ev.Services = append(ev.Services, Sighting{Op: q.Op})
					}
					todo = append(todo, m.Step(ev)...)
					events++
				case Start:
					todo = append(todo, m.Step(Done{Op: a.Op, Node: a.On})...)
					events++
				}
			}
			if n := under(m); n > 0 || len(m.Queued) > 0 {
				b.Fatalf("%d services are not started", n+len(m.Queued))
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
	})
}

// dead returns a cluster of which the last node is being fenced, and the end
// of that.
func dead(b *testing.B, nodes, services int, limits string) ([]byte, Fenced) {
	m := large(b, nodes, services)
	if err := m.load(strings.Replace(m.Config, "<rm>", "<rm "+limits+">", 1)); err != nil {
		b.Fatal(err)
	}
	ev := Membership{Ring: cluster.RingID{Node: 1, Seq: 8}, Quorate: true}
	for i := 1; i < nodes; i++ {
		ev.Members, ev.Online = append(ev.Members, Member{cluster.NodeID(i), "1"}), append(ev.Online, cluster.NodeID(i))
	}
	m.Step(ev)
	m.index()
	before, err := m.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	return before, Fenced{Op: m.Nodes[cluster.NodeID(nodes)].Victim.Op, Victim: cluster.NodeID(nodes)}
}

// under counts the services that something is being done with.
func under(m *Machine) int {
	n := 0
	for _, s := range m.Services {
		if s.Job != nil {
			n++
		}
	}
	return n
}

// BenchmarkReplica measures what a replica of a large cluster holds.
func BenchmarkReplica(b *testing.B) {
	sizes(b, func(b *testing.B, nodes, services int) {
		m := large(b, nodes, services)
		for _, s := range m.Services {
			s.Definition = strings.Repeat("x", 6000) // as long as libvirt's are
		}
		state, err := m.Snapshot()
		if err != nil {
			b.Fatal(err)
		}
		m = nil
		held := func() float64 {
			var mem runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&mem)
			return float64(mem.HeapAlloc) / (1 << 20)
		}
		for b.Loop() {
			if m, err = Restore(state); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(state))/(1<<20), "MiB-snapshot")
		b.ReportMetric(held(), "MiB-heap")
		runtime.KeepAlive(m)
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
