#!/usr/bin/env bash
# What is too long for every run of CI: hours in all. Each step can be had alone.
#
#   ci/long.sh                 all steps
#   ci/long.sh fuzz miri       these steps
#   ci/long.sh --help          their names, and what changes how long they take
#
# It installs what it needs into target/tools and, as toolchain and components, through rustup. Each step ends with one
# line: date, commit, step, whether it held, how long it took, what it did. They are collected in target/long.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never
export PATH="$PWD/target/tools/bin:$PATH"

all=(replay oracle model ledger fuzz soak miri tsan mutants loom shuttle museum comparison benches)

say() { printf '\n== %s\n' "$*"; }
# What the line of this step says.
result() { printf '%s\n' "$*" >target/long.result; }
# A part that is not there is neither good nor bad.
needs() {
  for path in "$@"; do
    [[ -e $path ]] && return
  done
  result "$1 is not there"
  exit 77
}

nightly() {
  cargo +nightly --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal
  rustup component add --toolchain nightly "$@"
}

tool() {
  command -v "$1" >/dev/null || cargo install "$1" --locked --root target/tools
}

# The circuit against the pure machine on random traces.
step_oracle() {
  export ORACLE_CASES=${ORACLE_CASES:-200000}
  cargo test --release --all-features --test scenarios oracle
  result "$ORACLE_CASES traces"
}

# The pure machine against a naive model.
step_model() {
  needs tests/model
  export MODEL_CASES=${MODEL_CASES:-200000}
  cargo test --release --all-features --test model
  result "$MODEL_CASES traces"
}

# Calls of two threads that no line of the ledger may lose.
step_ledger() {
  needs tests/ledger.rs
  export TOWER_BREAKER_CALLS=${TOWER_BREAKER_CALLS:-100000000}
  cargo test --release --test ledger
  result "$TOWER_BREAKER_CALLS calls"
}

# What fuzzing has found so far, once more. Any toolchain can, since nothing is searched for.
step_replay() {
  cargo build --release --manifest-path fuzz/Cargo.toml
  local files=0
  for target in $(fuzz_targets); do
    local kept=(fuzz/corpus/"$target"/*)
    "fuzz/target/release/$target" "${kept[@]}" >target/replay.log 2>&1 || {
      grep -a -A 3 'panicked\|ERROR' target/replay.log
      result "$target crashed on $(grep -a '^Running: ' target/replay.log | tail -n 1)"
      exit 1
    }
    files=$((files + ${#kept[@]}))
  done
  result "$files inputs"
}

fuzz_targets() { sed -n 's/^name = "\(.*\)"$/\1/p' fuzz/Cargo.toml | tail -n +2; }

# Bad input. There is no unsafe code in the crate, so a sanitizer of addresses has nothing to find and would only make it
# slower; overflow checks and debug assertions are on. What is found goes to fuzz/target/corpus; `corpus` keeps the best of it.
step_fuzz() {
  nightly rust-src
  tool cargo-fuzz
  local seconds=${FUZZ_SECONDS:-600} told=''
  cargo +nightly fuzz build --sanitizer none
  for target in $(fuzz_targets); do
    say "fuzz $target, $seconds s"
    local found=fuzz/target/corpus/$target log=target/fuzz-$target.log
    mkdir -p "$found"
    cargo +nightly fuzz run --sanitizer none "$target" "$found" "fuzz/corpus/$target" -- \
      -max_total_time="$seconds" -max_len=512 -timeout=10 >"$log" 2>&1 || {
      grep -a -A 3 'panicked\|ERROR' "$log"
      result "$target crashed, see $log and fuzz/artifacts/$target"
      exit 1
    }
    grep -a 'DONE' "$log"
    told+=$(sed -n "s/^#\([0-9]*\).*DONE *cov: \([0-9]*\) ft: \([0-9]*\).*/ $target \1 runs, \2 edges;/p" "$log")
  done
  result "$seconds s each:$told no crash"
}

# Not among `all`: makes the kept corpora anew, from those and what was found. The fewest inputs that reach every edge.
step_corpus() {
  nightly rust-src
  tool cargo-fuzz
  cargo +nightly fuzz build --sanitizer none
  for target in $(fuzz_targets); do
    mkdir -p "fuzz/target/corpus/$target" "fuzz/corpus/$target"
    rm -rf target/kept && mkdir -p target/kept
    cargo +nightly fuzz run --sanitizer none "$target" target/kept "fuzz/target/corpus/$target" "fuzz/corpus/$target" -- \
      -set_cover_merge=1 -use_counters=0 -max_len=512 >"target/corpus-$target.log" 2>&1
    rm -rf "fuzz/corpus/$target" && mv target/kept "fuzz/corpus/$target"
  done
  result "$(find fuzz/corpus -type f | wc -l) files, $(du -sh --apparent-size fuzz/corpus | cut -f1)"
}

# Real servers, faults drawn at random.
step_soak() {
  local log=target/soak.log
  cargo run --release --example soak -- --minutes "${SOAK_MINUTES:-10}" ${SOAK_SEED:+--seed "$SOAK_SEED"} | tee "$log"
  result "$(head -n 1 "$log"); $(sed -n 's/^ *\([0-9]* calls in [0-9]* s\).*/\1/p' "$log"), $(sed -n 's/^ *\(.* transitions.*\)/\1/p' "$log")"
}

# An interpreter that looks for undefined behaviour and tries other schedules.
step_miri() {
  nightly miri rust-src
  local seeds=${MIRI_SEEDS:-64} strict='-Zmiri-strict-provenance'
  say 'the parts, each by itself'
  MIRIFLAGS="$strict" cargo +nightly miri test --all-features --lib -- machine window circuit
  say "the stack and threads, $seeds schedules"
  MIRIFLAGS="$strict -Zmiri-many-seeds=0..$seeds" cargo +nightly miri test --all-features --test miri
  say "and once by tree borrows"
  MIRIFLAGS="$strict -Zmiri-tree-borrows" cargo +nightly miri test --all-features --test miri
  result "lib once, stack and threads with $seeds seeds"
}

# Data races in what really runs in parallel, the runtime and the servers among it. `balance` weighs real latencies, which
# are ten times as long then.
step_tsan() {
  nightly rust-src
  local target
  target=$(rustc +nightly -vV | sed -n 's/^host: //p')
  export TSAN_OPTIONS="suppressions=$PWD/ci/tsan.txt"
  RUSTFLAGS='-Zsanitizer=thread' RUSTDOCFLAGS='-Zsanitizer=thread' \
    cargo +nightly test -Zbuild-std --target "$target" --target-dir target/tsan --all-features --lib --test it --test miri \
    -- --skip balance::
  result 'lib, it, miri'
}

# Each line changed in turn: is there a test that notices?
step_mutants() {
  ci/mutants.sh --all | tee target/mutants.log
  result "$(tail -n 1 target/mutants.log)"
}

# Every schedule of small models, with one preemption more than CI has.
step_loom() {
  needs tests/loom tests/loom.rs
  export LOOM_MAX_PREEMPTIONS=${LOOM_MAX_PREEMPTIONS:-4}
  RUSTFLAGS='--cfg tower_breaker_loom' \
    cargo test --release --no-default-features --features retry --test loom --target-dir target/loom
  result "preemption bound $LOOM_MAX_PREEMPTIONS"
}

# Random schedules of many threads.
step_shuttle() {
  needs tests/shuttle tests/shuttle.rs
  export TOWER_BREAKER_SCHEDULES=${TOWER_BREAKER_SCHEDULES:-100000}
  RUSTFLAGS='--cfg tower_breaker_shuttle' \
    cargo test --release --no-default-features --test shuttle --target-dir target/shuttle
  result "$TOWER_BREAKER_SCHEDULES schedules of each"
}

# Bugs of other breakers planted in ours: each must be noticed.
step_museum() {
  needs museum/Cargo.toml
  cargo run --release --manifest-path museum/Cargo.toml
  result 'every planted bug was noticed'
}

# The same tests, other crates.
step_comparison() {
  needs comparison/Cargo.toml
  cargo run --release --manifest-path comparison/Cargo.toml
  result 'see docs/comparison.md'
}

step_benches() {
  needs benches
  cargo bench --all-features
  result 'see docs/performance.md'
}

help() {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
  cat <<END

Steps: ${all[*]}, and corpus (keeps the best of what fuzzing has found).
Variables say how much: ORACLE_CASES, MODEL_CASES, TOWER_BREAKER_CALLS, FUZZ_SECONDS (for each target), SOAK_MINUTES, SOAK_SEED,
MIRI_SEEDS, LOOM_MAX_PREEMPTIONS, TOWER_BREAKER_SCHEDULES, MUTANTS_JOBS.
END
}

# One step in a process of its own, so that the first command that fails ends it.
if [[ ${1:-} == --step ]]; then
  "step_$2"
  exit
fi
[[ ${1:-} == --help ]] && { help; exit; }

mkdir -p target
steps=("$@")
[[ $# -gt 0 ]] || steps=("${all[@]}")
for step in "${steps[@]}"; do
  declare -F "step_$step" >/dev/null || { echo "no step \`$step\`; --help shows them" >&2; exit 2; }
done
failed=0
lines=()
for step in "${steps[@]}"; do
  say "$step"
  rm -f target/long.result
  began=$SECONDS
  if "$0" --step "$step"; then
    held=ok
  elif [[ $? == 77 ]]; then
    held=absent
  else
    held=FAILED
    failed=1
  fi
  commit=$(git describe --always --dirty --exclude '*' 2>/dev/null || echo 'no commit')
  lines+=("$(date -u +%F) $commit $step: $held, $((SECONDS - began)) s, $(cat target/long.result 2>/dev/null || echo 'see above')")
done
say 'in short'
printf '%s\n' "${lines[@]}" | tee -a target/long.txt
exit "$failed"
