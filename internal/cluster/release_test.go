package cluster

import "testing"

func TestReleaseWords(t *testing.T) {
	for _, c := range []struct {
		compat string
		result Result
		want   string
	}{
		{"", Warning, "Warning; see system logs"},
		{"", -20, "Unknown"},
		{"6", Denied, "Permission denied"},
		{"6.0", Denied, "Permissing denied"},
		{"6.0", Warning, "Unknown"},
		{"6.0", RunsOnOriginal, "Failed; service running on original owner"},
		{"5", NotRunnable, "Service not runnable"},
		{"5", ExclusiveConflict, "Unknown"},
		{"5", Denied, "Unknown"},
		{"5", Success, "Success"},
	} {
		if got := ReleaseOf(c.compat).Words(c.result); got != c.want {
			t.Errorf("RHCS_COMPAT=%s: %d is %q; want %q", c.compat, c.result, got, c.want)
		}
	}
}
