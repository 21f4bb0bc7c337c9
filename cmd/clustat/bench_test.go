package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"fangnetz/internal/cluster"
)

// sizes are a usual cluster, and the largest that the original supported with
// more services than anyone gave it.
var sizes = []struct{ nodes, services int }{{3, 30}, {16, 1000}}

func sized(nodes, services int) cluster.Status {
	st := cluster.Status{Cluster: cluster.Info{Name: "alpha", ID: 12345, Generation: 20}, Local: 1, Quorate: true, ConfigReadable: true,
		Manager: cluster.Manager{Running: true}}
	for i := range nodes {
		st.Members = append(st.Members, cluster.Member{Name: fmt.Sprintf("node%d.example.com", i+1), ID: cluster.NodeID(i + 1),
			Configured: true, Known: true, Online: true, Local: i == 0, Manager: true})
	}
	for i := range services {
		st.Services = append(st.Services, cluster.Service{Name: fmt.Sprintf("vm:machine%04d", i), State: cluster.Stopped + cluster.State(i%11),
			Flags: cluster.Flags(i % 3), Owner: cluster.NodeID(i%nodes + 1), LastOwner: cluster.NodeID(i*7%nodes + 1), LastTransition: 1262300400})
	}
	return st
}

func BenchmarkRender(b *testing.B) {
	for _, size := range sizes {
		st := sized(size.nodes, size.services)
		for name, opts := range map[string]options{"text": {}, "long": {long: true}, "xml": {xml: true}, "json": {json: true}} {
			opts.columns, opts.form = 80, formOf(cluster.Release318)
			b.Run(fmt.Sprintf("%s/nodes=%d/services=%d", name, size.nodes, size.services), func(b *testing.B) {
				b.ReportAllocs()
				var out bytes.Buffer
				for b.Loop() {
					out.Reset()
					render(&out, st, opts, time.Unix(0, 0).UTC())
				}
			})
		}
	}
}

// binary builds clustat as it is installed.
func binary(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clustat")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// The whole of it: a process that starts, asks over a real socket, prints, ends.
func BenchmarkProcess(b *testing.B) {
	path := binary(b)
	for _, size := range sizes {
		b.Run(fmt.Sprintf("nodes=%d/services=%d", size.nodes, size.services), func(b *testing.B) {
			serve(b, fakeCmand{status: sized(size.nodes, size.services)})
			for b.Loop() {
				if err := exec.Command(path).Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// maxMemory is what clustat may ever have resident for the largest cluster.
const maxMemory = 40 << 20

func TestMemory(t *testing.T) {
	path := binary(t)
	serve(t, fakeCmand{status: sized(16, 1000)})
	for _, option := range []string{"-f", "-l", "-x", "--json"} {
		peak := peakMemory(t, path, option)
		t.Logf("clustat %s: %.1f MiB", option, float64(peak)/(1<<20))
		if peak > maxMemory {
			t.Errorf("clustat %s takes %d bytes; want %d at most", option, peak, maxMemory)
		}
	}
}

// peakMemory reads the high-water mark while clustat waits for its output,
// more than a pipe holds, to be taken. (rusage would count our own, too: a
// child begins as its parent.)
func peakMemory(t *testing.T, path string, args ...string) int {
	t.Helper()
	cmd := exec.Command(path, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, out)
	if err != nil {
		t.Fatal(err)
	}
	if n < 64<<10 {
		t.Fatalf("%d bytes of output fit into a pipe", n)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatalf("no high-water mark in %q", status)
	}
	kib, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
