# SPDX-License-Identifier: LGPL-2.1-or-later
# The host's root file system, hypervisor, kernel and initramfs. Needs common.sh.
# shellcheck shell=bash

# Modules that dom0 needs before it has its root file system, and those that carry the script's input and output.
BOOT_MODULES=(virtio_pci virtio_blk ext4 virtio_console 9pnet_virtio 9p)

# debian_tree SUITE PACKAGES OUTPUT [MMDEBSTRAP-OPTION...]: OUTPUT is a tar or, for root, a folder.
debian_tree()
{
    local suite=$1 packages=$2 output=$3 sources
    shift 3
    need_packages mmdebstrap debian-archive-keyring
    [ "$(id -u)" = 0 ] || need_packages uidmap
    sources=$(apt_sources "$suite")
    [ -n "$sources" ] || die "apt on this machine knows no Debian mirror (apt-get indextargets is empty)"
    mmdebstrap --quiet --variant=minbase --skip=cleanup/apt --aptopt='APT::Install-Recommends "false"' \
        --include="$packages" "$@" "$suite" "$output" - <<<"$sources"
}

# host_image_build DIR SUITE: DIR/{root.img,xen,vmlinuz,modules.tar,version}
host_image_build()
{
    local dir=$1 suite=$2 packages
    say "building the $suite host image (once; a minute or two)"
    need_packages e2fsprogs kmod xz-utils
    packages=$(package_list "$LAB_DIR/image/packages" "$suite" | paste -sd,)
    local excludes=() line
    while read -r line; do
        case $line in path-*) excludes+=(--dpkgopt="$line") ;; esac
    done <"$LAB_DIR/image/dpkg-excludes"
    debian_tree "$suite" "$packages" "$dir/root.tar" "${excludes[@]}"
    mkdir "$dir/root"
    if [ "$(id -u)" = 0 ]; then
        host_image_unpack "$dir"
    else
        # A user namespace in which this user is root: the files then belong to root in the image.
        export -f host_image_unpack
        # shellcheck disable=SC2016 # the argument is the inner shell's
        unshare -r bash -euo pipefail -c 'host_image_unpack "$1"' - "$dir"
    fi
    gunzip -c "$dir"/root/boot/xen-*.gz >"$dir/xen"
    cp "$dir"/root/boot/vmlinuz-* "$dir/vmlinuz"
    chmod u+rw "$dir/vmlinuz"
    basename "$(echo "$dir"/root/lib/modules/*)" >"$dir/version"
    tar -C "$dir/root" -cf "$dir/modules.tar" "usr/lib/modules/$(cat "$dir/version")"
    cp "$dir/root/usr/bin/busybox" "$dir/busybox" 2>/dev/null || cp "$dir/root/bin/busybox" "$dir/busybox"
    rm -rf "$dir/root" "$dir/root.tar"
}

# Runs as root or in a user namespace: without other users to map to, owners are dropped, which no one misses here.
host_image_unpack()
{
    local dir=$1
    tar -C "$dir/root" -xf "$dir/root.tar" --no-same-owner --exclude='./dev/*' \
        --exclude='./var/lib/apt/lists/*' --exclude='./var/cache/apt/*'
    mkdir -p "$dir/root/convoy" "$dir/root/share" "$dir/root/guest"
    # Sparse; what is free is for the guests' disks and images.
    /sbin/mkfs.ext4 -q -F -L dom0 -m 0 -O ^has_journal -d "$dir/root" "$dir/root.img" 12G
}

host_image()
{
    local suite=$1
    cached image "$suite-$(key_of "$suite" "$LAB_DIR/image/packages" "$LAB_DIR/image/dpkg-excludes" \
        "$LAB_DIR/lib/image.sh")" host_image_build "$suite"
}

# unpack_modules IMAGE-DIR DEST MODULE...: the named modules and what they need, uncompressed, as DEST/NNN-name.ko in
# the order in which insmod wants them.
unpack_modules()
{
    local image=$1 dest=$2 tree n=100 verb path
    shift 2
    tree=$(mktemp -d)
    tar -C "$tree" -xf "$image/modules.tar"
    ln -sfn usr/lib "$tree/lib"
    mkdir -p "$dest"
    # depmod left its tables in the tree when the package was installed.
    while read -r verb path _; do
        [ "$verb" = insmod ] || continue
        n=$((n + 1))
        case $path in
        *.xz) xz -dc "$path" >"$dest/$n-$(basename "$path" .xz)" ;;
        *.zst) zstd -qdc "$path" >"$dest/$n-$(basename "$path" .zst)" ;;
        *) cp "$path" "$dest/$n-$(basename "$path")" ;;
        esac
    done < <(/sbin/modprobe -a -D -d "$tree" -C /dev/null -S "$(cat "$image/version")" "$@" | awk '!seen[$0]++')
    rm -rf "$tree"
}

initramfs_build()
{
    local dir=$1 image=$2 root=$1/root
    need_packages cpio kmod
    mkdir -p "$root"/{bin,dev,proc,sys,sysroot,lab}
    cp "$image/busybox" "$root/bin/busybox"
    cp "$LAB_DIR"/dom0/* "$root/lab/"
    mv "$root/lab/stage1" "$root/init"
    chmod +x "$root/init" "$root/lab/"*
    unpack_modules "$image" "$root/modules" "${BOOT_MODULES[@]}"
    (cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$dir/initramfs"
    rm -rf "$root"
}

# host_initramfs IMAGE-DIR: kept apart from the image, so that a change of dom0's scripts costs a second, not minutes.
host_initramfs()
{
    cached initramfs "$(key_of "$1" "$LAB_DIR"/dom0/* "$LAB_DIR/lib/image.sh")" initramfs_build "$1"
}
