package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/fence"
	"fangnetz/internal/hypervisor"
	"fangnetz/internal/member"
)

// whoAmI finds this host among the nodes: by its name, by the names of its
// addresses, by the addresses (cman, "Cluster id, multicast address, ports,
// node ids and names"), and, ours, by what the nodes' names resolve to.
func whoAmI(ctx context.Context, c *conf.Config) (*conf.Node, error) {
	hostname, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var names, texts []string
	local := map[string]bool{}
	for _, a := range addrs {
		ip, ok := a.(*net.IPNet)
		if !ok || ip.IP.IsLoopback() || ip.IP.IsLinkLocalUnicast() {
			continue
		}
		local[ip.IP.String()] = true
		texts = append(texts, ip.IP.String())
		found, err := net.DefaultResolver.LookupAddr(ctx, ip.IP.String())
		if err == nil {
			for _, f := range found {
				names = append(names, trimDot(f))
			}
		}
	}
	if n := c.LocalNode(hostname, append(names, texts...)); n != nil {
		return n, nil
	}
	for i := range c.Nodes {
		found, err := net.DefaultResolver.LookupHost(ctx, c.Nodes[i].Name)
		if err != nil {
			continue
		}
		for _, f := range found {
			if local[f] {
				return &c.Nodes[i], nil
			}
		}
	}
	return nil, fmt.Errorf("cannot find local node name: none of the clusternodes is %s or has an address of this host", hostname)
}

func trimDot(name string) string {
	if name != "" && name[len(name)-1] == '.' {
		return name[:len(name)-1]
	}
	return name
}

// settings is what the ring needs of the configuration.
func settings(c *conf.Config, me *conf.Node) member.Settings {
	s := member.Settings{
		Name: c.Name, ID: c.ClusterID, Local: me.ID,
		TwoNode: c.TwoNode, ExpectedVotes: c.ExpectedVotes,
		Transport: c.Transport, Multicast: c.Multicast, Port: c.Port,
		Token: c.Totem.Token, Consensus: c.Totem.Consensus,
		SecAuth: c.Totem.SecAuth, KeyFile: c.KeyFile,
	}
	for _, n := range c.Nodes {
		s.Nodes = append(s.Nodes, member.Node{Name: n.Name, ID: n.ID, Votes: n.Votes,
			Addresses: append([]string{n.Name}, n.AltNames...)})
	}
	return s
}

// fencer is package fence as the daemon wants it.
type fencer struct{}

func (fencer) Fence(ctx context.Context, c *conf.Config, node cluster.NodeID) ([]string, error) {
	report, err := (&fence.Fencer{}).Node(ctx, c, node)
	var lines []string
	for _, a := range report.Attempts {
		result := "success"
		if a.Err != nil {
			result = "error from agent"
		}
		lines = append(lines, fmt.Sprintf("fence %s method %s device %s agent %s result: %s",
			c.NodeByID(node).Name, a.Method, a.Device, a.Agent, result))
	}
	return lines, err
}

// openHost returns this host's hypervisor, and tells the log what its settings
// leave to chance.
func openHost(log *slog.Logger) *hypervisor.Host {
	for _, advice := range hypervisor.Advice("/etc") {
		log.Warn(advice)
	}
	return hypervisor.Open(hypervisor.Options{
		Note: func(machine, text string) { log.Warn(text, "machine", machine) },
	})
}

// configure tells the hypervisor which machines there are, and the log what
// they ask for and will not get.
func configure(h *hypervisor.Host, c *conf.Config, log *slog.Logger) {
	h.Configure(c)
	for _, svc := range c.Services {
		if svc.VM == nil {
			continue
		}
		for _, err := range svc.VM.Refusals() {
			log.Warn(err.Error(), "service", svc.FullName())
		}
	}
}

// host is package hypervisor as the daemon wants it.
type host struct{ *hypervisor.Host }

func (h host) Migrate(ctx context.Context, svc conf.Service, node string, progress func(cluster.Progress)) (bool, error) {
	err := h.Host.Migrate(ctx, svc, node, progress)
	m, ok := errors.AsType[*hypervisor.MigrateError](err)
	return ok && m.Outcome == hypervisor.StillHere, err
}
