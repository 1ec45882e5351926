#!/usr/bin/env bash
# How long the first build takes, beside that of another revision: wall clock, processor time, and their ratio.
#
#   tests/build_time.sh                 this checkout's HEAD alone
#   tests/build_time.sh ed20098         beside revision ed20098, one after the other, on this machine
#
# Each builds in a temporary folder from a fresh clone, downloads aside, and runs the demo until its first chunk is judged.
# Needs 6 GB of disk. Leave the machine otherwise idle.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# build REVISION: prints wall-clock and processor seconds.
build() {
    local clone=$folder/$1
    git clone --quiet "$root" "$clone"
    git -C "$clone" checkout --quiet "$1"
    (cd "$clone" && cargo fetch --locked --quiet)
    # CARGO_TARGET_DIR of the caller would share what was built.
    (cd "$clone" && TIMEFORMAT='%R %U %S' && time env -u CARGO_TARGET_DIR cargo build --release --locked --quiet) 2>&1 | tail -n 1
}

# first_chunk REVISION: prints the seconds from the demo's start until it has judged a chunk.
first_chunk() {
    local started=$EPOCHREALTIME line
    while read -r line; do
        [[ $line =~ judged\ [1-9] ]] && break
    done < <(exec timeout 120 "$folder/$1/target/release/auscult" demo --plain 2>&1)
    awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $started }"
}

head=$(git -C "$root" rev-parse --short HEAD)
printf '%-10s %10s %12s %16s\n' revision 'wall, s' 'processor, s' 'first chunk, s'
declare -A processor
for revision in "$@" "$head"; do
    read -r wall user system <<<"$(build "$revision")"
    processor[$revision]=$(awk "BEGIN { print $user + $system }")
    printf '%-10s %10.0f %12.0f %16s\n' "$revision" "$wall" "${processor[$revision]}" "$(first_chunk "$revision")"
    rm -rf "${folder:?}/$revision/target"
done
for revision in "$@"; do
    awk "BEGIN { printf \"processor time of %s over %s: %.2f\n\", \"$head\", \"$revision\", ${processor[$head]} / ${processor[$revision]} }"
done
