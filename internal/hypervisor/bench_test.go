package hypervisor

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"fangnetz/internal/cluster"
)

// BenchmarkMigrate measures how fast a guest full of noise moves, by our
// tunnel and by virsh's --tunnelled through the ssh command. Run it with
// -benchtime=1x: each round boots a guest.
func BenchmarkMigrate(b *testing.B) {
	const noise = 512
	h := newHosts(b)
	here, there := h.open(b), h.target(b)
	ways := map[string]func(g guest) error{
		"own tunnel": func(g guest) error {
			var last cluster.Progress
			err := here.Migrate(b.Context(), g.svc, "target", func(p cluster.Progress) { last = p })
			b.Logf("%+v", last)
			return err
		},
		"virsh --tunnelled": func(g guest) error {
			out, err := exec.Command("virsh", "migrate", "--live", "--p2p", "--tunnelled", g.svc.Name,
				"qemu+ssh://root@"+targetAddr+"/system?no_verify=1&keyfile="+h.dir+"/id_ed25519").CombinedOutput()
			if err != nil {
				return fmt.Errorf("%v: %s", err, out)
			}
			return nil
		},
		"virsh, plain TCP": func(g guest) error {
			out, err := exec.Command("virsh", "migrate", "--live", "--p2p", g.svc.Name,
				"qemu+ssh://root@"+targetAddr+"/system?no_verify=1&keyfile="+h.dir+"/id_ed25519", "tcp:"+targetAddr).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%v: %s", err, out)
			}
			return nil
		},
	}
	for name, migrate := range ways {
		b.Run(name, func(b *testing.B) {
			var spent time.Duration
			for b.Loop() {
				g := h.guest(b, fmt.Sprintf("bench%d", time.Now().UnixNano()), 1024, noise, false)
				if err := here.Start(b.Context(), g.svc, g.definition); err != nil {
					b.Fatal(err)
				}
				for len(g.numbers()) < 5 {
					time.Sleep(100 * time.Millisecond)
				}
				start := time.Now()
				if err := migrate(g); err != nil {
					b.Fatal(err)
				}
				spent += time.Since(start)
				if err := there.Destroy(b.Context(), g.svc.Name); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(noise*float64(b.N)/spent.Seconds(), "MiB/s")
		})
	}
}
