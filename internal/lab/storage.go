package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The article's shared storage: one iSCSI target on the public link with a unit
// for each of six machines. The hosts' QEMU is its own initiator.
const (
	storageName = "storage.example.com"
	targetName  = "iqn.2010-02.com.example:vg-cluster" // a target's name has no underscore
	units       = 6
	unitSize    = 16 << 20
)

var storageAddress = links[Public].prefix + "10"

// startStorage starts tgtd(8) and tells it of its units.
func (l *Lab) startStorage(ctx context.Context) error {
	dir := filepath.Join(rackDir, "storage")
	for _, d := range []string{dir, "/run/tgtd"} { // tgtd's control socket is in the latter
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	log, err := os.Create(filepath.Join(l.Logs, "storage.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("tgtd", "-f", "--iscsi", "portal="+storageAddress+":3260")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the storage: %v", err)
	}
	l.daemons = append(l.daemons, cmd)
	if err := awaitSocket(ctx, "/run/tgtd/socket.0", 10*time.Second); err != nil {
		return fmt.Errorf("the storage does not answer: %v", err)
	}
	if err := tgtadm(ctx, "new", "target", "-T", targetName); err != nil {
		return err
	}
	for n := 1; n <= units; n++ {
		file := filepath.Join(dir, fmt.Sprintf("lv_vm%d", n))
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return err
		}
		if err := os.Truncate(file, unitSize); err != nil {
			return err
		}
		if err := tgtadm(ctx, "new", "logicalunit", "--lun", fmt.Sprint(n), "-b", file); err != nil {
			return err
		}
	}
	return tgtadm(ctx, "bind", "target", "-I", "ALL")
}

func tgtadm(ctx context.Context, op, mode string, args ...string) error {
	argv := append([]string{"--lld", "iscsi", "--op", op, "--mode", mode, "--tid", "1"}, args...)
	if out, err := exec.CommandContext(ctx, "tgtadm", argv...).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot set up the storage: %s %s %v: %v: %s", op, mode, args, err, out)
	}
	return nil
}

// awaitSocket waits until something answers on the UNIX socket.
func awaitSocket(ctx context.Context, path string, limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; {
		conn, err := net.Dial("unix", path)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// disk is the guest's virtio disk; empty for unit 0.
func disk(unit int) string {
	if unit == 0 {
		return ""
	}
	return fmt.Sprintf(`    <disk type='network' device='disk'>
      <driver name='qemu' type='raw' cache='none'/>
      <source protocol='iscsi' name='%s/%d'>
        <host name='%s' port='3260'/>
      </source>
      <target dev='vda' bus='virtio'/>
    </disk>
`, targetName, unit, storageName)
}
