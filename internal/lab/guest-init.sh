#!/bin/busybox sh
# The lab's guest: counts on its serial line, ten times a second, until the
# power button is pressed. Its boot id tells one run from the next; a number
# that comes twice, or from two hosts at once, is a machine that ran twice.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev

for m in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk button evdev; do
	insmod /modules/$m.ko
done

# Any event on the power button means: off. The keyboard is event0.
button=$(cd /sys/devices/LNXSYSTM:00/LNXPWRBN:00/input/input*/event* && basename "$PWD")
{
	dd if=/dev/input/"$button" of=/dev/null bs=24 count=1 2>/dev/null
	echo "power button" >/dev/console
	poweroff -f
} &

# Ballast, in MiB, from the kernel's command line: random memory that a
# migration has to carry and cannot compress.
for word in $(cat /proc/cmdline); do
	case $word in
	ballast=*)
		mkdir /ballast
		mount -t tmpfs -o size=100% ballast /ballast
		dd if=/dev/urandom of=/ballast/data bs=1M count=${word#ballast=} 2>/dev/null
		;;
	esac
done

# The first sector of its disk counts the guest's boots.
if [ -e /dev/vda ]; then
	boots=$(dd if=/dev/vda bs=512 count=1 2>/dev/null | tr -d '\000 ')
	boots=$((${boots:-0} + 1))
	printf '%-512s' $boots | dd of=/dev/vda bs=512 count=1 conv=fsync 2>/dev/null
	echo "disk boots=$boots"
fi

# A read that times out sleeps without starting a process.
mkfifo /never
exec 3<>/never
boot=
until [ -n "$boot" ]; do # a guest migrated while it boots has been seen to read nothing
	boot=$(cat /proc/sys/kernel/random/boot_id)
done
seq=0
while :; do
	seq=$((seq + 1))
	echo "boot=$boot seq=$seq"
	read -t 0.1 _ <&3
done
