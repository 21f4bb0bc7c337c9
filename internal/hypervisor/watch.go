package hypervisor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"libvirt.org/go/libvirt"

	"fangnetz/internal/cluster"
)

// Watch calls f for every change of a machine's state on this host, with the
// state that the machine has after it, until ctx ends; it returns ctx's cause.
// The calls come one at a time, from one goroutine.
//
// An event with Refresh set and no machine says that changes may have been
// missed: f's owner should List again. It comes after each connect to a
// libvirtd, the first one too. While one is down Watch tries to connect every
// second.
func (h *Host) Watch(ctx context.Context, f func(cluster.MachineEvent)) error {
	events := make(chan cluster.MachineEvent)
	emit := func(ev cluster.MachineEvent) {
		select {
		case events <- ev:
		case <-ctx.Done():
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	watched := map[*conn]bool{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		for _, c := range h.all() {
			if !watched[c] {
				watched[c] = true
				wg.Go(func() { h.watch(ctx, c, emit) })
			}
		}
		select {
		case ev := <-events:
			f(ev)
		case <-tick.C: // a new configuration may have brought another libvirtd
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}

// watch delivers one libvirtd's events until ctx ends.
func (h *Host) watch(ctx context.Context, c *conn, emit func(cluster.MachineEvent)) {
	for ctx.Err() == nil {
		h.watchOnce(ctx, c, emit) // whatever ended it, the answer is to connect again
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// change is one lifecycle event as libvirt's event loop hands it over. The
// loop must not wait, so the machine is read later, elsewhere.
type change struct {
	name, uuid string
	stopped    string // reason, when the domain stopped
}

// watchOnce delivers events until its connection is lost or ctx ends. The
// connection is its own: a hanging call on another one does not hold up
// events.
func (h *Host) watchOnce(ctx context.Context, from *conn, emit func(cluster.MachineEvent)) error {
	changes := make(chan change, 256)
	var lost atomic.Bool
	watcher := newConn(from.uri)
	defer watcher.Close()
	_, err := do(ctx, watcher, askTimeout, func(_ context.Context, c *link) (_ struct{}, err error) {
		c.events, err = c.DomainEventLifecycleRegister(nil, func(_ *libvirt.Connect, d *libvirt.Domain, e *libvirt.DomainEventLifecycle) {
			name, err := d.GetName()
			uuid, uerr := d.GetUUIDString()
			if err != nil || uerr != nil {
				lost.Store(true)
				return
			}
			ch := change{name: name, uuid: uuid}
			if e.Event == libvirt.DOMAIN_EVENT_STOPPED {
				ch.stopped = stoppedReason(e.Detail)
			}
			select {
			case changes <- ch:
			default:
				lost.Store(true)
			}
		})
		return struct{}{}, err
	})
	if err != nil {
		return err
	}
	emit(cluster.MachineEvent{Refresh: true})
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
			if !watcher.alive() {
				return fmt.Errorf("lost libvirtd at %s", from.uri)
			}
			if lost.Swap(false) {
				emit(cluster.MachineEvent{Refresh: true})
			}
		case ch := <-changes:
			if !slices.Contains(h.at(ch.name), from) {
				continue // not ours
			}
			m, found, err := h.Machine(ctx, ch.name)
			if err != nil {
				lost.Store(true)
				continue
			}
			if !found { // a transient domain leaves nothing but the event
				m = cluster.Machine{Name: ch.name, UUID: ch.uuid, State: stateWord(libvirt.DOMAIN_SHUTOFF), Reason: ch.stopped}
				if ch.stopped != "" {
					h.ended(ch.name, ch.stopped)
				}
			}
			emit(cluster.MachineEvent{Machine: m})
		}
	}
}

// alive reports whether the connection that the last call used is still open.
// It does not ask libvirtd.
func (c *conn) alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return false
	}
	alive, err := c.link.IsAlive()
	return err == nil && alive
}
