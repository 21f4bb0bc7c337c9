package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/rgmanager"
)

// loop owns the core.
func (d *Daemon) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	leave := d.leave
	for {
		timer.Reset(time.Until(d.core.Next()))
		var effects []Effect
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case f := <-d.asks:
			effects = f()
		case <-leave:
			leave = nil
			effects = d.core.Leave(time.Now())
		case <-timer.C:
			effects = d.core.Tick(time.Now())
		case delivery, ok := <-d.o.Channel.Deliveries():
			if !ok {
				return fmt.Errorf("the cluster channel ended: %w", d.o.Channel.Err())
			}
			if delivery.View != nil {
				d.entered.note(*delivery.View, time.Now())
			}
			effects = d.core.Deliver(time.Now(), delivery)
		}
		for _, e := range effects {
			if err := d.carryOut(ctx, e); err != nil {
				return err
			}
		}
	}
}

// sender hands messages to the channel, in order, off the loop: the channel
// may hold them back.
func (d *Daemon) sender(ctx context.Context) {
	var queue [][]byte
	for {
		if len(queue) == 0 {
			select {
			case <-ctx.Done():
				return
			case data := <-d.outbox:
				queue = append(queue, data)
			}
			continue
		}
		sent := make(chan error, 1)
		next := queue[0]
		queue = queue[1:]
		go func() { sent <- d.o.Channel.Send(ctx, next) }()
		for waiting := true; waiting; {
			select {
			case data := <-d.outbox:
				queue = append(queue, data)
			case err := <-sent:
				waiting = false
				if err != nil && ctx.Err() == nil {
					d.log.Error("cannot send to the cluster", "err", err)
				}
			}
		}
	}
}

func (d *Daemon) send(ctx context.Context, data []byte) {
	select {
	case d.outbox <- data:
	case <-ctx.Done():
	}
}

// tellAll multicasts what no machine hears: anything but an event.
func (d *Daemon) tellAll(ctx context.Context, m message) {
	data, err := json.Marshal(m)
	if err != nil {
		d.log.Error("cannot encode a message", "err", err)
		return
	}
	d.send(ctx, data)
}

// watch hears of machines that change by themselves.
func (d *Daemon) watch(ctx context.Context) {
	err := d.o.Hypervisor.Watch(ctx, func(ev cluster.MachineEvent) {
		d.tell(ctx, func() []Effect { return d.core.Changed(time.Now(), ev) })
	})
	if err != nil && ctx.Err() == nil {
		d.log.Error("cannot watch the hypervisor; relying on status checks", "err", err)
	}
}

// tell has the loop run f and carry its effects out. It returns when f has
// run, or false when it will not: ctx or the loop has ended.
func (d *Daemon) tell(ctx context.Context, f func() []Effect) bool {
	done := make(chan struct{})
	select {
	case d.asks <- func() []Effect { defer close(done); return f() }:
		<-done
		return true
	case <-ctx.Done():
		return false
	case <-d.stopped:
		return false
	}
}

// ask is tell for what only looks.
func (d *Daemon) ask(ctx context.Context, f func()) bool {
	return d.tell(ctx, func() []Effect { f(); return nil })
}

func now() rgmanager.Time { return time.Now().UnixMilli() }
