package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fangnetz/internal/conf"
)

// largeText is a cluster.conf of 16 nodes and 2,000 machines. Two of the nodes
// are there; their votes make them quorate, and the others, named by addresses
// where nobody answers, are taken for off.
func largeText(hosts []*Host, version int) string {
	var nodes, devices, machines strings.Builder
	for id := 1; id <= 16; id++ {
		name, votes := fmt.Sprintf("%s%d", links[Cluster].prefix, 100+id), 1
		if id <= len(hosts) {
			name, votes = hosts[id-1].ClusterName(), 20
		}
		fmt.Fprintf(&nodes, `    <clusternode name="%s" nodeid="%d" votes="%d">
      <fence><method name="1"><device name="power%d"/></method></fence>
    </clusternode>
`, name, id, votes, id)
		fmt.Fprintf(&devices, `    <fencedevice name="power%d" agent="fence_ipmilan" ipaddr="%s%d" login="fence" passwd="secret"/>
`, id, links[Public].prefix, 100+id)
	}
	for n := range 2000 {
		fmt.Fprintf(&machines, `    <vm name="vm%04d" domain="first" autostart="0" recovery="relocate" max_restarts="%d" restart_expire_time="300"/>
`, n, version%9)
	}
	return fmt.Sprintf(`<?xml version="1.0"?>
<cluster name="large" config_version="%d">
  <fence_daemon clean_start="1"/>
  <clusternodes>
%s  </clusternodes>
  <fencedevices>
%s  </fencedevices>
  <rm>
    <failoverdomains>
      <failoverdomain name="first" ordered="1">
        <failoverdomainnode name="%s" priority="1"/>
        <failoverdomainnode name="%s" priority="2"/>
      </failoverdomain>
    </failoverdomains>
%s  </rm>
</cluster>
`, version, nodes.String(), devices.String(), hosts[0].ClusterName(), hosts[1].ClusterName(), machines.String())
}

// BenchmarkUpdate is ccs_tool update from the command's start to its end, with
// 16 nodes and 2,000 machines, through real corosync; and what of that the
// parsing and checking of the file takes, which every member does twice.
func BenchmarkUpdate(b *testing.B) {
	l := start(b, 2, programs(b)...)
	for _, h := range l.Hosts {
		if err := h.WriteFile(confFile, largeText(l.Hosts, 1), 0o640); err != nil {
			b.Fatal(err)
		}
		if err := h.Start(b.Context(), "cmand"); err != nil {
			b.Fatal(err)
		}
	}
	for _, h := range l.Hosts {
		eventually(b, 60*time.Second, h.Name+" has both daemons", func() string {
			st := clustat(b, h)
			if st == nil {
				return "clustat has no answer"
			}
			for _, other := range l.Hosts {
				if got := st.member(other.ClusterName()); got != "online 1, manager 1" {
					return got
				}
			}
			return ""
		})
	}
	version := 1
	var checks time.Duration
	for b.Loop() {
		b.StopTimer()
		version++
		text := largeText(l.Hosts, version)
		if err := l.Host("host1").WriteFile("/root/next.conf", text, 0o640); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		doc, err := conf.Parse("next.conf", []byte(text))
		if err != nil {
			b.Fatal(err)
		}
		if _, faults := doc.Config(); len(faults.Errors()) > 0 {
			b.Fatal(faults.Errors())
		}
		checks += time.Since(began)
		b.StartTimer()
		run(b, l.Host("host1"), "ccs_tool", "update", "/root/next.conf")
	}
	b.ReportMetric(float64(checks.Milliseconds())/float64(b.N), "check-ms/op")
	want, err := l.Host("host1").ReadFile(confFile)
	if err != nil {
		b.Fatal(err)
	}
	if got, err := l.Host("host2").ReadFile(confFile); err != nil || got != want || !strings.Contains(got, fmt.Sprintf(`config_version="%d"`, version)) {
		b.Errorf("version %d has not reached host2: %v", version, err)
	}
}
