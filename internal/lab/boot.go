package lab

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// runHost is process 1 of a host: it builds the host's file tree below dir,
// moves into it, says so on standard output and then only reaps. Its death is a
// power cut: the kernel kills every process of the host with it.
func runHost(dir, logs string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot keep mounts private: %v", err)
	}
	root := filepath.Join(dir, "root")
	if err := mountTree(dir, root, logs); err != nil {
		return err
	}
	if err := enterTree(root); err != nil {
		return err
	}
	name, err := os.ReadFile("/etc/hostname")
	if err != nil {
		return err
	}
	if err := unix.Sethostname(name[:len(name)-1]); err != nil {
		return fmt.Errorf("cannot set the host name: %v", err)
	}
	if _, err := os.Stdout.WriteString("up\n"); err != nil {
		return err
	}
	return reap()
}

// mountTree lays the host's disk, dir/upper, over the machine's own root, so
// that every program is there under its usual path and every change is private.
// What a boot empties is a fresh tmpfs. /dev has no kvm: guests run on TCG
// wherever the lab does.
func mountTree(dir, root, logs string) error {
	layers := fmt.Sprintf("lowerdir=%s:/,upperdir=%s/upper,workdir=%s/work", filepath.Join(rackDir, "bin"), dir, dir)
	const inert = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	for _, m := range []mount{
		{"overlay", "", "overlay", 0, layers},
		{"proc", "proc", "proc", inert, ""},
		{"sysfs", "sys", "sysfs", inert | unix.MS_RDONLY, ""},
		{"tmpfs", "run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=755"},
		{"tmpfs", "tmp", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{"tmpfs", "dev", "tmpfs", unix.MS_NOSUID, "mode=755"},
		{"devpts", "dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{"tmpfs", "dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{logs, "var/log", "", unix.MS_BIND, ""},
	} {
		m.target = filepath.Join(root, m.target)
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := m.do(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "run/lock"), 0o1777); err != nil {
		return err
	}
	return makeDevices(filepath.Join(root, "dev"))
}

func makeDevices(dev string) error {
	if err := os.Mkdir(filepath.Join(dev, "net"), 0o755); err != nil {
		return err
	}
	for name, number := range map[string][2]uint32{
		"null": {1, 3}, "zero": {1, 5}, "full": {1, 7}, "random": {1, 8}, "urandom": {1, 9},
		"tty": {5, 0}, "net/tun": {10, 200},
	} {
		path := filepath.Join(dev, name)
		if err := unix.Mknod(path, unix.S_IFCHR, int(unix.Mkdev(number[0], number[1]))); err != nil {
			return fmt.Errorf("cannot make device %s: %v", path, err)
		}
		if err := os.Chmod(path, 0o666); err != nil { // past the umask
			return err
		}
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	return nil
}

// enterTree makes root the root and drops all that was mounted before.
func enterTree(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("cannot change root to %s: %v", root, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("cannot leave the old root: %v", err)
	}
	return os.Chdir("/")
}

// reap collects the host's orphans, for ever.
func reap() error {
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	for {
		_, err := unix.Wait4(-1, nil, 0, nil)
		if errors.Is(err, unix.ECHILD) {
			<-children
		}
	}
}
