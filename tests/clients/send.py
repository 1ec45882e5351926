"""Python's clients. usage: send.py CLIENT BOOTSTRAP FILE JOB...; a job is CODEC:KEY, for `cloudevents` MODE:KEY. Prints the client's version."""
import asyncio
import sys
from datetime import datetime, timezone
from importlib.metadata import version

client, bootstrap, file, jobs = sys.argv[1], sys.argv[2], sys.argv[3], [job.split(":") for job in sys.argv[4:]]
sound = open(file, "rb").read()


def headers(key):
    pairs = [("ce_id", f"{key}/1".encode()), ("ce_time", b"2026-11-28T10:00:00Z"), ("content-type", b"audio/wav"), ("site", None)]
    # A header without a value is tried with librdkafka's client.
    return pairs if client == "confluent-kafka" else pairs[:-1]


if client == "confluent-kafka":
    from confluent_kafka import Producer

    for codec, key in jobs:
        producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec})
        producer.produce("audio.chunks", key=key, value=sound, headers=headers(key))
        producer.flush(30)
elif client == "kafka-python-ng":
    from kafka import KafkaProducer

    for codec, key in jobs:
        producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=None if codec == "none" else codec)
        producer.send("audio.chunks", key=key.encode(), value=sound, headers=headers(key)).get(30)
        producer.close()
elif client == "aiokafka":
    from aiokafka import AIOKafkaProducer

    async def send(codec, key):
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type=None if codec == "none" else codec) as producer:
            await producer.send_and_wait("audio.chunks", key=key.encode(), value=sound, headers=headers(key))

    for codec, key in jobs:
        asyncio.run(send(codec, key))
elif client == "cloudevents":
    from cloudevents.core.bindings.kafka import to_binary, to_structured
    from cloudevents.core.formats.json import JSONFormat
    from cloudevents.core.v1.event import CloudEvent
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": bootstrap})
    for mode, key in jobs:
        attributes = {"id": f"{key}/1", "source": "/gateway", "type": "com.example.sound", "subject": key, "specversion": "1.0"}
        attributes |= {"time": datetime(2026, 11, 28, 10, tzinfo=timezone.utc), "datacontenttype": "audio/wav"}
        if not mode.startswith("default"):
            attributes["partitionkey"] = key
        write = to_structured if mode.endswith("structured") else to_binary
        message = write(CloudEvent(attributes, sound), JSONFormat())
        producer.produce("audio.chunks", key=message.key, value=message.value, headers=list(message.headers.items()))
    producer.flush(30)
else:
    raise SystemExit(__doc__)
print(version(client))
