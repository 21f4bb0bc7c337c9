package hypervisor

import (
	"testing"
)

func TestReal(t *testing.T) {
	h := newHosts(t)
	here, there := h.open(t), h.target(t)
	g := h.guest(t, "web", 256, 0, true)
	if err := here.Start(t.Context(), g.svc, g.definition); err != nil {
		t.Fatal(err)
	}
	g.booted(t)
	stop := g.gap()
	if err := here.Migrate(t.Context(), g.svc, "target", nil); err != nil {
		t.Fatal(err)
	}
	t.Log(stop())
	g.counts(t)
	wantState(t, here, "web", "")
	wantState(t, there, "web", "running")
	if err := there.Stop(t.Context(), g.svc); err != nil {
		t.Fatal(err)
	}
	wantState(t, there, "web", "shut off")
}
