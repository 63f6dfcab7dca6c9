# SPDX-License-Identifier: LGPL-2.1-or-later
# For tests of convoy-dm under stock xl: a guest of three emulators (default; e1000; virtio-blk), with a PV disk and a PV card beside them.
# shellcheck shell=bash
dm=/usr/libexec/convoy-dm
xl_knows() { xenstore-read "/local/domain/$1/image/device-model-pid"; }
supervisor() { xenstore-read "/local/domain/0/device-model/$1/convoy/pid"; }
emulator_pid() { xenstore-read "/local/domain/0/device-model/$1/convoy/$2/pid"; }
emulator_state() { xenstore-read "/local/domain/0/device-model/$1/convoy/$2/state"; }
no_process() { ! pgrep -f -- "-xen-domid $1( |\$)" >/dev/null; }
nothing_left()
{
    local bad=''
    until_true 20 "convoy-dm of domain $1 ends" no_process "$1"
    no_leftovers "$name-of-before" "$1"
    [ -z "$(xenstore-ls -f /local/domain/0/backend 2>/dev/null | grep -E "/backend/[a-z]+/$1/[0-9]+ ")" ] || bad="$bad back ends"
    [ ! -e "/var/run/xen/qmp-libxenstat-$1" ] || bad="$bad libxenstat's socket"
    [ ! -e "/var/run/xen/convoy-dm-$1.lock" ] || bad="$bad lock"
    ! xenstore-ls "/local/domain/0/device-model/$1" >/dev/null 2>&1 || bad="$bad nodes"
    [ -z "$bad" ] || fail "left of domain $1:$bad"
}
# three DOMID: its emulators are three processes, and Xen asks the default one last.
three()
{
    local n
    for n in 0 1 2; do
        [ "$(emulator_state "$1" $n)" = running ] || fail "emulator $n of domain $1: $(emulator_state "$1" $n)"
        [ -d "/proc/$(emulator_pid "$1" $n)" ] || fail "emulator $n of domain $1 is no process"
    done
    [ "$(readlink "/proc/$(xl_knows "$1")/exe")" = $dm ] || fail "the device model of domain $1 is no convoy-dm"
}

# xl_dm_config PV-DISK BLOCK-DISK [-convoy-ITEM...]: writes $WORK_DIR/$name.cfg; sets GUEST_LOG.  XL_DM_WORDS: more for the kernel.
xl_dm_config()
{
    local pv=$1 blk=$2 more=''
    shift 2
    [ $# = 0 ] || more=$(printf ', "-convoy", "%s"' "$@")
    # The emulated card has no PV half: what a guest with PV drivers unplugs is the default emulator's only.
    printf '#!/bin/sh\nip link set "$1" master xenbr0 up\n' >"$WORK_DIR/ifup"
    chmod +x "$WORK_DIR/ifup"
    GUEST_LOG=$WORK_DIR/$name.serial
    cat >"$WORK_DIR/$name.cfg" <<END
type = "hvm"
name = "$name"
memory = 200
kernel = "$GUEST_KERNEL"
ramdisk = "$GUEST_RAMDISK"
cmdline = "${GUEST_CMDLINE/ xen_emul_unplug=never/} g.pv=1 g.work=light g.ram=16 g.disks=xvda,vda g.nics=2 ${XL_DM_WORDS:-}"
tsc_mode = "native"
serial = "file:$GUEST_LOG"
vif = [ "mac=00:16:3e:00:00:05" ]
disk = [ "$pv,raw,xvda,w", "$blk,raw,xvdb,w" ]
device_model_version = "qemu-xen"
device_model_override = "$dm"
device_model_args_hvm = [
    "-convoy", "name=net,devices=[e1000,netdev=n,mac=00:16:3e:00:01:05,romfile=],args=[-netdev tap,id=n,ifname=net@{domid},script=$WORK_DIR/ifup,downscript=no]",
    "-convoy", "name=storage,disks=xvdb"$more ]
END
}
