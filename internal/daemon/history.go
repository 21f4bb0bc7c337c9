package daemon

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
	"fangnetz/internal/wire"
)

// historySize is how many entries are kept.
const historySize = 2000

// history is what this node saw being done, in memory and, a line of JSON
// each, in a file that outlives cmand. The file is written off the loop, and
// not synced: what a power cut takes, the other nodes have.
type history struct {
	path string
	log  *slog.Logger
	now  func() rgmanager.Time
	more chan struct{} // there is something to write

	mu      sync.Mutex
	entries []cluster.Entry // the oldest first
	unsaved int             // of them, at the end

	lines int // in the file; keep's alone
}

// openHistory reads what is in the file. A line that is torn or that cannot be
// read is left out.
func openHistory(path string, log *slog.Logger) *history {
	h := &history{path: path, log: log, now: now, more: make(chan struct{}, 1)}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Warn("cannot read the history", "err", err)
	}
	for line := range bytes.Lines(text) {
		var e cluster.Entry
		if json.Unmarshal(line, &e) == nil && e.What != "" {
			h.entries = append(h.entries, e)
		}
		h.lines++
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		h.lines = 2 * historySize // what is appended would hang on to it: write it anew
	}
	h.entries = h.entries[max(0, len(h.entries)-historySize):]
	return h
}

// stale is how old the time of a new entry may be, in milliseconds.
const stale = 5000

// add notes an entry that ended now; it does not wait for the disk. The machine
// goes by the times of messages, and has none of a membership: then it takes
// that of the message before, which may be hours old.
func (h *history) add(e cluster.Entry) {
	if now := h.now(); e.Ended < now-stale {
		if e.Began == e.Ended {
			e.Began = now
		}
		e.Ended = now
	}
	h.mu.Lock()
	h.entries = append(h.entries, e)
	if len(h.entries) >= 2*historySize { // now and then, so that it costs little
		h.entries = slices.Clone(h.entries[len(h.entries)-historySize:])
	}
	h.unsaved++
	h.mu.Unlock()
	select {
	case h.more <- struct{}{}:
	default:
	}
}

// of returns a service's entries, or all.
func (h *history) of(service string) []cluster.Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	entries := h.entries[max(0, len(h.entries)-historySize):]
	if service == "" {
		return slices.Clone(entries)
	}
	var found []cluster.Entry
	for _, e := range entries {
		if e.Service == service {
			found = append(found, e)
		}
	}
	return found
}

// keep writes to the file what is added, until ctx ends.
func (h *history) keep(ctx context.Context) {
	for ended := false; !ended; {
		select {
		case <-h.more:
		case <-ctx.Done():
			ended = true
		}
		if err := h.save(); err != nil {
			h.log.Warn("cannot write the history", "err", err)
		}
	}
}

// save appends what is not in the file yet; once that has become too long, it
// is written anew.
func (h *history) save() error {
	h.mu.Lock()
	all := h.entries[max(0, len(h.entries)-historySize):]
	fresh := slices.Clone(all[max(0, len(all)-h.unsaved):])
	anew := h.lines+len(fresh) >= 2*historySize
	if anew {
		fresh = slices.Clone(all)
	}
	h.unsaved = 0 // a failure leaves a gap in the file, and none here
	h.mu.Unlock()
	if len(fresh) == 0 {
		return nil
	}
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	for _, e := range fresh {
		out.Encode(e) // plain values and a buffer: nothing that fails
	}
	if err := os.MkdirAll(filepath.Dir(h.path), 0o755); err != nil {
		return err
	}
	if anew {
		h.lines = len(fresh)
		return conf.WriteFile(h.path, b.Bytes(), 0o644)
	}
	h.lines += len(fresh)
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b.Bytes())
	if err != nil {
		h.lines = 2 * historySize // it may be torn now: next time anew
	}
	return errors.Join(err, f.Close())
}

// History returns what this node saw being done with a service, or with all.
func (d *Daemon) History(_ context.Context, service string) ([]cluster.Entry, error) {
	return d.past.of(service), nil
}

// here names a user of this node: root@node1. The loop's alone.
func (d *Daemon) here(user string) string {
	name := d.local.String()
	if n := d.conf().NodeByID(d.local); n != nil {
		name = n.Name
	}
	return cmp.Or(user, "unknown") + "@" + name
}

// wish is an action of clusvcadm as the machine hears it. The loop's alone.
func (d *Daemon) wish(id, user string, a wire.Action) rgmanager.Request {
	return rgmanager.Request{ID: id, From: d.local, At: now(), By: d.here(user), Verb: string(a.Verb), Service: a.Service,
		Target: a.Target, ByDomain: a.ByDomain}
}

// try says what an action would lead to, as this node sees the cluster.
func (d *Daemon) try(ctx context.Context, a wire.Action) (wire.Answer, error) {
	answer, by := wire.Answer{Result: cluster.NoQuorum}, wire.Caller(ctx)
	if !d.ask(ctx, func() {
		if m := d.replica.machine; m != nil {
			var t cluster.Trial
			answer.Result, answer.Owner, t = m.Try(d.wish("dry run", by, a))
			answer.Trial, answer.Problem = &t, t.Problem
		}
	}) {
		return wire.Answer{}, errStopping
	}
	return answer, nil
}
