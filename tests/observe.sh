#!/usr/bin/env bash
# Rules, runbooks, dashboards and docker-compose.yml, on paper and on a real run. Run tests/setup.sh once before.
#
#   tests/observe.sh                        everything, six minutes on two busy cores
#   tests/observe.sh paper                  without Kafka: promtool, unit tests, runbooks, types of dashboards, the compose file
#   tests/observe.sh thresholds             can the unit tests fail? a minute and a half on one core
#   tests/observe.sh thresholds --named AuscultNoChunks    the same of one alert
#   tests/observe.sh run                    Kafka, workers, the simulated fleet, Prometheus: every expression asked, none empty, none in error
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
work=$root/.work
python=$work/venv/bin/python
rules=(helm/auscult/files/rules/*.yaml)

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
fail() { echo "observe: $*" >&2; exit 1; }
# From .work where setup.sh has put it there, else from the PATH.
program() {
    local found
    found=$(compgen -G "$work/*/usr/bin/$1" | head -n 1) || found=$(command -v "$1") || fail "$1 is missing; run tests/setup.sh"
    echo "$found"
}
prometheus=$(program prometheus)
promtool=$(program promtool)
alertmanager=$(program prometheus-alertmanager)
amtool=$(program amtool)

on_paper() {
    step "rules: syntax and unit tests"
    "$promtool" check rules "${rules[@]}"
    "$promtool" test rules tests/rules/*.yaml

    step "runbooks"
    "$python" tests/observe/runbooks.py

    step "dashboards: typed by Grafana's own parts, and as committed"
    helm/dashboards/generate.sh --check

    step "docker-compose.yml: read as docker compose reads it"
    tests/compose/check.sh

    step "what docker-compose.yml mounts"
    "$promtool" check config --syntax-only docker/prometheus.yml
    "$amtool" check-config docker/alertmanager.yml
}

thresholds() {
    step "can the unit tests fail? thresholds and durations moved"
    "$python" tests/observe/thresholds.py "$promtool" "$@"
}

started=()
folder=
finish() {
    local status=$?
    trap - EXIT
    if ((${#started[@]})); then
        kill "${started[@]}" 2>/dev/null || true
        wait "${started[@]}" 2>/dev/null || true
    fi
    if [[ -n $folder ]]; then
        if ((status == 0)); then rm -rf "$folder"; else echo "observe: logs are in $folder" >&2; fi
    fi
    exit "$status"
}
trap finish EXIT

# start NAME COMMAND…: in the background, with a log of its own.
start() {
    local name=$1
    shift
    "$@" >"$folder/$name.log" 2>&1 &
    started+=($!)
}
# composed SERVICE: has `command` be what docker-compose.yml starts of it, with this computer's addresses and folders for those of the containers.
composed() {
    local lines environment=() words=() is_word=
    mapfile -t lines < <("$work/compose/check" -service "$1" docker-compose.yml simulator)
    ((${#lines[@]} > 1)) || fail "docker-compose.yml has no service $1"
    local line
    for line in "${lines[@]}"; do
        line=${line//kafka:29092/$brokers}
        line=${line//http:\/\/alertmanager:9093/http://127.0.0.1:$alerts}
        line=${line//\/models/$folder/models}
        line=${line//\/sound/$folder/sound}
        if [[ -n $is_word ]]; then words+=("$line"); elif [[ -z $line ]]; then is_word=yes; else environment+=("$line"); fi
    done
    command=(env "${environment[@]}" "$auscult" "${words[@]}")
}
# until_true SECONDS WHAT COMMAND…
until_true() {
    local seconds=$1 what=$2
    shift 2
    for ((i = 0; i < seconds; i++)); do
        "$@" >/dev/null 2>&1 && return
        for process in "${started[@]}"; do
            kill -0 "$process" 2>/dev/null || fail "a process ended while waiting for $what"
        done
        sleep 1
    done
    fail "waited $seconds s for $what"
}

on_a_run() {
    local auscult=${AUSCULT_BIN:-}
    if [[ -z $auscult ]]; then
        cargo build --locked --release --package auscult
        auscult=${CARGO_TARGET_DIR:-target}/release/auscult
    fi
    folder=$(mktemp -d "$work/observe.XXXXXX")
    local ports
    ports=$("$python" tests/ports.py 8)
    local kafka controller feature scoring_0 scoring_1 bridge scraper alerts
    read -r kafka controller feature scoring_0 scoring_1 bridge scraper alerts <<<"$ports"
    local brokers=127.0.0.1:$kafka
    tests/compose/check.sh >/dev/null

    step "Kafka, twelve machines to learn"
    # In this run's own folder, so that whatever other broker runs or has run here is left alone.
    KAFKA_DATA=$folder/kafka KAFKA_PORT=$kafka KAFKA_CONTROLLER_PORT=$controller start kafka tests/kafka/start.sh
    until_true 60 Kafka kcat -L -b "$brokers" -m 1
    # What docker-compose.yml says is what is started, from here on: only addresses, folders and names are this run's.
    local command=()
    composed topics && "${command[@]}" >"$folder/topics.log"
    composed learn-sound && "${command[@]}"
    composed learn-models && "${command[@]}" >"$folder/train.log"

    step "workers, Alertmanager, the bridge, Prometheus"
    composed feature-worker
    start feature-0 "${command[@]}" --listen "127.0.0.1:$feature" --instance-id feature-0
    composed scoring-worker
    start scoring-0 "${command[@]}" --listen "127.0.0.1:$scoring_0" --instance-id scoring-0
    start scoring-1 "${command[@]}" --listen "127.0.0.1:$scoring_1" --instance-id scoring-1
    start alertmanager "$alertmanager" --config.file=docker/alertmanager.yml --storage.path="$folder/alertmanager" \
        --web.listen-address="127.0.0.1:$alerts" --cluster.listen-address=
    composed bridge
    start bridge "${command[@]}" --listen "127.0.0.1:$bridge"
    "$python" - "$folder" "$root" "$feature" "$scoring_0" "$scoring_1" "$bridge" "$alerts" <<'CONFIG'
import json, pathlib, sys
folder, root, feature, scoring_0, scoring_1, bridge, alerts = sys.argv[1:]
at = lambda *ports: [{"targets": [f"127.0.0.1:{port}" for port in ports], "labels": {"namespace": "plant"}}]
config = {
    "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "5s"},
    "rule_files": [f"{root}/helm/auscult/files/rules/*.yaml"],
    "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alerts}"]}]}]},
    "scrape_configs": [
        {"job_name": "auscult-feature-worker", "static_configs": at(feature)},
        {"job_name": "auscult-scoring-worker", "static_configs": at(scoring_0, scoring_1)},
        {"job_name": "auscult-alertmanager", "static_configs": at(bridge)},
    ],
}
pathlib.Path(folder, "prometheus.yml").write_text(json.dumps(config))
CONFIG
    start prometheus "$prometheus" --config.file="$folder/prometheus.yml" --storage.tsdb.path="$folder/data" \
        --web.listen-address="127.0.0.1:$scraper" --log.level=warn
    until_true 30 Prometheus curl -fsS "http://127.0.0.1:$scraper/-/ready"
    local each
    for each in $feature $scoring_0 $scoring_1 $bridge; do
        until_true 60 "the worker at port $each to be ready" curl -fsS "http://127.0.0.1:$each/readyz"
    done
    # Rules of an hour are evaluated once a minute: the run must be longer than that.
    sleep 3
    local begun
    begun=$(date +%s)

    step "two days of a plant, 6,912 chunks, with poison"
    # Ten times as fast as docker compose shows it, so that two days pass within three minutes; no faster than two cores can follow.
    export AUSCULT_SPEED=1200
    composed simulator
    "${command[@]}" --rate 60 >"$folder/simulate.log" 2>&1 &
    local simulator=$!
    started+=("$simulator")
    local count=0
    while kill -0 "$simulator" 2>/dev/null; do
        count=$((count + 1))
        # What is no sound, and sound of a machine that has no model.
        { echo "not a sound $count"; echo "nor this"; } |
            kcat -P -b "$brokers" -t audio.chunks -k works/hall-1/fan-01 -H content-type=audio/wav -X message.max.bytes=8388608
        kcat -P -b "$brokers" -t audio.chunks -k works/hall-1/stranger-01 -H content-type=audio/wav \
            -X message.max.bytes=8388608 "$folder/sound/works%2Fhall-1%2Ffan-01/train/normal/0000$((count % 10)).wav"
        # One machine is said to stand still from the first minute on.
        if [ "$count" = 10 ]; then
            "$auscult" control works/hall-1/valve-04 idle --by observe --brokers "$brokers" >"$folder/control.log" ||
                fail "nobody could be told that a machine is idle: $folder/control.log"
        fi
        sleep 1
    done
    wait "$simulator" || fail "the simulator failed: $folder/simulate.log"
    unset 'started[-1]'

    step "every expression, every rule"
    # The last chunks are judged, scraped, and the minute's rules evaluated once more.
    sleep 65
    "$python" tests/observe/evaluate.py "http://127.0.0.1:$scraper" "$begun" plant
    local name
    for name in AuscultMachineAlarm AuscultSensorFault; do
        "$amtool" alert query --alertmanager.url="http://127.0.0.1:$alerts" "alertname=$name" | grep -q "$name" ||
            fail "$name has not reached Alertmanager"
    done
    echo "alarms and sensor faults have reached Alertmanager"
}

case ${1:-all} in
    paper) on_paper ;;
    thresholds) thresholds "${@:2}" ;;
    run) on_a_run ;;
    all) on_paper; thresholds; on_a_run ;;
    *) echo "usage: $0 [paper|thresholds|run]" >&2; exit 2 ;;
esac
echo "observe: all as it should be, ${SECONDS} s"
