package daemon

import (
	"context"
	"time"
)

const (
	// beatTime is how often a daemon says that it lives.
	beatTime = 3 * time.Second
	// silence is how long a daemon may say nothing before it is put out. It
	// counts as dead then, and has rgmanager.GraceTime to come back.
	silence = 15 * time.Second
)

// beat says that this daemon lives, and puts out who does not say so. The
// lowest member that is heard does it; a daemon that does not hear itself is
// in no position to judge.
func (d *Daemon) beat(ctx context.Context) {
	d.send(ctx, message{Beat: true})
	r := d.replica
	if r.machine == nil || r.loading != "" || r.round != nil || time.Since(d.heard[d.local]) > 2*beatTime {
		d.alone = time.Now()
		return
	}
	judge := true
	for _, id := range r.view.Members {
		boot := r.machine.Boot(id)
		last := d.heard[id]
		if last.Before(d.alone) {
			last = d.alone // nobody is silent for longer than we listen
		}
		switch {
		case boot == "":
		case time.Since(last) <= silence:
			judge = judge && id >= d.local
		case judge:
			d.log.Warn("a member is silent; putting it out", "node", id, "for", time.Since(last).Round(time.Second))
			d.send(ctx, message{Expel: &expel{Node: id, Boot: boot}})
		}
	}
}
