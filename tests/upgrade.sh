#!/usr/bin/env bash
# A rolling upgrade under load: two feature workers and two scoring workers of an earlier revision are replaced by today's, one after another, on a real
# Kafka; the verifier says what was lost, doubled, reordered or wrong. Run tests/setup.sh once before. The earlier revision is built once: some four minutes.
#
#   tests/upgrade.sh                            from the revision that is pinned below
#   tests/upgrade.sh REVISION                   from another one
#   tests/upgrade.sh REVISION --back            a scoring worker goes back to it as well, and forth again
#   tests/upgrade.sh REVISION --seed 7 --records 6000 --rate 60
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# The last one whose states do not say how levels wander within windows, and whose drift was judged by other limits.
revision=23314a16f272
if (($#)) && [[ $1 != --* ]]; then
    revision=$1
    shift
fi
revision=$(git rev-parse --verify "$revision^{commit}") || { echo "upgrade.sh: there is no revision $revision here; a shallow clone has too little" >&2; exit 1; }

target=${CARGO_TARGET_DIR:-$root/target}
work=$root/.work/upgrade
earlier=$work/auscult-${revision:0:12}
if ! [[ -x $earlier ]]; then
    echo "upgrade.sh: building $(git log -1 --format='%h, %ad, %s' --date=short "$revision")"
    mkdir -p "$work"
    tree=$work/tree
    git worktree remove --force "$tree" 2>/dev/null || true
    git worktree prune
    git worktree add --quiet --detach "$tree" "$revision"
    # Into the same folder, so that what both depend on is built once; the binary is set aside before today's takes its place.
    (cd "$tree" && CARGO_TARGET_DIR=$target cargo build --locked --release --workspace --bin auscult)
    cp "$target/release/auscult" "$earlier.partial"
    mv "$earlier.partial" "$earlier"
    git worktree remove --force "$tree"
fi
# With the tests, as tests/run.sh builds it: dependencies have other features without them, and all would be built twice.
cargo build --locked --release --workspace --bins --tests
exec "$target/release/upgrade" --earlier "$earlier" --todays "${AUSCULT_BIN:-$target/release/auscult}" "$@"
