# SPDX-License-Identifier: LGPL-2.1-or-later
# libvirt in dom0: lib.sh first.  Its daemon runs in the labs of the scripts that start it only.
# shellcheck shell=bash

# v COMMAND...: virsh, without the empty lines.
v() { virsh -q -c xen:///system "$@" | sed '/^$/d'; }

# libvirt_start [WORD...]: with arguments of libvirtd's.
libvirt_start()
{
    local conf=/run/libvirtd.conf
    mkdir -p /run/libvirt /var/log/libvirt/libxl
    # Of its drivers Xen's alone: KVM's wants a user that this small installation has not made, and all of them cost memory.
    rm -f $(find /usr/lib/*/libvirt/connection-driver -name '*.so' ! -name '*_libxl.so')
    # The driver wants a processor model of which the host has all: Xen takes sep away from AMD's, and QEMU's TCG has no vme,
    # so that not even a 486 fits.  A 486 without vme does.
    sed -i '/vme/d' /usr/share/libvirt/cpu_map/x86_486.xml
    printf 'auth_unix_%s = "none"\n' ro rw >$conf # there is no polkit here
    echo 'log_outputs = "3:file:/var/log/libvirt/libvirtd.log"' >>$conf
    # Of two hosts of one lab each is another one; who reaches the second one by its network may do all.
    printf 'host_uuid = "%s"\nlisten_tls = 0\nlisten_tcp = 1\nauth_tcp = "none"\n' "$(cat /proc/sys/kernel/random/uuid)" >>$conf
    virtlogd -d
    libvirtd -d -f $conf "$@"
}
libvirt_stop()
{
    local pid
    for pid in /run/libvirtd.pid /run/virtlogd.pid; do
        pid=$(cat $pid)
        kill "$pid"
        timeout 20 tail --pid="$pid" -s 0.1 -f /dev/null || fail "libvirt's process $pid does not end"
    done
}

# libvirt_xml DISKS SERIAL [EMULATOR]: $WORK_DIR/$name.xml of a guest with the block devices DISKS as xvda, xvdb, ..., each emulated
# and PV, and a PV card.  SERIAL: the element of its serial port.  Environment: CMDLINE.
libvirt_xml()
{
    local disks='' letter=a disk
    for disk in $1; do
        disks="$disks<disk type='block' device='disk'><driver name='phy' type='raw'/><source dev='$disk'/>"
        disks="$disks<target dev='xvd$letter' bus='xen'/></disk>"
        letter=$(tr a-y b-z <<<$letter)
    done
    cat >"$WORK_DIR/$name.xml" <<END
<domain type='xen'>
  <name>$name</name>
  <memory unit='MiB'>200</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='xenfv'>hvm</type>
    <loader type='rom'>$(echo /usr/lib/xen-4*/boot/hvmloader)</loader>
    <kernel>$GUEST_KERNEL</kernel>
    <initrd>$GUEST_RAMDISK</initrd>
    <cmdline>${GUEST_CMDLINE/ xen_emul_unplug=never/} g.pv=1 g.work=light g.ram=16 $CMDLINE</cmdline>
  </os>
  <features><acpi/><apic/><pae/></features>
  <clock offset='utc'><timer name='tsc' mode='native'/></clock>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>restart</on_crash>
  <devices>
    ${3:+<emulator>$3</emulator>}
    $disks
    <interface type='bridge'><mac address='00:16:3e:00:00:05'/><source bridge='xenbr0'/></interface>
    $2
    <graphics type='vnc' autoport='yes' listen='127.0.0.1'/>
    <video><model type='vga' vram='16384'/></video>
  </devices>
</domain>
END
}

# libvirt_ifup: the hotplug script of a secondary's card.
libvirt_ifup()
{
    printf '#!/bin/sh\nip link set "$1" master xenbr0 up\n' >"$WORK_DIR/ifup"
    chmod +x "$WORK_DIR/ifup"
}
# libvirt_three DISKS SERIAL: $WORK_DIR/$name.xml of a guest of three emulators: the chipset's, with a PV disk and a PV card beside
# it; a card's; a disk's.
libvirt_three()
{
    CMDLINE="g.disks=xvda,vda g.nics=2" libvirt_xml "$1" "$2" /usr/libexec/convoy-dm
    libvirt_ifup
    mkdir -p /etc/convoy/guests
    cat >"/etc/convoy/guests/$name.cfg" <<END
name=net,devices=[e1000,netdev=n,mac=00:16:3e:00:01:05,romfile=],args=[-netdev tap,id=n,ifname=net@{domid},script=$WORK_DIR/ifup,downscript=no]
name=storage,disks=xvdb
END
}
# three DOMID: its emulators are three processes, behind the one that libvirt knows.
three()
{
    local n base=/local/domain/0/device-model/$1 dm=/usr/libexec/convoy-dm
    for n in 0 1 2; do
        [ "$(xenstore-read "$base/convoy/$n/state")" = running ] || fail "emulator $n: $(xenstore-read "$base/convoy/$n/state")"
        [ -d "/proc/$(xenstore-read "$base/convoy/$n/pid")" ] || fail "emulator $n is no process"
    done
    [ "$(readlink "/proc/$(xenstore-read "/local/domain/$1/image/device-model-pid")/exe")" = $dm ] || fail "the device model is no convoy-dm"
}

# libvirt_says STATE [REASON]: of $name, within 20 s.
libvirt_says()
{
    said() { [ "$(v domstate --reason "$name")" = "$1" ]; }
    until_true 20 "virsh domstate: $1" said "$1"
}
