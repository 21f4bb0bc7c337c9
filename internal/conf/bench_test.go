package conf

import (
	"fmt"
	"strings"
	"testing"
)

// large is a file with that many fenced nodes and machines, each machine in
// the ordered domain of one of the nodes.
func large(nodes, vms int) []byte {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n<cluster name=\"large\" config_version=\"1\">\n\t<clusternodes>\n")
	for n := range nodes {
		fmt.Fprintf(&b, "\t\t<clusternode name=\"n%d\" nodeid=\"%d\"><fence><method name=\"1\"><device name=\"f%d\"/></method></fence></clusternode>\n", n, n+1, n)
	}
	b.WriteString("\t</clusternodes>\n\t<fencedevices>\n")
	for n := range nodes {
		fmt.Fprintf(&b, "\t\t<fencedevice name=\"f%d\" agent=\"fence_ipmilan\" ipaddr=\"10.0.0.%d\" login=\"a\" passwd=\"b\"/>\n", n, n)
	}
	b.WriteString("\t</fencedevices>\n\t<rm>\n\t\t<failoverdomains>\n")
	for n := range nodes {
		fmt.Fprintf(&b, "\t\t\t<failoverdomain name=\"d%d\" ordered=\"1\"><failoverdomainnode name=\"n%d\" priority=\"1\"/>"+
			"<failoverdomainnode name=\"n%d\" priority=\"2\"/></failoverdomain>\n", n, n, (n+1)%nodes)
	}
	b.WriteString("\t\t</failoverdomains>\n\t\t<resources/>\n")
	for v := range vms {
		fmt.Fprintf(&b, "\t\t<vm name=\"vm%d\" domain=\"d%d\" recovery=\"restart\" max_restarts=\"2\" restart_expire_time=\"10m\" migrate=\"live\"/>\n", v, v%nodes)
	}
	b.WriteString("\t</rm>\n</cluster>\n")
	return []byte(b.String())
}

// BenchmarkParse is parse and check together, as ccs_tool update does.
func BenchmarkParse(b *testing.B) {
	for _, size := range []struct{ nodes, vms int }{{2, 4}, {8, 200}, {16, 2000}} {
		text := large(size.nodes, size.vms)
		b.Run(fmt.Sprintf("nodes=%d/vms=%d", size.nodes, size.vms), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				d, err := Parse("cluster.conf", text)
				if err != nil {
					b.Fatal(err)
				}
				if c, faults := d.Config(); len(c.Services) != size.vms || len(faults) > 0 {
					b.Fatalf("%d services, faults: %v", len(c.Services), faults)
				}
			}
		})
	}
}

// BenchmarkDiff compares two files in which every machine differs.
func BenchmarkDiff(b *testing.B) {
	for _, size := range []struct{ nodes, vms int }{{2, 4}, {8, 200}, {16, 2000}} {
		text := string(large(size.nodes, size.vms))
		before, err := Parse("cluster.conf", []byte(text))
		if err != nil {
			b.Fatal(err)
		}
		after, err := Parse("cluster.conf", []byte(strings.ReplaceAll(text, `migrate="live"`, `migrate="pause"`)))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("nodes=%d/vms=%d", size.nodes, size.vms), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if changes := Diff(before, after); len(changes) != size.vms {
					b.Fatalf("%d changes", len(changes))
				}
			}
		})
	}
}
