package main

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fangnetz/internal/cluster"
)

// hang lets clustat connect, says no more than that, and waits.
func hang(t *testing.T, beginning string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan bool)
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			if _, err := c.Read(make([]byte, 1)); err == nil { // it asks
				io.WriteString(c, beginning)
			}
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	t.Setenv("CMAND_SOCKET", path)
}

// (clustat, "Messages")
func TestHungCmand(t *testing.T) {
	want := result{"", "Timed out waiting for a response from Resource Group Manager\n", 1}
	for _, beginning := range []string{"", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"} {
		hang(t, beginning)
		for _, args := range [][]string{nil, {"-x"}, {"-Q"}, {"-I"}, {"-i", "1"}, {"-s", "web"}, {"--json"}} {
			c := fixed()
			c.patience = 50 * time.Millisecond
			if got := runOn(t, c, "pipe", args...); got != want {
				t.Errorf("clustat %q = %+v; want %+v", args, got, want)
			}
		}
	}
	if got, want := runOn(t, fixed(), "pipe", "-v"), (result{"clustat version 9\n", "", 0}); got != want {
		t.Errorf("clustat -v = %+v; want %+v", got, want)
	}
}

// slow answers the first time, then hangs once, then asks for the last round.
type slow struct {
	fakeCmand
	mu    sync.Mutex
	asked int
}

func (s *slow) Status(ctx context.Context) (cluster.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.asked++; s.asked {
	case 2:
		<-ctx.Done()
		return cluster.Status{}, ctx.Err()
	case 3:
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
			return cluster.Status{}, err
		}
	}
	return s.status, nil
}

// A screen that is watched outlives a daemon that is restarted.
func TestIntervalGoesOnWithoutCmand(t *testing.T) {
	serve(t, &slow{fakeCmand: fakeCmand{status: one()}})
	c := fixed()
	c.patience = time.Second
	got := runOn(t, c, "pipe", "-i", "1")
	rounds := strings.Split(got.stdout, "Cluster Status for alpha")[1:]
	if len(rounds) < 3 || got.exit != 0 || got.stderr != "Timed out waiting for a response from Resource Group Manager\n" {
		t.Fatalf("%d rounds, %+v; want three, one time-out and 0", len(rounds), got)
	}
	const away = "Member Status: Inquorate\n\nResource Group Manager not running; no service information available.\n\nMembership information not available\n"
	if !strings.HasSuffix(rounds[1], away) {
		t.Errorf("round 2 is %q; want %q", rounds[1], away)
	}
	if !strings.Contains(rounds[2], "Member Status: Quorate\n") || !strings.Contains(rounds[2], "vm:web") {
		t.Errorf("round 3 is %q; want all again", rounds[2])
	}
}
