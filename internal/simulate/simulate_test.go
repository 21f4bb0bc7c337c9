package simulate

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fangnetz/internal/cluster"
)

var (
	seeds = flag.Uint64("seeds", few, "how many schedules to simulate")
	from  = flag.Uint64("from", 1, "the first one's seed")
	limit = flag.Duration("limit", 0, "end when that has passed; 0: when all is done")
	show  = flag.Uint64("show", 0, "show what happens in the schedule of this seed, and nothing else")
	play  = flag.String("play", "", "show what happens in the schedule of this file, and nothing else")
	stop  = flag.Int("stop", 10, "end after that many failures")
)

// TestSchedules holds the cluster to its invariants in schedules made up from
// seeds, on all cores.
func TestSchedules(t *testing.T) {
	if *show > 0 || *play != "" {
		p := New(*show)
		if *play != "" {
			p = read(t, *play)
		}
		fmt.Print(p)
		fmt.Println(p.Run(func(at int64, node cluster.NodeID, what string) { fmt.Printf("%7d %2d %s\n", at, node, what) }))
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	begin := time.Now()
	var next, done, bad atomic.Uint64
	next.Store(*from)
	var mu sync.Mutex // of t.Error and of what is printed
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for bad.Load() < uint64(*stop) && (*limit == 0 || time.Since(begin) < *limit) {
				seed := next.Add(1) - 1
				if seed >= *from+*seeds {
					return
				}
				err := New(seed).Run(nil)
				mu.Lock()
				if n := done.Add(1); n%50_000 == 0 {
					fmt.Printf("%d schedules in %v, %d failed\n", n, time.Since(begin).Round(time.Second), bad.Load())
				}
				if err != nil {
					bad.Add(1)
					t.Errorf("seed %d after %v: %v\n%v", seed, time.Since(begin).Round(time.Second/10), err, New(seed).Shrink())
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	t.Logf("%d schedules in %v, %.1f a second, %d failed", done.Load(), took.Round(time.Second/10), float64(done.Load())/took.Seconds(), bad.Load())
}

// TestKept plays what once went wrong.
func TestKept(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no schedules: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if err := read(t, file).Run(nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func read(t *testing.T, file string) *Schedule {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPlanted holds the bugs that planted.sh plants to the code of today.
func TestPlanted(t *testing.T) {
	patches, err := filepath.Glob("testdata/planted/*.patch")
	if err != nil || len(patches) < 10 {
		t.Fatalf("%d patches: %v", len(patches), err)
	}
	for _, p := range patches {
		patch := exec.Command("patch", "--dry-run", "-s", "-p1", "-F", "3", "-d", "../..", "-i", filepath.Join("internal/simulate", p))
		if out, err := patch.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", p, err, out)
		}
	}
}

// TestScheduleFile reads back what is written.
func TestScheduleFile(t *testing.T) {
	for seed := range uint64(200) {
		want := New(seed).String()
		p, err := Parse(want)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if got := p.String(); got != want {
			t.Errorf("seed %d is read back as\n%s\nwant\n%s", seed, got, want)
		}
	}
	for _, text := range []string{"", "seed x\n----\n", "seed 1\n<cluster\n----\n", New(1).String() + "x down node1\n"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q is read without an error", text)
		}
	}
}

// TestSeedReproduces wants the same to happen again.
func TestSeedReproduces(t *testing.T) {
	for seed := uint64(1); seed < 20; seed++ {
		var told [2]string
		for i := range told {
			New(seed).Run(func(at int64, node cluster.NodeID, what string) { told[i] += fmt.Sprintln(at, node, what) })
		}
		if told[0] != told[1] {
			t.Errorf("seed %d: two runs differ", seed)
		}
	}
}
