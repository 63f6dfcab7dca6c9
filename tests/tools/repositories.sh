#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# repositories.sh CONVOY CHECKOUT: images into restic and borg and back, as docs/backup.md has it: a stream through pipes, an
# image of fixed layout as a file; what came back is the same, and good; a repository that is not there fails the pipeline.
# Exit status 77: neither of the two is installed.
set -euo pipefail
convoy=$1 checkout=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export RESTIC_PASSWORD=test XDG_CACHE_HOME=$work/cache HOME=$work BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
tools=0 bad=0

complain() { printf 'FAILED: %s\n' "$*" >&2; bad=1; }
good() { [[ $("$@") == *': good: '* ]] || complain "not good: $*"; }
# The image through a pipe, as a save writes it there: no seeking, no index.
write_stream() { "$convoy" convert --to convoy "$work/xl" -; }

with_restic()
{
    restic() { command restic -q -r "$work/restic" "$@"; }
    restic init
    write_stream | restic backup --stdin --stdin-filename web.cvy
    restic dump latest web.cvy >"$work/back.cvy"
    good "$convoy" verify - <"$work/back.cvy"
    restic dump latest web.cvy | "$convoy" convert --to xl - "$work/xl2" || complain "from a pipe"
    (cd "$work" && restic backup fixed.cvy)
    restic restore latest --target "$work/r"
    cmp "$work/fixed.cvy" "$work/r/fixed.cvy" || complain "restic changed the image"
    good "$convoy" verify "$work/r/fixed.cvy"
    if write_stream | command restic -q -r "$work/nowhere" backup --stdin 2>/dev/null; then
        complain "a repository that is not there took it"
    fi
}

with_borg()
{
    borg init --encryption none "$work/borg"
    write_stream | borg create --stdin-name web.cvy "$work/borg::web-1" -
    borg extract --stdout "$work/borg::web-1" | cat >"$work/back2.cvy"
    good "$convoy" verify - <"$work/back2.cvy"
    (cd "$work" && borg create --sparse --chunker-params fixed,4096 "$work/borg::web-2" fixed.cvy)
    mkdir "$work/b"
    (cd "$work/b" && borg extract --sparse "$work/borg::web-2")
    cmp "$work/fixed.cvy" "$work/b/fixed.cvy" || complain "borg changed the image"
    good "$convoy" verify "$work/b/fixed.cvy"
}

"$convoy" convert --to xl "$checkout/tests/tools/one.cvy" "$work/xl"
cp "$checkout/tests/golden/valid/fixed-memory-only.cvy" "$work/fixed.cvy"
for tool in restic borg; do
    if command -v "$tool" >/dev/null; then
        "with_$tool"
        tools=$((tools + 1))
    else
        echo "left out: $tool is not installed"
    fi
done
[ $tools -gt 0 ] || exit 77
exit $bad
