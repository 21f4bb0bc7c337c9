package conf

import (
	"math"
	"testing"
	"time"
)

func TestAtoi(t *testing.T) {
	for in, want := range map[string]int{
		"": 0, "0": 0, "12": 12, " 12": 12, "+3": 3, "-3": -3, "12ab": 12, "ab12": 0, "- 3": 0, "007": 7, "0x10": 0, "1.9": 1,
		"2147483647": math.MaxInt32, "99999999999999999999": math.MaxInt32, "-99999999999": math.MinInt32,
	} {
		if got := atoi(in); got != want {
			t.Errorf("atoi(%q) = %d, want %d", in, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	const day = 24 * time.Hour
	for in, want := range map[string]time.Duration{
		"0": 0, "90": 90 * time.Second, "90s": 90 * time.Second, "5m": 5 * time.Minute, "2h": 2 * time.Hour, "3d": 3 * day, "1w": 7 * day,
		"1y": 365 * day, "2H": 2 * time.Hour, " 7 ": 7 * time.Second, "9999999999y": math.MaxInt64,
	} {
		if got, ok := duration(in); got != want || !ok {
			t.Errorf("duration(%q) = %v, %v; want %v", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "m", "-5", "5x", "1h30m", "5 m"} {
		if got, ok := duration(in); got != 0 || ok {
			t.Errorf("duration(%q) = %v, %v; want 0, false", in, got, ok)
		}
	}
}
