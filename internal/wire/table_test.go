package wire

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// slow is a backend whose Act takes longer than a body may.
type slow struct {
	Backend
	takes time.Duration
}

func (s slow) Act(ctx context.Context, a Action) (Answer, error) {
	select {
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	case <-time.After(s.takes):
		return Answer{Owner: 1}, nil
	}
}

func TestBodyTimeoutDoesNotEndAnAct(t *testing.T) {
	l, err := Listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	limit := 50 * time.Millisecond
	s := &Server{Backend: slow{takes: 6 * limit}, Admin: func(uid, gid uint32) bool { return true }, bodyTimeout: limit}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- s.Serve(ctx, l) }()
	if a, err := New(l.Addr().String()).Act(t.Context(), Action{Verb: Stop}); err != nil || a.Owner != 1 {
		t.Errorf("Act = %+v, %v; want its answer", a, err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestEveryRequestIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, sections, _ := strings.Cut(string(text), "\n## ")
	byHead := map[string]string{}
	for section := range strings.SplitSeq(sections, "\n## ") {
		head, rest, _ := strings.Cut(section, "\n")
		byHead[head] = rest
	}
	for _, q := range requests() {
		head := fmt.Sprintf("%s %s", q.method, q.path)
		section, ok := byHead[head]
		if !ok {
			t.Errorf("docs/protocol.md has no section %q", head)
			continue
		}
		if !strings.Contains(section, "\n> "+head) || !strings.Contains(section, "\n< 200 ") {
			t.Errorf("docs/protocol.md shows no exchange for %s", head)
		}
		if who := map[policy]string{anyone: "Anyone", admin: "Administrators"}[q.policy]; !strings.Contains(section, who+" may") {
			t.Errorf("docs/protocol.md does not say that %s may %s", who, head)
		}
	}
}

func TestCallerName(t *testing.T) {
	for _, c := range []struct {
		uid      uint32
		loginuid string
		want     string
	}{
		{0, "", "root"},
		{0, "4294967295", "root"},
		{0, "0", "root"},
		{0, "65534", "root(nobody)"},
		{65534, "0\n", "nobody(root)"},
		{4294967001, "4294967002", "4294967001(4294967002)"},
		{0, "-1", "root"},
	} {
		if got := callerName(c.uid, c.loginuid); got != c.want {
			t.Errorf("uid %d, loginuid %q: %s; want %s", c.uid, c.loginuid, got, c.want)
		}
	}
}
