# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# bench_program [NAME]: builds it (default: bench_stream) for speed when it has to and prints its path.

bench_root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")

bench_packages()
{
    local missing=()
    command -v cmake >/dev/null || missing+=(cmake)
    command -v gcc >/dev/null || command -v cc >/dev/null || missing+=(gcc libc6-dev)
    command -v pkg-config >/dev/null || missing+=(pkg-config)
    for lib in libzstd:libzstd-dev libxxhash:libxxhash-dev jansson:libjansson-dev uuid:uuid-dev; do
        pkg-config --exists "${lib%%:*}" 2>/dev/null || missing+=("${lib#*:}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    bench_install "${missing[@]}"
}

bench_install()
{
    local sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo -n)
    "${sudo[@]}" apt-get install -y --no-install-recommends "$@" >&2 ||
        # a fresh machine has no package lists, or old ones
        { "${sudo[@]}" apt-get update -qq >&2 && "${sudo[@]}" apt-get install -y --no-install-recommends "$@" >&2; } ||
        { echo "bench: please install: $*" >&2; return 1; }
}

# The tool that bench/compare compares with.
bench_zstd()
{
    command -v zstd >/dev/null || bench_install zstd
}

bench_program()
{
    local name=${1:-bench_stream} build=${CONVOY_BENCH_BUILD:-$bench_root/build/speed} log
    bench_packages || return 1
    mkdir -p "$build"
    log=$build/build.log
    if ! { cmake -S "$bench_root" -B "$build" -DCMAKE_BUILD_TYPE=Release &&
        cmake --build "$build" --target "$name" -j "$(nproc)"; } >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        return 1
    fi
    echo "$build/bench/$name"
}
