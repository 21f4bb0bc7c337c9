package daemon

import (
	"log/slog"
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
func (c *Core) beat() {
	c.send(message{Beat: c.stamp()})
	r := c.replica
	if !c.InStep() || c.now.Sub(c.heard[c.local]) > 2*beatTime {
		c.alone = c.now
		return
	}
	judge := true
	for _, id := range r.view.Members {
		boot := r.machine.Boot(id)
		last := c.heard[id]
		if last.Before(c.alone) {
			last = c.alone // nobody is silent for longer than we listen
		}
		switch silent := c.now.Sub(last); {
		case boot == "":
		case silent <= silence:
			judge = judge && id >= c.local
		case judge:
			c.log(slog.LevelWarn, "a member is silent; putting it out", "node", id, "for", silent.Round(time.Second))
			c.send(message{Expel: &expel{Node: id, Boot: boot}})
		}
	}
}
