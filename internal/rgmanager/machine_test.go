package rgmanager

import (
	"testing"

	"fangnetz/internal/cluster"
)

// TestDefinitionFollowsTheMachine edits a machine's definition on one node and
// the other, and looks at what is started next.
func TestDefinitionFollowsTheMachine(t *testing.T) {
	m, err := New(`<cluster name="c" config_version="1"><clusternodes>
<clusternode name="node1" nodeid="1"/><clusternode name="node2" nodeid="2"/></clusternodes><rm><vm name="a"/></rm></cluster>`)
	if err != nil {
		t.Fatal(err)
	}
	s := m.Services["vm:a"]
	define := func(id cluster.NodeID, text string) {
		m.Step(Defined{Node: id, Service: "vm:a", Definition: text})
	}
	want := func(fact, text string) {
		t.Helper()
		if got := m.Definition("vm:a"); got != text {
			t.Errorf("%s: %q is kept, want %q", fact, got, text)
		}
	}
	m.learn(s, 2, Definition{XML: "remembered", Kept: true})
	want("nothing better is known", "remembered")
	define(1, "first")
	want("libvirt's own counts more than what was remembered", "first")
	m.learn(s, 2, Definition{XML: "remembered", Kept: true})
	define(2, "another")
	want("another node's copy does not count", "first")
	s.LastOwner = 2 // where a start has failed
	define(1, "edited")
	want("edited before it ever ran", "edited")
	m.adopt(s, 2)
	define(1, "stale")
	want("an old copy is edited after the machine moved", "edited")
	define(2, "edited again")
	want("edited where it runs", "edited again")
}

// TestUnknownService asks for what no configuration has ever had.
func TestUnknownService(t *testing.T) {
	m, err := New(`<cluster name="c" config_version="1"><clusternodes><clusternode name="node1" nodeid="1"/></clusternodes></cluster>`)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"enable", "disable", "stop", "restart", "relocate", "migrate", "freeze", "unfreeze", "convalesce"} {
		var result cluster.Result
		for _, a := range m.Step(Request{ID: "1", From: 1, Verb: verb, Service: "vm:none", Target: 1}) {
			if r, ok := a.(Reply); ok {
				result = r.Result
			}
		}
		if result != cluster.NoService {
			t.Errorf("%s: %v, want %v", verb, result, cluster.NoService)
		}
	}
}
