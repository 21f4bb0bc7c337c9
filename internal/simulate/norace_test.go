//go:build !race

package simulate

const few = 4000
