package lab

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const boot = "689e33ca-4c9b-45c3-a7d4-442019932eef"

func TestParseTicks(t *testing.T) {
	for _, c := range []struct {
		fact, text string
		want       []Tick
		rest       string
	}{
		{"lines end as on a serial line", "boot=" + boot + " seq=1\r\nboot=" + boot + " seq=2\r\n", []Tick{{boot, 1}, {boot, 2}}, ""},
		{"what is not counted is left out", "\x1bc\x1b[?7l\x1b[2JSeaBIOS\r\npower button\r\n", nil, ""},
		{"the rest waits for its end", "boot=" + boot + " seq=1\r\nboot=" + boot + " seq=2", []Tick{{boot, 1}}, "boot=" + boot + " seq=2"},
		{"a line that a kill cut off is no tick", "boot=" + boot + " se\x1bc\x1b[?7l\r\n", nil, ""},
		{"a short boot id is none", "boot=689e seq=1\r\n", nil, ""},
	} {
		t.Run(c.fact, func(t *testing.T) {
			got, rest := parseTicks(c.text)
			if diff := cmp.Diff(c.want, got); diff != "" || rest != c.rest {
				t.Errorf("rest %q, want %q; ticks (-want +got):\n%s", rest, c.rest, diff)
			}
		})
	}
}

func TestTailReadsOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console")
	tl := &tail{host: "host1", path: path}
	line := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	want := func(ticks ...Tick) {
		t.Helper()
		got, err := tl.read()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ticks, got); diff != "" {
			t.Errorf("ticks (-want +got):\n%s", diff)
		}
	}
	want() // no file yet
	line("boot=" + boot + " se")
	want()
	line("q=7\r\nboot=" + boot + " seq=8\r\n")
	want(Tick{boot, 7}, Tick{boot, 8})
	want()
}

func TestWatchPutsAMachineThatMovedInOrder(t *testing.T) {
	w := new(Watch)
	w.add([]Seen{{Tick: Tick{boot, 12}, Host: "host1"}, {Tick: Tick{boot, 11}, Host: "host2"}}, nil)
	seen, err := w.Seen()
	if err != nil || seen[0].Host != "host2" || seen[1].Host != "host1" {
		t.Errorf("Seen() = %v, %v; want 11 on host2 first", seen, err)
	}
}
