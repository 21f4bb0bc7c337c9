package member

import (
	"cmp"
	"slices"

	"fangnetz/internal/cluster"
)

// process is one cmand in the group. A restarted cmand is another process.
type process struct {
	node cluster.NodeID
	pid  uint32
}

// The events of the group, in the order that corosync gives them.
type (
	// groupChange is a new list of processes. One that belongs to a change
	// of the ring comes before its ringChange.
	groupChange struct {
		members []process
		left    []departure
		ofRing  bool // nodes came or went with their ring
	}
	departure struct {
		process
		reason cluster.Reason
	}
	ringChange struct {
		ring   cluster.RingID
		online cluster.NodeIDs
	}
	frame struct {
		from process
		data []byte
	}
)

// sequencer makes Views and Messages out of two streams: the group's events,
// which all nodes get in one order, and the quorum verdicts, which reach each
// node at its own time. Both streams keep their order, and a ring's sequence
// number rises along both.
//
// A change of the ring waits for the verdict of that very ring, and
// everything behind it waits too. A ring whose verdict is overtaken by a
// later ring's was given up by corosync before it had one: it becomes part of
// the later change, on all the nodes that went along.
//
// A verdict that changes while the ring stays has no place in the order. It
// gets one by being multicast: the new verdict counts from its frame on.
type sequencer struct {
	local process
	out   func(cluster.Delivery)
	tell  func(verdict)                  // multicast it
	sent  func(number uint64, done bool) // own message of several parts: delivered, or cut by a View

	events   []any     // not handled yet, in order
	verdicts []verdict // not handled yet, in order

	view    cluster.View // last one delivered; Ring is zero before the first
	known   bool         // a verdict of view.Ring that all members share
	quorate bool         // votequorum's last word for view.Ring
	moving  bool         // group changes of a ring that is not here yet
	members []process
	left    []departure // since view
	partial map[process]*assembly
}

// waiting tells that events stand behind a ring without a verdict.
func (s *sequencer) waiting() bool { return len(s.events) > 0 }

// event takes the group's next event.
func (s *sequencer) event(ev any) {
	s.events = append(s.events, ev)
	s.run()
}

// verdict takes the next quorum verdict.
func (s *sequencer) verdict(v verdict) {
	s.verdicts = append(s.verdicts, v)
	s.run()
}

func (s *sequencer) run() {
	for len(s.events) > 0 {
		switch ev := s.events[0].(type) {
		case groupChange:
			s.group(ev)
		case ringChange:
			if !s.ring(ev) {
				return
			}
		case frame:
			s.frame(ev)
		}
		s.events[0] = nil
		s.events = s.events[1:]
	}
	for len(s.verdicts) > 0 && s.verdicts[0].ring.Seq <= s.view.Ring.Seq {
		v := s.verdicts[0]
		s.verdicts = s.verdicts[1:]
		if v.ring == s.view.Ring && v.quorate != s.quorate {
			s.quorate = v.quorate
			s.tell(v)
		}
	}
}

func (s *sequencer) group(ev groupChange) {
	s.members = ev.members
	s.left = append(s.left, ev.left...)
	if s.moving = s.moving || ev.ofRing || s.view.Ring.Seq == 0; !s.moving {
		s.change()
	}
}

// ring reports false when the verdict for the ring is still to come.
func (s *sequencer) ring(ev ringChange) bool {
	if ev.ring != s.view.Ring {
		for len(s.verdicts) > 0 && s.verdicts[0].ring.Seq < ev.ring.Seq {
			s.verdicts = s.verdicts[1:]
		}
		if len(s.verdicts) == 0 {
			return false
		}
		if s.verdicts[0].ring != ev.ring {
			s.moving = true
			return true
		}
		// What a node learns on entering the channel is its own: a change
		// may be on its way that the older members have yet to deliver.
		s.known = s.view.Ring.Seq != 0
		s.quorate = s.verdicts[0].quorate
		s.view.Ring, s.view.Quorate = ev.ring, s.quorate
		s.verdicts = s.verdicts[1:]
	}
	s.view.Online = ev.online
	s.moving = false
	s.change()
	return true
}

// change delivers a View of another membership. Messages that it cuts in two
// are dropped by all, and sent again by their senders: so a newcomer gets
// them whole, or gets nothing that the others did not.
func (s *sequencer) change() {
	var cut []uint64
	if a := s.partial[s.local]; a != nil {
		cut = append(cut, a.number)
	}
	clear(s.partial)

	before := s.view.Members
	s.view.Members, s.view.Joined, s.view.Left = nil, nil, nil
	for _, p := range s.members {
		s.view.Members = s.view.Members.With(p.node)
	}
	gone := func(id cluster.NodeID) bool {
		return slices.ContainsFunc(s.view.Left, func(d cluster.Departure) bool { return d.Node == id })
	}
	for _, d := range s.left {
		if before.Has(d.node) && !gone(d.node) {
			s.view.Left = append(s.view.Left, cluster.Departure{Node: d.node, Reason: d.reason})
		}
	}
	slices.SortFunc(s.view.Left, func(a, b cluster.Departure) int { return cmp.Compare(a.Node, b.Node) })
	for _, id := range s.view.Members {
		if !before.Has(id) || gone(id) {
			s.view.Joined = s.view.Joined.With(id)
		}
	}
	s.left = nil
	s.deliver()
	for _, number := range cut {
		s.sent(number, false)
	}
}

func (s *sequencer) deliver() {
	v := s.view
	s.out(cluster.Delivery{View: &v})
}

func (s *sequencer) frame(ev frame) {
	h, body, ok := parse(ev.data)
	switch {
	case !ok:
	case h.kind == verdictFrame:
		if v := h.verdict(); v.ring == s.view.Ring && (v.quorate != s.view.Quorate || !s.known) {
			s.known = true
			s.view.Quorate, s.view.Joined, s.view.Left = v.quorate, nil, nil
			s.deliver()
		}
	case h.kind == partFrame && h.count == 1 && h.index == 0:
		s.message(ev.from, body)
	case h.kind == partFrame:
		s.part(ev.from, h, body)
	}
}

func (s *sequencer) part(from process, h header, body []byte) {
	if h.index == 0 && h.count <= maxParts {
		if s.partial == nil {
			s.partial = map[process]*assembly{}
		}
		s.partial[from] = &assembly{number: h.number, data: make([]byte, 0, int(h.count)*partSize)}
	}
	a := s.partial[from]
	if a == nil || a.number != h.number || a.next != h.index || len(a.data)+len(body) > cap(a.data) {
		delete(s.partial, from) // the rest of a message that a View cut
		return
	}
	a.data = append(a.data, body...)
	if a.next++; a.next < h.count {
		return
	}
	delete(s.partial, from)
	s.message(from, a.data)
	if from == s.local {
		s.sent(h.number, true)
	}
}

func (s *sequencer) message(from process, data []byte) {
	s.out(cluster.Delivery{Message: &cluster.Message{From: from.node, Data: data}})
}
