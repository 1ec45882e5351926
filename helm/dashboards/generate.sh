#!/usr/bin/env bash
# Makes helm/auscult/files/dashboards/*.json from helm/dashboards/src, which tsc holds to Grafana's own types.
#
#   helm/dashboards/generate.sh             writes them
#   helm/dashboards/generate.sh --check     fails where the files are not what the sources make
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here"
# A lock file that has changed is another set of parts; npm keeps a copy of the one that it has installed.
[[ -d node_modules && node_modules/.package-lock.json -nt package-lock.json ]] || npm ci --no-audit --no-fund --silent
rm -rf build
node_modules/.bin/tsc --project tsconfig.json
exec node build/generate.js ../auscult/files/dashboards "$@"
