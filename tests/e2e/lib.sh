# SPDX-License-Identifier: LGPL-2.1-or-later
# For end-to-end tests in dom0: guests with N emulators, and the world after an operation.
# shellcheck shell=bash
. /convoy/lab/lib/guest.sh

WORK_DIR=${WORK_DIR:-/var/tmp/e2e}
mkdir -p "$WORK_DIR"

# What a failure leaves to look at.
# shellcheck disable=SC2317 # called by trap
autopsy()
{
    local rc=$?
    [ $rc != 0 ] && [ $rc != 77 ] || return 0
    {
        convoy list || true
        for f in /var/log/xen/*.log; do
            [ ! -s "$f" ] || { echo "--- $f"; tail -n 15 "$f"; }
        done
        echo '--- Xen'
        xl dmesg | tail -n 25
        echo '--- serial'
        [ ! -f "${GUEST_LOG:-}" ] || tail -c 600 "$GUEST_LOG"
    } >&2
    return $rc
}
trap autopsy EXIT

step() { printf '== %s (%s s)\n' "$*" "$(cut -d' ' -f1 /proc/uptime)"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# guest_config NAME EMULATORS [EXTRA-LINE...]: writes $WORK_DIR/NAME.cfg for a guest served by 1 to 8 emulators: the
# default one (VGA, serial, IDE disk), then net, storage, ahci, nvme, net2, storage2, nvme2. Environment: MEMORY, VCPUS,
# WORK, CMDLINE. Sets GUEST_LOG, GUEST_DISKS and GUEST_NICS.
guest_config()
{
    local name=$1 n=$2 dms='' vifs='' disks='' i
    shift 2
    GUEST_LOG=$WORK_DIR/$name.serial
    GUEST_DISKS=sda GUEST_NICS=0
    for i in hda xvdb xvdc xvdd xvde xvdf; do guest_disk "$WORK_DIR/$name-$i.img" 32; done
    disk() { disks="$disks\"format=raw,vdev=$1,access=rw,${2:+model=$2,}target=$WORK_DIR/$name-$1.img\", "; }
    nic() { vifs="$vifs\"mac=00:16:3e:00:$(printf %02x "$GUEST_NICS"):${MAC:-05},model=e1000,type=ioemu,bridge=xenbr0\", "
            GUEST_NICS=$((GUEST_NICS + 1)); }
    dm() { dms="$dms\"$1\", "; }
    disk hda
    if [ "$n" = 1 ]; then nic; fi
    if [ "$n" -ge 2 ]; then nic; dm name=net,vifs=0; fi
    if [ "$n" -ge 3 ]; then disk xvdb virtio-blk; dm name=storage,disks=xvdb; GUEST_DISKS=$GUEST_DISKS,vda; fi
    if [ "$n" -ge 4 ]; then disk xvdc ahci; dm name=ahci,disks=xvdc; GUEST_DISKS=$GUEST_DISKS,sdb; fi
    if [ "$n" -ge 5 ]; then disk xvdd nvme; dm name=nvme,disks=xvdd; GUEST_DISKS=$GUEST_DISKS,nvme0n1; fi
    if [ "$n" -ge 6 ]; then nic; dm name=net2,vifs=1; fi
    if [ "$n" -ge 7 ]; then disk xvde virtio-blk; dm name=storage2,disks=xvde; GUEST_DISKS=$GUEST_DISKS,vdb; fi
    if [ "$n" -ge 8 ]; then disk xvdf nvme; dm name=nvme2,disks=xvdf; GUEST_DISKS=$GUEST_DISKS,nvme1n1; fi
    cat >"$WORK_DIR/$name.cfg" <<END
type = "hvm"
name = "$name"
memory = ${MEMORY:-256}
vcpus = ${VCPUS:-1}
kernel = "$GUEST_KERNEL"
ramdisk = "$GUEST_RAMDISK"
cmdline = "$GUEST_CMDLINE pci=nomsi g.work=${WORK:-medium} g.disks=$GUEST_DISKS g.nics=$GUEST_NICS ${CMDLINE:-}"
tsc_mode = "native"
vga = "stdvga"
serial = "file:$GUEST_LOG"
on_crash = "preserve"
vif = [ $vifs ]
disk = [ $disks ]
$([ "$n" = 1 ] || printf 'device_models = [ %s ]' "$dms")
$(printf '%s\n' "$@")
END
}

# ioreq_servers DOMID: what Xen says of who serves what, one line a range: "ID io-or-mem-or-pci START END".
ioreq_servers()
{
    xl dmesg -c >/dev/null
    xl debug-keys q
    xl dmesg | tr -d '\r' | sed -n '/General information for domain '"$1"':/,/General information for domain/p'
}

# no_leftovers NAME DOMID: nothing of a guest is left.
no_leftovers()
{
    local bad=''
    xl list "$1" >/dev/null 2>&1 && bad="$bad domain"
    pgrep -fa "xen-domid $2( |\$)" && bad="$bad process"
    [ -z "$(ls -A /var/run/xen/qmp-libxl-"$2"* 2>/dev/null)" ] || bad="$bad socket"
    [ -z "$(ls -A /var/lib/xen/qemu-save."$2".* /var/lib/xen/qemu-resume."$2".* 2>/dev/null)" ] || bad="$bad file"
    xenstore-ls "/local/domain/0/dms/$2" >/dev/null 2>&1 && bad="$bad node:dms"
    xenstore-ls "/local/domain/$2" >/dev/null 2>&1 && bad="$bad node:domain"
    [ -z "$bad" ] || fail "left of guest $1 (domain $2):$bad"
}

domid_of() { convoy list --json "$1" | jq -r '.[0].domid'; }
