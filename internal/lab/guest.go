package lab

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Guest is a virtual machine that counts on its serial line, ten times a
// second (guest-init.sh); ready some four seconds after its start. On its disk
// it counts its boots, wherever they are.
type Guest struct {
	Name    string
	Memory  int // MiB; 0: 80
	Ballast int // MiB of random memory that a migration has to carry
	Unit    int // of the shared storage, 1 to 6; 0: no disk
}

// Folder that `make deps` fills with the guest's kernel and initrd; on every
// host, because it is on the machine.
const guestDir = "/var/cache/fangnetz"

// consoleFile is the guest's serial line on the host that runs it. Each host
// has its own, and what one writes stays when the machine is gone.
func consoleFile(name string) string { return "/var/log/" + name + ".console" }

// XML is its libvirt definition, the same on all hosts.
func (g Guest) XML() string {
	memory := g.Memory
	if memory == 0 {
		memory = 80
	}
	id := sha256.Sum256([]byte(g.Name))
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // RFC 4122, version 4
	return fmt.Sprintf(`<domain type='qemu'>
  <name>%s</name>
  <uuid>%x-%x-%x-%x-%x</uuid>
  <memory unit='MiB'>%d</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>%s/vmlinuz</kernel>
    <initrd>%s/initrd</initrd>
    <cmdline>console=ttyS0 quiet oops=panic panic=-1 ballast=%d</cmdline>
  </os>
  <features>
    <acpi/>
    <tcg><tb-cache unit='MiB'>32</tb-cache></tcg>
  </features>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
%s    <serial type='file'>
      <source path='%s' append='on'/>
    </serial>
    <memballoon model='none'/>
  </devices>
</domain>
`, g.Name, id[0:4], id[4:6], id[6:8], id[8:10], id[10:16], memory, guestDir, guestDir, g.Ballast, disk(g.Unit), consoleFile(g.Name))
}

// Define makes the guest known to the host's libvirtd, as `virsh define` does
// from a file.
func (h *Host) Define(ctx context.Context, g Guest) error {
	file := "/root/" + g.Name + ".xml"
	if err := h.WriteFile(file, g.XML(), 0o644); err != nil {
		return err
	}
	out, err := h.Run(ctx, "virsh", "define", file)
	if err != nil {
		return err
	}
	return out.Err()
}

// Started is when the host's libvirtd last started a QEMU for the guest, for a
// boot or to take it over from another host; zero when it never did. It reads
// lines of QEMU's log as "2026-01-02 03:04:05.678+0000: starting up libvirt version: ...".
func (h *Host) Started(guest string) (time.Time, error) {
	var last time.Time
	log, err := os.ReadFile(filepath.Join(h.Logs(), "libvirt/qemu", guest+".log"))
	if errors.Is(err, os.ErrNotExist) {
		return last, nil
	}
	if err != nil {
		return last, err
	}
	for line := range strings.Lines(string(log)) {
		stamp, _, found := strings.Cut(line, ": starting up libvirt")
		if !found {
			continue
		}
		if last, err = time.Parse("2006-01-02 15:04:05.999-0700", stamp); err != nil {
			return last, fmt.Errorf("%s: no time in %q: %v", h.Name, line, err)
		}
	}
	return last, nil
}

// Tick is one line of a guest's counter.
type Tick struct {
	Boot string // the guest's boot id
	Seq  int    // 1, 2, ... in that boot
}

// ConsoleText is all that the guest wrote on its serial line on this host since
// the rack was made, whether the host is on or off; empty when it never ran
// here.
func (h *Host) ConsoleText(guest string) (string, error) {
	text, err := os.ReadFile(h.consolePath(guest))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}

// consolePath is where the machine has the guest's console on this host.
func (h *Host) consolePath(guest string) string {
	return filepath.Join(h.Logs(), strings.TrimPrefix(consoleFile(guest), "/var/log/"))
}

// Console returns the counter in the guest's [Host.ConsoleText].
func (h *Host) Console(guest string) ([]Tick, error) {
	text, err := h.ConsoleText(guest)
	ticks, _ := parseTicks(text)
	return ticks, err
}

// parseTicks returns the whole lines of text that are ticks, and the rest after
// the last line end. A line that a kill or a migration cut in two is left out.
func parseTicks(text string) (ticks []Tick, rest string) {
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\n") {
			return ticks, line
		}
		if t, ok := parseTick(strings.TrimRight(line, "\r\n")); ok {
			ticks = append(ticks, t)
		}
	}
	return ticks, ""
}

func parseTick(line string) (Tick, bool) {
	line, ok := strings.CutPrefix(line, "boot=")
	boot, number, ok2 := strings.Cut(line, " seq=")
	seq, err := strconv.Atoi(number)
	return Tick{Boot: boot, Seq: seq}, ok && ok2 && err == nil && len(boot) == 36
}
