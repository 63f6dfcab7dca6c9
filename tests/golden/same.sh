#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# same.sh MAKE-VECTORS GOLDEN: the generator makes what is committed, no more and no less.  zstd's bytes differ from release to
# release: with another one than that of zstd-version, and only then, vectors that hold a zstd frame may differ (skipped).
set -eu
make=$1 golden=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
zstd=$("$make" "$scratch")
made_with=$(cat "$golden/zstd-version")
if [ "$zstd" = "$made_with" ]; then
  diff -rq "$scratch/valid" "$golden/valid"
  diff -rq "$scratch/invalid" "$golden/invalid"
  exit
fi
magic=$(printf '(\265/\375')
differ=0
for kind in valid invalid; do
  ls "$golden/$kind" >"$scratch/names"
  ls "$scratch/$kind" | diff - "$scratch/names"
  while read -r name; do
    cmp -s "$scratch/$kind/$name" "$golden/$kind/$name" && continue
    LC_ALL=C grep -qaF "$magic" "$golden/$kind/${name%.*}.cvy" || { echo "$kind/$name differs, and holds nothing packed"; exit 1; }
    differ=$((differ + 1))
  done <"$scratch/names"
done
[ $differ = 0 ] || { echo "zstd $zstd packs $differ files otherwise than $made_with: skipped"; exit 77; }
