package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"fangnetz/internal/conf"
)

// host is what check knows of the host that it runs on.
type host struct {
	name      func() (string, error)
	addresses func() ([]net.Addr, error)
	resolve   func(ctx context.Context, name string) ([]string, error)
	agents    string // folders, as in $PATH
	autostart string // folder with links to what libvirt starts by itself
}

func thisHost() host {
	return host{os.Hostname, net.InterfaceAddrs, net.DefaultResolver.LookupHost, os.Getenv("PATH") + ":/usr/sbin:/sbin", "/etc/libvirt/qemu/autostart"}
}

// resolveTime bounds all look-ups of names together.
const resolveTime = 2 * time.Second

// advice looks for what a configuration needs and the host does not have.
func (h host) advice(ctx context.Context, doc *conf.Document, c *conf.Config) conf.Faults {
	var faults conf.Faults
	said := map[string]bool{}
	for _, fd := range c.FenceDevices {
		if a := fd.Agent; a != "" && !said[a] && filepath.Base(a) != "fence_manual" && !h.installed(a) {
			said[a] = true
			faults = append(faults, doc.Say(conf.Warning, "fencedevice", "agent", a,
				fmt.Sprintf("agent %q of fencedevice %q is not installed here: fencing with it fails on this host", a, fd.Name)))
		}
	}
	faults = append(faults, h.names(ctx, doc, c)...)
	for _, s := range c.Services {
		if s.VM == nil {
			continue
		}
		if _, err := os.Lstat(filepath.Join(h.autostart, filepath.Base(s.Name)+".xml")); err == nil {
			faults = append(faults, doc.Say(conf.Advice, "vm", "name", s.Name,
				fmt.Sprintf("libvirt starts %s by itself when this host boots: it must be the cluster's alone (virsh autostart --disable %s)", s.FullName(), s.Name)))
		}
	}
	return faults
}

func (h host) installed(agent string) bool {
	if strings.Contains(agent, "/") {
		_, err := exec.LookPath(agent)
		return err == nil
	}
	return slices.ContainsFunc(filepath.SplitList(h.agents), func(dir string) bool {
		_, err := exec.LookPath(filepath.Join(dir, agent))
		return err == nil && dir != ""
	})
}

// names looks up the nodes' names, all at once.
func (h host) names(ctx context.Context, doc *conf.Document, c *conf.Config) conf.Faults {
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	type lookup struct {
		element, name string
		found         []string
		err           error
	}
	var all []*lookup
	for _, n := range c.Nodes {
		all = append(all, &lookup{element: "clusternode", name: n.Name})
		for _, alt := range n.AltNames {
			all = append(all, &lookup{element: "altname", name: alt})
		}
	}
	var wg sync.WaitGroup
	for _, l := range all {
		wg.Go(func() { l.found, l.err = h.resolve(ctx, l.name) })
	}
	wg.Wait()

	local := h.local()
	me, _ := h.name()
	here := c.LocalNode(me, nil)
	var faults conf.Faults
	for _, l := range all {
		say := func(severity conf.Severity, format string, args ...any) {
			faults = append(faults, doc.Say(severity, l.element, "name", l.name, fmt.Sprintf(format, args...)))
		}
		loopback := slices.IndexFunc(l.found, func(a string) bool {
			ip, err := netip.ParseAddr(a)
			return err == nil && ip.IsLoopback()
		})
		dns, notFound := errors.AsType[*net.DNSError](l.err)
		switch {
		case l.err != nil && notFound && dns.IsNotFound:
			say(conf.Warning, "%q does not resolve here: expected it in /etc/hosts of every node", l.name)
		case l.err != nil:
			say(conf.Warning, "%q could not be resolved within %v: expected it in /etc/hosts of every node", l.name, resolveTime)
		case loopback >= 0 && len(c.Nodes) > 1:
			say(conf.Advice, "%q resolves to %s, where no other node reaches it: expected its address on the cluster's network", l.name, l.found[loopback])
		case here != nil && (l.name == here.Name || slices.Contains(here.AltNames, l.name)) && len(local) > 0 &&
			!slices.ContainsFunc(l.found, func(a string) bool { return local[a] }):
			say(conf.Advice, "%q is this host, and %s is no address of its interfaces: expected one of them", l.name, strings.Join(l.found, ", "))
		}
	}
	return faults
}

// local are the addresses of the host's interfaces; none when they cannot be
// had.
func (h host) local() map[string]bool {
	addrs, err := h.addresses()
	if err != nil {
		return nil
	}
	local := map[string]bool{}
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok {
			local[ip.IP.String()] = true
		}
	}
	return local
}
