package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"fangnetz/internal/conf"
	"fangnetz/internal/daemon"
	"fangnetz/internal/hypervisor"
	"fangnetz/internal/member"
	"fangnetz/internal/wire"
)

// stopTime bounds the end of corosync and of the last answers.
const stopTime = 20 * time.Second

// node is everything that one cmand consists of.
type node struct {
	daemon   *daemon.Daemon
	channel  channel
	host     *hypervisor.Host
	listener net.Listener
	marks    marks
	log      *slog.Logger
}

// marks are two files that exist while cmand takes part in the cluster. One
// outlives a boot of the host, the other does not.
type marks struct{ durable, fleeting string }

// unclean reports whether the host went down while cmand ran: power was cut,
// perhaps by a fence.
func (m marks) unclean() bool {
	_, before := os.Stat(m.durable)
	_, sinceBoot := os.Stat(m.fleeting)
	return before == nil && sinceBoot != nil
}

func (m marks) set() error {
	for _, path := range []string{m.durable, m.fleeting} {
		if err := conf.WriteFile(path, nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (m marks) clear() error { return errors.Join(os.Remove(m.durable), os.Remove(m.fleeting)) }

// channel is what cmand needs of package member beyond the daemon's needs.
type channel interface {
	daemon.Channel
	Reload(ctx context.Context, s member.Settings) error
	Close(ctx context.Context) error
}

// start reads the configuration, joins the ring and listens on the socket.
func start(ctx context.Context, p paths, log *slog.Logger) (*node, error) {
	text, err := os.ReadFile(p.config)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %v", err)
	}
	doc, err := conf.Parse(p.config, text)
	if err != nil {
		return nil, err
	}
	c, faults := doc.Config()
	if errs := faults.Errors(); len(errs) > 0 {
		return nil, errs
	}
	for _, f := range faults {
		log.Warn(f.String())
	}
	if err := c.Runnable(); err != nil {
		return nil, fmt.Errorf("%s: %v", p.config, err)
	}
	me, err := whoAmI(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %v", p.config, err)
	}
	for _, dir := range []string{p.runDir, p.stateDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	if err := conf.Discard(p.config); err != nil { // of an update that never was agreed on
		return nil, err
	}
	listener, err := wire.Listen(p.socket)
	if err != nil {
		return nil, err
	}
	n := &node{listener: listener, log: log, marks: marks{filepath.Join(p.stateDir, "running"), filepath.Join(p.runDir, "running")}}
	wary := n.marks.unclean()
	log.Info("Resource Group Manager Starting", "node", me.Name, "nodeid", me.ID, "version", version)
	if n.channel, err = join(ctx, p, c, me); err != nil {
		listener.Close()
		return nil, err
	}
	if err := n.marks.set(); err != nil {
		listener.Close()
		return nil, errors.Join(err, n.disconnect())
	}
	n.host = openHost(log)
	configure(n.host, c, log)
	n.daemon = daemon.New(daemon.Options{
		Config: p.config, StateDir: p.stateDir, Boot: rand.Text(), Wary: wary, Log: log,
		Channel: n.channel, Fencer: fencer{}, Hypervisor: host{n.host},
		Reconfigure: func(ctx context.Context, c *conf.Config) error {
			configure(n.host, c, log)
			return n.channel.Reload(ctx, settings(c, me))
		},
	}, string(text))
	return n, nil
}

// join enters the ring; a cluster of one node needs none.
func join(ctx context.Context, p paths, c *conf.Config, me *conf.Node) (channel, error) {
	if len(c.Nodes) == 1 {
		return member.NewSolo(me.ID), nil
	}
	return member.Start(ctx, member.Options{RunDir: p.runDir, Settings: settings(c, me)})
}

// run serves the socket and runs the daemon; at its end it leaves the ring
// in order.
func (n *node) run(ctx context.Context) error {
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- (&wire.Server{Backend: n.daemon}).Serve(serving, n.listener) }()
	err := n.daemon.Run(ctx)
	stop()
	if serr := <-served; serr != nil && !errors.Is(serr, net.ErrClosed) {
		n.log.Error("serving the socket failed", "err", serr)
	}
	n.host.Close()
	if ctx.Err() != nil {
		return nil // told twice: corosync goes on, and the others fence us unless we come back
	}
	n.log.Info("Disconnecting from CMAN")
	if derr := n.disconnect(); derr != nil {
		n.log.Error("cannot leave the ring in order", "err", derr)
	}
	if errors.Is(err, daemon.ErrLeft) {
		if merr := n.marks.clear(); merr != nil {
			n.log.Warn("the next start will look like one after a crash", "err", merr)
		}
	}
	return err
}

// disconnect leaves the ring and stops corosync.
func (n *node) disconnect() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	err := n.channel.Close(ctx)
	if ring, ok := n.channel.(*member.Corosync); ok {
		err = errors.Join(err, ring.Stop(ctx))
	}
	return err
}
