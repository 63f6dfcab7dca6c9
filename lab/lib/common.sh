# SPDX-License-Identifier: LGPL-2.1-or-later
# What every outer script of the lab needs: where things are cached, messages, packages, the machine's mirror.
# shellcheck shell=bash

# A failure inside $(...) must end the script as well.
shopt -s inherit_errexit

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034 # for those who read this file
CHECKOUT=$(dirname "$LAB_DIR")
CACHE=${CONVOY_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/convoy}
mkdir -p "$CACHE"

say() { printf 'lab: %s\n' "$*" >&2; }
die() { printf 'lab: error: %s\n' "$*" >&2; exit "${LAB_EXIT_CODE:-125}"; }

as_root()
{
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# lab_lock: until this process ends no other lab runs on this machine, but those that it starts with LAB_PARALLEL=1.
lab_lock()
{
    exec 8>"$CACHE/lab.lock"
    flock -n 8 && return
    say "waiting for another lab"
    flock 8
}

# need_packages PACKAGE...: installs those that are missing; silent and quick when none is.
need_packages()
{
    local missing=() p
    for p in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null)" = 'ii ' ] || missing+=("$p")
    done
    [ ${#missing[@]} = 0 ] && return
    say "installing ${missing[*]}"
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -qq -y --no-install-recommends)
    as_root "${install[@]}" "${missing[@]}" >&2 && return
    # A fresh machine has no package lists, or old ones that name files which are gone.
    as_root apt-get update -qq >&2
    as_root "${install[@]}" "${missing[@]}" >&2 || die "cannot install ${missing[*]}"
}

# package_list FILE SUITE: the names in a list of image/, without comments and other suites' lines.
package_list()
{
    awk -v suite="$2" '/^#/ || NF == 0 { next } $2 ~ /^@/ && $2 != "@" suite { next } { print $1 }' "$1"
}

outer_suite() { (. /etc/os-release && printf '%s\n' "${VERSION_CODENAME:-unknown}"); }

# apt_sources SUITE: one-line sources of SUITE on the mirrors that this machine's own apt uses for Debian.
apt_sources()
{
    local here
    here=$(outer_suite)
    # shellcheck disable=SC2016 # apt replaces these, not the shell
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(CREATED_BY)' |
        awk -v here="$here" -v suite="$1" '
            $3 == "Packages" && ($2 == here || $2 == here "-updates" || $2 == here "-security") && !seen[$1 $2]++ {
                sub("^" here, suite, $2)
                print "deb " $1 " " $2 " main"
            }'
}

# key_of FILE-OR-TEXT...: a short hash over the contents of the files named and over the other words.
key_of()
{
    local a
    for a in "$@"; do
        if [ -f "$a" ]; then cat "$a"; else printf '%s\n' "$a"; fi
    done | sha256sum | cut -c1-16
}

# cached KIND KEY BUILDER [ARG...]: prints the folder of a cached thing; if it is not there, BUILDER DIR ARG... makes it.
# Whole or not at all: it is built aside and renamed; two who want the same wait for each other.
# Never call it in a condition (if, ||, &&): bash would then go on after a failure inside the builder.
cached()
{
    local kind=$1 key=$2 builder=$3 dir=$CACHE/$1/$2
    shift 3
    if [ ! -d "$dir" ]; then
        mkdir -p "$CACHE/$kind"
        (
            flock 9
            [ ! -d "$dir" ] || exit 0
            trap '[ $? = 0 ] || say "error: cannot build $dir"' EXIT
            rm -rf "$dir.new"
            mkdir "$dir.new"
            "$builder" "$dir.new" "$@" >&2
            mv "$dir.new" "$dir"
            # What no checkout has used for two weeks goes.
            find "$CACHE/$kind" -mindepth 1 -maxdepth 1 -type d ! -name '*.new' ! -path "$dir" -mtime +14 \
                -exec rm -rf {} +
        ) 9>"$CACHE/$kind/$key.lock"
    fi
    touch "$dir"
    printf '%s\n' "$dir"
}
