package daemon

import (
	"cmp"
	"errors"
	"fmt"

	"fangnetz/internal/cluster"
	"fangnetz/internal/rgmanager"
)

// round collects the hellos of a view.
type round struct {
	key     string
	left    []cluster.Departure // since the machine's latest view
	hellos  map[cluster.NodeID]hello
	quorate bool // of the view before
}

// overdue is called when a round has lasted too long: it goes on without the
// members that are silent.
func (r *replica) overdue(key string) output {
	r.out = output{}
	if r.round != nil && r.round.key == key {
		r.send(message{Proceed: &proceed{Key: key}})
	}
	return r.out
}

// expecting reports whether the cluster is just forming, and there are nodes
// in the ring whose cmand is not here yet: one of them may have a newer
// cluster.conf, which was acknowledged before all cmands died. They have as
// long as a round may last.
func (r *replica) expecting() bool {
	for _, h := range r.round.hellos {
		if !h.Blank {
			return false
		}
	}
	return len(r.view.Online) > len(r.view.Members)
}

// inRound returns the key of the round that is going on; empty: none.
func (r *replica) inRound() string {
	if r.round == nil {
		return ""
	}
	return r.round.key
}

// conclude ends the round: all members that take part choose the same senior
// from the same hellos.
func (r *replica) conclude() {
	round := r.round
	r.round = nil
	var senior cluster.NodeID
	for _, id := range r.view.Members {
		if _, ok := round.hellos[id]; ok && (senior == 0 || round.before(id, senior)) {
			senior = id
		}
	}
	first := round.hellos[senior]
	r.behind = nil
	fresh, wary := map[cluster.NodeID]string{}, first.Blank
	for _, id := range r.view.Members {
		h, ok := round.hellos[id]
		switch {
		case !ok:
		case first.Blank:
			if fresh[id] = h.Boot; !h.Blank {
				fresh[id] += " " + round.key // what it was doing is void
			}
			wary = wary && h.Wary
		case h.Blank || string(h.Chain) != string(first.Chain):
			r.behind = r.behind.With(id)
			fresh[id] = h.Boot + " " + round.key // what it was doing is void
		}
	}
	switch _, here := round.hellos[r.local]; {
	case !here:
		r.out.Fatal = fmt.Errorf("the other members went on without this node: it did not answer in time")
		return
	case first.Blank:
		r.out.Reset = r.machine != nil
		if !r.form(first) {
			return
		}
		copy(r.chain[:], first.Chain) // from here on all have seen the same
	case r.behind.Has(r.local):
		r.out.Reset = r.machine != nil
		r.held = nil // the snapshot knows what these led to
		r.await(round.snapshotKey(senior))
		return
	}
	r.membership(round.left, fresh, wary)
	held := r.held
	r.held = nil
	for _, m := range held {
		if r.view.Members.Has(m.From) && !r.behind.Has(m.From) { // else who sent it is gone, or has forgotten it
			r.replay(m)
		}
	}
	if len(r.behind) > 0 && senior == r.local {
		r.snapshot(round.snapshotKey(senior))
	}
}

// before reports whether a should be senior rather than b: a running cluster's
// member, else who was in the latest quorum, else who has the highest version,
// else who has the most to tell.
func (r *round) before(a, b cluster.NodeID) bool {
	x, y := r.hellos[a], r.hellos[b]
	first := func(x, y bool) int {
		switch {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	}
	return cmp.Or(first(!x.Blank && x.Quorate, !y.Blank && y.Quorate), cmp.Compare(y.Epoch, x.Epoch),
		cmp.Compare(y.Version, x.Version), first(!x.Blank, !y.Blank), cmp.Compare(y.Applied, x.Applied), cmp.Compare(a, b)) < 0
}

// snapshotKey is what only this round's snapshot carries.
func (r *round) snapshotKey(senior cluster.NodeID) string {
	h := r.hellos[senior]
	return fmt.Sprintf("%s %s %d", r.key, h.Boot, h.Applied)
}

// form makes the machine of a cluster that is just forming.
func (r *replica) form(first hello) bool {
	m, err := rgmanager.New(first.Config)
	if err != nil {
		r.out.Fatal = err
		return false
	}
	r.machine, r.applied, r.loading, r.since, r.audited = m, 0, "", nil, audit{}
	r.out.Loaded = true
	m.Follow(first.Epoch)
	r.takeOver(first.Config)
	return r.out.Fatal == nil
}

// takeOver makes the cluster's configuration ours. A file with a higher
// version is one that was edited here and not pushed: it stays, and is not
// obeyed.
func (r *replica) takeOver(config string) {
	if r.codec.conf(config).NodeByID(r.local) == nil {
		r.out.Fatal = errors.New("the cluster.conf in force does not list this node")
		return
	}
	if config == r.config {
		return
	}
	if here, there := r.codec.version(r.config), r.codec.version(config); here > there {
		r.warn("cluster.conf here has config_version %d, the running cluster has %d, which is in force: "+
			"push the file with ccs_tool update", here, there)
	} else {
		r.out.Config = config
	}
	r.config, r.out.InForce = config, true
}
