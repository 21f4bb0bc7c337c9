package conf

import (
	"math"
	"regexp"
	"strings"
	"time"
)

// atoi reads a number as the C library's atoi does: white space, a sign and
// digits; what follows is dropped, no digits count as 0. Numbers beyond 32
// bits are held at the ends of that range.
func atoi(s string) int {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	sign := 1
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			break
		}
		if n = 10*n + int(c-'0'); n > math.MaxInt32 {
			if sign < 0 {
				return math.MinInt32
			}
			return math.MaxInt32
		}
	}
	return sign * n
}

var number = regexp.MustCompile(`^\s*[-+]?[0-9]+\s*$`)

// isNumber reports whether atoi reads all of s.
func isNumber(s string) bool { return number.MatchString(s) }

var span = regexp.MustCompile(`^[0-9]+[smhdwySMHDWY]?$`)

// duration reads a time as the resource manager does: a number with a suffix
// s m h d w or y, seconds when there is none. It reports false for anything
// else, which counts as 0 (rgmanager, "Failure, recovery policy, restart
// limits").
func duration(s string) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	if !span.MatchString(s) {
		return 0, false
	}
	unit := time.Second
	switch s[len(s)-1] | 0x20 { // lower case
	case 'm':
		unit = time.Minute
	case 'h':
		unit = time.Hour
	case 'd':
		unit = 24 * time.Hour
	case 'w':
		unit = 7 * 24 * time.Hour
	case 'y':
		unit = 365 * 24 * time.Hour
	}
	n := time.Duration(atoi(s))
	if n > math.MaxInt64/unit {
		return math.MaxInt64, true
	}
	return n * unit, true
}
