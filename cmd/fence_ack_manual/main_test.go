package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fangnetz/internal/wire"
	"fangnetz/internal/wiretest"
)

// fakeCmand waits for node2 alone.
type fakeCmand struct {
	wire.Backend
	acked chan string
}

func (f *fakeCmand) AckFence(_ context.Context, node string) error {
	if node != "node2" {
		return &wire.Refusal{Code: wire.NotWaiting, Words: node + " is not waiting to be fenced"}
	}
	f.acked <- node
	return nil
}

type result struct {
	stdout, stderr string
	exit           int
}

func ack(stdin string, args ...string) result {
	var stdout, stderr bytes.Buffer
	exit := run(append([]string{"fence_ack_manual"}, args...), strings.NewReader(stdin), &stdout, &stderr)
	return result{stdout.String(), stderr.String(), exit}
}

func warned(node string) string {
	return "About to override fencing for " + node + ".\nImproper use of this command can cause severe file system damage.\n\n"
}

func TestOnlyAbsolutelyGoesOn(t *testing.T) {
	fake := &fakeCmand{acked: make(chan string, 1)}
	wiretest.Serve(t, fake, true)
	for _, answer := range []string{"absolutely\n", " absolutely \n", "absolutely"} {
		if got, want := ack(answer, "node2"), (result{warned("node2") + "Done\n", "", 0}); got != want {
			t.Errorf("answered %q: %+v; want %+v", answer, got, want)
		}
		select {
		case <-fake.acked:
		default:
			t.Errorf("answered %q: cmand was not told", answer)
		}
	}
	for _, answer := range []string{"", "\n", "yes\n", "Absolutely\n", "absolutely not\n", "\nabsolutely\n"} {
		if got, want := ack(answer, "-n", "node2"), (result{warned("node2") + "Aborted.\n", "", 1}); got != want {
			t.Errorf("answered %q: %+v; want %+v", answer, got, want)
		}
		if len(fake.acked) > 0 {
			t.Fatalf("answered %q: cmand was told", answer)
		}
	}
}

func TestRefusalsAreErrors(t *testing.T) {
	const yes = "absolutely\n"
	t.Setenv("CMAND_SOCKET", filepath.Join(t.TempDir(), "none"))
	if got, want := ack(yes, "node2"), (result{warned("node2"), "fence_ack_manual: No such file or directory\n", 1}); got != want {
		t.Errorf("without cmand: %+v; want %+v", got, want)
	}
	wiretest.Serve(t, &fakeCmand{}, true)
	if got, want := ack(yes, "node1"), (result{warned("node1"), "fence_ack_manual: node1 is not waiting to be fenced\n", 1}); got != want {
		t.Errorf("node that does not wait: %+v; want %+v", got, want)
	}
	wiretest.Serve(t, &fakeCmand{}, false)
	if got, want := ack(yes, "node2"), (result{warned("node2"), "fence_ack_manual: Permission denied\n", 1}); got != want {
		t.Errorf("as an ordinary user: %+v; want %+v", got, want)
	}
}

// The script of the fence-agents package has to print the same up to the
// point where it would wait for fenced.
func TestConfirmWithTheOriginal(t *testing.T) {
	const original = "/usr/sbin/fence_ack_manual"
	if text, err := os.ReadFile(original); err != nil || !bytes.HasPrefix(text, []byte("#!/bin/bash")) {
		t.Fatalf("%s is not the original script of package fence-agents; run make deps", original)
	}
	for _, args := range [][]string{nil, {"-n"}, {""}, {"-x"}, {"-n", "-x"}, {"node2"}, {"-n", "node2"}, {"node2", "more"}} {
		for _, answer := range []string{"", "no\n", "Absolutely\n"} {
			cmd := exec.Command(original, args...)
			cmd.Stdin = strings.NewReader(answer)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			cmd.Run()
			want := result{strings.ReplaceAll(stdout.String(), original, "fence_ack_manual"), stderr.String(), cmd.ProcessState.ExitCode()}
			if got := ack(answer, args...); got != want {
				t.Errorf("%q answered %q: %+v; want %+v", args, answer, got, want)
			}
		}
	}
}
