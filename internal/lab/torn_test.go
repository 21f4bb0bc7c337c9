package lab

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	kills = flag.Int("kills", 12, "how often the test of torn updates kills cmand")
	seed  = flag.Uint64("seed", 1, "of the faults that tests choose at random")
)

// reader reads the hosts' cluster.conf over and over.
type reader struct {
	hosts  []*Host
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	known  map[string]int // version, by text: all that was ever pushed
	latest map[*Host]int  // version last read
	reads  int
	wrong  []string
}

// read begins to read as fast as it can.
func read(t *testing.T, hosts []*Host, first string) *reader {
	ctx, cancel := context.WithCancel(t.Context())
	r := &reader{hosts: hosts, cancel: cancel, done: make(chan struct{}), known: map[string]int{first: 1}, latest: map[*Host]int{}}
	paths := make([]string, len(hosts))
	for i, h := range hosts {
		paths[i] = h.Path(confFile)
	}
	go func() {
		defer close(r.done)
		for ctx.Err() == nil {
			for i, h := range hosts {
				text, err := os.ReadFile(paths[i]) // opens once and reads to the end
				r.note(h, string(text), err)
			}
		}
	}()
	return r
}

// add makes a text one that may be read from now on.
func (r *reader) add(text string, version int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[text] = version
}

func (r *reader) note(h *Host, text string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads++
	version, known := r.known[text]
	switch {
	case len(r.wrong) > 9:
	case err != nil:
		r.wrong = append(r.wrong, fmt.Sprintf("%s: %v", h.Name, err))
	case !known:
		r.wrong = append(r.wrong, fmt.Sprintf("%s: %d bytes that nobody pushed, between %.90q and %.90q", h.Name, len(text), text, text[max(0, len(text)-90):]))
	case version < r.latest[h]:
		r.wrong = append(r.wrong, fmt.Sprintf("%s: version %d after %d", h.Name, version, r.latest[h]))
	default:
		r.latest[h] = version
	}
}

// stop ends the reading and reports what it saw.
func (r *reader) stop(t *testing.T) {
	r.cancel()
	<-r.done
	for _, w := range r.wrong {
		t.Error(w)
	}
	t.Logf("cluster.conf was read %d times", r.reads)
}

// TestUpdateNeverTears kills daemons, and now and then ccs_tool, at random
// instants of updates. Whoever reads the file reads all of one version, and in
// the end both hosts have the same.
func TestUpdateNeverTears(t *testing.T) {
	s := &story{Lab: start(t, 2, programs(t)...)}
	s.host1, s.host2 = s.Host("host1"), s.Host("host2")
	s.members(t)
	first, err := s.host1.ReadFile(confFile)
	if err != nil {
		t.Fatal(err)
	}
	r := read(t, s.Hosts, first)
	defer r.stop(t)

	rng := rand.New(rand.NewPCG(*seed, 0))
	span := 100 * time.Millisecond // of an update, the program's start included
	killed, outcomes := 0, map[string]int{}
	for n := 0; killed < *kills; n++ {
		s.version++
		text := padded(Article{Version: s.version}.Text(s.Hosts), rng)
		r.add(text, s.version)
		at := s.Hosts[rng.IntN(2)]
		if err := at.WriteFile("/root/next.conf", text, 0o640); err != nil {
			t.Fatal(err)
		}
		before, err := at.ReadFile(confFile)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 { // undisturbed: how long it takes here and now
			began := time.Now()
			run(t, at, "ccs_tool", "update", "/root/next.conf")
			span = time.Since(began)
			t.Logf("an update takes %s", span)
			continue
		}
		fault := []string{"cmand there", "cmand there", "cmand elsewhere", "cmand elsewhere", "ccs_tool"}[rng.IntN(5)]
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		ended := make(chan Output, 1)
		go func() {
			out, err := at.Run(ctx, "ccs_tool", "update", "/root/next.conf")
			if err != nil {
				out.Exit = -1
			}
			ended <- out
		}()
		time.Sleep(time.Duration(rng.Float64() * 1.2 * float64(span)))
		var dead []*Host
		for _, h := range s.Hosts {
			if fault == "cmand there" && h == at || fault == "cmand elsewhere" && h != at {
				killed += h.Signal(syscall.SIGKILL, Named("cmand"))
				dead = append(dead, h)
			}
		}
		if fault == "ccs_tool" {
			cancel()
		}
		for _, h := range dead {
			if err := h.Start(t.Context(), "cmand"); err != nil {
				t.Fatal(err)
			}
		}
		out := <-ended
		cancel()
		end := s.converge(t, before, text)
		what := "old"
		if end == text {
			what = "new"
		}
		outcomes[fmt.Sprintf("%s: exit status %d, %s text", fault, out.Exit, what)]++
		if out.Exit == 0 && end != text {
			t.Errorf("update %d said %q, and then all have the old text", s.version, out.Stdout)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	for what, n := range outcomes {
		t.Logf("%3d %s", n, what)
	}
}

// padded makes a file large enough for a torn one to be seen, and unlike all
// others in every block.
func padded(text string, rng *rand.Rand) string {
	var b strings.Builder
	for range 1500 {
		fmt.Fprintf(&b, "<!-- %016x -->\n", rng.Uint64())
	}
	return strings.Replace(text, "</cluster>", b.String()+"</cluster>", 1)
}

// converge waits until both hosts are members and have the same text, one of
// both, and returns it.
func (s *story) converge(t *testing.T, before, after string) string {
	t.Helper()
	s.awaitMembers(t, 60*time.Second, s.Hosts...)
	var text string
	eventually(t, 30*time.Second, "both hosts have the same cluster.conf", func() string {
		a, erra := s.host1.ReadFile(confFile)
		b, errb := s.host2.ReadFile(confFile)
		switch text = a; {
		case erra != nil || errb != nil:
			return fmt.Sprint(errors.Join(erra, errb))
		case a != b:
			return "they differ"
		case a != before && a != after:
			return "neither the old text nor the new one"
		}
		return ""
	})
	return text
}
