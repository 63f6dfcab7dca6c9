# SPDX-License-Identifier: LGPL-2.1-or-later
# For end-to-end tests in dom0: guests with N emulators, and the world after an operation.
# shellcheck shell=bash
. /convoy/lab/lib/guest.sh
# By ssh from the other host nothing of the lab's environment is there.
# shellcheck source=/dev/null
[ -n "${LAB_HOST:-}" ] || . /run/ctl/env

WORK_DIR=${WORK_DIR:-/var/tmp/e2e}
mkdir -p "$WORK_DIR"

# on HOST FUNCTION|COMMAND...: here or, by the guests' network, on the other host, with every function that is defined here
# and the variables GUEST_LOG and name.
on()
{
    local host=$1
    shift
    if [ "$host" = "$LAB_HOSTNAME" ]; then
        "$@"
    else
        # shellcheck disable=SC2029 # expanded here is what is meant
        ssh -n "$host-lan" "GUEST_LOG=${GUEST_LOG:-}; name=${name:-}; set -euo pipefail; . /convoy/tests/e2e/lib.sh
            $(declare -f); $(printf '%q ' "$@")"
    fi
}
other_host() { if [ "$1" = host1 ]; then echo host2; else echo host1; fi; }

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

# gave_up SECONDS WHAT: a wait was in vain: what everybody else waits for is shown, and the test has failed.
gave_up()
{
    /run/lab/who-stands-where "$WORK_DIR" 2>&1 | sed "s/^/$LAB_HOSTNAME| /" >&2 || true
    fail "not within $1 s: $2"
}

# until_true SECONDS WHAT COMMAND...: it succeeds at last.  For what makes no event that a shell could wait for.
until_true()
{
    local limit=$1 what=$2 end=$((SECONDS + $1))
    shift 2
    until "$@"; do
        [ $SECONDS -lt $end ] || gave_up "$limit" "$what"
        sleep 0.1
    done
}

# ended PID SECONDS WHAT: this child of ours ends; RC is its exit status.
ended()
{
    # (wait has no limit. Whoever has ended is gone for tail when bash has heard of it, which is at once.)
    timeout "$2" tail --pid="$1" -s 0.1 -f /dev/null || gave_up "$2" "$3 does not end"
    RC=0
    wait "$1" || RC=$?
}

is_stopped() { grep -q '^State:.*T' "/proc/$1/status" 2>/dev/null; }
is_gone() { ! [ -d "/proc/$1" ]; }
stopped_or_gone() { is_stopped "$1" || is_gone "$1"; }

# nic_model CARD: of the list in NIC.
nic_model()
{
    local models
    IFS=, read -ra models <<<"${NIC:-e1000}"
    printf '%s' "${models[$1 < ${#models[@]} ? $1 : ${#models[@]} - 1]}"
}

# guest_config NAME EMULATORS [EXTRA-LINE...]: writes $WORK_DIR/NAME.cfg for a guest served by 1 to 8 emulators: the
# default one (VGA, serial, IDE disk), then net, storage, ahci, net2, storage2, net3, storage3. (nvme is left out: QEMU
# cannot migrate it.) Environment: MEMORY, VCPUS, WORK, CMDLINE, MAC (last byte), NIC (models, with commas; the last one is that of
# all others), SAN (the first partition of the shared disk that it may use; files if not set), MORE_NICS (so many more cards,
# the default emulator's), DEVICES (with one emulator: it serves what so many would), NO_PV (empty: words that xl knows, so that
# the default emulator's disks and cards have a PV half), PV (not empty: a PV disk and a PV card more, which nothing emulates). Sets GUEST_LOG, GUEST_DISKS, GUEST_NICS.
guest_config()
{
    local name=$1 emulators=$2 n=${DEVICES:-$2} dms='' vifs='' disks='' san=${SAN:-} words=$GUEST_CMDLINE
    shift 2
    GUEST_LOG=$WORK_DIR/$name.serial
    GUEST_DISKS=sda GUEST_NICS=0
    rm -f "$GUEST_LOG"
    disk() { local target=$WORK_DIR/$name-$1.img
             if [ -n "$san" ]; then target=/dev/vdb$san; san=$((san + 1)); blkdiscard -z "$target"; else guest_disk "$target" 32; fi
             disks="$disks\"format=raw,vdev=$1,access=rw,${NO_PV-pv=0,}${2:+model=$2,}target=$target\", "; }
    nic() { vifs="$vifs\"mac=00:16:3e:00:$(printf %02x "$GUEST_NICS"):${MAC:-05},model=$(nic_model "$GUEST_NICS"),type=ioemu,${NO_PV-pv=0,}bridge=xenbr0\", "
            GUEST_NICS=$((GUEST_NICS + 1)); }
    dm() { dms="$dms\"$1\", "; }
    disk hda
    if [ "$n" = 1 ]; then nic; fi
    if [ "$n" -ge 2 ]; then nic; dm name=net,vifs=0; fi
    if [ "$n" -ge 3 ]; then disk xvdb virtio-blk; dm name=storage,disks=xvdb; GUEST_DISKS=$GUEST_DISKS,vda; fi
    if [ "$n" -ge 4 ]; then disk xvdc ahci; dm name=ahci,disks=xvdc; GUEST_DISKS=$GUEST_DISKS,sdb; fi
    if [ "$n" -ge 5 ]; then nic; dm name=net2,vifs=1; fi
    if [ "$n" -ge 6 ]; then disk xvdd virtio-blk; dm name=storage2,disks=xvdd; GUEST_DISKS=$GUEST_DISKS,vdb; fi
    if [ "$n" -ge 7 ]; then nic; dm name=net3,vifs=2; fi
    if [ "$n" -ge 8 ]; then disk xvde virtio-blk; dm name=storage3,disks=xvde; GUEST_DISKS=$GUEST_DISKS,vdc; fi
    for _ in $(seq "${MORE_NICS:-0}"); do nic; done
    if [ -n "${PV:-}" ]; then
        NO_PV='' disk xvdm
        NO_PV='' NIC=pv nic
        vifs=${vifs/model=pv,type=ioemu,/type=vif,} GUEST_DISKS=$GUEST_DISKS,xvdm
        words="${words/=never/=unnecessary} g.pv=1" # both kinds at once
    fi
    cat >"$WORK_DIR/$name.cfg" <<END
type = "hvm"
name = "$name"
memory = ${MEMORY:-256}
vcpus = ${VCPUS:-1}
kernel = "$GUEST_KERNEL"
ramdisk = "$GUEST_RAMDISK"
cmdline = "$words g.work=${WORK:-medium} g.disks=$GUEST_DISKS g.nics=$GUEST_NICS ${CMDLINE:-}"
tsc_mode = "native"
vga = "stdvga"
serial = "file:$GUEST_LOG"
on_crash = "preserve"
on_reboot = "preserve"
vif = [ $vifs ]
disk = [ $disks ]
$([ "$emulators" = 1 ] || printf 'device_models = [ %s ]' "$dms")
$(printf '%s\n' "$@")
END
}

# guest_start NAME EMULATORS [EXTRA-LINE...]: configured, created, at work; its checks are good.
guest_start()
{
    guest_config "$@"
    convoy create "$WORK_DIR/$1.cfg" >/dev/null
    guest_wait "$GUEST_LOG" 0 400
    guest_goes_on
}

# guest_goes_on [LINE]: within two minutes every figure of the guest is above LINE's (or what it was), and no check of its
# own has failed.  That long: an e1000's driver resets the card after a suspension and waits for its link, and an IDE
# disk has been seen to wait for its driver's 30 s.
guest_goes_on()
{
    local before=${1:-$(guest_line "$GUEST_LOG")} end=$((SECONDS + 120))
    until guest_advance "$before" "$(guest_line "$GUEST_LOG")" 2>"$WORK_DIR/behind"; do
        [ $SECONDS -lt $end ] || { cat "$WORK_DIR/behind" >&2; fail "the guest does not go on"; }
        guest_more "$GUEST_LOG" 3 60 || fail "the guest stands still"
    done
    guest_good "$GUEST_LOG" || fail "the guest found something wrong"
}

# After a restore the emulator begins a new log: wait for a counter beyond LINE's, then check progress since then.
guest_came_back() { guest_wait "$GUEST_LOG" "$(awk '{ print $2 }' <<<"$1")" 60 && guest_goes_on "$1"; }

# refused TEXT COMMAND...: the command fails, with an error that says so.
refused()
{
    local text=$1 rc=0
    shift
    "$@" >"$WORK_DIR/out" 2>&1 || rc=$?
    [ $rc != 0 ] || fail "not refused: $*"
    [ $rc -lt 126 ] || [ $rc = 130 ] || fail "exit status $rc: $*: $(cat "$WORK_DIR/out")"
    grep -qE -- "$text" "$WORK_DIR/out" || fail "'$*' says: $(cat "$WORK_DIR/out") -- wanted: $text"
    printf '   refused: %s\n' "$(tail -n 1 "$WORK_DIR/out")"
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
    # The monitor tidies up after an xl destroy in its own time: it ends when it has.
    local monitor
    monitor=$(pgrep -f "convoy monitor $2\$" || true)
    [ -z "$monitor" ] || timeout 20 tail --pid="$monitor" -s 0.1 -f /dev/null || true
    xl list "$1" >/dev/null 2>&1 && bad="$bad domain"
    pgrep -fa "xen-domid $2( |\$)" && bad="$bad process"
    [ -z "$(ls -A /var/run/xen/qmp-libxl-"$2"* 2>/dev/null)" ] || bad="$bad socket"
    [ -z "$(ls -A /var/lib/xen/qemu-save."$2".* /var/lib/xen/qemu-resume."$2".* 2>/dev/null)" ] || bad="$bad file"
    xenstore-ls "/local/domain/0/dms/$2" >/dev/null 2>&1 && bad="$bad node:dms"
    xenstore-ls "/local/domain/$2" >/dev/null 2>&1 && bad="$bad node:domain"
    [ -z "$bad" ] || fail "left of guest $1 (domain $2):$bad"
}

domid_of() { convoy list --json "$1" | jq -r '.[0].domid'; }
