package member

import (
	"fmt"
	"testing"
	"time"

	"fangnetz/internal/cluster"
)

func TestSolo(t *testing.T) {
	s := NewSolo(3)
	buf := []byte("m0")
	for i := range 100 { // nobody reads yet: Send must not wait
		copy(buf, fmt.Sprintf("m%d", i%10))
		if err := s.Send(t.Context(), buf); err != nil {
			t.Fatal(err)
		}
	}
	first := <-s.Deliveries()
	if first.View == nil {
		t.Fatalf("first delivery is %+v; want a view", first)
	}
	if got, want := describe(first), "view 3.1 online [3] members [3] joined [3], quorate"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	for i := range 100 {
		if got, want := describe(<-s.Deliveries()), fmt.Sprintf("3: m%d", i%10); got != want {
			t.Fatalf("delivery %d is %q; want %q", i, got, want)
		}
	}
	if err := s.Reload(t.Context(), settings(2)); err == nil {
		t.Error("a second node without corosync is accepted")
	}
	if err := s.Send(t.Context(), make([]byte, MaxMessage+1)); err == nil {
		t.Error("a message over the bound is accepted")
	}
	for range 2 {
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if d, open := <-s.Deliveries(); open || s.Err() != nil {
		t.Errorf("after Close: %+v, %v; want the end", d, s.Err())
	}
	if err := s.Send(t.Context(), nil); err == nil {
		t.Error("Send after Close succeeds")
	}
}

func TestSoloReloadOfItself(t *testing.T) {
	s := NewSolo(1)
	defer s.Close(t.Context())
	if err := s.Reload(t.Context(), Settings{Nodes: []Node{{ID: 1}}}); err != nil {
		t.Error(err)
	}
}

func TestQueueEndsAfterItsLast(t *testing.T) {
	q := newQueue[cluster.NodeID]()
	done := make(chan struct{})
	go func() { defer close(done); q.run(nil) }()
	q.put(1, 2)
	q.put(3)
	q.end()
	var got cluster.NodeIDs
	for id := range q.out {
		got = append(got, id)
	}
	if fmt.Sprint(got) != "[1 2 3]" {
		t.Errorf("got %v; want [1 2 3]", got)
	}
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("run goes on")
	}
}
