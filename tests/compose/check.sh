#!/usr/bin/env bash
# Reads docker-compose.yml as `docker compose` does: as it comes, without the simulator, and with every profile.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
command -v go >/dev/null || { echo "check.sh: go is missing (1.24 or later)" >&2; exit 1; }
binary=$root/.work/compose/check
if ! [[ $binary -nt $here/main.go && $binary -nt $here/go.sum ]]; then
    mkdir -p "$root/.work/compose"
    (cd "$here" && go build -mod=readonly -o "$binary" .)
fi
file=$root/docker-compose.yml
"$binary" "$file"
COMPOSE_PROFILES="" "$binary" "$file"
"$binary" "$file" simulator send train
