#!/usr/bin/env bash
# What share groups (KIP-932) see of results, on the broker at the given address: `share-groups.sh 127.0.0.1:9092`. Needs a JDK.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
libs=$("$here/fetch.sh")
exec java -Dlog4j2.configurationFile="$here/log4j2.properties" -cp "$libs/*" "$here/share/ShareGroups.java" "${1:?address of a broker}"
