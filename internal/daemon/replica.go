package daemon

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"fangnetz/internal/cluster"
	"fangnetz/internal/rgmanager"
	"fangnetz/internal/wire"
)

// replica keeps this node's rgmanager.Machine in step with all others'. It is
// as pure as the machine: deliveries in, messages and actions out.
//
// After a view with a newcomer nothing is decided before every member has
// said hello: whether it holds a machine, and a chain of hashes over all that
// was delivered to it. Two machines with the same chain are the same. The
// senior is the member with the most to tell; whoever has another chain than
// the senior forgets its own machine and waits for the senior's snapshot.
type replica struct {
	local  cluster.NodeID
	boot   string
	config string // our cluster.conf, until there is a machine
	wary   bool   // this node went down without leaving
	epoch  uint64 // of the latest quorum with this node

	machine *rgmanager.Machine // nil: none yet
	applied uint64             // events that the machine has seen
	chain   [sha256.Size]byte  // over everything delivered
	view    cluster.View

	round   *round            // hellos are being collected; nil: none
	loading string            // key of the snapshot that is awaited; empty: none
	behind  cluster.NodeIDs   // members that await a snapshot
	held    []cluster.Message // delivered during a round, for the machine after it
	since   []cluster.Message // delivered while loading, all of them
	audited audit             // the machine at the latest audit

	codec *Codec
	out   output
}

// output is what a delivery leads to.
type output struct {
	Actions   []rgmanager.Action // to be carried out, those of other nodes included
	Events    []rgmanager.Event  // that the machine has seen, for the log
	Send      []message          // to be multicast
	Config    string             // cluster.conf, to be stored before anything else; empty: it stays
	InForce   bool               // there is another configuration in force
	Reset     bool               // the machine was given up: operations under way are void
	Loaded    bool               // here is another one: what came between is not known here
	Migration *wire.Migration    // has come so far
	Warn      []string           // for the log
	Fatal     error              // this node cannot take part
}

func newReplica(local cluster.NodeID, boot, config string, wary bool, codec *Codec) *replica {
	return &replica{local: local, boot: boot, config: config, wary: wary, codec: codec}
}

// deliver takes the next delivery of the channel.
func (r *replica) deliver(d cluster.Delivery) output {
	r.out = output{}
	if d.View != nil {
		r.enter(*d.View)
	} else {
		r.receive(*d.Message)
	}
	return r.out
}

func (r *replica) send(m message) { r.out.Send = append(r.out.Send, m) }

func (r *replica) warn(format string, args ...any) {
	r.out.Warn = append(r.out.Warn, fmt.Sprintf(format, args...))
}

// link extends the chain.
func (r *replica) link(from cluster.NodeID, data []byte) {
	h := sha256.New()
	h.Write(r.chain[:])
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(from)))
	h.Write(data)
	h.Sum(r.chain[:0])
}

func (r *replica) enter(v cluster.View) {
	before := r.view
	joined := len(v.Joined) > 0 ||
		slices.ContainsFunc(v.Members, func(id cluster.NodeID) bool { return !before.Members.Has(id) })
	if !joined && len(v.Left) == 0 && v.Ring == before.Ring && slices.Equal(v.Online, before.Online) && v.Quorate == before.Quorate {
		return // nothing new, and perhaps told to this node alone
	}
	r.link(0, fmt.Appendln(nil, v.Ring, v.Online, v.Members, v.Quorate))
	r.view = v
	if r.round == nil && !joined && r.machine != nil && r.loading == "" && len(r.behind) == 0 {
		r.membership(v.Left, nil, false)
		return
	}
	old := r.round
	r.round = &round{hellos: map[cluster.NodeID]hello{}, quorate: before.Quorate, left: v.Left,
		key: fmt.Sprintf("%s %v", v.Ring, v.Members)}
	if old != nil {
		r.round.left, r.round.quorate = append(old.left, v.Left...), old.quorate
	}
	h := &hello{Key: r.round.key, Boot: r.boot, Blank: r.blank(), Chain: slices.Clone(r.chain[:]),
		Applied: r.applied, Quorate: r.round.quorate, Wary: r.wary, Epoch: r.epoch}
	if h.Blank {
		r.held = nil // of views before this one: not all that are here have seen it
		h.Config, h.Version = r.config, r.codec.version(r.config)
	} else {
		h.Version = r.machine.Conf().Version
	}
	r.send(message{Hello: h})
}

// blank reports whether there is nothing that others could learn here but
// cluster.conf.
func (r *replica) blank() bool { return r.machine == nil || r.loading != "" || !r.machine.Formed() }

func (r *replica) receive(m cluster.Message) {
	if r.loading != "" && r.round == nil {
		r.load(m)
		return
	}
	r.link(m.From, m.Data)
	msg, err := r.codec.decode(m.Data)
	if err != nil {
		r.warn("message from node %d: %v", m.From, err)
		return
	}
	switch {
	case msg.Hello != nil:
		if r.round != nil && msg.Hello.Key == r.round.key && r.view.Members.Has(m.From) {
			r.round.hellos[m.From] = *msg.Hello
			if len(r.round.hellos) == len(r.view.Members) && !r.expecting() {
				r.conclude()
			}
		}
	case msg.Proceed != nil:
		if r.round != nil && msg.Proceed.Key == r.round.key {
			r.conclude()
		}
	case r.round != nil:
		if msg.Event != nil { // the others are about a round that is over
			r.held = append(r.held, m)
		}
	default:
		r.apply(m.From, msg)
	}
}

// apply takes a message that is about the machine itself.
func (r *replica) apply(from cluster.NodeID, msg *message) {
	switch {
	case msg.Event != nil:
		if msg.err != nil {
			r.warn("message from node %d: %v", from, msg.err)
			return
		}
		r.step(msg.event)
	case msg.Snapshot != nil:
		r.behind = nil
	case msg.Expel != nil:
		r.expelled(*msg.Expel)
	case msg.Beat != 0:
		r.machine.Clock(msg.Beat)
	case msg.Progress != nil:
		r.out.Migration = msg.Progress
	case msg.Audit != nil:
		r.compare(from, *msg.Audit)
	case msg.Resync != nil:
		r.behind = r.behind.With(from)
		if from == r.local {
			r.await(msg.Resync.Key)
		} else if senior := r.synced(); len(senior) > 0 && senior[0] == r.local {
			r.snapshot(msg.Resync.Key)
		}
	}
}

func (r *replica) step(ev rgmanager.Event) {
	r.applied++
	r.out.Events = append(r.out.Events, ev)
	r.out.Actions = append(r.out.Actions, r.machine.Step(ev)...)
}

// synced returns the members that have a machine in step.
func (r *replica) synced() cluster.NodeIDs {
	return slices.DeleteFunc(slices.Clone(r.view.Members), func(id cluster.NodeID) bool { return r.behind.Has(id) })
}

// membership tells the machine of the view. fresh holds the boots of members
// that it has to take for new.
func (r *replica) membership(left []cluster.Departure, fresh map[cluster.NodeID]string, wary bool) {
	ev := r.members(left, fresh)
	ev.Wary = wary
	r.step(ev)
}

func (r *replica) members(left []cluster.Departure, fresh map[cluster.NodeID]string) rgmanager.Membership {
	ev := rgmanager.Membership{Ring: r.view.Ring, Online: r.view.Online, Left: left, Quorate: r.view.Quorate}
	for _, id := range r.view.Members {
		if boot := cmp.Or(fresh[id], r.machine.Boot(id)); boot != "" { // else left out of the round, or put out
			ev.Members = append(ev.Members, rgmanager.Member{Node: id, Boot: boot})
		}
	}
	return ev
}

func (r *replica) expelled(e expel) {
	switch {
	case e.Boot == "" || r.machine.Boot(e.Node) != e.Boot:
		return // gone already, or back already
	case e.Node == r.local:
		r.out.Fatal = errors.New("the other members put this node out: it was silent for too long")
		return
	}
	ev := r.members([]cluster.Departure{{Node: e.Node, Reason: cluster.ProcessDied}}, nil)
	ev.Members = slices.DeleteFunc(ev.Members, func(m rgmanager.Member) bool { return m.Node == e.Node })
	r.step(ev)
}

// replay takes a message that was held back. Its place in the chain it has
// already.
func (r *replica) replay(m cluster.Message) {
	if msg, err := r.codec.decode(m.Data); err == nil {
		r.apply(m.From, msg)
	}
}
