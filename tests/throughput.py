#!/usr/bin/env python3
"""Chunks a second and processor time a chunk on a real Kafka, of one binary or of several side by side.

  tests/throughput.py target/release/auscult                     this build
  tests/throughput.py target/release/auscult OTHER/auscult       this one beside another, in turns
  tests/throughput.py --runs 5 --chunks 3200 target/release/auscult

Each run finds a backlog of ten-second chunks (16 kHz, one microphone, 40 machines, 4 partitions), delivers exactly once,
and ends when all scores are committed; the time counts from the workers' start. The broker is this script's own, on
ports 19292 and 19293; it shares the cores.
Printed are the medians of all runs. Needs confluent-kafka: .work/clients-venv has it after tests/setup.sh.
"""

import argparse
import math
import os
import random
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import uuid
import wave
from pathlib import Path

try:
    from confluent_kafka import Consumer, Producer, TopicPartition
except ImportError:
    sys.exit("throughput.py: confluent-kafka is missing; .work/clients-venv/bin/python has it after tests/setup.sh")

ROOT = Path(__file__).resolve().parent.parent
BROKER = "127.0.0.1:19292"
PARTITIONS, MACHINES, CLIPS = 4, 40, 40
RATE_HZ, SECONDS = 16_000, 10
TICKS = os.sysconf("SC_CLK_TCK")


def clip(seed):
    """A fan: tones over noise, 16 bits."""
    dice = random.Random(seed)
    speed = 30 + dice.random()
    tones = [(speed * order * math.tau / RATE_HZ, 2_000 / order) for order in (1, 2, 5, 11)]
    noise = [dice.gauss(0, 600) for _ in range(RATE_HZ)]
    return [
        int(sum(height * math.sin(step * at) for step, height in tones) + noise[at * 7 % RATE_HZ])
        for at in range(RATE_HZ * SECONDS)
    ]


def write_clips(folder):
    folder.mkdir(parents=True)
    for number in range(CLIPS):
        with wave.open(str(folder / f"{number:02}.wav"), "wb") as file:
            file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
            samples = clip(number)
            file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def processor_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mb(pid):
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def fill(clips, chunks):
    producer = Producer({"bootstrap.servers": BROKER, "linger.ms": 5, "queue.buffering.max.kbytes": 1 << 20})
    for number in range(chunks):
        machine = number % MACHINES
        producer.produce(
            "audio.chunks", clips[number % CLIPS], key=f"m{machine:02}", partition=machine % PARTITIONS,
            headers={"content-type": "audio/wav", "ce_id": f"c{number}"},
        )
        producer.poll(0)
        if len(producer) > 500:
            producer.flush()
    producer.flush()


def await_scores(chunks, log, limit_s=300):
    """Seconds until so many scores are committed."""
    started = time.monotonic()
    consumer = Consumer({"bootstrap.servers": BROKER, "group.id": uuid.uuid4().hex, "isolation.level": "read_committed"})
    consumer.assign([TopicPartition("audio.scores", partition, 0) for partition in range(PARTITIONS)])
    seen = 0
    while seen < chunks:
        seen += sum(1 for message in consumer.consume(500, 0.1) if not message.error())
        if time.monotonic() - started > limit_s:
            print("".join(log.read_text().splitlines(keepends=True)[-30:]), file=sys.stderr)
            sys.exit(f"throughput.py: {seen} of {chunks} scores after {limit_s} s; the workers' last lines are above")
    consumer.close()
    return time.monotonic() - started


def run(binary, is_fused, work, clips, chunks):
    """One run: chunks a second, and of each worker milliseconds of processor time a chunk and peak memory."""
    broker = start_broker(work / "kafka")
    try:
        subprocess.run(
            [binary, "topics", "create", "--brokers", BROKER, "--partitions", str(PARTITIONS), "--replication", "1"],
            check=True, stdout=subprocess.DEVNULL,
        )
        fill(clips, chunks)
        kinds = [["run", "--fused"]] if is_fused else [["feature-worker"], ["scoring-worker"]]
        workers = {}
        for number, kind in enumerate(kinds):
            command = [binary, *kind, "--brokers", BROKER, "--listen", f"127.0.0.1:{19480 + number}"]
            if kind != ["feature-worker"]:
                command += ["--set", f"models.default={work}/default.safetensors"]
            instance = f"throughput-{number}"
            environment = {**os.environ, "RUST_LOG": "warn", "AUSCULT__KAFKA__INSTANCE_ID": instance,
                           "AUSCULT__KAFKA__GROUP_ID": instance}
            log = open(work / "workers.log", "a")
            workers[" ".join(kind)] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        took = await_scores(chunks, work / "workers.log")
        figures = {"chunks/s": chunks / took}
        for kind, worker in workers.items():
            figures[f"{kind}, ms a chunk"] = 1_000 * processor_s(worker.pid) / chunks
            figures[f"{kind}, peak MB"] = peak_mb(worker.pid)
        for worker in workers.values():
            worker.send_signal(signal.SIGTERM)
        for worker in workers.values():
            worker.wait(30)
        return figures
    finally:
        os.killpg(broker.pid, signal.SIGKILL)
        broker.wait()


def start_broker(folder):
    environment = {**os.environ, "KAFKA_DATA": str(folder), "KAFKA_PORT": "19292", "KAFKA_CONTROLLER_PORT": "19293"}
    command = [ROOT / "tests/kafka/start.sh", "--fresh"]
    broker = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    producer = Producer({"bootstrap.servers": BROKER, "log_level": 0})
    for _ in range(60):
        try:
            producer.list_topics(timeout=1)
            return broker
        except Exception:
            if broker.poll() is not None:
                sys.exit("throughput.py: the broker ended; run tests/kafka/start.sh to see why")
            time.sleep(0.5)
    sys.exit("throughput.py: the broker does not answer")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries", nargs="+", metavar="AUSCULT", help="a build of auscult")
    parser.add_argument("--chunks", type=int, default=1_600, help="chunks of a run [default: 1600]")
    parser.add_argument("--runs", type=int, default=3, help="runs of each binary and kind [default: 3]")
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="auscult-throughput-"))
    try:
        clips = write_clips(work / "sound/normal")
        results = {}
        for number in range(arguments.runs):
            for binary in arguments.binaries:
                # Of this binary: another may not read its packages.
                model = [binary, "train", work / "sound", "--out", work / "default.safetensors"]
                subprocess.run(model, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for is_fused in (False, True):
                    figures = run(binary, is_fused, work, clips, arguments.chunks)
                    results.setdefault((binary, is_fused), []).append(figures)
                    rounded = {name: round(value, 2) for name, value in figures.items()}
                    print(f"run {number + 1} of {arguments.runs}, {binary}:", rounded, flush=True)
        print(f"\nmedians of {arguments.runs} runs of {arguments.chunks} chunks, exactly once")
        for (binary, _), runs in results.items():
            for name in runs[0]:
                print(f"{binary}  {name:32} {statistics.median(run[name] for run in runs):8.2f}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
