package lab

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// holdMark makes the test below build a lab and wait for its end.
const holdMark = "FANGNETZ_HOLD"

func TestKilledLabLeavesNothing(t *testing.T) {
	if os.Getenv(holdMark) != "" {
		l := start(t, 1)
		if err := l.Host("host1").Define(t.Context(), Guest{Name: "vm1"}); err != nil {
			t.Fatal(err)
		}
		run(t, l.Host("host1"), "virsh", "start", "vm1")
		fmt.Printf("held %s\n", l.Logs)
		time.Sleep(time.Minute)
		return
	}
	before := leftovers()
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(withoutMark(os.Environ()), holdMark+"=1")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	var logs string
	for lines := bufio.NewScanner(stdout); logs == "" && lines.Scan(); {
		if path, ok := strings.CutPrefix(lines.Text(), "held "); ok {
			logs = path
		}
	}
	if logs == "" {
		t.Fatalf("the other lab did not come up: %v", cmd.Wait())
	}
	defer os.RemoveAll(logs)
	if during := leftovers(); len(during) < len(before)+4 {
		t.Fatalf("the other lab has no processes: %v", during)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if left := awaitNothing(10 * time.Second); len(left) > 0 {
		t.Errorf("left behind: %s", strings.Join(left, "; "))
	}
}
