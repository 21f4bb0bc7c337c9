package member

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fangnetz/internal/cluster"
)

// Short forms for what corosync says. A process is named by its node; its pid
// is ten times that, and one more after each restart.
func p(node cluster.NodeID) process { return process{node, uint32(node) * 10} }

func ring(seq uint64) cluster.RingID { return cluster.RingID{Node: 1, Seq: seq} }

func online(seq uint64, nodes ...cluster.NodeID) ringChange {
	return ringChange{ring: ring(seq), online: nodes}
}

func in(ps ...process) groupChange { return groupChange{members: ps} }

func up(ps ...process) groupChange { return groupChange{members: ps, ofRing: true} }

func (g groupChange) lost(reason cluster.Reason, ps ...process) groupChange {
	for _, p := range ps {
		g.left = append(g.left, departure{p, reason})
	}
	g.ofRing = g.ofRing || reason == cluster.NodeDown
	return g
}

func yes(seq uint64) verdict { return verdict{ring(seq), true} }
func no(seq uint64) verdict  { return verdict{ring(seq), false} }

// told is a verdict's frame from node.
func told(node cluster.NodeID, v verdict) frame { return frame{p(node), v.header().bytes()} }

// piece is part i of n of message number, with one byte of text.
func piece(node cluster.NodeID, number uint64, i, n uint32, text string) frame {
	return frame{p(node), append(header{kind: partFrame, index: i, count: n, number: number}.bytes(), text...)}
}

func word(node cluster.NodeID, text string) frame { return piece(node, 0, 0, 1, text) }

// hear feeds a sequencer of node 1 and returns what comes out, one line each.
func hear(events ...any) (lines []string) {
	s := &sequencer{
		local: p(1),
		out:   func(d cluster.Delivery) { lines = append(lines, describe(d)) },
		tell:  func(v verdict) { lines = append(lines, fmt.Sprintf("tell %v %t", v.ring, v.quorate)) },
		sent:  func(number uint64, done bool) { lines = append(lines, fmt.Sprintf("sent %d %t", number, done)) },
	}
	for _, ev := range events {
		if v, ok := ev.(verdict); ok {
			s.verdict(v)
		} else {
			s.event(ev)
		}
	}
	if s.waiting() {
		lines = append(lines, "waiting")
	}
	return lines
}

func describe(d cluster.Delivery) string {
	if m := d.Message; m != nil {
		return fmt.Sprintf("%d: %s", m.From, m.Data)
	}
	v := d.View
	b := &strings.Builder{}
	fmt.Fprintf(b, "view %v online %v members %v", v.Ring, v.Online, v.Members)
	if len(v.Joined) > 0 {
		fmt.Fprintf(b, " joined %v", v.Joined)
	}
	for _, l := range v.Left {
		fmt.Fprintf(b, ", %d %v", l.Node, l.Reason)
	}
	if v.Quorate {
		b.WriteString(", quorate")
	}
	return b.String()
}

// pair is a channel of nodes 1 and 2 as node 1 enters it, on ring 1.8.
func pair(more ...any) []any { return append([]any{yes(8), in(p(1), p(2)), online(8, 1, 2)}, more...) }

const pairView = "view 1.8 online [1 2] members [1 2] joined [1 2], quorate"

func TestSequencer(t *testing.T) {
	for name, tc := range map[string]struct {
		events []any
		want   []string
	}{
		"nothing is delivered before the first verdict": {
			[]any{in(p(1)), online(8, 1), word(1, "a")},
			[]string{"waiting"},
		},
		"a verdict of no ring or an earlier one does not count": {
			[]any{verdict{}, yes(4), in(p(1)), online(8, 1)},
			[]string{"waiting"},
		},
		"a verdict may come before or after its ring": {
			pair(word(2, "a"), up(p(1)).lost(cluster.NodeDown, p(2)), online(12, 1), word(1, "b"), no(12)),
			[]string{pairView, "2: a", "view 1.c online [1] members [1], 2 node down", "1: b"},
		},
		"what follows a ring waits for its verdict": {
			pair(online(12, 1, 2, 3), in(p(1), p(2), p(3)), word(3, "a")),
			[]string{pairView, "waiting"},
		},
		"joins and departures within the ring are views at once": {
			pair(in(p(1)).lost(cluster.LeftCleanly, p(2)), in(p(1), p(2)), in(p(1)).lost(cluster.ProcessDied, p(2))),
			[]string{pairView,
				"view 1.8 online [1 2] members [1], 2 left cleanly, quorate",
				"view 1.8 online [1 2] members [1 2] joined [2], quorate",
				"view 1.8 online [1 2] members [1], 2 process died, quorate"},
		},
		"a ring that was given up before its verdict becomes part of the next": {
			pair(up(p(1), p(2), p(3)), online(12, 1, 2, 3), up(p(1), p(3)).lost(cluster.NodeDown, p(2)), online(16, 1, 3), yes(16)),
			[]string{pairView, "view 1.10 online [1 3] members [1 3] joined [3], 2 node down, quorate"},
		},
		"a node that came and went between two views was never there": {
			pair(up(p(1), p(2), p(3)), online(12, 1, 2, 3), up(p(1), p(2)).lost(cluster.NodeDown, p(3)), online(16, 1, 2), yes(16)),
			[]string{pairView, "view 1.10 online [1 2] members [1 2], quorate"},
		},
		"a node that came back with its ring both left and joined": {
			pair(up(p(1)).lost(cluster.NodeDown, p(2)), up(p(1), p(2)), online(12, 1, 2), yes(12)),
			[]string{pairView, "view 1.c online [1 2] members [1 2] joined [2], 2 node down, quorate"},
		},
		"a successor that is seen before the death of its process replaces it": {
			pair(in(p(1), p(2), process{2, 21}), in(p(1), process{2, 21}).lost(cluster.ProcessDied, p(2))),
			[]string{pairView,
				"view 1.8 online [1 2] members [1 2], quorate",
				"view 1.8 online [1 2] members [1 2] joined [2], 2 process died, quorate"},
		},
		"a ring without a change of the group is a view": {
			pair(online(12, 1, 2, 3), yes(12)),
			[]string{pairView, "view 1.c online [1 2 3] members [1 2], quorate"},
		},
		"a new verdict of the same ring counts from its frame on": {
			pair(online(12, 1, 2), yes(12), no(12), word(2, "before"), told(2, no(12)), told(1, no(12)), word(2, "after")),
			[]string{pairView, "view 1.c online [1 2] members [1 2], quorate", "tell 1.c false", "2: before",
				"view 1.c online [1 2] members [1 2]", "2: after"},
		},
		"two verdicts of one ring: the first belongs to it, the second is told": {
			pair(no(12), yes(12), online(12, 1, 2), told(1, yes(12))),
			[]string{pairView, "view 1.c online [1 2] members [1 2]", "tell 1.c true",
				"view 1.c online [1 2] members [1 2], quorate"},
		},
		"a frame of another ring is late": {
			pair(online(12, 1, 2), yes(12), told(2, no(8))),
			[]string{pairView, "view 1.c online [1 2] members [1 2], quorate"},
		},
		"a newcomer repeats the first verdict that it hears": {
			pair(told(2, yes(8)), told(2, yes(8))),
			[]string{pairView, "view 1.8 online [1 2] members [1 2], quorate"},
		},
		"parts become a message": {
			pair(piece(2, 7, 0, 2, "a"), word(1, "between"), piece(2, 7, 1, 2, "b")),
			[]string{pairView, "1: between", "2: ab"},
		},
		"senders may mix their parts": {
			pair(piece(1, 7, 0, 2, "a"), piece(2, 7, 0, 2, "x"), piece(2, 7, 1, 2, "y"), piece(1, 7, 1, 2, "b")),
			[]string{pairView, "2: xy", "1: ab", "sent 7 true"},
		},
		"a view cuts a message, its rest is dropped, it comes again whole": {
			pair(piece(1, 7, 0, 3, "a"), piece(1, 7, 1, 3, "b"), in(p(1), p(2), p(3)), piece(1, 7, 2, 3, "c"),
				piece(1, 7, 0, 3, "a"), piece(1, 7, 1, 3, "b"), piece(1, 7, 2, 3, "c")),
			[]string{pairView, "view 1.8 online [1 2] members [1 2 3] joined [3], quorate", "sent 7 false", "1: abc", "sent 7 true"},
		},
		"a verdict's view cuts nothing": {
			pair(online(12, 1, 2), yes(12), piece(2, 7, 0, 2, "a"), told(2, no(12)), piece(2, 7, 1, 2, "b")),
			[]string{pairView, "view 1.c online [1 2] members [1 2], quorate", "view 1.c online [1 2] members [1 2]", "2: ab"},
		},
		"a message given up by its sender makes room for the next": {
			pair(piece(2, 7, 0, 3, "a"), piece(2, 8, 0, 2, "x"), piece(2, 8, 1, 2, "y")),
			[]string{pairView, "2: xy"},
		},
		"nonsense is dropped": {
			pair(frame{p(2), nil}, frame{p(2), []byte("short")}, frame{p(2), make([]byte, headerSize)},
				piece(2, 7, 0, maxParts+1, "a"), piece(2, 7, 0, 0, "a"), piece(2, 7, 1, 2, "b"),
				piece(2, 7, 0, 2, strings.Repeat("x", 2*partSize)), piece(2, 7, 1, 2, "y"), piece(2, 7, 1, 1, "z")),
			[]string{pairView},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, hear(tc.events...)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// However the verdicts fall between the events, all nodes deliver the same.
func TestVerdictsMayComeAtAnyTime(t *testing.T) {
	events := pair(word(2, "a"), up(p(1), p(2), p(3)), online(12, 1, 2, 3), piece(2, 1, 0, 2, "x"),
		up(p(1), p(2)).lost(cluster.NodeDown, p(3)), online(16, 1, 2), word(1, "b"))[1:]
	var first []string
	for early := range len(events) + 1 {
		for late := early; late <= len(events); late++ {
			var all []any
			for i := range len(events) + 1 {
				if i == 0 {
					all = append(all, yes(8))
				}
				if i == early {
					all = append(all, no(12))
				}
				if i == late {
					all = append(all, yes(16))
				}
				if i < len(events) {
					all = append(all, events[i])
				}
			}
			got := hear(all...)
			if first == nil {
				first = got
			}
			if d := cmp.Diff(first, got); d != "" {
				t.Fatalf("verdicts before events %d and %d (-first +this):\n%s", early, late, d)
			}
		}
	}
	if len(first) != 5 {
		t.Errorf("%d deliveries: %q; want 3 views and 2 messages", len(first), first)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(header{kind: partFrame, count: 2, number: 9}.bytes())
	f.Add(no(8).header().bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		h, body, ok := parse(data)
		if !ok {
			return
		}
		if h.index < 1<<8 && h.count < 1<<8 { // more would only take memory
			hear(pair(frame{p(2), data}, frame{p(2), data})...)
		}
		if again, rest, ok := parse(append(h.bytes(), body...)); !ok || again != h || !bytes.Equal(rest, body) {
			t.Errorf("parse(bytes(%+v)) = %+v, %t", h, again, ok)
		}
	})
}
