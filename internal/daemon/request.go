package daemon

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
	"fangnetz/internal/wire"
)

// errStopping answers requests that reach a daemon on its way out.
var errStopping = &wire.Refusal{Code: wire.Broken, Words: "cmand is stopping"}

// Status is what clustat shows, from this node's replica.
func (d *Daemon) Status(ctx context.Context) (cluster.Status, error) {
	var st cluster.Status
	if !d.ask(ctx, func() { st = d.status() }) {
		return st, errStopping
	}
	return st, nil
}

// status is the replica's picture, or what is known before it has one.
func (d *Daemon) status() cluster.Status {
	if m := d.replica.machine; m != nil {
		return m.Status(d.local)
	}
	c, v := d.conf(), d.replica.view
	st := cluster.Status{
		Cluster: cluster.Info{Name: c.Name, ID: c.ClusterID, Generation: v.Ring.Seq, ConfigVersion: c.Version},
		Local:   d.local, Quorate: v.Quorate, Members: []cluster.Member{}, ConfigReadable: true,
		Manager: cluster.Manager{Running: true, ServiceRefusal: cluster.NoQuorum, MemberRefusal: cluster.NoQuorum},
	}
	for _, n := range c.Nodes {
		st.Members = append(st.Members, cluster.Member{Name: n.Name, ID: n.ID, Configured: true, Known: true,
			Online: v.Online.Has(n.ID), Local: n.ID == d.local})
	}
	return st
}

// request multicasts the event that make returns, and waits for its Reply.
func (d *Daemon) request(ctx context.Context, event func(id string) rgmanager.Event) (reply, error) {
	ch := make(chan reply, 1)
	id, quorum := "", false
	ok := d.tell(ctx, func() (effects []Effect) {
		if id, effects, quorum = d.core.Request(time.Now(), event); quorum {
			d.waiting[id] = ch
		}
		return effects
	})
	switch {
	case !ok:
		return reply{}, errStopping
	case !quorum:
		return reply{Result: cluster.NoQuorum}, nil
	}
	select {
	case r := <-ch:
		return r, nil
	case <-ctx.Done():
		d.ask(context.WithoutCancel(ctx), func() { delete(d.waiting, id) })
		return reply{}, context.Cause(ctx)
	case <-d.stopped:
		return reply{}, errStopping
	}
}

// Act carries out what clusvcadm asks for.
func (d *Daemon) Act(ctx context.Context, a wire.Action) (wire.Answer, error) {
	if a.DryRun {
		return d.try(ctx, a)
	}
	by := wire.Caller(ctx)
	r, err := d.request(ctx, func(id string) rgmanager.Event { return d.wish(id, by, a) })
	return wire.Answer{Result: r.Result, Owner: r.Owner, Problem: r.Problem}, err
}

// Update checks a new cluster.conf and distributes it.
func (d *Daemon) Update(ctx context.Context, file string, text []byte) (wire.UpdateAnswer, error) {
	doc, err := conf.Parse(file, text)
	if err != nil {
		return wire.UpdateAnswer{Faults: strings.Split(err.Error(), "\n")}, nil
	}
	c, faults := doc.Config()
	if errs := faults.Errors(); len(errs) > 0 {
		return wire.UpdateAnswer{To: c.Version, Faults: strings.Split(errs.Error(), "\n")}, nil
	}
	if err := c.Runnable(); err != nil {
		return wire.UpdateAnswer{To: c.Version, Faults: []string{file + ": " + err.Error()}}, nil
	}
	by := wire.Caller(ctx)
	r, err := d.request(ctx, func(id string) rgmanager.Event {
		return rgmanager.Proposed{ID: id, From: d.local, At: now(), By: d.here(by), Text: string(text)}
	})
	answer := wire.UpdateAnswer{From: r.From, To: r.To, Problem: r.Problem}
	switch {
	case r.Result == cluster.NoQuorum:
		answer.Problem = wire.UpdateNeedsQuorum
	case r.Result == cluster.InvalidOperation:
		answer.Problem = wire.VersionNotGreater(r.From, c.Version)
	case r.Result == cluster.Failure && r.Problem == "":
		answer.Problem = "The new configuration could not be stored on every member; nothing was changed."
	}
	names := map[cluster.NodeID]string{}
	for _, n := range c.Nodes {
		names[n.ID] = n.Name
	}
	for _, id := range slices.Sorted(maps.Keys(r.Errors)) {
		answer.Nodes = append(answer.Nodes, wire.NodeProblem{Node: names[id], Problem: r.Errors[id]})
	}
	return answer, err
}

// AckFence takes the administrator's word that a node is off.
func (d *Daemon) AckFence(ctx context.Context, name string) error {
	var node *conf.Node
	if !d.ask(ctx, func() {
		for i, n := range d.conf().Nodes {
			if strings.EqualFold(n.Name, name) {
				node = &d.conf().Nodes[i]
			}
		}
	}) {
		return errStopping
	}
	if node == nil {
		return &wire.Refusal{Code: wire.UnknownNode, Words: fmt.Sprintf("no node %q in cluster.conf", name)}
	}
	by := wire.Caller(ctx)
	r, err := d.request(ctx, func(id string) rgmanager.Event {
		return rgmanager.Acknowledged{ID: id, From: d.local, At: now(), By: d.here(by), Node: node.ID}
	})
	switch {
	case err != nil:
		return err
	case r.Result == cluster.NoQuorum:
		return &wire.Refusal{Code: wire.NoQuorum, Words: cluster.NoQuorum.String()}
	case r.Result != cluster.Success:
		return &wire.Refusal{Code: wire.NotWaiting, Words: r.Problem}
	}
	return nil
}
