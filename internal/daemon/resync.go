package daemon

import (
	"fmt"
	"slices"

	"fangnetz/internal/cluster"
	"fangnetz/internal/rgmanager"
)

// audit begins a comparison of all replicas.
func (r *replica) audit() output {
	r.out = output{}
	if r.machine != nil && r.round == nil && r.loading == "" && len(r.view.Members) > 0 && r.view.Members[0] == r.local {
		r.send(message{Audit: &r.audited})
	}
	return r.out
}

// await gives up the machine until the snapshot comes.
func (r *replica) await(key string) {
	r.loading, r.since = key, nil
}

func (r *replica) snapshot(key string) {
	state, err := r.machine.Snapshot()
	if err != nil {
		r.out.Fatal = err
		return
	}
	r.send(message{Snapshot: &snapshot{Key: key, State: state, Behind: r.behind, Chain: slices.Clone(r.chain[:]), Applied: r.applied}})
}

// load keeps what is delivered until the awaited snapshot comes, loads that,
// and then takes what came since the snapshot was made.
func (r *replica) load(m cluster.Message) {
	r.since = append(r.since, m)
	msg, err := r.codec.decode(m.Data)
	if err != nil || msg.Snapshot == nil || msg.Snapshot.Key != r.loading {
		return
	}
	machine, err := rgmanager.Restore(msg.Snapshot.State)
	if err != nil {
		r.out.Fatal = err
		return
	}
	r.machine, r.applied, r.behind, r.loading = machine, msg.Snapshot.Applied, msg.Snapshot.Behind, ""
	r.audited, r.out.Loaded = audit{}, true
	copy(r.chain[:], msg.Snapshot.Chain)
	r.takeOver(machine.Config)
	r.out.Actions = append(r.out.Actions, machine.Resume(r.local)...)
	since := r.since
	r.since = nil
	for _, m := range since {
		r.receive(m)
	}
}

// compare checks our hash of the audit before against the sender's.
func (r *replica) compare(from cluster.NodeID, a audit) {
	if r.audited.Hash != "" && a.Applied == r.audited.Applied && a.Hash != r.audited.Hash {
		r.warn("this node's picture of the cluster differs from node %d's; fetching that", from)
		r.send(message{Resync: &resync{Key: fmt.Sprintf("resync %s %d", r.boot, r.applied)}})
	}
	hash, err := r.machine.Hash()
	if err != nil {
		r.warn("cannot hash the state: %v", err)
	}
	r.audited = audit{Hash: hash, Applied: r.applied}
}
