#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run.sh CONVOY CHECKOUT [--set-expected]: the tools on small images, as a user calls them: outputs against what is
# committed, statuses, and what is left behind.
set -euo pipefail
convoy=$1 checkout=$2 mode=${3:-}
here=$checkout/tests/tools
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

complain() { printf 'FAILED: %s\n' "$*" >&2; bad=1; }

# same NAME: standard input is what is expected under that name.
same()
{
    if [ "$mode" = --set-expected ]; then
        cat >"$here/expect/$1"
    elif ! diff -u "$here/expect/$1" - >"$work/diff"; then
        complain "$1 differs"
        head -n 20 "$work/diff" >&2
    fi
}

# status WANTED COMMAND...: its exit status; outputs are in $work/out and $work/err.
status()
{
    local wanted=$1 rc=0
    shift
    "$@" >"$work/out" 2>"$work/err" || rc=$?
    [ $rc = "$wanted" ] || { complain "status $rc, not $wanted: $*"; cat "$work/err" >&2; }
}

one_line() { [ "$(wc -l <"$1")" = 1 ] || complain "not one line in $1: $2"; }

# refused TEXT COMMAND...: status 2, one line, and it names the text.
refused()
{
    local text=$1
    shift
    status 2 "$@"
    grep -qF -- "$text" "$work/err" || complain "'$text' is not in: $(cat "$work/err")"
}

# Options of migrate are judged before anything else: without Xen whatever passes fails later.
migrate_options()
{
    "$convoy" --help | grep -q ' migrate ' || return 0
    local m="$convoy migrate" v
    for v in 0 -1 ' 5' 5.5 0x10 5k 3600001 99999999999999999999 nan; do
        refused --downtime-limit "$convoy" migrate --downtime-limit "$v" g h
    done
    for v in 604801 9223372036854775807; do refused --max-time "$convoy" migrate --max-time "$v" g h; done
    for v in 4095 50m 50MB 18446744073709551615G M; do refused --bandwidth "$convoy" migrate --bandwidth "$v" g h; done
    for v in fast zstd:99; do refused "compression '$v'" "$convoy" migrate --compress "$v" g h; done
    for v in copy ''; do refused --on-timeout "$convoy" migrate --on-timeout "$v" g h; done
    for v in '' -oProxyCommand=x root@ @h root@-x -l@h 'h x'; do refused "[USER@]HOST" "$convoy" migrate -- g "$v"; done
    refused 'is empty' "$convoy" migrate --command '' g h
    refused 'longer than' "$convoy" migrate --command "$(printf '%01024d' 0)" g h
    refused usage $m g; refused usage $m g h more; refused usage $m --nonsense g h; refused usage $m g h --max-time
    refused 'is empty' "$convoy" migrate '' h
    status 1 $m --report "$work/none/x.svg" g h
    grep -qF "$work/none" "$work/err" || complain "--report in a folder that does not exist: $(cat "$work/err")"
    rm -rf "$work/pic" && mkdir "$work/pic"
    "$convoy" migrate --report "$work/pic/x.svg" --downtime-limit 3600000 --max-time 604800 --bandwidth 50M --compress zstd:3 \
        --on-timeout stop --command "sh -c 'exec false'" g root@h >"$work/out" 2>"$work/err" && complain 'migrated without Xen'
    [ $? != 2 ] || complain "good options were refused: $(cat "$work/err")"
    [ -z "$(ls -A "$work/pic")" ] || complain '--report left something behind'
}

inspect_all()
{
    local f name
    for f in "$checkout"/tests/golden/valid/*.cvy "$here"/*.cvy; do
        name=$(basename "$f" .cvy)
        # no image of a guest: convoy-dm's
        if [ "$name" = states-only ]; then
            status 7 "$convoy" inspect "$f"
            continue
        fi
        "$convoy" inspect "$f" 2>&1 | same "$name.txt"
        "$convoy" inspect --json "$f" 2>&1 | same "$name.json"
        "$convoy" inspect --json - <"$f" | cmp - <("$convoy" inspect --json "$f") || complain "$name through a pipe"
        status 0 "$convoy" inspect --raw "$f"
        grep -q '^end records' "$work/out" || complain "raw $name"
    done
}

verify_all()
{
    local f
    for f in one three; do
        status 0 "$convoy" verify "$here/$f.cvy"
        one_line "$work/out" "$f"
        [ ! -s "$work/err" ] || complain "verify says something on stderr: $(cat "$work/err")"
    done
    status 0 "$convoy" verify --threads 0 - <"$here/three.cvy"
    status 6 "$convoy" verify "$here/no-section.cvy"
    one_line "$work/out" no-section
    for f in tiny memory-only all-kinds; do
        status 0 "$convoy" verify "$checkout/tests/golden/valid/$f.cvy"
    done
    for f in "$checkout"/tests/golden/invalid/*.cvy; do
        case $f:$(cat "${f%.cvy}.expect") in
        *"error stream-version "* | */states-only-*) status 7 "$convoy" verify "$f" ;;
        *) status 6 "$convoy" verify "$f" ;;
        esac
        one_line "$work/out" "$f"
    done
    status 3 "$convoy" verify "$work/none"
    status 2 "$convoy" verify
}

extract_all()
{
    "$convoy" extract --config -o - "$here/three.cvy" | same three.config
    "$convoy" extract --layout -o - "$here/three.cvy" | same three.layout
    for dmid in 0 1 2; do "$convoy" extract --device-state $dmid -o - "$here/three.cvy" | sha256sum; done | same three.states
    status 0 "$convoy" extract --memory -o "$work/memory" "$here/three.cvy"
    [ "$(stat -c %s "$work/memory")" = $((0x100000 * 4096)) ] || complain "memory has another size"
    [ "$(stat -c %b "$work/memory")" -lt 1024 ] || complain "memory has no holes"
    dd if="$work/memory" bs=4096 count=8 status=none | sha256sum | same three.memory
    status 0 "$convoy" extract --memory --range 2-0x9 -o "$work/part" "$here/three.cvy"
    dd if="$work/memory" bs=4096 skip=2 count=8 status=none | cmp - "$work/part" || complain "a range is other pages"
    # Of fixed layout nothing but the range is read: whatever else is in the file.
    cp "$checkout/tests/golden/valid/fixed.cvy" "$work/fixed"
    status 0 "$convoy" extract --memory -o "$work/memory" "$work/fixed"
    printf x | dd of="$work/fixed" bs=1 seek=5000 conv=notrunc status=none
    status 0 "$convoy" extract --memory --range 0x1000-0x1001 -o "$work/part" "$work/fixed"
    dd if="$work/memory" bs=4096 skip=4096 count=2 status=none | cmp - "$work/part" || complain "a range is other pages"
    status 6 "$convoy" extract --memory --range 0-0x1001 -o "$work/part2" "$work/fixed"
    grep -q 'hash: page 0x2, at byte 4096, is damaged' "$work/err" || complain "damage: $(cat "$work/err")"
    status 6 "$convoy" extract --memory -o "$work/part2" "$work/fixed"
    status 6 "$convoy" verify "$work/fixed"
    [ ! -e "$work/part2" ] || complain "something was left of a damaged image"
    status 5 "$convoy" verify - < <(cat "$checkout/tests/golden/valid/fixed.cvy")
    grep -q 'and not from a pipe' "$work/err" || complain "from a pipe: $(cat "$work/err")"
    for v in 5 5- 5-4 -5 a-b 0x-4 5-4503599627370496; do
        refused '--range takes' "$convoy" extract --memory --range "$v" -o "$work/x" "$here/three.cvy"
    done
    refused '--range goes with' "$convoy" extract --config --range 1-2 -o "$work/x" "$here/three.cvy"
    status 3 "$convoy" extract --device-state 5 -o "$work/x" "$here/three.cvy"
    status 2 "$convoy" extract --device-state 9 -o "$work/x" "$here/three.cvy"
    status 2 "$convoy" extract --memory -o - "$here/three.cvy"
    status 2 "$convoy" extract --memory --config -o "$work/x" "$here/three.cvy"
    status 5 "$convoy" extract --config -o "$work/x" "$checkout/tests/golden/valid/tiny.cvy"
    head -c 10000 "$here/three.cvy" >"$work/cut"
    echo old >"$work/old"
    status 6 "$convoy" extract --memory -o "$work/old" "$work/cut"
    [ "$(cat "$work/old")" = old ] || complain "an old file was touched"
    [ ! -e "$work/x" ] || complain "a file is left"
}

picture()
{
    local f
    for f in one three; do
        status 0 "$convoy" inspect --picture "$work/$f.svg" "$here/$f.cvy"
        [ ! -s "$work/out" ] || complain "--picture prints"
        if command -v python3 >/dev/null; then
            python3 -c 'import sys, xml.dom.minidom as m; assert m.parse(sys.argv[1]).documentElement.tagName == "svg"' "$work/$f.svg" ||
                complain "$f.svg is no SVG"
        fi
    done
}

# Files of other kinds are named, and outputs that would do harm are refused.
odd_files()
{
    local f c
    printf 'Xen saved domain, xl format\n \0 \r%200s' x >"$work/other.xl"
    printf '\x1f\x8b\x08%200s' x >"$work/other.gz"
    echo text of no kind >"$work/other.txt"
    for c in inspect verify "extract --config -o $work/x"; do
        # shellcheck disable=SC2086 # words are meant
        status 5 "$convoy" $c "$work/other.xl"
        grep -q "$work/other.xl.*a save file of xl: 'convoy convert --to convoy'" "$work/err" || complain "$c of an xl file: $(cat "$work/err")"
        # shellcheck disable=SC2086 # words are meant
        status 5 "$convoy" $c - <"$work/other.gz"
        grep -q 'compressed with gzip' "$work/err" || complain "$c of a gzip file: $(cat "$work/err")"
        # shellcheck disable=SC2086 # words are meant
        status 6 "$convoy" $c "$work/other.txt"
        # shellcheck disable=SC2086 # words are meant
        status 2 "$convoy" $c "$work"
        grep -q "$work: Is a directory" "$work/err" || complain "$c of a folder: $(cat "$work/err")"
        # shellcheck disable=SC2086 # words are meant
        status 6 "$convoy" $c /dev/null
    done
}

odd_outputs()
{
    local f
    cp "$here/three.cvy" "$work/self.cvy"
    mkfifo "$work/fifo"
    ln -s "$work/target" "$work/link"
    echo old >"$work/target"
    status 2 "$convoy" extract --config -o "$work/self.cvy" "$work/self.cvy"
    status 2 "$convoy" inspect --picture "$work/self.cvy" "$work/self.cvy"
    status 2 "$convoy" extract --config -o "$work/self.cvy" - <"$work/self.cvy"
    if "$convoy" --help | grep -q 'convoy convert'; then status 2 "$convoy" convert --to xl -o "$work/self.cvy" "$work/self.cvy"; fi
    cmp "$work/self.cvy" "$here/three.cvy" || complain "an image was overwritten with a part of itself"
    for f in "$work/fifo" "$work" "$work/new/" ''; do
        status 2 "$convoy" extract --config -o "$f" "$here/three.cvy"
        status 2 "$convoy" inspect --picture "$f" "$here/three.cvy"
    done
    [ -p "$work/fifo" ] || complain "a pipe became a file"
    status 1 "$convoy" extract --config -o "$work/none/x" "$here/three.cvy"
    status 0 "$convoy" extract --config -o "$work/link" "$here/three.cvy"
    [ -L "$work/link" ] && cmp "$work/target" "$here/expect/three.config" || complain "a link was not followed"
    "$convoy" inspect --picture - "$here/three.cvy" | grep -q '^</svg>' || complain "no picture on standard output"
    status 2 "$convoy" inspect --json --picture - "$here/three.cvy"
    head -c 9000 "$here/three.cvy" >"$work/cut"
    status 6 "$convoy" inspect --picture "$work/cut.svg" "$work/cut"
    grep -q 'NOT WHOLE' "$work/cut.svg" || complain "the picture of a cut image does not say so"
}

convert_all()
{
    status 0 "$convoy" convert --to xl -o "$work/one.xl" "$here/one.cvy"
    status 0 "$convoy" convert --to convoy --model /usr/bin/qemu-system-i386 -o "$work/back.cvy" "$work/one.xl"
    status 0 "$convoy" verify "$work/back.cvy"
    "$convoy" convert --to xl - <"$work/back.cvy" | cmp - "$work/one.xl" || complain "there and back differs"
    # The first bytes say what it is, of a file and of a pipe.
    status 0 "$convoy" convert "$here/one.cvy" "$work/guess.xl"
    cmp "$work/guess.xl" "$work/one.xl" || complain "a guessed direction"
    status 0 "$convoy" convert --model /usr/bin/qemu-system-i386 "$work/one.xl" "$work/guess.cvy"
    status 0 "$convoy" verify "$work/guess.cvy"
    # shellcheck disable=SC2002 # a pipe is wanted
    cat "$here/one.cvy" | "$convoy" convert - | cmp - "$work/one.xl" || complain "a guessed direction of a pipe"
    echo frob >"$work/frob"
    status 2 "$convoy" convert "$work/frob" "$work/y"
    grep -q "neither a convoy image's nor a save file's of xl" "$work/err" || complain "$(cat "$work/err")"
    status 2 "$convoy" convert -o "$work/y" "$work/one.xl" "$work/z"
    cmp <("$convoy" extract --device-state 0 -o - "$here/one.cvy") <("$convoy" extract --device-state 0 -o - "$work/back.cvy") ||
        complain "the device state differs"
    status 5 "$convoy" convert --to xl -o "$work/three.xl" "$here/three.cvy"
    grep -q 'the guest has 3 emulators (default, net, storage)' "$work/err" || complain "$(cat "$work/err")"
    one_line "$work/err" three
    status 2 "$convoy" convert --to convoy -o "$work/y" "$here/one.cvy"
    status 2 "$convoy" convert --to xl -o "$work/y" "$work/one.xl"
    status 2 "$convoy" convert --to zip -o "$work/y" "$work/one.xl"
    printf 'XenSavedDomv2-\n%1000s' x >"$work/xenopsd"
    status 7 "$convoy" convert --to convoy -o "$work/y" "$work/xenopsd"
    printf 'XenSavedDomain\n%1000s' x >"$work/xenopsd"
    status 5 "$convoy" convert --to convoy -o "$work/y" "$work/xenopsd"
    [ ! -e "$work/three.xl" ] && [ ! -e "$work/y" ] || complain "a file is left"
}

# libvirt's save file: another head, its XML, and the streams of xl's.
convert_to_libvirt()
{
    local optional xml="<domain type='xen'><name>g</name></domain>"
    printf %s "$xml" >"$work/g.xml"
    status 0 "$convoy" convert --to xl -o "$work/one.xl" "$here/one.cvy"
    status 0 "$convoy" convert --to libvirt --xml "$work/g.xml" "$here/one.cvy" "$work/one.libvirt"
    optional=$(od -An -tu4 -j44 -N4 "$work/one.xl")
    cmp <(printf 'libvirt-xml\n \0 \r\2\0\0\0'"\\$(printf %o $((${#xml} + 1)))"'\0\0\0'; head -c 40 /dev/zero; printf '%s\0' "$xml"
          tail -c +$((48 + optional + 1)) "$work/one.xl") "$work/one.libvirt" || complain "libvirt's save file"
    status 5 "$convoy" convert -o "$work/y" "$work/one.libvirt"
    grep -q "a save file of libvirt: 'virsh restore'" "$work/err" || complain "$(cat "$work/err")"
    status 2 "$convoy" convert --to libvirt --xml "$work/g.xml" -o "$work/y" "$work/one.xl"
    status 2 "$convoy" convert --to libvirt -o "$work/y" "$here/one.cvy"
    status 2 "$convoy" convert --to xl --xml "$work/g.xml" -o "$work/y" "$here/one.cvy"
    status 2 "$convoy" convert --to libvirt --xml "$here/one.cvy" -o "$work/y" "$here/one.cvy"
    status 3 "$convoy" convert --to libvirt --xml "$work/none" -o "$work/y" "$here/one.cvy"
    [ ! -e "$work/y" ] || complain "a file is left"
}

[ "$mode" != --set-expected ] || mkdir -p "$here/expect"
inspect_all
verify_all
extract_all
picture
migrate_options
odd_files
odd_outputs
if "$convoy" --help | grep -q 'convoy convert'; then convert_all; convert_to_libvirt; fi
[ -z "$(find "$work" -name '*.part')" ] || complain "a part is left"
exit $bad
