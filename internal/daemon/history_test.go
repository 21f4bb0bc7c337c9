package daemon

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
	"fangnetz/internal/rgmanager"
)

// saved adds entries from first to last to the history at path and writes them.
func saved(t *testing.T, path string, first, last int) *history {
	t.Helper()
	h := openHistory(path, slog.New(slog.DiscardHandler))
	h.now = func() rgmanager.Time { return 0 }
	for i := first; i <= last; i++ {
		h.add(cluster.Entry{Began: int64(i), What: "start", Service: fmt.Sprintf("vm:%d", i%3)})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.keep(ctx)
	return h
}

func span(entries []cluster.Entry) string {
	if len(entries) == 0 {
		return "none"
	}
	return fmt.Sprintf("%d: %d to %d", len(entries), entries[0].Began, entries[len(entries)-1].Began)
}

func TestHistoryOutlivesTheDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "history")
	saved(t, path, 1, 5)
	h := saved(t, path, 6, 9)
	if got := span(h.of("")); got != "9: 1 to 9" {
		t.Errorf("all: %s", got)
	}
	if got := span(h.of("vm:2")); got != "3: 2 to 8" {
		t.Errorf("one service: %s", got)
	}
	if got := span(h.of("vm:4")); got != "none" {
		t.Errorf("no service: %s", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	last := 0
	for range 12 {
		last += historySize / 2
		h := saved(t, path, last-historySize/2+1, last)
		first := max(1, last-historySize+1)
		if got, want := span(h.of("")), fmt.Sprintf("%d: %d to %d", last-first+1, first, last); got != want {
			t.Fatalf("%s; want %s", got, want)
		}
		text, err := os.ReadFile(path)
		if err != nil || bytes.Count(text, []byte("\n")) > 2*historySize {
			t.Fatalf("%d lines in the file, %v", bytes.Count(text, []byte("\n")), err)
		}
	}
	if got := span(saved(t, path, last+1, last+5*historySize).of("")); got != fmt.Sprintf("%d: %d to %d", historySize, last+4*historySize+1, last+5*historySize) {
		t.Errorf("after many at once: %s", got)
	}
}

func TestHistoryToleratesWhatAPowerCutLeaves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	saved(t, path, 1, 4)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	torn := append(bytes.Replace(text, []byte(`{"began":2`), []byte("\x00\x00\x00"), 1), text[:20]...)
	if err := os.WriteFile(path, torn, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := span(saved(t, path, 5, 5).of("")); got != "4: 1 to 5" {
		t.Errorf("%s", got)
	}
	again, err := os.ReadFile(path)
	if err != nil || strings.Count(string(again), "\n") != 4 || bytes.Contains(again, []byte{0}) {
		t.Errorf("%q, %v", again, err)
	}
}

func TestHistoryThatCannotBeKeptIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	h := openHistory(filepath.Join(file, "history"), slog.New(slog.NewTextHandler(&log, nil)))
	h.add(cluster.Entry{What: "fence"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.keep(ctx)
	if len(h.of("")) != 1 || !strings.Contains(log.String(), "cannot write the history") {
		t.Errorf("%d entries, log %q", len(h.of("")), log.String())
	}
}

// A membership brings no time along.
func TestHistoryKnowsTheTime(t *testing.T) {
	for name, c := range map[string]struct{ began, ended, wantBegan, wantEnded int64 }{
		"as the machine says":               {990_000, 999_000, 990_000, 999_000},
		"the machine's clock stood still":   {900_000, 900_000, 1_000_000, 1_000_000},
		"or had not begun":                  {0, 0, 1_000_000, 1_000_000},
		"what takes long began when it did": {700_000, 900_000, 700_000, 1_000_000},
		"another node's clock is ahead":     {1_050_000, 1_060_000, 1_050_000, 1_060_000},
	} {
		h := openHistory(filepath.Join(t.TempDir(), "history"), slog.New(slog.DiscardHandler))
		h.now = func() rgmanager.Time { return 1_000_000 }
		h.add(cluster.Entry{Began: c.began, Ended: c.ended, What: "quorum"})
		if e := h.of("")[0]; e.Began != c.wantBegan || e.Ended != c.wantEnded {
			t.Errorf("%s: from %d to %d; want %d to %d", name, e.Began, e.Ended, c.wantBegan, c.wantEnded)
		}
	}
}

// Whatever the file holds, it is read, and what is added to it comes back.
func FuzzHistory(f *testing.F) {
	f.Add([]byte(`{"began":1,"ended":2,"what":"start","result":0}` + "\n" + `{"began":3,"what":"fen`))
	f.Add([]byte("\x00\n\n{}\nnull\n[]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "history")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		before := openHistory(path, slog.New(slog.DiscardHandler)).of("")
		saved(t, path, 1, 1)
		after := openHistory(path, slog.New(slog.DiscardHandler)).of("")
		want := append(before, cluster.Entry{Began: 1, What: "start", Service: "vm:1"})
		if !slices.Equal(after, want[max(0, len(want)-historySize):]) {
			t.Errorf("%q: %v; want %v", text, after, want)
		}
	})
}
