package fence_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fangnetz/internal/conf"
	"fangnetz/internal/fence"
)

// need fails unless all programs are installed.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if _, err := os.Stat(filepath.Join("/usr/sbin", p)); err != nil {
				t.Fatalf("%s is not installed; run make deps", p)
			}
		}
	}
}

func TestRealDummyAgent(t *testing.T) {
	need(t, "fence_dummy")
	status := filepath.Join(t.TempDir(), "status")
	if err := os.WriteFile(status, []byte("on"), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg := config(method("a", device("dummy", "action=off")))
	cfg.FenceDevices = append(cfg.FenceDevices, conf.FenceDevice{Name: "dummy", Agent: "fence_dummy",
		Attrs: attrs("agent=fence_dummy", "type=file", "status_file="+status)})
	f := &fence.Fencer{Timeout: time.Minute}
	if rep, err := f.Node(t.Context(), cfg, 1); err != nil {
		t.Fatalf("Node = %v, %+v", err, rep)
	}
	if b, err := os.ReadFile(status); err != nil || strings.TrimSpace(string(b)) != "off" {
		t.Errorf("%s holds %q, %v; want off", status, b, err)
	}
}

// A management controller that talks IPMI 2.0 over UDP, its power being a file.
func TestRealIPMI(t *testing.T) {
	need(t, "ipmi_sim", "ipmitool", "fence_ipmilan")
	dir := t.TempDir()
	port := startBMC(t, dir)
	power := filepath.Join(dir, "power")
	f := &fence.Fencer{Timeout: time.Minute}

	bmc := func(action, passwd string) *conf.Config {
		cfg := config(method("a", device("bmc", "action="+action)))
		cfg.FenceDevices = []conf.FenceDevice{{Name: "bmc", Agent: "fence_ipmilan", Attrs: attrs("agent=fence_ipmilan", "ipaddr=127.0.0.1",
			fmt.Sprintf("ipport=%d", port), "login=fence", "passwd="+passwd, "lanplus=1", "cipher=3", "power_timeout=20", "login_timeout=5", "verbose=1")}}
		return cfg
	}
	if rep, err := f.Node(t.Context(), bmc("off", "redhat"), 1); err != nil {
		t.Fatalf("off: %v, %+v", err, rep)
	}
	if b, _ := os.ReadFile(power); string(b) != "0\n" {
		t.Errorf("power after off = %q; want 0", b)
	}
	if rep, err := f.Node(t.Context(), bmc("on", "redhat"), 1); err != nil {
		t.Fatalf("on: %v, %+v", err, rep)
	}
	if b, _ := os.ReadFile(power); string(b) != "1\n" {
		t.Errorf("power after on = %q; want 1", b)
	}
	_, err := f.Node(t.Context(), bmc("off", "wrong-word"), 1)
	if err == nil || strings.Contains(err.Error(), "wrong-word") {
		t.Errorf("off with a wrong password = %v; want a failure that does not show it", err)
	}
	if b, _ := os.ReadFile(power); string(b) != "1\n" {
		t.Errorf("power after a refused off = %q; want 1", b)
	}
}

// startBMC runs ipmi_sim until the test ends and returns its UDP port.
func startBMC(t *testing.T, dir string) int {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := c.LocalAddr().(*net.UDPAddr).Port
	c.Close()
	files := map[string]string{
		"power": "1\n",
		// The chassis program is asked `ADDRESS get power` and `ADDRESS set power 0`.
		"chassis": "#!/bin/sh\n[ \"$2\" = set ] && echo \"$4\" >" + dir + "/power\n[ \"$2\" = get ] && echo \"power:$(cat " + dir + "/power)\"\nexit 0\n",
		"emu":     "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nmc_enable 0x20\n",
		"lan.conf": fmt.Sprintf(`name "bmc"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 %d
    priv_limit admin
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "%s/chassis 0x20"
  user 1 true "" "" user 10 none md2 md5 straight
  user 2 true "fence" "redhat" admin 10 none md2 md5 straight
`, port, dir),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("ipmi_sim", "-n", "-c", filepath.Join(dir, "lan.conf"), "-f", filepath.Join(dir, "emu"), "-s", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		out, err := exec.CommandContext(ctx, "ipmitool", "-I", "lanplus", "-C", "3", "-H", "127.0.0.1", "-p", fmt.Sprint(port),
			"-U", "fence", "-P", "redhat", "chassis", "power", "status").CombinedOutput()
		if err == nil {
			return port
		}
		if ctx.Err() != nil {
			t.Fatalf("ipmi_sim does not answer: %s", out)
		}
	}
}
