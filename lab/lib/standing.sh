# SPDX-License-Identifier: LGPL-2.1-or-later
# A lab whose time is nearly over says who stands where: each dom0 by itself (lab/dom0/who-stands-where), and of each host what
# can be seen from outside, should it not answer.
# shellcheck shell=bash

STANDING_FOLDERS=/var/tmp/e2e # of logs that scripts write, in dom0
STANDING_END='end of who stands where'

# standing_ask HOST-DIR...: nobody waits here: the answers grow in HOST-DIR/ctl/standing and HOST-DIR/monitor.log.
standing_ask()
{
    local dir
    for dir in "$@"; do
        { timeout 30 cat "$dir/monitor.out" >"$dir/monitor.log" || true; } &
        # Twice: a machine that does not run any more stands at the same place.
        { timeout 5 bash -c 'printf "info status\ninfo registers\n" >"$1"; sleep 2; echo info registers >"$1"' - "$dir/monitor.in" || true; } &
        timeout 5 bash -c 'echo "$2" >"$1"' - "$dir/ask.in" "$STANDING_FOLDERS" || true
    done
}

# standing_nudge HOST-DIR...: an interrupt from outside.  In software a machine now and then loses the interrupt of its timer: Xen
# halts the processor, and then nothing moves until anything else happens (seen once: for 688 s, with everybody asleep, until it was
# asked who stands where).
standing_nudge()
{
    local dir
    for dir in "$@"; do timeout 5 bash -c 'echo >"$1"' - "$dir/ask.in" || true; done
}

# standing_done HOST-DIR...: every dom0 has said all.
standing_done()
{
    local dir
    for dir in "$@"; do
        [ "$(tail -n 1 "$dir/ctl/standing" 2>/dev/null)" = "$STANDING_END" ] || return 1
    done
}

# standing_outside HOST-DIR QEMU-PID: the machine's state, where its processor stood at two moments, its threads' time, our disk.
standing_outside()
{
    echo "from outside: QEMU $2"
    tr -d '\r' <"$1/monitor.log" 2>/dev/null | grep -aE '^(VM status|[RE]IP=|RAX=|RSI=)' || echo "its monitor does not answer"
    ps -L -o tid,stat,time,wchan:20,comm -p "$2" || true
    df -h "$1" /var/tmp || true
    echo "the console's end:"
    tail -n 12 "$1/console.log" | cut -c 1-200 || true
}

# standing_tell QEMU-PID... -- HOST-DIR...: all answers, each line with its host's name, on standard error.
standing_tell()
{
    local pids=() dir i=0
    while [ "$1" != -- ]; do pids+=("$1"); shift; done
    shift
    for dir in "$@"; do
        { cat "$dir/ctl/standing" 2>/dev/null || echo "dom0 does not answer"; standing_outside "$dir" "${pids[i]}"; } |
            tr -d '\000' | sed "s/^/${dir##*/}| /" >&2
        i=$((i + 1))
    done
}
