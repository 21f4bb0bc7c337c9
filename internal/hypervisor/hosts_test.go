package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// The tests with real machines need two hosts. Each is a set of namespaces
// with a private /run, /etc/libvirt and /var/lib/libvirt, a libvirtd and, on
// the target, an sshd. The test binary starts itself again as the source
// host: there it is what cmand is on a node, all paths being the default ones.

const (
	roleEnv     = "HYPERVISOR_TEST_ROLE"
	sourceRole  = "source"  // runs the tests
	targetRole  = "target"  // a host's init, until it is killed
	migrateRole = "migrate" // runs one migration, to be killed in the midst of it

	sourceAddr, targetAddr = "10.99.0.1", "10.99.0.2"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	role := os.Getenv(roleEnv)
	switch {
	case role == targetRole:
		return check(beTarget(os.Args[len(os.Args)-1]))
	case role == migrateRole:
		return check(migrateOnce())
	case role == sourceRole:
		if err := beHost("source"); err != nil {
			return check(err)
		}
		return m.Run()
	case missing() != "":
		return m.Run() // the unit tests; the others say what is missing
	}
	if err := fetchKernel(); err != nil {
		return check(err)
	}
	cmd := inNamespaces(context.Background(), sourceRole, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return check(err)
}

func check(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// missing names what the tests with real machines lack.
func missing() string {
	if os.Getuid() != 0 {
		return "root"
	}
	for _, p := range []string{"libvirtd", "qemu-system-x86_64", "sshd", "ssh-keygen", "ip", "busybox", "cc", "cpio", "qemu-img", "apt-get", "dpkg-deb", "virsh"} {
		if _, err := exec.LookPath(p); err != nil {
			return p
		}
	}
	return ""
}

// inNamespaces returns a command that runs this binary in a new host. Its init
// is a shell: that buries the QEMUs whose libvirtd has died, for whose end
// libvirt would otherwise wait in vain.
func inNamespaces(ctx context.Context, role string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", `"$0" "$@"; exit $?`, self}, args...)...)
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL, // takes the whole host along
	}
	return cmd
}

const qemuConf = `user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
remember_owner = 0
`

// beHost gives this process's namespaces what a host needs, and starts
// libvirtd.
func beHost(name string) error {
	script := `set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for d in /run /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do mkdir -p $d; mount -t tmpfs tmpfs $d; done
mkdir -p /run/sshd /run/lock /var/lib/libvirt/qemu
hostname ` + name + `
ip link set lo up
`
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot set up host %s: %v: %s", name, err, out)
	}
	uuid := "11111111-2222-4333-8444-5555555555"
	for file, text := range map[string]string{
		"/etc/libvirt/qemu.conf":     qemuConf,
		"/etc/libvirt/libvirtd.conf": fmt.Sprintf("host_uuid = \"%s%02x\"\n", uuid, name[0]),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return startLibvirtd()
}

// startLibvirtd starts this host's libvirtd.
func startLibvirtd() error {
	log, err := os.Create("/run/libvirtd.log")
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("libvirtd")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait() // bury it when a test kills it
	return nil
}

// signalLibvirtd sends a signal to this host's libvirtd.
func signalLibvirtd(t *testing.T, sig syscall.Signal) {
	t.Helper()
	b, err := os.ReadFile("/run/libvirtd.pid")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

// beTarget is the target host: it waits for its network link and runs sshd.
// dir holds the keys.
func beTarget(dir string) error {
	if err := beHost("target"); err != nil {
		return err
	}
	script := `set -e
echo up >` + dir + `/target-up
while ! ip link show vtarget >/dev/null 2>&1; do sleep 0.05; done
ip addr add ` + targetAddr + `/24 dev vtarget
ip link set vtarget up
exec $(command -v sshd) -D -e -f /dev/null -h ` + dir + `/hostkey -o AuthorizedKeysFile=` + dir + `/id_ed25519.pub \
	-o StrictModes=no -o PermitRootLogin=yes -o UsePAM=no -o PidFile=none 2>` + dir + `/sshd.log
`
	return exec.Command("sh", "-c", script).Run()
}

// hosts is the pair: this process is on the source.
type hosts struct {
	dir string // same folder on both hosts
	ssh SSH
	pid int // the target's init
}

// forgetAll leaves the source's libvirtd as it was: it serves all tests.
const forgetAll = `for m in $(virsh -c qemu:///system -q list --all --name); do
	virsh -c qemu:///system -q destroy $m 2>/dev/null
	virsh -c qemu:///system -q undefine $m --managed-save 2>/dev/null
done; true`

// newHosts brings the target up, joined with the source.
func newHosts(t testing.TB) *hosts {
	t.Helper()
	if what := missing(); what != "" {
		t.Fatalf("needs %s; run make deps, as root", what)
	}
	dir := t.TempDir()
	h := &hosts{dir: dir, ssh: SSH{Home: dir, System: "/dev/null"}}
	sh(t, "mkdir -m 700 %[1]s/.ssh && ssh-keygen -qN '' -t ed25519 -f %[1]s/id_ed25519 && ssh-keygen -qN '' -t ed25519 -f %[1]s/hostkey", dir)
	write(t, dir+"/.ssh/config", "Host target\n HostName "+targetAddr+"\n User root\n IdentityFile "+dir+"/id_ed25519\n StrictHostKeyChecking accept-new\n")
	ctx, cancel := context.WithCancel(context.Background())
	cmd := inNamespaces(ctx, targetRole, dir)
	cmd.Stderr = os.Stderr
	started := make(chan error)
	ended := make(chan struct{})
	go func() { // Pdeathsig looks at the thread
		runtime.LockOSThread()
		started <- cmd.Start()
		cmd.Wait()
		close(ended)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); <-ended; exec.Command("ip", "link", "del", "vsource").Run() })
	t.Cleanup(func() { sh(t, forgetAll) })
	h.pid = cmd.Process.Pid
	eventually(t, "target host", func() error { _, err := os.Stat(dir + "/target-up"); return err })
	sh(t, `ip link add vsource type veth peer name vtarget netns %d && ip addr add %s/24 dev vsource && ip link set vsource up`, h.pid, sourceAddr)
	eventually(t, "sshd", func() error {
		c, err := net.DialTimeout("tcp", targetAddr+":22", time.Second)
		if err == nil {
			c.Close()
		}
		return err
	})
	return h
}

// open returns this host's hypervisor and waits for its libvirtd.
func (h *hosts) open(t testing.TB) *Host {
	t.Helper()
	host := Open(Options{SSH: h.ssh})
	t.Cleanup(host.Close)
	eventually(t, "source's libvirtd", func() error { _, err := host.List(t.Context()); return err })
	return host
}

// target returns the target's hypervisor, seen from here.
func (h *hosts) target(t testing.TB) *Host {
	t.Helper()
	host := newHost(fmt.Sprintf("qemu+unix:///system?socket=/proc/%d/root/run/libvirt/libvirt-sock", h.pid))
	t.Cleanup(host.Close)
	eventually(t, "target's libvirtd", func() error { _, err := host.List(t.Context()); return err })
	return host
}

func sh(t testing.TB, format string, args ...any) string {
	t.Helper()
	script := fmt.Sprintf(format, args...)
	out, err := exec.Command("sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", script, err, out)
	}
	return string(out)
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// eventually waits half a minute for f to succeed.
func eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("waited in vain for %s: %v", what, err)
}

// wantState fails the test unless host says that the machine is in that state;
// "" means unknown to it.
func wantState(t *testing.T, host *Host, name, want string) cluster.Machine {
	t.Helper()
	m, _, err := host.Machine(t.Context(), name)
	if got := m.State; err != nil || got != want {
		t.Fatalf("Machine(%q) = state %q, %v; want %q", name, got, err, want)
	}
	return m
}

// migrateOnce migrates a machine slowly; its arguments are the machine, the
// folder of the keys, and a file to create once the migration is under way.
func migrateOnce() error {
	name, dir, underWay := os.Args[1], os.Args[2], os.Args[3]
	host := Open(Options{SSH: SSH{Home: dir, System: "/dev/null"}})
	svc := conf.Service{Type: "vm", Name: name, VM: &conf.VM{MigrateOptions: "--bandwidth 1"}}
	return host.Migrate(context.Background(), svc, "target", func(p cluster.Progress) {
		if p.Processed > 0 {
			os.WriteFile(underWay, nil, 0o600)
		}
	})
}
