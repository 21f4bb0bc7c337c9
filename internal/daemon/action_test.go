package daemon

import (
	"errors"
	"testing"

	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
)

// An operation may name a service, or a node, that a new configuration has
// removed by the time it is carried out.
func TestRemovedServiceIsNotTouched(t *testing.T) {
	d := &Hands{}
	if err := d.start(t.Context(), nil, ""); !errors.Is(err, errRemoved) {
		t.Errorf("start = %v", err)
	}
	if err := d.stop(t.Context(), nil, true); !errors.Is(err, errRemoved) {
		t.Errorf("stop = %v", err)
	}
	if got := d.migrate(t.Context(), rgmanager.Migrate{Service: "vm:gone", To: 9}, &conf.Config{}); got != done(errRemoved) {
		t.Errorf("migrate = %+v", got)
	}
}
