package daemon

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"fangnetz/internal/wire"
)

// watchTime is how long changes are gathered for a watcher.
const watchTime = 50 * time.Millisecond

// Watch emits the status now, and again whenever it has changed.
func (d *Daemon) Watch(ctx context.Context, emit func(wire.Event) error) error {
	poke := make(chan struct{}, 1)
	if !d.ask(ctx, func() { d.watchers[poke] = true }) {
		return errStopping
	}
	defer d.ask(context.WithoutCancel(ctx), func() { delete(d.watchers, poke) })
	var last wire.Event
	for first := true; ; first = false {
		var ev wire.Event
		if !d.ask(ctx, func() {
			ev.Status = d.status()
			ev.Migrations = slices.SortedFunc(maps.Values(d.migrations),
				func(a, b wire.Migration) int { return strings.Compare(a.Service, b.Service) })
		}) {
			return errStopping
		}
		if first || !reflect.DeepEqual(ev, last) {
			if err := emit(ev); err != nil {
				return err
			}
			last = ev
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.stopped:
			return errStopping
		case <-poke:
		}
		time.Sleep(watchTime)
	}
}

// changed pokes the watchers: something has happened.
func (d *Daemon) changed() {
	maps.DeleteFunc(d.migrations, func(name string, m wire.Migration) bool {
		record, ok := d.replica.machine.Record(name)
		return !ok || record.Started || record.Owner != m.From
	})
	for poke := range d.watchers {
		select {
		case poke <- struct{}{}:
		default:
		}
	}
}
