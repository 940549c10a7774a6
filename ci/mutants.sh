#!/usr/bin/env bash
# Breaks what has changed since BASE, one small way at a time, and fails if no test sees it. `.cargo/mutants.toml` says
# which folders and which tests.
#
#   ci/mutants.sh [BASE]    BASE is any commit; without it the one before HEAD, which is the one before a merge
#
# Where there are more than MUTANTS_MOST (100), it takes an even share of about so many, another one at each commit.
#
# What it found is in target/mutants/mutants.out: missed.txt, and a log for each mutant.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never

if ! base=$(git merge-base "${1:-HEAD~1}" HEAD 2>/dev/null); then
  echo "no mutants: ${1:-HEAD~1} is not in this clone"
  exit 0
fi
mkdir -p target/mutants
git diff "$base" -- src/machine src/window src/config src/circuit src/classify >target/mutants/diff
if ! [ -s target/mutants/diff ]; then
  echo 'no mutants: nothing has changed in these folders'
  exit 0
fi

if ! cargo mutants --version >/dev/null 2>&1; then
  cargo install --locked cargo-mutants --version '^27.1'
fi

mutants() { cargo mutants --in-diff target/mutants/diff "$@"; }
count=$(mutants --list 2>/dev/null | wc -l)
if [ "$count" -eq 0 ]; then
  echo 'no mutants: what has changed cannot be broken'
  exit 0
fi
most=${MUTANTS_MOST:-100}
shares=$(((count + most - 1) / most))
share=$((0x$(git rev-parse --short=7 HEAD) % shares))
echo "$count mutants, of which share $share of $shares"

# Random traces find a mutant soon or not at all, and a trace that found one need not be shrunk.
export ORACLE_CASES=${ORACLE_CASES:-300} MODEL_CASES=${MODEL_CASES:-300} PROPTEST_MAX_SHRINK_ITERS=0
# Nobody debugs a mutant.
export CARGO_PROFILE_DEV_DEBUG=0
code=0
mutants --output target/mutants --shard "$share/$shares" --jobs "${MUTANTS_JOBS:-2}" || code=$?

# A mutant that hangs the tests (3) has been seen.
missed=target/mutants/mutants.out/missed.txt
if [ "$code" -eq 3 ] && [ -f "$missed" ] && ! [ -s "$missed" ]; then
  code=0
fi
exit "$code"
