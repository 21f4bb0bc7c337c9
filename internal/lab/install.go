package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const enabledFile = "/etc/rc.cmand" // there: the boot starts cmand

// bootScript starts the named daemons, or without names what a boot starts.
// Each keeps its own log, so that a failed run can be read afterwards.
const bootScript = `#!/bin/sh
# Starts the named daemons; without names, those that a boot starts.
start() {
	setsid "$@" </dev/null >>"/var/log/${1##*/}.log" 2>&1 &
}

# await waits up to 20 s for a socket.
await() {
	n=0
	until [ -S "$1" ]; do
		n=$((n + 1))
		[ $n -le 400 ] || { echo "no $1 after 20 s" >&2; exit 1; }
		sleep 0.05
	done
}

if [ $# = 0 ]; then
	set -- sshd libvirtd
	[ ! -e ` + enabledFile + ` ] || set -- "$@" cmand
fi
for daemon; do
	case $daemon in
	sshd)
		mkdir -p /run/sshd
		start /usr/sbin/sshd -D -e
		;;
	libvirtd)
		rm -f /run/libvirt/libvirt-sock
		start /usr/sbin/libvirtd
		await /run/libvirt/libvirt-sock
		virsh -q -c qemu:///system uri >/dev/null || exit 1
		;;
	cmand)
		start /usr/sbin/cmand
		;;
	*)
		echo "no daemon $daemon" >&2
		exit 1
		;;
	esac
done
`

// The migration's root login, after the article.
const sshConfig = `Host host*
        StrictHostKeyChecking no
        IdentityFile /root/.ssh/id_rsa_cluster
`

const sshdConfig = `HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
UsePAM no
PrintMotd no
Subsystem sftp /usr/lib/openssh/sftp-server
`

// No cgroups, no security driver, no user of its own: what a host in name
// spaces has not got. The rest is libvirt's default.
const qemuConf = `user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
remember_owner = 0
stdio_handler = "file"
`

func libvirtdConf(h *Host) string {
	return fmt.Sprintf("auth_unix_rw = \"none\"\nhost_uuid = \"5fa9f2c4-0b1d-4c35-9a42-0000000000%02x\"\n", h.number)
}

// installPrograms puts programs where all hosts find them, below their disks.
func installPrograms(programs []string) error {
	sbin := filepath.Join(rackDir, "bin/usr/sbin")
	if err := os.MkdirAll(sbin, 0o755); err != nil {
		return err
	}
	for _, p := range programs {
		if err := copyProgram(filepath.Join(sbin, filepath.Base(p)), p); err != nil {
			return fmt.Errorf("cannot install %s: %v", p, err)
		}
	}
	return nil
}

func copyProgram(to, from string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(dst, src); err != nil {
		dst.Close()
		return err
	}
	return dst.Close()
}

// install prepares the hosts' disks.
func install(ctx context.Context, hosts []*Host) error {
	errs := make([]error, len(hosts))
	var wg sync.WaitGroup
	for i, h := range hosts {
		wg.Go(func() { errs[i] = h.install(ctx, hosts) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("%s: cannot install: %v", hosts[i].Name, err)
		}
	}
	return authorize(hosts)
}

func (h *Host) install(ctx context.Context, hosts []*Host) error {
	for _, dir := range []string{h.dir, filepath.Join(h.dir, "upper"), filepath.Join(h.dir, "work"), h.Logs()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	// Nothing of the machine that the rack stands on may shine through.
	for _, dir := range []string{
		"/etc/cluster", "/etc/corosync", "/etc/libvirt/qemu", "/var/lib/cmand", "/var/lib/cluster",
		"/var/lib/corosync", "/var/lib/libvirt", "/var/cache/libvirt", "/root",
	} {
		path := h.Path(dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		if err := unix.Setxattr(path, "trusted.overlay.opaque", []byte("y"), 0); err != nil {
			return fmt.Errorf("cannot blank %s: %v", dir, err)
		}
	}
	names := "127.0.0.1 localhost\n" + storageAddress + " " + storageName + "\n"
	for _, other := range hosts {
		names += fmt.Sprintf("%s %s %s\n%s %s\n", other.Address(Public), other.FQDN(), other.Name, other.Address(Cluster), other.ClusterName())
	}
	for _, f := range []struct {
		path, text string
		mode       os.FileMode
	}{
		{"/etc/hostname", h.FQDN() + "\n", 0o644},
		{"/etc/hosts", names, 0o644},
		{"/etc/resolv.conf", "", 0o644},
		{"/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n", 0o644},
		{"/etc/machine-id", fmt.Sprintf("fa9f2c40b1d4c359a4200000000000%02x\n", h.number), 0o444},
		{"/etc/rc.boot", bootScript, 0o755},
		{"/etc/ssh/sshd_config", sshdConfig, 0o644},
		{"/etc/libvirt/libvirtd.conf", libvirtdConf(h), 0o644},
		{"/etc/libvirt/qemu.conf", qemuConf, 0o600},
		{"/root/.ssh/config", sshConfig, 0o600},
		{"/root/.bashrc", "PS1='" + h.Name + "# '\n", 0o644},
	} {
		if err := h.WriteFile(f.path, f.text, f.mode); err != nil {
			return err
		}
	}
	if err := os.Chmod(h.Path("/root/.ssh"), 0o700); err != nil {
		return err
	}
	if err := keygen(ctx, h.Path("/etc/ssh/ssh_host_ed25519_key"), h.FQDN(), "-t", "ed25519"); err != nil {
		return err
	}
	return keygen(ctx, h.Path("/root/.ssh/id_rsa_cluster"), "root@"+h.FQDN(), "-t", "rsa", "-b", "2048")
}

// authorize spreads the public halves of root's keys to all hosts.
func authorize(hosts []*Host) error {
	var keys strings.Builder
	for _, h := range hosts {
		key, err := h.ReadFile("/root/.ssh/id_rsa_cluster.pub")
		if err != nil {
			return err
		}
		keys.WriteString(key)
	}
	for _, h := range hosts {
		if err := h.WriteFile("/root/.ssh/authorized_keys", keys.String(), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// keygen makes a key without a passphrase.
func keygen(ctx context.Context, path, comment string, kind ...string) error {
	argv := append(kind, "-q", "-N", "", "-C", comment, "-f", path)
	if out, err := exec.CommandContext(ctx, "ssh-keygen", argv...).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot make the key %s: %v: %s", path, err, out)
	}
	return nil
}
