#!/usr/bin/env bash
# Breaks the code in small ways, one at a time, and fails if no test sees it. `.cargo/mutants.toml` says which folders.
#
#   ci/mutants.sh [BASE]    what has changed since BASE, which is any commit; without it the one before HEAD, which is the
#                           one before a merge. It takes an even share of about MUTANTS_MOST (100), another one at each commit
#   ci/mutants.sh --all     everything, in hours
#
# To build the tests is most of what a mutant costs. So there are passes: a few tests with few features; then, for what those
# have not seen, all tests that hold the behaviour; for what is left, every order of the threads in small models.
#
# What it found is in target/mutants/mutants.out: missed.txt, and a log for each mutant of the last pass.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never

few=(--no-default-features --features=test-util,grpc --lib --test=model --test=scenarios)
# Those of the few that take seconds, and see little that the others do not.
skipped=(--skip table:: --skip explore:: --skip jitter_spreads --skip a_share_is_exact)
# What is left out needs long or another build: alloc, ledger, shuttle.
all=(--all-features --lib
  --test={clock_reads,config,dashboard,grpc,it,keys,metrics,model,places,scenarios,settings,tracing})

mkdir -p target/mutants
which=()
if [[ ${1:-} != --all ]]; then
  if ! base=$(git merge-base "${1:-HEAD~1}" HEAD 2>/dev/null); then
    echo "no mutants: ${1:-HEAD~1} is not in this clone"
    exit 0
  fi
  git diff "$base" -- src/machine src/window src/config src/circuit src/classify >target/mutants/diff
  if ! [ -s target/mutants/diff ]; then
    echo 'no mutants: nothing has changed in these folders'
    exit 0
  fi
  which=(--in-diff target/mutants/diff)
fi

if ! cargo mutants --version >/dev/null 2>&1; then
  cargo install --locked cargo-mutants --version '^27.1'
fi

list() { cargo mutants "${which[@]}" --list "$@" 2>/dev/null; }
found=target/mutants/mutants.out
rm -rf "$found" "$found.old"
mkdir "$found"
count=$(list | wc -l)
if [ "$count" -eq 0 ]; then
  echo 'no mutants: what has changed cannot be broken'
  exit 0
fi
echo "$count mutants"
if [[ ${1:-} != --all ]]; then
  most=${MUTANTS_MOST:-100}
  shares=$(((count + most - 1) / most))
  share=$((0x$(git rev-parse --short=7 HEAD) % shares))
  echo "of which share $share of $shares"
  count=$(list --shard "$share/$shares" | wc -l)
  # What counts as seen is not tried. An option for shares is there, but it would take a share of what a pass has left over.
  list | grep -vxFf <(list --shard "$share/$shares") >"$found/caught.txt" || true
fi

# Random traces find a mutant soon or not at all, and a trace that found one need not be shrunk.
export ORACLE_CASES=${ORACLE_CASES:-300} MODEL_CASES=${MODEL_CASES:-300} PROPTEST_MAX_SHRINK_ITERS=0
# Nobody debugs a mutant.
export CARGO_PROFILE_DEV_DEBUG=0
uncompiled=0
# Breaks what no pass before has seen, if there is any; the tests come before `--`, what they are told after it.
pass() {
  local arguments=() code=0
  if [ -f "$found/missed.txt" ] && ! [ -s "$found/missed.txt" ]; then
    return
  fi
  while [[ $# -gt 0 && $1 != -- ]]; do
    arguments+=("--cargo-arg=$1")
    shift
  done
  cargo mutants "${which[@]}" --iterate --output target/mutants --jobs "${MUTANTS_JOBS:-2}" "${arguments[@]}" "$@" || code=$?
  # 2: some were missed. 3: a mutant that hangs the tests has been seen.
  [[ $code == 0 || $code == 2 || $code == 3 ]] || exit "$code"
  cat "$found/timeout.txt" >>"$found/caught.txt"
  uncompiled=$((uncompiled + $(wc -l <"$found/unviable.txt")))
}
pass "${few[@]}" -- -- "${skipped[@]}"
pass "${all[@]}"
RUSTFLAGS='--cfg tower_breaker_loom' pass --release --no-default-features --features=retry --test=loom
missed=$(wc -l <"$found/missed.txt")
echo "$count mutants: $((count - uncompiled - missed)) seen, $uncompiled do not compile, $missed missed"
[ "$missed" -eq 0 ]
