# SPDX-License-Identifier: LGPL-2.1-or-later
# The test guest: the suite's own kernel, an initramfs of drivers and one program, and dom0's guest-peer.
# Needs common.sh and image.sh.
# shellcheck shell=bash

GUEST_MODULES=(virtio_pci virtio_blk virtio_net e1000 e1000e vmxnet3 8139cp ata_piix ahci sd_mod nvme)
GUEST_MODULES_PV=(xen-blkfront xen-netfront)
GUEST_MODULES_EXTRA=(xhci_pci)
GUEST_SOURCES=(guest.c parameters.c work.c devices.c ram.c disk.c nic.c extra.c checksum.c)
GUEST_CFLAGS=(-std=gnu17 -O2 -static -pthread -Wall -Wextra -Wshadow -Wmissing-prototypes -Wformat=2)

# As small as can be: QEMU hands kernel and initramfs to a Xen guest byte by byte, some 2 s per MB.
pack_initramfs() { (cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) | zstd -q -19 >"$2"; }

guest_build_build()
{
    local dir=$1 image=$2 root=$1/root
    need_packages gcc libc6-dev cpio kmod zstd
    mkdir -p "$root"/{sbin,dev,proc,sys} "$dir/bin"
    gcc "${GUEST_CFLAGS[@]}" -s -o "$root/init" "${GUEST_SOURCES[@]/#/$LAB_DIR/guest/}"
    gcc "${GUEST_CFLAGS[@]}" -s -o "$dir/bin/guest-peer" "$LAB_DIR/guest/guest-peer.c"
    ln -s /init "$root/sbin/poweroff"
    ln -s /init "$root/sbin/reboot"
    unpack_modules "$image" "$root/modules" "${GUEST_MODULES[@]}"
    unpack_modules "$image" "$root/modules-pv" "${GUEST_MODULES_PV[@]}"
    pack_initramfs "$root" "$dir/initramfs"
    # The same with drivers that few guests need.
    unpack_modules "$image" "$root/modules-extra" "${GUEST_MODULES_EXTRA[@]}"
    pack_initramfs "$root" "$dir/initramfs-extra"
    cp "$image/vmlinuz" "$dir/vmlinuz"
    rm -rf "$root"
}

guest_build()
{
    cached guest "$(key_of "$1" "$LAB_DIR"/guest/*.[ch] "$LAB_DIR/lib/guest-build.sh")" guest_build_build "$1"
}
