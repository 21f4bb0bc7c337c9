package daemon

import (
	"context"
	"fmt"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
	"fangnetz/internal/wire"
)

// progressTime is how often all nodes hear how far a migration has come.
const progressTime = 500 * time.Millisecond

// migrate moves a machine, tells all nodes how far it has come, and logs what
// it cost.
func (h *Hands) migrate(ctx context.Context, a rgmanager.Migrate, c *conf.Config) rgmanager.Event {
	svc, to := c.Service(a.Service), c.NodeByID(a.To)
	if svc == nil || to == nil {
		return done(errRemoved)
	}
	began := time.Now()
	var told time.Time
	var last cluster.Progress
	here, err := h.Hypervisor.Migrate(ctx, *svc, to.Name, func(p cluster.Progress) {
		last = p
		if p.Remaining > 0 && time.Since(told) < progressTime {
			return
		}
		told = time.Now()
		h.Progress(wire.Migration{Service: a.Service, From: a.On, To: a.To, Progress: p})
	})
	if took := time.Since(began); err == nil {
		mib := float64(last.Processed) / (1 << 20)
		h.Log("migrated", "service", a.Service, "took", took.Round(time.Millisecond),
			"paused", time.Duration(last.Downtime*float64(time.Second)).Round(time.Millisecond),
			"memory", fmt.Sprintf("%.0f MiB", mib), "rate", fmt.Sprintf("%.0f MiB/s", mib/took.Seconds()))
	}
	end := done(err)
	end.Running = here
	return end
}
