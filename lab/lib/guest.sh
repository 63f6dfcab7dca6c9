# SPDX-License-Identifier: LGPL-2.1-or-later
# For scripts in dom0 (. /convoy/lab/lib/guest.sh): start the network peer, follow a guest by its serial log, and judge
# whether it goes on right. Nothing here polls: all waits are for new lines of a log.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the upper-case names are for those who read this file

GUEST_KERNEL=/guest/vmlinuz
GUEST_RAMDISK=/guest/initramfs
# Emulated disks and NICs stay: without the last word Linux's PV drivers unplug them.
# A panic is a crash to Xen, and not, a second later, a reboot (xen_legacy_crash).
GUEST_CMDLINE="console=ttyS0 quiet loglevel=3 tsc=reliable no_timer_check panic=1 xen_legacy_crash net.ifnames=0 xen_emul_unplug=never"

guest_note() { printf '%s\n' "$*" >&2; }

# guest_disk FILE MB: an empty disk, all of it a hole.
guest_disk() { rm -f "$1"; truncate -s "${2}M" "$1"; }

# guest_tap NAME: a tap on the bridge for QEMU's -netdev tap,ifname=NAME,script=no,downscript=no; it outlives the
# emulator, so that a restored one finds it again.
guest_tap()
{
    ip tuntap add dev "$1" mode tap
    ip link set "$1" master xenbr0 up
}

# guest_peer_start FILE [OPTION...]: guest-peer, writing JSON lines to FILE; its pid is in GUEST_PEER.
guest_peer_start()
{
    local out=$1
    shift
    /guest/bin/guest-peer "$@" >"$out" &
    GUEST_PEER=$!
}

# guest_peer_stop: it writes its totals as its last lines.
guest_peer_stop()
{
    kill "$GUEST_PEER"
    timeout 20 tail --pid="$GUEST_PEER" -s 0.1 -f /dev/null || { guest_note "guest-peer does not end"; kill -KILL "$GUEST_PEER"; }
    wait "$GUEST_PEER" || true
}

# guest_counter LOG: the last counter reported, 0 if there is none.
guest_counter()
{
    awk '$1 == "G" && /(ok|FAIL)\r?$/ { n = $2 } END { print n + 0 }' "$1"
}

# guest_line LOG: the last whole report.
guest_line() { { tr -d '\r' <"$1" | grep -aE '^G [0-9]+ t=.*(ok|FAIL)$' || true; } | tail -n 1; }

# guest_wait LOG COUNTER [TIMEOUT-S]: until the guest has reported a counter above COUNTER in a log that may not be
# there yet; false after the time limit (default 120) or at once when the guest says that something is wrong.
guest_wait()
{
    local log=$1 above=$2 limit=${3:-120} rc=0
    # --pid would poll; the reader's end ends tail at the next line, timeout in any case. bash reads line by line; mawk
    # would wait for 4096 bytes, which is a minute of a slow guest.
    # shellcheck disable=SC2016
    timeout "$limit" bash -c '
        while IFS= read -r line; do
            line=${line%$'"'\\r'"'}
            case $line in
            *GUEST-FAIL* | *"Kernel panic"*) printf "%s\n" "$line" >&2; exit 3 ;;
            "G "*" ok" | "G "*FAIL) set -- "$1" "$2" $line; [ "$4" -le "$2" ] || exit 0; set -- "$1" "$2" ;;
            esac
        done < <(exec tail --pid=$$ -n +1 -F "$1" 2>/dev/null)
        exit 3' - "$log" "$above" || rc=$?
    [ $rc != 124 ] || guest_note "guest: no counter above $above within $limit s; last line: $(guest_line "$log" 2>/dev/null)"
    return $rc
}

# guest_wait_for LOG REGEXP [TIMEOUT-S]: until a line matches.
guest_wait_for()
{
    # shellcheck disable=SC2016
    timeout "${3:-120}" bash -c 'grep -aqm1 -E "$2" < <(exec tail --pid=$$ -n +1 -F "$1" 2>/dev/null)' - "$1" "$2" ||
        { guest_note "guest: no line '$2' within ${3:-120} s"; return 1; }
}

# guest_more LOG REPORTS [TIMEOUT-S]: until so many more reports have come.
guest_more()
{
    guest_wait "$1" $(($(guest_counter "$1") + $2)) "${3:-60}"
}

# guest_good LOG: no check of the guest has failed.
guest_good()
{
    ! grep -aE 'GUEST-FAIL|Kernel panic|Oops|BUG:' "$1" >&2
}

# guest_advance LINE LINE: every figure of the second report is above that of the first: counter, time, RAM, each disk,
# packets received by each NIC.
guest_advance()
{
    awk -v a="$1" -v b="$2" '
        function figure(word) { sub(/^[^=]*=/, "", word); sub(/\/.*/, "", word); return word + 0 }
        BEGIN {
            n = split(a, x, " "); m = split(b, y, " ")
            if (n < 4 || n != m) { print "guest: reports differ in kind: " a " | " b > "/dev/stderr"; exit 1 }
            if (y[2] + 0 <= x[2] + 0) bad = bad " counter"
            for (i = 3; i < n; i++)
                if (figure(y[i]) <= figure(x[i])) { split(y[i], name, "="); bad = bad " " name[1] }
            if (bad != "") { print "guest: no progress of" bad ": " a " | " b > "/dev/stderr"; exit 1 }
        }'
}

# guest_check LOG [REPORTS] [LINE]: the whole judgement. So many more reports come (default 15), all figures advance over
# them (or since LINE, a report from before a save), and no check of the guest has failed.
guest_check()
{
    local log=$1 reports=${2:-15} before=${3:-}
    [ -n "$before" ] || before=$(guest_line "$log")
    guest_more "$log" "$reports" && guest_good "$log" && guest_advance "$before" "$(guest_line "$log")"
}
