// Package fence cuts nodes off by running fence agents, as fenced did: the
// methods of a node in order, each a fallback of the one before; the devices
// of a method in order, all of which must succeed (cman, "Fencing semantics").
//
// It neither delays, repeats nor logs; who is fenced when is decided elsewhere.
// What an agent needs to know, passwords included, reaches it on standard
// input alone, and errors are cleaned of it.
package fence

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// ErrUndefined says that the node has no fence method: nothing can be done
// but to wait for fence_ack_manual or for the node itself.
var ErrUndefined = errors.New("no fence method is defined")

// ErrManual says that it is an administrator's turn: the method's agent is
// fence_manual, which is no program.
var ErrManual = errors.New("waiting for fence_ack_manual")

// Fencer runs agents. The zero Fencer is ready for use.
type Fencer struct {
	// Path is where agents are looked for, as $PATH is written; empty: $PATH,
	// then /usr/sbin and /sbin.
	Path string
	// Timeout bounds one run of an agent; 0: two minutes. fenced knew no
	// limit, and an agent that hung kept it from trying the next method.
	Timeout time.Duration
}

// Attempt is one run of one device, or the reason why it was not run.
type Attempt struct {
	Method string // empty for unfencing
	Device string
	Agent  string // empty when the device is not defined
	Err    error  // nil: success
}

// Report lists the attempts in the order in which they were made.
type Report struct{ Attempts []Attempt }

// Node fences node. The report is complete, whether it succeeds or not.
//
// It may take minutes; cancel ctx to kill the agent. The error is or wraps
// ErrUndefined, ErrManual, or the last method's failure, mostly an *AgentError.
// After ErrManual later methods are not tried: fence_manual would still wait.
func (f *Fencer) Node(ctx context.Context, cfg *conf.Config, node cluster.NodeID) (Report, error) {
	var rep Report
	n := cfg.NodeByID(node)
	if n == nil {
		return rep, fmt.Errorf("cannot fence node %d: not in cluster.conf", node)
	}
	err := ErrUndefined
	for _, m := range n.Fence {
		if err = f.method(ctx, cfg, n.Name, m, &rep); err == nil {
			return rep, nil
		}
		if ctx.Err() != nil || errors.Is(err, ErrManual) {
			break
		}
	}
	return rep, fmt.Errorf("cannot fence %s: %w", n.Name, err)
}

// method runs the devices of m until one fails.
func (f *Fencer) method(ctx context.Context, cfg *conf.Config, victim string, m conf.FenceMethod, rep *Report) error {
	if len(m.Devices) == 0 {
		return fmt.Errorf("method %q has no device", m.Name)
	}
	for _, d := range m.Devices {
		a := f.device(ctx, cfg, victim, m.Name, d)
		rep.Attempts = append(rep.Attempts, a)
		if a.Err != nil {
			return a.Err
		}
	}
	return nil
}

// Unfence runs all unfence devices of node, also after a failure. A node
// without any needs none.
func (f *Fencer) Unfence(ctx context.Context, cfg *conf.Config, node cluster.NodeID) (Report, error) {
	var rep Report
	n := cfg.NodeByID(node)
	if n == nil {
		return rep, fmt.Errorf("cannot unfence node %d: not in cluster.conf", node)
	}
	var failed []error
	for _, d := range n.Unfence {
		a := f.device(ctx, cfg, n.Name, "", d)
		rep.Attempts = append(rep.Attempts, a)
		failed = append(failed, a.Err)
	}
	if err := errors.Join(failed...); err != nil {
		return rep, fmt.Errorf("cannot unfence %s: %w", n.Name, err)
	}
	return rep, nil
}

func (f *Fencer) device(ctx context.Context, cfg *conf.Config, victim, method string, d conf.Device) Attempt {
	a := Attempt{Method: method, Device: d.Name}
	fd := fenceDevice(cfg, d.Name)
	switch {
	case fd == nil:
		a.Err = fmt.Errorf("method %q: fencedevice %q is not defined", method, d.Name)
		return a
	case fd.Agent == "":
		a.Err = fmt.Errorf("method %q: fencedevice %q has no agent", method, d.Name)
		return a
	}
	a.Agent = fd.Agent
	if filepath.Base(fd.Agent) == "fence_manual" {
		a.Err = fmt.Errorf("method %q, device %q: %w", method, d.Name, ErrManual)
		return a
	}
	args, err := arguments(victim, d, *fd)
	if err == nil {
		err = f.run(ctx, fd.Agent, args, secrets(d.Attrs, fd.Attrs))
	}
	if e, ok := errors.AsType[*AgentError](err); ok {
		e.Method, e.Device = method, d.Name
	} else if err != nil {
		err = fmt.Errorf("method %q, device %q: %w", method, d.Name, err)
	}
	a.Err = err
	return a
}

func fenceDevice(cfg *conf.Config, name string) *conf.FenceDevice {
	for i := range cfg.FenceDevices {
		if cfg.FenceDevices[i].Name == name {
			return &cfg.FenceDevices[i]
		}
	}
	return nil
}

// arguments is what the agent reads, one name=value a line: the device's own
// attributes, the victim's name unless they give one, the fencedevice's
// attributes with the agent among them. Nothing is left out when it comes
// twice (cman, "Fencing semantics").
func arguments(victim string, d conf.Device, fd conf.FenceDevice) (string, error) {
	var b strings.Builder
	add := func(attrs ...conf.Attr) error {
		for _, a := range attrs {
			if strings.ContainsAny(a.Key+a.Value, "\n\r\x00") {
				return fmt.Errorf("the value of %q holds a line break", a.Key)
			}
			fmt.Fprintf(&b, "%s=%s\n", a.Key, a.Value)
		}
		return nil
	}
	if err := add(d.Attrs...); err != nil {
		return "", err
	}
	if !strings.Contains(b.String(), "nodename=") {
		if err := add(conf.Attr{Key: "nodename", Value: victim}); err != nil {
			return "", err
		}
	}
	if err := add(fd.Attrs...); err != nil {
		return "", err
	}
	return b.String(), nil
}
