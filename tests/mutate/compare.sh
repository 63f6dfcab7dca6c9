#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# compare.sh MUTATE STREAMDUMP PYTHON STREAMCHECK COUNT: both readers say the same about COUNT mutated streams, half of
# them with right checksums.
set -eu
mutate=$1 dump=$2 python=$3 check=$4 count=$5
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$mutate" --count "$count" --seed 3 --write "$scratch"
"$dump" "$scratch"/*.cvy >"$scratch/first" || true
"$python" "$check" "$scratch"/*.cvy >"$scratch/second" || true
grep -c '^file ' "$scratch/first"
diff "$scratch/first" "$scratch/second"
