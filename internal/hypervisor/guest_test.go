package hypervisor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fangnetz/internal/conf"
)

// guest is a machine whose guest counts on its serial line, ten times a
// second, one number a line. Both hosts append to the same file: a guest that
// ran twice would spoil the sequence.
type guest struct {
	svc        conf.Service
	definition string
	serial     string
}

// guest makes a definition. fill is how many MiB of memory the guest fills
// with noise before it counts; power says whether it heeds the power button.
func (h *hosts) guest(t testing.TB, name string, memory, fill int, power bool) guest {
	t.Helper()
	initrd := initrd(t, h.dir)
	serial := filepath.Join(h.dir, name+".serial")
	uuid := fmt.Sprintf("00000000-0000-4000-8000-%012x", time.Now().UnixNano()&0xffffffffffff)
	xml := fmt.Sprintf(`<domain type='qemu'><name>%s</name><uuid>%s</uuid><memory unit='MiB'>%d</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><kernel>%s/vmlinuz</kernel><initrd>%s</initrd>
<cmdline>console=ttyS0 quiet panic=1 fill=%d power=%v</cmdline></os><features><acpi/></features>
<on_poweroff>destroy</on_poweroff><on_crash>destroy</on_crash>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><memballoon model='none'/><controller type='usb' model='none'/>
<serial type='file'><source path='%s' append='on'/></serial></devices></domain>`, name, uuid, memory, kernelDir, initrd, fill, power, serial)
	return guest{definition: xml, serial: serial,
		svc: conf.Service{Type: "vm", Name: name, VM: &conf.VM{Migrate: "live", StopTimeout: 20 * time.Second}}}
}

// ending returns the guest as one that comes to that end soon: off shuts it
// down, panic tells QEMU's panic device.
func (g guest) ending(end string) guest {
	g.definition = strings.Replace(g.definition, "quiet", "quiet end="+end, 1)
	return g
}

// with returns the guest with one more device.
func (g guest) with(device string) guest {
	g.definition = strings.Replace(g.definition, "</devices>", device+"</devices>", 1)
	return g
}

// numbers returns what the guest has counted so far.
func (g guest) numbers() []int {
	b, _ := os.ReadFile(g.serial)
	var ns []int
	for line := range strings.Lines(string(b)) {
		var n int
		if _, err := fmt.Sscanf(line, "count %d\r\n", &n); err == nil {
			ns = append(ns, n)
		}
	}
	return ns
}

// booted waits until the guest counts.
func (g guest) booted(t *testing.T) {
	t.Helper()
	eventually(t, g.svc.Name+" to boot", func() error {
		if len(g.numbers()) < 3 {
			return errors.New("it does not count")
		}
		return nil
	})
}

// counts fails the test unless the guest is executing, and has neither missed
// nor repeated a number.
func (g guest) counts(t *testing.T) {
	t.Helper()
	before := len(g.numbers())
	eventually(t, g.svc.Name+" to go on counting", func() error {
		if len(g.numbers()) < before+3 {
			return errors.New("it does not count")
		}
		return nil
	})
	for i, n := range g.numbers() {
		if n != i+1 {
			t.Fatalf("number %d of %s is %d", i+1, g.svc.Name, n)
		}
	}
}

// gap watches the serial line until stop is called, which returns the longest
// time without a new number.
func (g guest) gap() (stop func() time.Duration) {
	var ended atomic.Bool
	longest := make(chan time.Duration)
	go func() {
		var most time.Duration
		size, last := int64(0), time.Now()
		for !ended.Load() {
			time.Sleep(10 * time.Millisecond)
			if st, err := os.Stat(g.serial); err == nil && st.Size() != size {
				size, last = st.Size(), time.Now()
			}
			most = max(most, time.Since(last))
		}
		longest <- most
	}()
	return func() time.Duration { ended.Store(true); return <-longest }
}

const initScript = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t tmpfs tmpfs /tmp
fill=0; power=false; end=never
for w in $(cat /proc/cmdline); do case $w in fill=*|power=*|end=*) eval $w;; esac; done
if [ $power = true ]; then insmod /evdev.ko; insmod /button.ko
	while [ ! -e /dev/input/event0 ]; do usleep 10000; done; acpid -d >/dev/null 2>&1 & fi
[ $fill = 0 ] || dd if=/dev/urandom of=/tmp/noise bs=1M count=$fill 2>/dev/null
i=0; while :; do i=$((i+1)); echo "count $i"; usleep 100000
	if [ $i = 5 ]; then case $end in off) poweroff -f;;
		panic) /panic;; esac; fi; done
`

// panicProgram tells QEMU's panic device, as a kernel that panics does.
const panicProgram = "#include <sys/io.h>\nint main(void) { ioperm(0x505, 1, 1); outb(1, 0x505); return 0; }\n"

// initrd packs busybox, the script and the program above.
func initrd(t testing.TB, dir string) string {
	t.Helper()
	file := filepath.Join(dir, "initrd")
	if _, err := os.Stat(file); err == nil {
		return file
	}
	root := t.TempDir()
	write(t, root+"/init", initScript)
	write(t, root+"/etc/acpi/PWRF/00000080", "#!/bin/sh\npoweroff -f\n")
	write(t, root+"/panic.c", panicProgram)
	sh(t, `cd %s && cc -static -o panic panic.c && mkdir -p bin sbin proc dev tmp usr/sbin usr/bin && cp "$(command -v busybox)" bin/busybox && cp %s/*.ko . &&
chmod +x init etc/acpi/PWRF/00000080 && find . | cpio -o -H newc --quiet | gzip -1 >%s`, root, kernelDir, file)
	return file
}

// kernelDir holds Debian's cloud kernel and two of its modules.
const kernelDir = "/var/cache/fangnetz/kernel"

// fetchKernel fills kernelDir, once; hosts cannot, for they have no way out.
func fetchKernel() error {
	if _, err := os.Stat(kernelDir); err == nil {
		return nil
	}
	script := `set -e
mkdir -p $(dirname $DIR)
tmp=$(mktemp -d $DIR.XXXXXX)
trap 'rm -rf $tmp' EXIT
cd $tmp
apt-get -qq download $(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p' | head -1)
dpkg-deb -x *.deb x
mkdir -m 755 kernel
cp x/boot/vmlinuz-* kernel/vmlinuz
find x \( -name button.ko -o -name evdev.ko \) -exec cp {} kernel ';'
mv -T kernel $DIR
`
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(), "DIR="+kernelDir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot fetch a kernel for the guests: %v: %s", err, out)
	}
	return nil
}
