"""The clients' matrix: which clients' records arrive as chunks, under which partition, with which headers and times; CODEC by CLIENT, then CloudEvents SDKs.

usage: run.py AUSCULT CLIP.wav [CLIENT...]      prints the tables of docs/clients.md; exit status 1 when a record did not come to what the table expects

Needs Java, kcat, Go, Node and Maven on the PATH and the packages of requirements.txt; starts a broker (KAFKA_PORT, 29892) and a feature worker. A client
whose program cannot be built here is left out, and said.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib

from confluent_kafka import Consumer, TopicPartition

here = pathlib.Path(__file__).resolve().parent
root = here.parent.parent
auscult, clip, wanted = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), sys.argv[3:]
port = int(os.environ.get("KAFKA_PORT", "29892"))
bootstrap = f"127.0.0.1:{port}"
work = pathlib.Path(os.environ.get("CLIENTS_WORK", root / ".work/clients"))
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
MODES = ["binary", "structured", "default-binary", "default-structured"]
PARTITIONS = 4
TIME = "2026-11-28T10:00:00Z"


def crc32(key):
    return zlib.crc32(key) % PARTITIONS


def fnv1a(key):
    value = 0x811C9DC5
    for byte in key:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    signed = value - (1 << 32) if value >> 31 else value
    # Sarama's: the remainder of the signed hash, its sign taken off.
    return abs(signed) % PARTITIONS


def murmur2(key):
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    value = 0x9747B28C ^ len(key)
    for at in range(0, len(key) - len(key) % 4, 4):
        k = int.from_bytes(key[at:at + 4], "little") * m & mask
        value = (value * m & mask) ^ ((k ^ k >> 24) * m & mask)
    tail = key[len(key) - len(key) % 4:]
    if tail:
        value = (value ^ int.from_bytes(tail, "little")) * m & mask
    value = (value ^ value >> 13) * m & mask
    return ((value ^ value >> 15) & 0x7FFFFFFF) % PARTITIONS


def python(client):
    return lambda: [sys.executable, here / "send.py", client]


def java(client):
    def build():
        pom = here / "java/pom.xml"
        paths = subprocess.run(["mvn", "-q", "-f", pom, "dependency:build-classpath", "-Dmdep.outputFile=/dev/stdout"], check=True, capture_output=True, text=True)
        return ["java", "-cp", paths.stdout.strip(), here / "java/Send.java", client]
    return build


def go(client):
    def build():
        folder = work / "go"
        if not (folder / "send").exists():
            shutil.copytree(here / "go", folder, dirs_exist_ok=True)
            subprocess.run(["go", "build", "-o", "send", "."], cwd=folder, check=True)
        return [folder / "send", client]
    return build


def javascript(client):
    def build():
        folder = work / "javascript"
        shutil.copytree(here / "javascript", folder, dirs_exist_ok=True)
        if not (folder / "node_modules").exists():
            subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)
        return ["node", folder / "send.mjs", client]
    return build


CLIENTS = {
    "kcat": None,
    "auscult send": None,
    "confluent-kafka": python("confluent-kafka"), "kafka-python-ng": python("kafka-python-ng"), "aiokafka": python("aiokafka"),
    "kafka-clients (Java)": java("kafka-clients"),
    "franz-go": go("franz-go"), "sarama": go("sarama"), "kafka-go": go("kafka-go"),
    "KafkaJS": javascript("kafkajs"), "@confluentinc/kafka-javascript": javascript("confluent-kafka-javascript"),
}
SDKS = {"Python": python("cloudevents"), "Java": java("cloudevents"), "Go": go("cloudevents"), "JavaScript": javascript("cloudevents")}


def send_kcat(jobs):
    for codec, key in jobs:
        headers = [f"ce_id={key}/1", f"ce_time={TIME}", "content-type=audio/wav", "site"]
        command = ["kcat", "-P", "-q", "-b", bootstrap, "-t", "audio.chunks", "-k", key, "-z", codec]
        subprocess.run(command + [word for header in headers for word in ("-H", header)] + [clip], check=True)
    return subprocess.run(["kcat", "-V"], capture_output=True, text=True).stdout.split("Version ")[1].split()[0]


def send_auscult(jobs):
    for codec, key in jobs:
        command = [auscult, "send", clip, "--machine", key, "--brokers", bootstrap, "--set", f"kafka.compression={codec}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return subprocess.run([auscult, "--version"], capture_output=True, text=True).stdout.split()[1]


def send(name, program, jobs):
    """Sends the jobs; the client's version, or None where its program cannot be had here."""
    if name == "kcat":
        return send_kcat(jobs)
    if name == "auscult send":
        # Snappy is no choice of kafka.compression.
        return send_auscult([(codec, key) for codec, key in jobs if codec != "snappy"])
    try:
        command = program()
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"{name} is left out: {error}", file=sys.stderr)
        return None
    # One start for all jobs; where one fails, the others are tried singly.
    arguments = [f"{first}:{key}" for first, key in jobs]
    done = subprocess.run([*command, bootstrap, clip, *arguments], capture_output=True, text=True)
    for argument in arguments if done.returncode else []:
        done = subprocess.run([*command, bootstrap, clip, argument], capture_output=True, text=True)
        if done.returncode:
            print(f"{name} {argument}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    return done.stdout.strip() or "?"


def read(topic):
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "clients", "enable.partition.eof": True, "auto.offset.reset": "earliest"})
    reader.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    left, found = PARTITIONS, []
    while left:
        message = reader.poll(20)
        if message is None:
            break
        if message.error():
            left -= 1
        else:
            found.append(message)
    reader.close()
    return found


def start_broker():
    data = tempfile.mkdtemp(prefix="auscult-clients-")
    variables = os.environ | {"KAFKA_PORT": str(port), "KAFKA_CONTROLLER_PORT": str(port + 1), "KAFKA_DATA": data}
    broker = subprocess.Popen([root / "tests/kafka/start.sh"], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    for _ in range(120):
        if subprocess.run(["kcat", "-L", "-b", bootstrap, "-m", "2"], capture_output=True).returncode == 0:
            return broker, data
        time.sleep(1)
    raise SystemExit("the broker does not answer")


def main():
    work.mkdir(parents=True, exist_ok=True)
    broker, data = start_broker()
    worker = None
    try:
        subprocess.run([auscult, "topics", "create", "--brokers", bootstrap, "--partitions", str(PARTITIONS), "--replication", "1"], check=True, stdout=subprocess.DEVNULL)
        log = open(work / "worker.log", "w")
        worker = subprocess.Popen([auscult, "feature-worker", "--brokers", bootstrap, "--listen", "127.0.0.1:0"], stdout=log, stderr=log)
        versions, jobs = {}, {}
        for kind, table, firsts in (("client", CLIENTS, CODECS), ("sdk", SDKS, MODES)):
            for number, (name, program) in enumerate(table.items()):
                if wanted and name not in wanted:
                    continue
                jobs[kind, name] = [(first, f"{kind}{number}-{first}-{copy}") for first in firsts for copy in "ab"]
                versions[kind, name] = send(name, program, jobs[kind, name])
        sent = {}
        for message in read("audio.chunks"):
            key = message.key().decode() if message.key() else dict(message.headers() or []).get("ce_subject", b"").decode()
            if not key:
                key = json.loads(message.value()).get("subject", "")
            sent[key] = message
        for _ in range(60):
            came = {message.key().decode(): message for message in read("audio.features")}
            letters = {(m := dict(message.headers()))["auscult_dead_letter_partition"] + b"/" + m["auscult_dead_letter_offset"]: message for message in read("audio.dead-letters")}
            if len(came) + len(letters) >= len(sent):
                break
            time.sleep(1)
        faults = []
        print_clients(versions, jobs, sent, came, faults)
        print_sdks(versions, jobs, sent, came, letters, faults)
        for fault in faults:
            print(fault, file=sys.stderr)
        return bool(faults)
    finally:
        if worker:
            worker.terminate()
            worker.wait()
        os.killpg(broker.pid, signal.SIGTERM)
        broker.wait()
        shutil.rmtree(data, ignore_errors=True)


def partitioner(messages):
    fits = [name for name, of in (("CRC-32", crc32), ("murmur2", murmur2), ("FNV-1a", fnv1a)) if all(of(m.key()) == m.partition() for m in messages)]
    return fits[0] if fits else "none: spread"


def is_right(key, sent, came):
    """As features on the chunk's own partition, with its id and time."""
    chunk, features = sent.get(key), came.get(key)
    if chunk is None or features is None or chunk.partition() != features.partition():
        return False
    before, after = dict(chunk.headers()), dict(features.headers())
    return before["ce_id"] == after["ce_id"] and before["ce_time"][:19] == after["ce_time"][:19] and before["ce_time"] != b""


def print_clients(versions, jobs, sent, came, faults):
    print("| client | version | " + " | ".join(CODECS) + " | partition of a key | record's time | header without value |")
    print("|---|---|" + "---|" * (len(CODECS) + 3))
    for (kind, name), of in jobs.items():
        if kind != "client" or versions[kind, name] is None:
            continue
        cells = []
        for codec in CODECS:
            keys = [key for first, key in of if first == codec]
            if not any(key in sent for key in keys):
                cells.append("–")
            elif all(is_right(key, sent, came) for key in keys):
                cells.append("yes")
            else:
                cells.append("**no**")
                faults.append(f"{name}, {codec}: did not come to features with id and time")
        messages = [sent[key] for _, key in of if key in sent]
        if not messages:
            print(f"{name} is left out: none of its records came", file=sys.stderr)
            continue
        kinds = {1: "client's", 2: "broker's"}
        times = " ".join(sorted({kinds.get(message.timestamp()[0], "none") for message in messages}))
        nulls = any(name == "site" and value is None for message in messages for name, value in message.headers())
        print(f"| {name} | {versions[kind, name]} | " + " | ".join(cells) + f" | {partitioner(messages)} | {times} | {'as null' if nulls else '–'} |")


def print_sdks(versions, jobs, sent, came, letters, faults):
    print("\n| SDK | version | mode | headers | key by default | read | without a key |\n|---|---|---|---|---|---|---|")
    for (kind, name), of in jobs.items():
        if kind != "sdk" or versions[kind, name] is None:
            continue
        for mode in ("binary", "structured"):
            keyed = [key for first, key in of if first == mode]
            keyless = [key for first, key in of if first == f"default-{mode}"]
            chunk = sent.get(keyed[0])
            if chunk is None:
                faults.append(f"{name}, {mode}: nothing came")
                continue
            default = sent.get(keyless[0])
            key = "–" if default is None else "none" if default.key() is None else repr(default.key().decode())
            headers = ", ".join(f"`{header}`" for header, _ in chunk.headers())
            features = [came.get(one) for one in keyed]
            right = all(one is not None and dict(one.headers())["ce_id"].decode() == f"{key_}/1" and dict(one.headers())["ce_time"][:19].decode() == TIME[:19] for one, key_ in zip(features, keyed))
            place = f"{default.partition()}/{default.offset()}".encode() if default else b""
            letter = letters.get(place)
            refused = letter is not None and b"set the record key to" in dict(letter.headers())["auscult_dead_letter_detail"]
            if not right:
                faults.append(f"{name}, {mode}: did not come to features with id and time")
            if key == "none" and not refused:
                faults.append(f"{name}, {mode}: without a key it was not refused with the way")
            print(f"| {name} | {versions[kind, name]} | {mode} | {headers} | {key} | {'yes' if right else '**no**'} | {'a dead letter that says to set the key' if refused else '–'} |")


sys.exit(main())
