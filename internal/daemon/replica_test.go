package daemon

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
	"fangnetz/internal/rgmanager"
)

const threeNodes = `<cluster name="three" config_version="%d"><clusternodes>
<clusternode name="node1" nodeid="1"/><clusternode name="node2" nodeid="2"/><clusternode name="node3" nodeid="3"/>
</clusternodes><rm><vm name="a"/><vm name="b"/></rm></cluster>`

// bus is a fake ordered network of replicas, without daemons: a message is
// ordered at some time after it was sent, and then stands in the inbox of each
// node that the sender can reach, in the same order in all.
type bus struct {
	t     *testing.T
	rng   *rand.Rand
	seq   uint64
	boots int
	nodes map[cluster.NodeID]*busNode
	part  map[cluster.NodeID]int // nodes with the same number reach each other
}

type busNode struct {
	*replica
	inbox  []cluster.Delivery
	unsent [][]byte
	last   cluster.NodeIDs
}

func newBus(t *testing.T, rng *rand.Rand) *bus {
	return &bus{t: t, rng: rng, nodes: map[cluster.NodeID]*busNode{}, part: map[cluster.NodeID]int{}}
}

func (b *bus) start(id cluster.NodeID, version int) {
	b.boots++
	b.nodes[id] = &busNode{replica: newReplica(id, fmt.Sprint("boot", b.boots), fmt.Sprintf(threeNodes, version), false, nil)}
	b.views()
}

// views gives every node the view of its part.
func (b *bus) views() {
	b.seq += 4
	for id := cluster.NodeID(1); id <= 3; id++ {
		n := b.nodes[id]
		if n == nil {
			continue
		}
		v := &cluster.View{}
		for other := cluster.NodeID(1); other <= 3; other++ {
			if b.nodes[other] != nil && b.part[other] == b.part[id] {
				v.Members = v.Members.With(other)
			}
		}
		v.Ring = cluster.RingID{Node: v.Members[0], Seq: b.seq}
		v.Online, v.Quorate = v.Members, len(v.Members) >= 2
		for _, gone := range n.last {
			if !v.Members.Has(gone) {
				v.Left = append(v.Left, cluster.Departure{Node: gone, Reason: cluster.NodeDown})
			}
		}
		n.last = v.Members
		n.inbox = append(n.inbox, cluster.Delivery{View: v})
	}
}

// order takes the oldest unsent message of a node.
func (b *bus) order(id cluster.NodeID) {
	n := b.nodes[id]
	if n == nil || len(n.unsent) == 0 {
		return
	}
	data := n.unsent[0]
	n.unsent = n.unsent[1:]
	for other, o := range b.nodes {
		if b.part[other] == b.part[id] {
			o.inbox = append(o.inbox, cluster.Delivery{Message: &cluster.Message{From: id, Data: data}})
		}
	}
}

// deliver hands a node its next delivery and carries out what follows: every
// operation succeeds at once, machines are found nowhere.
func (b *bus) deliver(id cluster.NodeID) {
	n := b.nodes[id]
	if n == nil || len(n.inbox) == 0 {
		return
	}
	d := n.inbox[0]
	n.inbox = n.inbox[1:]
	b.take(id, n.replica.deliver(d))
}

func (b *bus) take(id cluster.NodeID, out output) {
	n := b.nodes[id]
	if out.Fatal != nil {
		b.t.Fatalf("node %d: %v", id, out.Fatal)
	}
	for _, m := range out.Send {
		n.send(b.t, m)
	}
	for _, a := range out.Actions {
		if a.Node() != id {
			continue
		}
		switch a := a.(type) {
		case rgmanager.Probe:
			n.event(b.t, rgmanager.Probed{Op: a.Op, Node: id})
		case rgmanager.Find:
			ev := rgmanager.Found{Node: id}
			for _, q := range a.Services {
				ev.Services = append(ev.Services, rgmanager.Sighting{Op: q.Op})
			}
			n.event(b.t, ev)
		case rgmanager.Start:
			n.event(b.t, rgmanager.Done{Op: a.Op, Node: id})
		case rgmanager.Stop:
			n.event(b.t, rgmanager.Done{Op: a.Op, Node: id})
		case rgmanager.Migrate:
			n.event(b.t, rgmanager.Done{Op: a.Op, Node: id})
		case rgmanager.Wait:
			n.event(b.t, rgmanager.Elapsed{Wait: a.ID})
		case rgmanager.Fence: // the agent fails as long as the victim lives
			ev := rgmanager.Fenced{Op: a.Op, Victim: a.Victim}
			if b.nodes[a.Victim] != nil {
				ev.Error = "exit status 1"
			}
			n.event(b.t, ev)
		}
	}
}

func (n *busNode) send(t *testing.T, m message) {
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	n.unsent = append(n.unsent, data)
}

func (n *busNode) event(t *testing.T, ev rgmanager.Event) {
	data, err := rgmanager.EncodeEvent(ev)
	if err != nil {
		t.Fatal(err)
	}
	n.send(t, message{Event: data})
}

// settle lets n deliveries and orderings happen, in any order.
func (b *bus) settle(steps int) {
	for range steps {
		id := cluster.NodeID(b.rng.IntN(3) + 1)
		if b.rng.IntN(2) == 0 {
			b.order(id)
		} else {
			b.deliver(id)
		}
	}
}

// agree asserts that all replicas are in step and hold the same state.
func (b *bus) agree() {
	b.t.Helper()
	for b.part = map[cluster.NodeID]int{}; ; {
		idle := true
		for id, n := range b.nodes {
			for len(n.inbox) > 0 {
				idle = false
				b.deliver(id)
			}
		}
		for id := cluster.NodeID(1); id <= 3; id++ {
			if n := b.nodes[id]; n != nil && len(n.unsent) > 0 {
				idle = false
				b.order(id)
			}
		}
		if idle {
			break
		}
	}
	var hash, chain string
	for id := cluster.NodeID(1); id <= 3; id++ {
		n := b.nodes[id]
		if n == nil {
			continue
		}
		if n.machine == nil || n.round != nil || n.loading != "" {
			b.t.Fatalf("node %d is not in step: round %v, loading %q", id, n.round, n.loading)
		}
		h, err := n.machine.Hash()
		if err != nil {
			b.t.Fatal(err)
		}
		if hash == "" {
			hash = h
		}
		if h != hash {
			b.t.Fatalf("node %d holds another state than the first", id)
		}
		if chain == "" {
			chain = fmt.Sprintf("%x", n.chain)
		}
		if fmt.Sprintf("%x", n.chain) != chain {
			b.t.Fatalf("node %d remembers another history than the first", id)
		}
		state, err := n.machine.Snapshot()
		if err != nil {
			b.t.Fatal(err)
		}
		if strings.Contains(string(state), `"Job":{`) || strings.Contains(string(state), `"Victim":{`) {
			b.t.Fatalf("node %d waits for something that does not come: %s", id, state)
		}
	}
}

func TestReplicasAgree(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			b := newBus(t, rand.New(rand.NewPCG(seed, 0)))
			for id := cluster.NodeID(1); id <= 3; id++ {
				b.start(id, 1)
				b.settle(b.rng.IntN(20))
			}
			for range 12 {
				id := cluster.NodeID(b.rng.IntN(3) + 1)
				switch b.rng.IntN(5) {
				case 0: // its cmand dies, what it had not sent is lost
					delete(b.nodes, id)
					b.views()
				case 1:
					if b.nodes[id] == nil {
						b.start(id, 1)
					}
				case 2:
					b.part[id] = b.rng.IntN(2)
					b.views()
				case 3:
					b.part = map[cluster.NodeID]int{}
					b.views()
				case 4:
					if n := b.nodes[id]; n != nil {
						n.event(t, rgmanager.Request{ID: "x", From: id, Verb: []string{"enable", "disable", "relocate"}[b.rng.IntN(3)], Service: "vm:a"})
						b.take(id, n.audit())
					}
				}
				b.settle(b.rng.IntN(40))
			}
			b.part = map[cluster.NodeID]int{}
			b.views()
			b.agree()
		})
	}
}

func TestNewcomerTakesTheClustersConfiguration(t *testing.T) {
	b := newBus(t, rand.New(rand.NewPCG(1, 1)))
	b.start(1, 7)
	b.start(2, 7)
	b.agree()
	b.start(3, 5)
	b.agree()
	if v := b.nodes[3].machine.Conf().Version; v != 7 {
		t.Errorf("newcomer with version 5 runs %d, want 7", v)
	}
}

func TestHighestVersionForms(t *testing.T) {
	b := newBus(t, rand.New(rand.NewPCG(1, 1)))
	b.start(1, 5)
	b.start(2, 6)
	b.agree()
	for id, n := range b.nodes {
		if v := n.machine.Conf().Version; v != 6 {
			t.Errorf("node %d formed with version %d, want 6", id, v)
		}
	}
}

func TestRunningClusterIsNotOverruled(t *testing.T) {
	b := newBus(t, rand.New(rand.NewPCG(1, 1)))
	b.start(1, 5)
	b.start(2, 5)
	b.agree()
	b.start(3, 9)
	b.agree()
	if v := b.nodes[3].machine.Conf().Version; v != 5 {
		t.Errorf("a newcomer's unpushed version 9 came into force as %d", v)
	}
}

// TestSilentMember has a node that takes part in no round: the others go on
// without it.
func TestSilentMember(t *testing.T) {
	b := newBus(t, rand.New(rand.NewPCG(1, 1)))
	b.start(1, 1)
	b.start(2, 1)
	b.agree()
	b.start(3, 1)
	for _, id := range []cluster.NodeID{1, 2} {
		for len(b.nodes[id].inbox) > 0 {
			b.deliver(id)
		}
		b.order(id)
	}
	for _, id := range []cluster.NodeID{1, 2} {
		for len(b.nodes[id].inbox) > 0 {
			b.deliver(id)
		}
	}
	if b.nodes[1].inRound() == "" {
		t.Fatal("the round ended without the third member's hello")
	}
	b.take(1, b.nodes[1].overdue(b.nodes[1].inRound()))
	b.order(1)
	for _, id := range []cluster.NodeID{1, 2} {
		for len(b.nodes[id].inbox) > 0 {
			b.deliver(id)
		}
		if b.nodes[id].inRound() != "" {
			t.Errorf("node %d is still in the round", id)
		}
	}
	var fatal error
	for _, d := range b.nodes[3].inbox {
		if out := b.nodes[3].replica.deliver(d); out.Fatal != nil {
			fatal = out.Fatal
		}
	}
	if fatal == nil {
		t.Error("the silent member does not notice that it is out")
	}
}

// TestAuditMendsAReplica has one replica take an event that the others never
// saw: at the second audit after that it fetches the others' state.
func TestAuditMendsAReplica(t *testing.T) {
	b := newBus(t, rand.New(rand.NewPCG(1, 1)))
	for id := cluster.NodeID(1); id <= 3; id++ {
		b.start(id, 1)
	}
	b.agree()
	b.nodes[2].machine.Step(rgmanager.Request{From: 1, Verb: "disable", Service: "vm:a"})
	for range 2 {
		b.take(1, b.nodes[1].audit())
		b.settle(100)
	}
	b.agree()
}
