#!/usr/bin/env bash
# Holds `auscult import` against the libraries that write and read the same formats: tests/import/run.sh [AUSCULT]
# Needs Python 3.11 or later; AUSCULT is a binary built with --features hdf5, or those rows are skipped and said to be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
auscult=$(realpath "${1:-target/release/auscult}")
venv=${AUSCULT_IMPORT_VENV:-.work/import-venv}
if [[ ! -x $venv/bin/python ]]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r tests/import/requirements.txt
fi
exec "$venv/bin/python" tests/import/compare.py "$auscult"
