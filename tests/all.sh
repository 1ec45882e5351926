#!/usr/bin/env bash
# What is too long for tests/run.sh: the matrices of real writers, importers and clients, share groups, and a minute of fuzzing for each decoder.
# `make test-all` runs them after everything else. Needs what tests/setup.sh installs and a build of the workspace; the writers need ffmpeg, sox,
# flac, alsa-utils and GStreamer.
#
#   tests/all.sh            all parts
#   tests/all.sh clients    one of them
#   tests/all.sh --list     their names
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
parts=(writers import clients share-groups fuzzing)

run() {
    case $1 in
        # Recordings as real programs write them.
        writers) tests/writers/run.sh ;;
        # Engineers' files as the real libraries write them.
        import)
            cargo build --locked --release -p auscult --features hdf5 --target-dir target/hdf5
            tests/import/run.sh target/hdf5/release/auscult
            ;;
        # Kafka clients, codecs and CloudEvents SDKs.
        clients)
            python3 -m venv .work/clients-venv
            .work/clients-venv/bin/pip install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
            .work/clients-venv/bin/python tests/clients/run.py target/release/auscult schemas/golden/chunk-wav/value.wav
            ;;
        # What share groups see.
        share-groups)
            KAFKA_DATA=$root/.work/kafka/share KAFKA_PORT=29893 KAFKA_CONTROLLER_PORT=29894 tests/kafka/start.sh --fresh >.work/kafka/share.log 2>&1 &
            local broker=$!
            # shellcheck disable=SC2064  # the broker that was started here
            trap "kill $broker 2>/dev/null || true" EXIT
            for _ in $(seq 60); do kcat -L -b 127.0.0.1:29893 -m 1 >/dev/null 2>&1 && break; sleep 1; done
            tests/kafka/share-groups.sh 127.0.0.1:29893
            ;;
        fuzzing) fuzz/run.sh 60 ;;
        *) echo "usage: $0 [--list | ${parts[*]}]" >&2; exit 2 ;;
    esac
}

case ${1:-} in
    --list) printf '%s\n' "${parts[@]}" ;;
    "") for part in "${parts[@]}"; do echo "== $part"; (run "$part"); done ;;
    *) run "$1" ;;
esac
