package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

// changing is a fake cmand whose cluster changes twice, and which then ends.
type changing struct{ wire.Backend }

func (changing) Status(context.Context) (cluster.Status, error) { return standing("node1"), nil }

func (changing) Watch(_ context.Context, emit func(wire.Event) error) error {
	for i, name := range []string{"node1", "node1", "node2"} { // the second is a migration's progress
		if err := emit(wire.Event{Status: standing(name), Migrations: make([]wire.Migration, i%2)}); err != nil {
			return err
		}
	}
	return errors.New("enough")
}

// standing is a cluster of one member.
func standing(name string) cluster.Status {
	return cluster.Status{Quorate: true, ConfigReadable: true, Manager: cluster.Manager{Running: true},
		Members: []cluster.Member{{Name: name, ID: 1, Configured: true, Known: true, Online: true}}}
}

func TestWatchShowsEachChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- (&wire.Server{Backend: changing{}}).Serve(ctx, l) }()
	t.Setenv("CMAND_SOCKET", path)

	var stdout, stderr bytes.Buffer
	c := fixed()
	c.stdout, c.stderr = &stdout, &stderr
	if status := c.run(t.Context(), []string{"clustat", "--watch"}); status != 1 {
		t.Errorf("exit status %d when cmand ends; want 1", status)
	}
	if got := strings.Count(stdout.String(), "Member Status: Quorate"); got != 2 {
		t.Errorf("shown %d times; want 2:\n%s", got, stdout.String())
	}
	if !strings.Contains(stdout.String(), " node2 ") || !strings.Contains(stderr.String(), "Could not connect to CMAN") {
		t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
