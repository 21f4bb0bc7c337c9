package wire_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fangnetz/internal/wire"
)

// library is a backend that keeps configurations.
type library struct {
	wire.Backend
	texts map[int]string // 0: in force
}

func (l library) Config(_ context.Context, version int) (wire.ConfigText, error) {
	text, ok := l.texts[version]
	if !ok {
		return wire.ConfigText{}, &wire.Refusal{Code: wire.NotKept, Words: "not there"}
	}
	return wire.ConfigText{Version: version, Text: []byte(text)}, nil
}

func (l library) ConfigHistory(context.Context) ([]wire.ConfigEntry, error) { return entries, nil }

var entries = []wire.ConfigEntry{
	{Version: 7, Since: 1262304000, Size: 2345, Nodes: 2, Services: 9},
	{Version: 8, Since: 1262307600, Node: "node1", Size: 2376, Nodes: 2, Services: 9, Changes: []string{"vm:web added"}, More: 3},
}

func TestConfigArrivesUnchanged(t *testing.T) {
	l := library{texts: map[int]string{0: "<!-- \xe9\x00 -->", 7: "<cluster/>"}}
	client := wire.New(serve(t, &wire.Server{Backend: l, Admin: allow}))
	for version, text := range l.texts {
		got, err := client.Config(t.Context(), version)
		if err != nil || got.Version != version || string(got.Text) != text {
			t.Errorf("Config(%d) = %+v, %v; want %q", version, got, err, text)
		}
	}
	if got, err := client.Config(t.Context(), 6); !errors.Is(err, &wire.Refusal{Code: wire.NotKept}) {
		t.Errorf("Config(6) = %+v, %v; want it not kept", got, err)
	}
	if got, err := client.Config(t.Context(), -1); !errors.Is(err, &wire.Refusal{Code: wire.BadRequest}) {
		t.Errorf("Config(-1) = %+v, %v; want a bad request", got, err)
	}
}

// The text holds passwords, the history none.
func TestAnyoneMaySeeTheHistoryOnly(t *testing.T) {
	client := wire.New(serve(t, &wire.Server{Backend: library{texts: map[int]string{0: "secret"}}, Admin: deny}))
	if got, err := client.Config(t.Context(), 0); !errors.Is(err, &wire.Refusal{Code: wire.Denied}) || len(got.Text) > 0 {
		t.Errorf("Config = %+v, %v; want it denied", got, err)
	}
	got, err := client.ConfigHistory(t.Context())
	if diff := cmp.Diff(entries, got); diff != "" || err != nil {
		t.Errorf("ConfigHistory: %v, differs (-want +got):\n%s", err, diff)
	}
}
