package simulate

import "slices"

// Shrink leaves out of a schedule that fails all commands without which it
// still breaks the same invariant, as far as that is found out by leaving out
// ever smaller parts.
func (p *Schedule) Shrink() *Schedule {
	fails := func(commands []Command) string {
		return invariant((&Schedule{Seed: p.Seed, Commands: commands, settings: p.settings}).Run(nil))
	}
	commands, want := p.Commands, fails(p.Commands)
	for size := (len(commands) + 1) / 2; size > 0; {
		smaller := false
		for i := 0; i < len(commands); {
			less := slices.Delete(slices.Clone(commands), i, min(i+size, len(commands)))
			if fails(less) == want {
				commands, smaller = less, true
			} else {
				i += size
			}
		}
		if !smaller || size > 1 {
			size /= 2
		}
	}
	return &Schedule{Seed: p.Seed, Commands: commands, settings: p.settings}
}

// invariant is the name of the one that err is about; empty: none.
func invariant(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()[:3]
}
