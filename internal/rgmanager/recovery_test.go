package rgmanager_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestRecoveryPolicies fails a service under each policy, with starts and
// stops that fail, and compares with a naive reading of the manual
// (rgmanager, "Failure, recovery policy, restart limits").
func TestRecoveryPolicies(t *testing.T) {
	for _, policy := range []string{"", "restart", "Restart", "relocate", "RELOCATE", "disable", "Disable", "restart-disable", "nonsense", "xdisable"} {
		for _, failing := range []string{"", "n1", "n2", "n1 n2", "n1 n2 n3", "stop"} {
			for _, online := range []string{"n1", "n1 n3", "n1 n2 n3"} {
				t.Run(fmt.Sprintf("%s/%s of %s", policy, failing, online), func(t *testing.T) {
					script := recoveryScript(policy, strings.Fields(failing), strings.Fields(online))
					if got, want := play(t, script), recovered(policy, strings.Fields(failing), strings.Fields(online)); got != want {
						t.Errorf("%s\n got %swant %s", script, got, want)
					}
				})
			}
		}
	}
}

func recoveryScript(policy string, failing, online []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `cluster
<cluster name="r" config_version="1"><clusternodes><clusternode name="n1" nodeid="1"/><clusternode name="n2" nodeid="2"/>
<clusternode name="n3" nodeid="3"/></clusternodes><rm><failoverdomains><failoverdomain name="d" ordered="1" restricted="1">
<failoverdomainnode name="n1" priority="1"/><failoverdomainnode name="n2" priority="2"/><failoverdomainnode name="n3" priority="3"/>
</failoverdomain></failoverdomains><vm name="a" domain="d" recovery=%q/></rm></cluster>
----
`, policy)
	for _, n := range []string{"n1", "n2", "n3"} {
		word := "offline"
		if slices.Contains(online, n) {
			word = "online"
		}
		fmt.Fprintf(&b, "node %s %s\n", n, word)
	}
	b.WriteString("service a started on n1 changed 1\n")
	for _, f := range failing {
		if f == "stop" {
			b.WriteString("fails stop a\n")
		} else {
			fmt.Fprintf(&b, "fails start a %s\n", f)
		}
	}
	b.WriteString("crash a\n> states\n")
	return b.String()
}

// recovered is the service's record in the end.
func recovered(policy string, failing, online []string) string {
	if slices.Contains(failing, "stop") {
		return "service vm:a failed last n1\n"
	}
	tries := []string{"n1", "n2", "n3"}
	switch strings.ToLower(policy) {
	case "disable":
		return "service vm:a disabled last n1\n"
	case "relocate":
		tries = tries[1:]
	}
	restarts, last := 0, "n1"
	for _, n := range tries {
		if !slices.Contains(online, n) {
			continue
		}
		restarts++
		if !slices.Contains(failing, n) {
			return fmt.Sprintf("service vm:a started on %s last %s restarts %d\n", n, last, restarts)
		}
		last = n
	}
	if restarts == 0 {
		return fmt.Sprintf("service vm:a stopped last %s\n", last)
	}
	return fmt.Sprintf("service vm:a stopped last %s restarts %d\n", last, restarts)
}
