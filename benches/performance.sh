#!/usr/bin/env bash
# Runs all benches and puts their tables into docs/performance.md, between the marks that name them.
#
#     benches/performance.sh             # all; about eight minutes, the first build not counted
#     benches/performance.sh memory      # one or more of: side_by_side memory instructions keys
#
# Best on a machine with nothing else to do. Arguments after `--` go to the benches: `benches/performance.sh -- --quick`.
set -euo pipefail
cd "$(dirname "$0")/.."

benches=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do benches+=("$1"); shift; done
[ ${#benches[@]} -gt 0 ] || benches=(memory instructions keys side_by_side)

chapter=docs/performance.md
tables=$(mktemp)
trap 'rm -f "$tables"' EXIT
for bench in "${benches[@]}"; do
  cargo bench --quiet --bench "$bench" "$@" | tee "$tables"
  grep -q '^## ' "$tables" || { echo "$bench has printed no table; $chapter keeps the old one" >&2; continue; }
  awk -v begin="<!-- begin $bench -->" -v end="<!-- end $bench -->" -v tables="$tables" '
    $0 == begin { print; print ""; while ((getline line < tables) > 0) { print line; blank = (line == "") }
                  if (!blank) print ""; skip = 1; next }
    $0 == end   { skip = 0 }
    !skip' "$chapter" >"$chapter.new"
  cat -s "$chapter.new" >"$chapter"
  rm "$chapter.new"
done
