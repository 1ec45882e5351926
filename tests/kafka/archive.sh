#!/usr/bin/env bash
# Has Java keep Kafka's classes as it holds them in memory (class data sharing), in kafka.jsa beside the jars: a broker then starts with some 60 % of
# the CPU time, and the tests start more than a hundred. Without the file, or with another Java, brokers start as ever.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
libs=$("$here/fetch.sh")
# Another Java cannot use it, nor can other jars.
wanted=$(java -version 2>&1; cksum <"$here/pom.xml"; echo "$libs")
[[ -f $libs/kafka.jsa && -f $libs/.kafka.jsa.stamp && $(<"$libs/.kafka.jsa.stamp") == "$wanted" ]] && exit 0

folder=$(mktemp -d)
broker=
finish() {
    [[ -z $broker ]] || kill "$broker" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
rm -f "$libs/kafka.jsa"
read -r port controller < <(python3 "$here/../ports.py" 2)
KAFKA_DATA=$folder/data KAFKA_PORT=$port KAFKA_CONTROLLER_PORT=$controller KAFKA_JAVA_OPTIONS="-XX:ArchiveClassesAtExit=$folder/kafka.jsa" \
    "$here/start.sh" >"$folder/log" 2>&1 &
broker=$!
for _ in $(seq 120); do
    kcat -L -b "127.0.0.1:$port" -m 1 >/dev/null 2>&1 && break
    kill -0 "$broker" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
    sleep 0.5
done
# Java writes the archive when it ends in peace.
kill "$broker"
wait "$broker" || true
broker=
[[ -f $folder/kafka.jsa ]] || { tail -n 20 "$folder/log" >&2; echo "archive.sh: Java wrote no archive" >&2; exit 1; }
mv "$folder/kafka.jsa" "$libs/kafka.jsa"
echo "$wanted" >"$libs/.kafka.jsa.stamp"
