//go:build race

package simulate

// few schedules are enough where each takes ten times as long.
const few = 600
