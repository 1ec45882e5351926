#!/usr/bin/env bash
# Fuzzes every target with libFuzzer, without cargo-fuzz and on the stable toolchain: coverage needs only compiler flags.
#
#   fuzz/run.sh 60              each target for 60 seconds
#   fuzz/run.sh 0 10000000      each target for ten million executions
#   fuzz/run.sh 60 0 decode_wav one target
set -eu
here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:-60}
executions=${2:-0}
targets=${3:-"decode_wav decode_flac decode_l16 features_message envelope import_file"}
work=${AUSCULT_FUZZ_WORK:-$here/target}
recordings=$here/../workers/features/tests/golden/recordings
host=$(rustc -vV | sed -n 's/^host: //p')

case $targets in
*import_file*)
    mkdir -p "$work/seeds"
    AUSCULT_FUZZ_SEEDS=$work/seeds cargo test --quiet --release --manifest-path "$here/../Cargo.toml" --workspace \
        --test any_bytes seeds_of_fuzzing
    ;;
esac

export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks"
# A target triple of its own, so that build scripts and macros are not instrumented.
cargo build --quiet --release --manifest-path "$here/Cargo.toml" --target "$host" --target-dir "$work"
for target in $targets; do
    corpus=$work/corpus/$target
    mkdir -p "$corpus" "$work/artifacts"
    case $target in
        decode_wav) cp "$recordings"/*.wav "$corpus" ;;
        decode_flac) cp "$recordings"/*.flac "$corpus" ;;
        import_file) cp "$work"/seeds/* "$corpus" ;;
        features_message) cp "$here"/../schemas/golden/features/* "$corpus" 2>/dev/null || true ;;
    esac
    limit=()
    [ "$seconds" = 0 ] || limit+=(-max_total_time="$seconds")
    [ "$executions" = 0 ] || limit+=(-runs="$executions")
    echo "$target"
    "$work/$host/release/$target" "$corpus" "${limit[@]}" -max_len=8192 -rss_limit_mb=4096 -timeout=20 \
        -artifact_prefix="$work/artifacts/" -print_final_stats=1 2>&1 | grep -E "stat::number_of_executed_units|ERROR|panicked|SUMMARY" ||
        true
done
if [ -n "$(ls -A "$work/artifacts" 2>/dev/null)" ]; then
    echo "found: $(ls "$work/artifacts")" >&2
    exit 1
fi
