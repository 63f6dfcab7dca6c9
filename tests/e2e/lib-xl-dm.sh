# SPDX-License-Identifier: LGPL-2.1-or-later
# For tests of convoy-dm under stock xl: a guest $name (domain $id) of three emulators (default; e1000; virtio-blk), with a PV disk and a PV
# card beside them; the disks are $pv and $blk.
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
# are_three DOMID: its emulators are three processes; if not, why is in NOT_THREE.
are_three()
{
    local n
    for n in 0 1 2; do
        NOT_THREE="emulator $n of domain $1: $(emulator_state "$1" $n 2>&1)"
        [ "$(emulator_state "$1" $n 2>/dev/null)" = running ] || return 1
        NOT_THREE="emulator $n of domain $1 is no process"
        [ -d "/proc/$(emulator_pid "$1" $n)" ] || return 1
    done
    NOT_THREE="the device model of domain $1 is no convoy-dm"
    [ "$(readlink "/proc/$(xl_knows "$1")/exe")" = $dm ]
}
three() { are_three "$1" || fail "$NOT_THREE"; }

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

# ---- faults: xl-dm-faults has them all, xl-dm some ----
socket_of() { echo "/var/run/xen/qmp-libxl-$1"; }
log_says() { grep -q -- "$1" /var/log/xen/qemu-dm-$name.log || fail "convoy-dm's log does not say '$1'"; }
is_paused() { xl list $name | tail -n 1 | grep -q ' --p--- '; }
another_supervisor() { are_three "$id" && [ "$(supervisor "$id")" != "$1" ]; }

# at COMMAND ACTION XL-ARG...: xl is run; when libxl sends COMMAND to its device model, ACTION is done first.  Its status is in RC,
# what it said in $WORK_DIR/out.
at()
{
    local command=$1 action=$2 proxy rc
    shift 2
    rm -f "$WORK_DIR/proxy"
    /convoy/tests/e2e/qmp-at "$(socket_of "$id")" "$command" "$action" >"$WORK_DIR/proxy" &
    proxy=$!
    until_true 20 "qmp-at" grep -qs ready "$WORK_DIR/proxy"
    SECONDS=0 RC=0
    timeout 240 xl "$@" >"$WORK_DIR/out" 2>&1 || RC=$?
    [ $RC != 124 ] || gave_up 240 "xl $*"
    took=$SECONDS
    grep -q 'done' "$WORK_DIR/proxy" || { cat "$WORK_DIR/out"; fail "xl $1 did not send $command"; }
    rc=$RC
    kill $proxy
    ended $proxy 10 "qmp-at"
    RC=$rc
}

# failed WHAT TEXT: the last xl did, and said so.
failed()
{
    [ $RC != 0 ] || fail "xl did not fail: $1"
    printf '   %s: status %s after %s s: %s\n' "$1" "$RC" "$took" "$(grep -m 1 -E -- "$2" "$WORK_DIR/out" || tail -n 1 "$WORK_DIR/out")"
    grep -qE -- "$2" "$WORK_DIR/out" || { cat "$WORK_DIR/out"; fail "xl does not say '$2'"; }
}
# goes_on: the same guest, whole, and nothing of another one.
goes_on()
{
    [ "$(xl domid $name)" = "$id" ] || fail "it is another domain"
    until_true 20 "three emulators" are_three "$id"
    guest_goes_on "$before"
    guest_goes_on # (what was done before the save is not enough)
    ! pgrep -fa -- '-xen-domid [0-9]' | grep -v -- "-xen-domid $id " || fail "another one's emulators are left"
}
# frozen_at_stop DMID
frozen_at_stop()
{
    local p
    step "emulator $1 stands still when xl save stops it"
    before=$(guest_line "$GUEST_LOG") p=$(emulator_pid "$id" "$1")
    at stop "kill -STOP $p" save $name "$WORK_DIR/never"
    kill -CONT "$p"
    failed "emulator $1 frozen at stop" "emulator $1 .*stop: no answer in time"
    goes_on
}

# supervisor_at STAGE SIGNAL: of xl save.
supervisor_at()
{
    local worker
    step "the supervisor: SIG$2 at xl save's $1"
    before=$(guest_line "$GUEST_LOG") worker=$(supervisor "$id")
    at "$1" "kill -$2 $worker" save $name "$WORK_DIR/never"
    failed "supervisor $2 at $1" 'Failed to save domain, resuming domain'
    until_true 20 "another supervisor" another_supervisor "$worker"
    goes_on
}

# again [CONFIG]: the guest from its last good image, its disks as they were.
again()
{
    dd if="$WORK_DIR/pv.then" of="$pv" bs=1M status=none
    dd if="$WORK_DIR/blk.then" of="$blk" bs=1M status=none
    cp "$GUEST_LOG" "$GUEST_LOG.before"
    xl restore ${1+"$1"} "$WORK_DIR/good"
    id=$(xl domid $name)
    guest_came_back "$good"
}
# good_image: the guest is gone, and can come back as often as it likes.
good_image()
{
    good=$(guest_line "$GUEST_LOG")
    xl save $name "$WORK_DIR/good"
    nothing_left "$id"
    dd if="$pv" of="$WORK_DIR/pv.then" bs=1M status=none
    dd if="$blk" of="$WORK_DIR/blk.then" bs=1M status=none
}

# is_dead DMID: said everywhere, and its guest is held.
is_dead()
{
    until_true 10 "the guest is paused" is_paused
    emulator_state "$id" "$1" | grep -qi kill || fail "xenstore: $(emulator_state "$id" "$1")"
    log_says "emulator $1 .* has died"
    convoy list $name | tee "$WORK_DIR/list" | grep -qi 'died\|dead\|killed' || fail "convoy list: $(cat "$WORK_DIR/list")"
}

# killed_at COMMAND DMID: while xl saves (or migrates, if the command is a migration's).
killed_at()
{
    local command=(save "$name" "$WORK_DIR/never")
    step "emulator $2 is killed at $1"
    [ "$1" != cont ] || command=(save -c "$name" "$WORK_DIR/never")
    [ "$1" != xen-set-global-dirty-log ] || command=(migrate -s '' "$name" 'xl migrate-receive')
    at "$1" "kill -KILL $(emulator_pid "$id" "$2")" "${command[@]}"
    [ "$1" = cont ] || failed "emulator $2 killed at $1" "emulator $2 .*process|Migration failed"
    is_dead "$2"
    xl destroy $name
    nothing_left "$id"
}

# destroyed DMID: emulator_died=destroy, and it is killed.
destroyed()
{
    step "emulator_died=destroy: emulator $1 is killed"
    xl_dm_config "$pv" "$blk" emulator_died=destroy
    again "$WORK_DIR/$name.cfg"
    kill -KILL "$(emulator_pid "$id" "$1")"
    is_gone_at_xl() { ! xl list $name >/dev/null 2>&1; }
    until_true 60 "xl's on_poweroff" is_gone_at_xl
    nothing_left "$id"
    xl_dm_config "$pv" "$blk"
}

incoming() { pgrep -f -- "^[^ ]*qemu[^ ]* .*-xen-domid [0-9]+ .*$1" | head -n 1; }
has_come() { [ -n "$(incoming "$1")" ]; }
# restore_fails WHO SIGNAL TEXT: WHO is a word of its command line.
restore_fails()
{
    local job last p
    last=$(xl list | awk 'NR > 1 { print $2 }' | sort -n | tail -n 1)
    step "restore: SIG$2 for $1"
    SECONDS=0
    xl restore "$WORK_DIR/good" >"$WORK_DIR/out" 2>&1 &
    job=$!
    until_true 120 "an incoming $1" has_come "$1"
    p=$(incoming "$1")
    id=$(tr '\0' ' ' <"/proc/$p/cmdline" | sed 's/.*-xen-domid \([0-9]*\).*/\1/')
    kill "-$2" "$p"
    ended $job 120 "xl restore"
    took=$SECONDS
    failed "SIG$2 for $1" 'device model|rc=|failed'
    log_says "$3"
    kill -CONT "$p" 2>/dev/null || true
    [ "$(xl list | awk 'NR > 1 { print $2 }' | sort -n | tail -n 1)" = "$last" ] || fail "a domain is left"
    nothing_left "$id"
}
