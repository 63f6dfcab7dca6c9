#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run.sh CONVOY: the command line where there is no Xen: help, statuses, output that cannot be written, create -n.
set -euo pipefail
convoy=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

complain() { printf 'FAILED: %s\n' "$*" >&2; bad=1; }

# status WANTED TEXT COMMAND...: its exit status, and what it says on either output.
status()
{
    local wanted=$1 text=$2 rc=0
    shift 2
    "$@" >"$work/out" 2>"$work/err" || rc=$?
    [ $rc = "$wanted" ] || complain "status $rc, not $wanted: $*"
    cat "$work/out" "$work/err" | grep -qF -- "$text" || complain "'$*' does not say '$text': $(cat "$work/err")"
}
silent() { [ ! -s "$work/$1" ] || complain "$2: $(cat "$work/$1")"; }

# holds EXPRESSION: of o, the JSON that was printed.
holds()
{
    python3 -c "import json, sys; o = json.load(open(sys.argv[1])); sys.exit(not ($1))" "$work/out" ||
        complain "not $1: $(cat "$work/out")"
}

# config NAME LINE...
config()
{
    local name=$1
    shift
    printf '%s\n' 'type = "hvm"' 'name = "g"' 'memory = 64' "$@" >"$work/$name"
}

status 0 'convoy help [COMMAND]' "$convoy" --help
silent err 'help on standard error'
status 0 'usage: convoy [-v|-q]' "$convoy" help
status 0 'usage: convoy create [-p|-n [--json]] FILE' "$convoy" help create
status 0 'usage: convoy create [-p|-n [--json]] FILE' "$convoy" create --help
status 0 'usage: convoy list [--json] [DOMAIN]' "$convoy" list -h
status 0 'convoy 0.' "$convoy" --version
status 2 "unknown command 'frob'" "$convoy" frob
silent out 'an error on standard output'
status 2 "unknown command 'frob'" "$convoy" help frob
status 2 'usage: convoy [-v|-q]' "$convoy"
silent out 'an error on standard output'
status 2 'usage: convoy' "$convoy" --frob
status 2 'one configuration file is wanted' "$convoy" create
# Whoever has read enough of it is told nothing.
rc=0
bash -c 'exec 3> >(:); wait $!; exec "$0" help >&3' "$convoy" 2>"$work/err" || rc=$?
[ $rc = 141 ] || complain "status $rc without a reader"
silent err 'without a reader'
status 2 "convoy list: unrecognized option '--jsn'" "$convoy" list --jsn
status 2 'usage: convoy list [--json] [DOMAIN]' "$convoy" list --jsn
status 2 'one domain is wanted' "$convoy" destroy
status 2 'one domain is wanted' "$convoy" pause a b
status 0 'usage: convoy check [--json] [--command CMD] DOMAIN [[USER@]HOST]' "$convoy" check --help
status 2 'a domain is wanted, and at most one host' "$convoy" check
status 2 'a domain is wanted, and at most one host' "$convoy" check a b c
status 2 'how the host is asked' "$convoy" check --command x a
status 2 'a domain and a file are wanted' "$convoy" save a
status 2 'exclude each other' "$convoy" save -c -p a b
status 2 'seconds from 1 to 86400' "$convoy" save --suspend-timeout 0 a b
status 2 'seconds from 1 to 86400' "$convoy" save --stall-timeout 0 a b
status 2 'domid of a guest' "$convoy" monitor 1x
status 2 'one domain is wanted, or --all' "$convoy" recover
status 2 '--all wants no domain' "$convoy" recover --all g
status 2 'not about all' "$convoy" recover --all --assume running

config good 'vif = [ "" ]' 'device_models = [ "name=net,vifs=0" ]'
status 0 "'g' would have 2 emulators, 64 MiB, 1 vcpu; nothing was made" "$convoy" create -n "$work/good"
silent err 'a good configuration'
status 0 "emulator 1 'net' (secondary)" "$convoy" create -n "$work/good"
status 0 '"name": "net"' "$convoy" create -n --json "$work/good"
silent err 'a good configuration'
holds 'o["taken"] and o["findings"] == [] and o["memory_kib"] == 65536 and len(o["layout"]["emulators"]) == 2'
status 2 '--json is for -n' "$convoy" create --json "$work/good"
config odd 'colour = 1'
status 0 "convoy: warning: $work/odd:4: colour: unknown key, ignored" "$convoy" create -n "$work/odd"
status 0 "would have 1 emulator, 64 MiB" "$convoy" create -n "$work/odd"
config bad 'colour = 1' 'vcpus = "x"' 'pci = [ "01:00.0" ]'
status 2 "$work/bad:5: vcpus: must be a number from 1 to 128 (and 1 more)" "$convoy" create -n "$work/bad"
silent out 'a bad configuration'
status 2 "convoy: error: $work/bad:6: pci: a guest with passed-through devices" "$convoy" create -n "$work/bad"
status 2 '"check": "pci"' "$convoy" create -n --json "$work/bad"
holds 'not o["taken"] and [f["check"] for f in o["findings"] if f["blocks"]] == ["vcpus", "pci"]'
config cannot 'nestedhvm = 1'
status 5 'nestedhvm' "$convoy" create -n "$work/cannot"
status 3 'No such file' "$convoy" create -n "$work/none"
status 1 'Is a directory' "$convoy" create -n "$work"

for what in --version --help 'help create' "create -n $work/good"; do
    rc=0
    # shellcheck disable=SC2086 # words
    "$convoy" $what >/dev/full 2>"$work/err" || rc=$?
    [ $rc = 1 ] && [ "$(wc -l <"$work/err")" = 1 ] || complain "$what to a full disk: status $rc: $(cat "$work/err")"
    rc=0
    # shellcheck disable=SC2086
    "$convoy" $what >&- 2>"$work/err" || rc=$?
    [ $rc = 1 ] && grep -q 'Bad file descriptor' "$work/err" || complain "$what to nowhere: status $rc: $(cat "$work/err")"
done
# xenopsd's suspend image, read by a reader that is not ours, and back.
tests=$(dirname "$0")/..
to_xenopsd()
{
    local image=$1 name=$work/$2
    "$convoy" convert --to xenopsd "$image" "$name.suspend" || complain "$2: not converted"
    status 0 'End_of_image' "$tests/support/xenopsd_image.py" "$name.suspend" "$name.qemu"
    "$convoy" convert --from xenopsd "$name.suspend" "$name.cvy" || complain "$2: not converted back"
    status 0 "$name.cvy" "$convoy" verify "$name.cvy"
    "$convoy" extract --layout -o "$name.there" "$image" && "$convoy" extract --layout -o "$name.back" "$name.cvy" &&
        cmp "$name.there" "$name.back" || complain "$2: another layout"
}
if "$convoy" help convert >"$work/out" 2>&1; then
    to_xenopsd "$tests/fuzz/seeds/image/one.cvy" one
    to_xenopsd "$tests/fuzz/seeds/image/three.cvy" three
    "$convoy" extract --device-state 0 -o "$work/state" "$work/one.cvy" && cmp "$work/state" "$work/one.qemu" ||
        complain "one QEMU's state is not QEMU's in xenopsd's image"
    status 2 'it is a suspend image of xenopsd already' "$convoy" convert --to xenopsd "$work/one.suspend" "$work/x"
    status 2 'it is a suspend image of xenopsd, not a save file of xl' "$convoy" convert --from xl "$work/one.suspend" "$work/x"
    status 2 'make a convoy image of it first' "$convoy" convert --to xl "$work/one.suspend" "$work/x"
    status 2 '--to is xl, libvirt, xenopsd or convoy' "$convoy" convert --to vmware "$work/one.suspend" "$work/x"
    printf 'XenSavedDomv2-\n\017\0\0\0\0\0\0\0\033\0\0\0\0\0\0\0((time x)(xs_subtree((a' >"$work/cut"
    status 6 'it is truncated' "$convoy" convert "$work/cut" "$work/x"
    [ ! -e "$work/x" ] || complain "convert left a file"
fi
exit $bad
