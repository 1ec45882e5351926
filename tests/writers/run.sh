#!/usr/bin/env bash
# The writers' matrix: installs the writers and prints the table of docs/formats.md. See matrix.py.
#
#   tests/writers/run.sh            with target/release/auscult
#   tests/writers/run.sh --only sox
#
# Needs ffmpeg, sox, flac, alsa-utils and GStreamer (Debian: ffmpeg sox libsox-fmt-all flac alsa-utils gstreamer1.0-tools
# gstreamer1.0-plugins-base gstreamer1.0-plugins-good). Node, Go, Java and Cargo are used where they are installed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${AUSCULT_WRITERS_WORK:-$root/.work/writers}
mkdir -p "$work"

if [ ! -x "$work/venv/bin/python" ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet numpy==2.4.6 soundfile==0.14.0 scipy==1.17.1
fi
if command -v npm >/dev/null; then
    mkdir -p "$work/node"
    cp "$here/writers.js" "$work/node/"
    [ -d "$work/node/node_modules" ] ||
        (cd "$work/node" && npm install --silent --no-audit --no-fund wavefile@11.0.0 node-wav@0.0.2 wav@1.0.2)
fi
if command -v go >/dev/null && [ ! -x "$work/go/writers" ]; then
    mkdir -p "$work/go"
    cp "$here/go/main.go" "$work/go/"
    (cd "$work/go" && go mod init writers && go get github.com/go-audio/wav@v1.1.0 && go build -o writers .)
fi
if command -v javac >/dev/null; then
    mkdir -p "$work/java"
    javac -d "$work/java" "$here/java/Writers.java"
fi
if command -v cargo >/dev/null && [ ! -x "$work/rust/writers" ]; then
    cargo build --quiet --release --manifest-path "$here/rust/Cargo.toml" --target-dir "$work/rust/target"
    cp "$work/rust/target/release/writers" "$work/rust/writers"
fi
exec "$work/venv/bin/python" "$here/matrix.py" --auscult "${AUSCULT:-$root/target/release/auscult}" --work "$work" \
    --table "$work/table.md" "$@"
