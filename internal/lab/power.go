package lab

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Login of every power switch. fence_ipmilan wants lanplus="1" cipher="3"
// beside it.
const (
	PowerUser     = "fence"
	PowerPassword = "redhat"
)

// firmware is the time that a host which its power switch switched on takes to
// reach its system. A real one takes far longer; one that took none would be
// back before the fence agent has ended.
const firmware = 5 * time.Second

// ipmi_sim's management controller (ipmi_sim_cmd(5)).
const bmcCommands = `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
mc_enable 0x20
`

// bmcConfig is its network side (ipmi_lan(5)).
func bmcConfig(h *Host, program string) string {
	return fmt.Sprintf(`name "%s"
set_working_mc 0x20
  startlan 1
    addr %s 623
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcd%02x
  endlan
  chassis_control "%s %s"
  user 1 true "" "" user 10 none md2 md5 straight
  user 2 true "%s" "%s" admin 10 none md2 md5 straight
`, h.Name, h.PowerAddress(), h.number, program, h.Name, PowerUser, PowerPassword)
}

// startPower starts a power switch for each host: an ipmi_sim outside the host,
// whose chassis program asks the lab.
func (l *Lab) startPower(ctx context.Context) error {
	var err error
	if l.power, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	l.wg.Go(l.servePower)

	dir := filepath.Join(rackDir, "power")
	program := filepath.Join(dir, "chassis")
	script := fmt.Sprintf("#!/bin/bash\nexec 3<>/dev/tcp/127.0.0.1/%d && echo \"$*\" >&3 && read -r answer <&3 && echo \"$answer\"\n", l.power.Addr().(*net.TCPAddr).Port)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		return err
	}
	for _, h := range l.Hosts {
		bmc, err := startBMC(h, filepath.Join(dir, h.Name), program)
		if err != nil {
			return fmt.Errorf("%s: cannot start its power switch: %v", h.Name, err)
		}
		l.daemons = append(l.daemons, bmc)
	}
	return nil
}

func startBMC(h *Host, dir, program string) (*exec.Cmd, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	config, commands := filepath.Join(dir, "lan.conf"), filepath.Join(dir, "emu")
	if err := os.WriteFile(config, []byte(bmcConfig(h, program)), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(commands, []byte(bmcCommands), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(h.lab.Logs, h.Name+"-power.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command("ipmi_sim", "-n", "-c", config, "-f", commands, "-s", dir)
	cmd.Stdout, cmd.Stderr = log, log
	return cmd, cmd.Start()
}

func (l *Lab) servePower() {
	for {
		conn, err := l.power.Accept()
		if err != nil {
			return // closed
		}
		l.wg.Go(func() {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || strings.TrimSpace(line) == "" {
				return
			}
			words := strings.Fields(line)
			answer := l.chassis(words)
			l.record(words, answer)
			fmt.Fprintln(conn, answer)
		})
	}
}

// PowerEvent is one thing that a power switch was told or asked.
type PowerEvent struct {
	At     time.Time // when it was answered
	Host   string
	Asked  string // get power, set power 0, set power 1
	Answer string // power:0, power:1, or why not
}

func (l *Lab) record(words []string, answer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.powerEvents = append(l.powerEvents, PowerEvent{time.Now(), words[0], strings.Join(words[1:], " "), answer})
}

// PowerEvents returns what the power switches were told and asked after since,
// in order.
func (l *Lab) PowerEvents(since time.Time) []PowerEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	var events []PowerEvent
	for _, e := range l.powerEvents {
		if e.At.After(since) {
			events = append(events, e)
		}
	}
	return events
}

// chassis answers a power switch's program: `host1 get power`, `host1 set power 0`.
// An answer of another form than asked makes the switch report a failure.
//
// Off returns when nothing of the host is left. On returns at once, with power;
// the boot goes on by itself, as everywhere.
func (l *Lab) chassis(words []string) string {
	if len(words) < 3 || words[2] != "power" {
		return "unknown"
	}
	h := l.Host(words[0])
	if h.switchBroken() {
		return "out of order"
	}
	switch {
	case words[1] == "get" && h.On():
		return "power:1"
	case words[1] == "get":
		return "power:0"
	case len(words) < 4:
		return "unknown"
	case words[3] == "0":
		if err := h.PowerOff(); err != nil {
			return err.Error()
		}
		return "power:0"
	}
	l.wg.Go(func() {
		if err := h.powerOn(l.ctx, firmware); err != nil {
			l.note(h, err)
		}
	})
	h.awaitPower(l.ctx, 5*time.Second)
	return "power:1"
}

// BreakSwitch makes the host's power switch answer nothing of use, or repairs
// it. The host keeps the power that it has.
func (h *Host) BreakSwitch(broken bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.broken = broken
}

func (h *Host) switchBroken() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.broken
}

// note writes a boot's failure beside the host's other logs.
func (l *Lab) note(h *Host, err error) {
	f, ferr := os.OpenFile(filepath.Join(h.Logs(), "boot.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if ferr != nil {
		return
	}
	defer f.Close()
	fmt.Fprintln(f, err)
}

// awaitPower waits until the host is on.
func (h *Host) awaitPower(ctx context.Context, limit time.Duration) {
	for deadline := time.Now().Add(limit); !h.On() && ctx.Err() == nil && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
}
