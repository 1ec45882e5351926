#!/usr/bin/env bash
# Everything of tests/run.sh, then what is too long for it: the matrices of real writers, importers and clients, share groups, and a minute of
# fuzzing for each decoder. Needs what tests/setup.sh installs, and ffmpeg, sox, flac, alsa-utils and GStreamer for the writers.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

tests/run.sh

echo "== recordings as real programs write them"
tests/writers/run.sh
echo "== files of engineers, as the real libraries write them"
cargo build --locked --release -p auscult --features hdf5 --target-dir target/hdf5
tests/import/run.sh target/hdf5/release/auscult
echo "== Kafka clients, codecs and CloudEvents SDKs"
python3 -m venv .work/clients-venv
.work/clients-venv/bin/pip install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
.work/clients-venv/bin/python tests/clients/run.py target/release/auscult schemas/golden/chunk-wav/value.wav
echo "== what share groups see"
KAFKA_PORT=29893 KAFKA_CONTROLLER_PORT=29894 tests/kafka/start.sh --fresh >.work/kafka/share.log 2>&1 &
broker=$!
trap 'kill "$broker" 2>/dev/null || true' EXIT
for _ in $(seq 60); do kcat -L -b 127.0.0.1:29893 -m 1 >/dev/null 2>&1 && break; sleep 1; done
tests/kafka/share-groups.sh 127.0.0.1:29893
echo "== a minute of fuzzing for each decoder"
fuzz/run.sh 60
