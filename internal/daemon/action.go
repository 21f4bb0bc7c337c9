package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
)

// carryOut does what the core wants done. An error ends the loop.
func (d *Daemon) carryOut(ctx context.Context, e Effect) error {
	switch e := e.(type) {
	case Send:
		d.send(ctx, e.Data)
	case Happened:
		d.log.Info("event", "what", e.Event.String())
		d.configs.saw([]rgmanager.Event{e.Event})
		d.changed()
	case *Task:
		switch e.Action.(type) {
		case Look, Check: // often
		default:
			d.log.Info("action", "what", e.Action.String())
		}
		d.begin(ctx, e)
	case Cancel:
		if cancel := d.cancels[e.Task]; cancel != nil {
			cancel()
		}
	case rgmanager.History:
		d.log.Info("history", "what", strings.TrimPrefix(e.String(), "history: "))
		d.past.add(e.Entry)
	case rgmanager.Note:
		d.note(ctx, e)
	case rgmanager.Reply:
		d.log.Info("action", "what", e.String())
		if ch := d.waiting[e.ID]; ch != nil {
			ch <- e
			delete(d.waiting, e.ID)
		}
	case Remember:
		if err := conf.WriteFile(epochFile(d.o), fmt.Appendln(nil, e.Epoch, d.conf().Name), 0o644); err != nil {
			d.log.Error("cannot remember that this node was in the latest quorum", "err", err)
		}
	case Store:
		if err := conf.WriteFile(d.o.Config, []byte(e.Text), 0o640); err != nil {
			return fmt.Errorf("cannot take over the cluster's configuration: %w", err)
		}
		d.log.Info("took over the cluster's configuration", "version", d.conf().Version)
	case InForce:
		d.keepConfig()
		d.inTurn(func() {
			if err := d.o.Reconfigure(ctx, e.Conf); err != nil {
				d.log.Error("cannot hand the configuration on", "version", e.Conf.Version, "err", err)
			}
		})
	case Keep:
		if err := d.keep(e); err != nil {
			d.log.Warn("cannot keep a definition", "service", e.Service.FullName(), "err", err)
		}
	case Progress:
		d.migrations[e.Migration.Service] = e.Migration
		d.changed()
	case Log:
		d.log.Log(ctx, e.Level, e.Text, e.Args...)
	case End:
		return e.Err
	}
	return nil
}

// begin carries a task out in a goroutine of its own.
func (d *Daemon) begin(ctx context.Context, t *Task) {
	inner, cancel := context.WithCancel(ctx)
	d.cancels[t] = cancel
	d.wg.Go(func() {
		defer cancel()
		end := d.perform(inner, t)
		d.tell(ctx, func() []Effect {
			delete(d.cancels, t)
			return d.core.Ended(time.Now(), t, end)
		})
	})
}

// perform is Hands.Perform with the tasks that touch files.
func (d *Daemon) perform(ctx context.Context, t *Task) rgmanager.Event {
	switch a := t.Action.(type) {
	case rgmanager.Stage:
		if a.Text == "" {
			if err := conf.Discard(d.o.Config); err != nil {
				d.log.Warn("cannot remove the refused configuration", "err", err)
			}
			return nil
		}
		_, err := conf.Stage(d.o.Config, []byte(a.Text))
		return done(err)
	case rgmanager.Activate:
		return done(conf.Activate(d.o.Config, []byte(a.Text)))
	}
	return d.hands.Perform(ctx, t)
}

func (d *Daemon) note(ctx context.Context, a rgmanager.Note) {
	level := slog.LevelInfo
	switch a.Level {
	case "warning":
		level = slog.LevelWarn
	case "err", "crit", "alert", "emerg":
		level = slog.LevelError
	}
	d.log.Log(ctx, level, a.Text)
}

// epochFile is where the epoch is remembered.
func epochFile(o Options) string { return filepath.Join(o.StateDir, "epoch") }

// epoch reads it; 0 when there is none, or it is that of a cluster of another
// name.
func epoch(o Options, config string) uint64 {
	data, err := os.ReadFile(epochFile(o))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	number, name, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	n, perr := strconv.ParseUint(number, 10, 64)
	if err := cmp.Or(err, perr); err != nil {
		o.Log.Error("it is not known whether this node was in the latest quorum", "err", err)
		return 0
	}
	if c := (*Codec)(nil).conf(config); c == nil || c.Name != name {
		return 0
	}
	return n
}

// definitionFile is where a service's definition is kept.
func (d *Daemon) definitionFile(svc *conf.Service) string {
	return filepath.Join(d.o.StateDir, "definitions", fmt.Sprintf("%s.xml", filepath.Base(svc.Name)))
}

// keep writes a definition to the state directory.
func (d *Daemon) keep(k Keep) error {
	path := d.definitionFile(k.Service)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return conf.WriteFile(path, []byte(k.Definition), 0o600)
}

// kept reads a definition from the state directory; empty when there is none.
func (d *Daemon) kept(svc *conf.Service) string {
	data, err := os.ReadFile(d.definitionFile(svc))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.log.Warn("cannot read a kept definition", "service", svc.FullName(), "err", err)
	}
	return string(data)
}
