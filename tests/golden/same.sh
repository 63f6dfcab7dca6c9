#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# same.sh MAKE-VECTORS GOLDEN: the generator makes what is committed, no more and no less.
set -eu
make=$1 golden=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$make" "$scratch"
if ! cmp -s "$scratch/valid/three-emulators-live.cvy" "$golden/valid/three-emulators-live.cvy" &&
  cmp -s "$scratch/valid/eight-emulators.cvy" "$golden/valid/eight-emulators.cvy"; then
  echo "another zstd packs otherwise: skipped"
  exit 77
fi
diff -rq "$scratch/valid" "$golden/valid"
diff -rq "$scratch/invalid" "$golden/invalid"
