package lab

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"
)

// Seen is a tick, where and when it was seen.
type Seen struct {
	Tick
	Host string
	At   time.Time
}

// Watch looks at a guest's consoles on all hosts.
type Watch struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	seen []Seen
	err  error
}

// Watch notes each tick of the guest from now on, on whichever host, within
// 20 ms of its coming.
func (l *Lab) Watch(guest string) *Watch {
	ctx, cancel := context.WithCancel(l.ctx)
	w := &Watch{cancel: cancel, done: make(chan struct{})}
	var tails []*tail
	for _, h := range l.Hosts {
		t := &tail{host: h.Name, path: h.consolePath(guest)}
		if info, err := os.Stat(t.path); err == nil {
			t.offset = info.Size()
		}
		tails = append(tails, t)
	}
	go w.run(ctx, tails)
	return w
}

func (w *Watch) run(ctx context.Context, tails []*tail) {
	defer close(w.done)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var batch []Seen
		for _, t := range tails {
			ticks, err := t.read()
			if err != nil {
				w.add(nil, err)
				return
			}
			now := time.Now()
			for _, k := range ticks {
				batch = append(batch, Seen{Tick: k, Host: t.host, At: now})
			}
		}
		w.add(batch, nil)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// add takes what one look at all consoles found, whichever was read first: the
// boot that was seen last goes on before another begins, and a boot that
// changed hosts between two looks is put in its own order.
func (w *Watch) add(batch []Seen, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) > 0 {
		begun := func(s Seen) int {
			if s.Boot == w.seen[len(w.seen)-1].Boot {
				return 0
			}
			return 1
		}
		slices.SortStableFunc(batch, func(a, b Seen) int { return cmp.Compare(begun(a), begun(b)) })
	}
	for i, j := 0, 0; i < len(batch); i = j {
		for j = i; j < len(batch) && batch[j].Boot == batch[i].Boot; j++ {
		}
		slices.SortStableFunc(batch[i:j], func(a, b Seen) int { return cmp.Compare(a.Seq, b.Seq) })
	}
	w.seen = append(w.seen, batch...)
	w.err = errors.Join(w.err, err)
}

// Seen returns what was seen so far, in the order of its coming.
func (w *Watch) Seen() ([]Seen, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen), w.err
}

// Last is the latest tick that was seen; zero before the first.
func (w *Watch) Last() Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) == 0 {
		return Seen{}
	}
	return w.seen[len(w.seen)-1]
}

// Stop ends the watch and returns all that it saw.
func (w *Watch) Stop() ([]Seen, error) {
	w.cancel()
	<-w.done
	return w.Seen()
}

// tail reads on in a file that may come later.
type tail struct {
	host, path string
	offset     int64
	rest       string
}

func (t *tail) read() ([]Tick, error) {
	f, err := os.Open(t.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() <= t.offset {
		return nil, err
	}
	b := make([]byte, info.Size()-t.offset)
	n, err := f.ReadAt(b, t.offset)
	t.offset += int64(n)
	var ticks []Tick
	ticks, t.rest = parseTicks(t.rest + string(b[:n]))
	return ticks, err
}
