package daemon

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// entrances says when the nodes came into the ring, as this node saw it.
type entrances map[cluster.NodeID]entrance

type entrance struct {
	at  time.Time // zero: it is out again
	seq uint64    // of the ring that it came into
}

// note takes over a view.
func (e entrances) note(v cluster.View, at time.Time) {
	for id, in := range e {
		if !v.Online.Has(id) {
			e[id] = entrance{seq: in.seq}
		}
	}
	for _, id := range v.Online {
		if e[id].at.IsZero() {
			e[id] = entrance{at, v.Ring.Seq}
		}
	}
}

// Membership is what cman_tool shows: votes as cluster.conf gives them, and
// who is in the ring.
func (d *Daemon) Membership(ctx context.Context) (cluster.Membership, error) {
	var m cluster.Membership
	var c *conf.Config
	if !d.ask(ctx, func() {
		c = d.conf()
		m = membership(c, d.replica.view, d.entered)
		m.Local, m.Manager = d.local, d.replica.machine != nil
		select {
		case <-d.leave:
			m.Leaving = true
		default:
		}
	}) {
		return m, errStopping
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for i := range m.Nodes {
		wg.Go(func() {
			names := []string{m.Nodes[i].Name}
			if n := c.NodeByID(m.Nodes[i].ID); n != nil {
				names = append(names, n.AltNames...)
			}
			m.Nodes[i].Addresses = addresses(ctx, names)
		})
	}
	wg.Wait()
	six := false
	for _, n := range m.Nodes {
		if n.ID == m.Local && len(n.Addresses) > 0 {
			addr, err := netip.ParseAddr(n.Addresses[0])
			six = err == nil && addr.Is6()
		}
	}
	m.Groups = multicast(c, six)
	return m, nil
}

// membership counts the votes (cman, "Quorum arithmetic"). As corosync does,
// and other than cman, it lets the quorum fall again when nodes are gone.
func membership(c *conf.Config, v cluster.View, entered entrances) cluster.Membership {
	m := cluster.Membership{
		Cluster: cluster.Info{Name: c.Name, ID: c.ClusterID, Generation: v.Ring.Seq, ConfigVersion: c.Version},
		Quorate: v.Quorate, TwoNode: c.TwoNode, Nodes: []cluster.Voter{}, Groups: []string{},
	}
	sum := 0
	for _, n := range c.Nodes {
		m.Nodes = append(m.Nodes, voter(n.ID, n.Name, n.Votes, v, entered))
		sum += n.Votes
	}
	for _, id := range v.Online {
		if c.NodeByID(id) == nil { // not in cluster.conf any more
			m.Nodes = append(m.Nodes, voter(id, "Node"+id.String(), 0, v, entered))
		}
	}
	slices.SortStableFunc(m.Nodes, func(a, b cluster.Voter) int { return cmp.Compare(a.ID, b.ID) })
	members := 0
	for _, n := range m.Nodes {
		if n.Online {
			m.Total += n.Votes
			members++
		}
	}
	m.Expected = cmp.Or(c.ExpectedVotes, sum)
	if c.TwoNode {
		m.Expected = cmp.Or(c.ExpectedVotes, 1)
	}
	if m.Quorum = max((m.Expected+2)/2, (m.Total+2)/2); c.TwoNode && members <= 2 {
		m.Quorum = 1
	}
	return m
}

func voter(id cluster.NodeID, name string, votes int, v cluster.View, entered entrances) cluster.Voter {
	n := cluster.Voter{Name: name, ID: id, Votes: votes, Online: v.Online.Has(id), Incarnation: entered[id].seq}
	if at := entered[id].at; n.Online && !at.IsZero() {
		n.Joined = at.Unix()
	}
	return n
}

// addresses looks names up, and takes of each the one that the ring takes:
// IPv4 before IPv6, a loopback address last.
func addresses(ctx context.Context, names []string) []string {
	found := []string{}
	for _, name := range names {
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		if err != nil || len(addrs) == 0 {
			continue
		}
		best := slices.MinFunc(addrs, func(a, b netip.Addr) int {
			a, b = a.Unmap(), b.Unmap()
			if a.IsLoopback() != b.IsLoopback() {
				if b.IsLoopback() {
					return -1
				}
				return 1
			}
			return cmp.Or(cmp.Compare(a.BitLen(), b.BitLen()), a.Compare(b))
		})
		found = append(found, best.Unmap().String())
	}
	return found
}

// multicast gives the ring's addresses, one for each link. As cman did it names
// them also where the transport has no use for them.
func multicast(c *conf.Config, six bool) []string {
	links := 1
	for _, n := range c.Nodes {
		links = max(links, 1+len(n.AltNames))
	}
	var groups []string
	for link := range links {
		group := conf.MulticastAddr(c.ClusterID+uint32(link), six).String()
		switch {
		case c.Broadcast || c.Transport == "udpb":
			group = "255.255.255.255"
		case link == 0 && c.Multicast != "":
			group = c.Multicast
		}
		groups = append(groups, group)
	}
	return groups
}
