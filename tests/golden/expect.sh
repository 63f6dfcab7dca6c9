#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# expect.sh STREAMDUMP GOLDEN: the reader says about every vector what its .expect file says.
set -eu
dump=$1 golden=$2 bad=0 n=0
for vector in "$golden"/valid/*.cvy "$golden"/invalid/*.cvy; do
  n=$((n + 1))
  "$dump" "$vector" 2>&1 | cmp -s - "${vector%.cvy}.expect" || { echo "differs: $vector"; bad=1; }
done
echo "$n vectors"
[ "$n" -gt 100 ] && exit $bad
