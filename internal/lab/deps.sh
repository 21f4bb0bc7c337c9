#!/bin/bash
# Installs what building and testing need on Debian 12 and makes the lab's
# guest. It asks the network only for what is missing; run again it does
# nothing. `make deps` calls it as root.
set -euo pipefail

packages=(
	gcc libc6-dev make pkg-config git ca-certificates
	corosync libcpg-dev libquorum-dev libvotequorum-dev libcmap-dev
	libvirt-dev libvirt-daemon-system libvirt-clients
	qemu-system-x86 qemu-utils qemu-block-extra
	fence-agents openipmi ipmitool tgt
	openssh-server openssh-client
	iproute2 iputils-ping nftables util-linux procps
	busybox-static cpio mandoc patch zsh
)
cache=/var/cache/fangnetz
tmp=
trap '[ -z "$tmp" ] || rm -rf "$tmp"' EXIT
init=$(dirname "$(readlink -f "$0")")/guest-init.sh

missing() {
	local p
	for p in "${packages[@]}"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
	done
}

# apt_update fetches the package lists, at most once in a run.
apt_update() {
	[ -n "${updated:-}" ] || apt-get update -q
	updated=1
}

need_root() {
	[ "$(id -u)" = 0 ] || { echo "make deps: $1; run it as root" >&2; exit 1; }
}

# lock_cache lets one run at a time write to $cache.
lock_cache() {
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock 9
}

# fetch_kernel unpacks Debian's cloud kernel into $cache without installing it:
# no /boot, no initramfs of the machine's own is touched. The kernel goes last,
# by a rename: where it is, the modules are too.
fetch_kernel() {
	local concrete
	apt_update
	concrete=$(apt-cache depends linux-image-cloud-amd64 | awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ {print $2; exit}')
	[ -n "$concrete" ] || { echo "make deps: linux-image-cloud-amd64 names no kernel" >&2; exit 1; }
	tmp=$(mktemp -d "$cache/kernel.XXXXXX")
	(cd "$tmp" && apt-get download -q -o APT::Sandbox::User=root "$concrete" && dpkg-deb -x ./*.deb tree)
	mkdir "$tmp/modules"
	find "$tmp/tree/lib/modules" \( -name 'virtio*.ko' -o -name button.ko -o -name evdev.ko \) -exec cp {} "$tmp/modules" \;
	rm -rf "$cache/modules"
	mv "$tmp/modules" "$cache/modules"
	mv "$tmp"/tree/boot/vmlinuz-* "$cache/vmlinuz"
	rm -rf "$tmp"
}

# make_initrd packs busybox, the modules and the guest's init.
make_initrd() {
	tmp=$(mktemp -d "$cache/initrd.XXXXXX")
	mkdir -p "$tmp/root"/{bin,dev,proc,sys,modules}
	cp /bin/busybox "$tmp/root/bin/busybox"
	cp "$cache"/modules/*.ko "$tmp/root/modules"
	install -m 755 "$init" "$tmp/root/init"
	(cd "$tmp/root" && find . | cpio --quiet -o -H newc -R 0:0) | gzip -1 >"$tmp/initrd"
	mv "$tmp/initrd" "$cache/initrd"
	rm -rf "$tmp"
}

# Before anything is fetched: Debian's own Go is too old, and sudo hides another.
if ! (cd "${init%/*}" && go list -m >/dev/null); then
	echo 'make deps: Go 1.26 must be on the PATH (https://go.dev/dl); under sudo: sudo env PATH="$PATH" make' >&2
	exit 1
fi

wanted=$(missing)
if [ -n "$wanted" ]; then
	need_root "these packages are missing: $(echo $wanted)"
	apt_update
	# No policy of ours: where systemd runs, Debian starts the daemons as ever;
	# in a container nothing is started.
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $wanted
fi

if [ ! -s "$cache/vmlinuz" ] || [ ! -d "$cache/modules" ]; then
	need_root "the lab's guest kernel is missing"
	lock_cache
	fetch_kernel
fi
if [ ! -s "$cache/initrd" ] || [ "$init" -nt "$cache/initrd" ] || [ "$cache/vmlinuz" -nt "$cache/initrd" ]; then
	need_root "the lab's guest is missing"
	lock_cache
	make_initrd
fi
