#!/usr/bin/env bash
# Runs one Apache Kafka broker at 127.0.0.1:9092 in the foreground, from its own jars, until Ctrl-C.
# What it holds stays in .work/kafka/data, or in KAFKA_DATA; `start.sh --fresh` begins with nothing. Two brokers at once need a folder and ports each.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
data=${KAFKA_DATA:-$root/.work/kafka/data}
port=${KAFKA_PORT:-9092}
controller_port=${KAFKA_CONTROLLER_PORT:-9093}

case ${1:-} in
    --fresh) rm -rf "$data" ;;
    "") ;;
    *) echo "usage: $0 [--fresh]" >&2; exit 2 ;;
esac

libs=$("$here/fetch.sh")
mkdir -p "$data"
{
    cat "$here/server.properties"
    cat <<PROPERTIES
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller_port
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=PLAINTEXT://127.0.0.1:$port
log.dirs=$data/log
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
PROPERTIES
} >"$data/server.properties"

# What a broker needs of Java's own classes and Kafka's, as tests/kafka/archive.sh keeps it.
archive=()
if [[ -f $libs/kafka.jsa ]]; then archive=("-XX:SharedArchiveFile=$libs/kafka.jsa"); fi
java=(java "${archive[@]}" -Xms128m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
    -Dlog4j2.configurationFile="$here/log4j2.properties" -cp "$libs/*")
if [[ ! -f $data/log/meta.properties ]]; then
    "${java[@]}" kafka.tools.StorageTool format -t YXVzY3VsdC10ZXN0cy0wMQ -c "$data/server.properties" >/dev/null
fi
echo "Kafka at 127.0.0.1:$port (its log: $data/log). Ctrl-C ends it."
# shellcheck disable=SC2206  # options are words
options=(${KAFKA_JAVA_OPTIONS:-})
exec "${java[@]}" "${options[@]}" kafka.Kafka "$data/server.properties"
