package rgmanager

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// Machine is one node's replica of all decisions. It is not safe for
// concurrent use: one goroutine owns it.
type Machine struct {
	state
	conf      *conf.Config   // what state.Config says
	exclusive bool           // some service is
	order     []entry        // the services as conf lists them
	ranked    []entry        // the same, the lowest priority number first
	place     map[string]int // in order, by full name
	taken     taken          // slots in use; nil: to be counted
	freed     bool           // in this step: what is queued may find a slot
	actions   []Action
	finds     map[cluster.NodeID]int // in actions: the Find for a node
}

// state is all that replicas must agree on, and what a Snapshot carries.
type state struct {
	Config   string // the text of cluster.conf in force
	Ring     cluster.RingID
	Quorate  bool
	Formed   bool   // it is quorate, or was: there is something to tell
	Epoch    uint64 // rises whenever a quorum forms, unless of one of two nodes
	Locked   bool   // clusvcadm -l: nothing is started
	Nodes    map[cluster.NodeID]*node
	Services map[string]*service // by full name, as in Config
	Waits    map[uint64]*wait    // by Op.N
	Queued   []string            `json:",omitempty"` // services that wait for a slot, in their order
	Retired  []conf.Service      `json:",omitempty"` // not in Config any more, but not known to be stopped yet
	Update   *update             `json:",omitempty"`

	// Loose are services that were given up although they may go on running:
	// should one of that name be added, these nodes may have it.
	Loose map[string]cluster.NodeIDs `json:",omitempty"`

	LastOp Op // numbers operations and waits
	Now    Time
}

// node is what is known of one clusternode.
type node struct {
	Online   bool   // in the ring
	Up       bool   // its cmand takes part
	Boot     string // of that cmand
	Ready    bool   // it said what it runs, and may be given work
	Probe    Op     // operation of the latest Probe sent to it
	Leaving  bool   // shutting down: it is given nothing new
	Departed bool   // and was told that it may go
	// Clean means that it runs nothing of ours: it left in good order or was
	// fenced. A node that is neither up nor clean must be fenced.
	Clean   bool
	Victim  *victim `json:",omitempty"`
	Drained bool    `json:",omitempty"` // by an administrator: nothing is started here
	Drain   *drain  `json:",omitempty"` // who waits for that, or for its end
}

// wait is a running Wait and what it is for.
type wait struct {
	Op      Op
	On      cluster.NodeID // counts the time
	For     time.Duration
	Purpose string // grace, fence, settle, depart
	Node    cluster.NodeID
}

// GraceTime is how long a node's cmand may be gone, its ring going on, before
// the node is fenced.
const GraceTime = 15 * time.Second

// New returns a machine that knows the configuration and nothing else: the
// state of a cluster that is just forming. The text must have passed
// conf.Parse.
func New(config string) (*Machine, error) {
	m := &Machine{state: state{
		Nodes:    map[cluster.NodeID]*node{},
		Services: map[string]*service{},
		Waits:    map[uint64]*wait{},
	}}
	if err := m.load(config); err != nil {
		return nil, err
	}
	for _, n := range m.conf.Nodes {
		m.Nodes[n.ID] = &node{}
	}
	for _, s := range m.conf.Services {
		m.Services[s.FullName()] = newService()
	}
	m.index()
	return m, nil
}

// load makes text the configuration that the rules read, and with it the
// services that it has no more.
func (m *Machine) load(text string) error {
	doc, err := conf.Parse("cluster.conf", []byte(text))
	if err != nil {
		return err
	}
	m.Config = text
	m.conf, _ = doc.Config()
	m.Retired = slices.DeleteFunc(m.Retired, func(c conf.Service) bool { return m.conf.Service(c.FullName()) != nil })
	m.conf.Services = append(m.conf.Services, m.Retired...)
	return nil
}

// entry is one service, by name, configuration and record.
type entry struct {
	name string
	conf *conf.Service
	s    *service // nil: not yet
}

// index lists the services anew, after any has been added or taken away.
func (m *Machine) index() {
	m.exclusive = slices.ContainsFunc(m.conf.Services, func(s conf.Service) bool { return s.Exclusive > 0 })
	m.order, m.place = make([]entry, 0, len(m.conf.Services)), make(map[string]int, len(m.conf.Services))
	for i := range m.conf.Services {
		c := &m.conf.Services[i]
		name := c.FullName()
		m.place[name] = len(m.order)
		m.order = append(m.order, entry{name, c, m.Services[name]})
	}
	m.ranked = slices.Clone(m.order)
	slices.SortStableFunc(m.ranked, func(a, b entry) int { return cmp.Compare(a.conf.Priority, b.conf.Priority) })
}

// service returns a service's configuration and record; nil when there is no
// such service.
func (m *Machine) service(name string) (*conf.Service, *service) {
	i, ok := m.place[name]
	if !ok || m.order[i].s == nil {
		return nil, nil
	}
	return m.order[i].conf, m.order[i].s
}

// Formed reports whether there was a quorum once: before, a machine knows
// nothing that another one could not know as well.
func (m *Machine) Formed() bool { return m.state.Formed }

// Epoch numbers the quorums that there were. Two nodes with different numbers
// have not been in the same one lately: the higher one knows better.
func (m *Machine) Epoch() uint64 { return m.state.Epoch }

// Follow says, before the first event, which epoch was the latest.
func (m *Machine) Follow(epoch uint64) { m.state.Epoch = epoch }

// Conf is the configuration in force. The caller may not change it.
func (m *Machine) Conf() *conf.Config { return m.conf }

// Step applies ev, the next event in the order that all nodes share, and
// returns what is to be done, in order. An event that makes no sense now is
// dropped.
func (m *Machine) Step(ev Event) []Action {
	m.actions, m.finds, m.taken, m.freed = nil, nil, nil, false
	switch ev := ev.(type) {
	case Membership:
		m.membership(ev)
	case Request:
		m.clock(ev.At)
		m.request(ev)
	case Done:
		m.clock(ev.At)
		m.done(ev)
	case Found:
		m.clock(ev.At)
		m.found(ev)
	case Fenced:
		m.clock(ev.At)
		m.fenced(ev)
	case Probed:
		m.clock(ev.At)
		m.probed(ev)
	case Broken:
		m.clock(ev.At)
		m.broken(ev)
	case Sighted:
		m.clock(ev.At)
		m.sighted(ev)
	case Defined:
		m.clock(ev.At)
		m.defined(ev)
	case Proposed:
		m.clock(ev.At)
		m.proposed(ev)
	case Acknowledged:
		m.clock(ev.At)
		m.acknowledged(ev)
	case Leaving:
		m.clock(ev.At)
		m.leaving(ev)
	case Elapsed:
		m.clock(ev.At)
		m.elapsed(ev)
	}
	m.sweep()
	m.admit()
	m.drained()
	m.depart()
	return m.actions
}

// Clock lets time pass between events: a Membership has no sender who could
// stamp it. It is to be called at the same place of the order on all nodes.
func (m *Machine) Clock(at Time) { m.clock(at) }

// clock takes over an event's time; it never runs backwards.
func (m *Machine) clock(at Time) { m.Now = max(m.Now, at) }

func (m *Machine) do(a Action) { m.actions = append(m.actions, a) }

// note logs on node id, or on the senior member when that is 0.
func (m *Machine) note(id cluster.NodeID, level, format string, args ...any) {
	if id == 0 {
		id = m.senior()
	}
	m.do(Note{On: id, Level: level, Text: fmt.Sprintf(format, args...)})
}

func (m *Machine) nextOp() Op {
	m.LastOp = Op{Ring: m.Ring, N: m.LastOp.N + 1}
	return m.LastOp
}

// nodeIDs returns all known nodes, sorted.
func (m *Machine) nodeIDs() []cluster.NodeID { return slices.Sorted(maps.Keys(m.Nodes)) }

// ready returns the nodes that may be given work, sorted.
func (m *Machine) ready() cluster.NodeIDs {
	return slices.DeleteFunc(m.answering(), func(id cluster.NodeID) bool { return m.Nodes[id].Leaving })
}

// answering returns the nodes that can be asked what they run, sorted: also
// those that are leaving.
func (m *Machine) answering() cluster.NodeIDs {
	var ids cluster.NodeIDs
	for _, id := range m.nodeIDs() {
		if m.Nodes[id].Ready {
			ids = append(ids, id)
		}
	}
	return ids
}

// willing returns the nodes that services may be placed on, sorted.
func (m *Machine) willing() cluster.NodeIDs {
	return slices.DeleteFunc(m.ready(), func(id cluster.NodeID) bool { return m.Nodes[id].Drained })
}

// senior is the lowest node whose cmand takes part; 0 if there is none. It
// fences and counts time for all.
func (m *Machine) senior() cluster.NodeID {
	for _, id := range m.nodeIDs() {
		if m.Nodes[id].Up {
			return id
		}
	}
	return 0
}

// inOrder walks the services as the configuration lists them.
func (m *Machine) inOrder(visit func(name string, c *conf.Service, s *service)) {
	for _, e := range m.order {
		if e.s != nil {
			visit(e.name, e.conf, e.s)
		}
	}
}

// wait starts counting time on the senior member, and returns its name.
func (m *Machine) wait(d time.Duration, purpose string, id cluster.NodeID) Op {
	op := m.nextOp()
	w := &wait{Op: op, On: m.senior(), For: d, Purpose: purpose, Node: id}
	m.Waits[op.N] = w
	m.do(Wait{ID: op, On: w.On, For: d})
	return op
}

// waiting reports whether there is a wait for a node and a purpose.
func (m *Machine) waiting(purpose string, id cluster.NodeID) bool {
	for _, w := range m.Waits {
		if w.Purpose == purpose && w.Node == id {
			return true
		}
	}
	return false
}

// unwait forgets the waits for a node and a purpose.
func (m *Machine) unwait(purpose string, id cluster.NodeID) {
	maps.DeleteFunc(m.Waits, func(_ uint64, w *wait) bool { return w.Purpose == purpose && w.Node == id })
}

func (m *Machine) elapsed(ev Elapsed) {
	w := m.Waits[ev.Wait.N]
	if w == nil || w.Op != ev.Wait {
		return
	}
	delete(m.Waits, w.Op.N)
	switch w.Purpose {
	case "grace":
		m.graceOver(w.Node)
	case "fence":
		m.fence(w.Node)
	case "settle":
		m.settleAgain(w.Op)
	case "depart":
		m.departAgain(w.Node)
	}
}
