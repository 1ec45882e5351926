// JavaScript's clients. usage: node send.mjs CLIENT BOOTSTRAP FILE JOB...; a job is CODEC:KEY, for cloudevents MODE:KEY. Prints the client's version.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [client, bootstrap, file, ...jobs] = process.argv.slice(2);
const sound = readFileSync(file);
const require = createRequire(import.meta.url);
const headers = (key) => ({ ce_id: `${key}/1`, ce_time: "2026-11-28T10:00:00Z", "content-type": "audio/wav" });
const packages = { kafkajs: "kafkajs", "confluent-kafka-javascript": "@confluentinc/kafka-javascript", cloudevents: "cloudevents" };

async function withProducer(producer, send) {
  await producer.connect();
  await send(producer);
  await producer.disconnect();
}

for (const job of jobs) {
  const [codec, key] = job.split(":");
  if (client === "kafkajs") {
    const { default: kafkajs } = await import("kafkajs");
    const { Kafka, CompressionTypes, logLevel } = kafkajs;
    const producer = new Kafka({ brokers: [bootstrap], logLevel: logLevel.ERROR }).producer();
    // Of itself it has gzip alone; the others are plugins of other authors.
    if (!["none", "gzip"].includes(codec)) continue;
    const compression = codec === "gzip" ? CompressionTypes.GZIP : CompressionTypes.None;
    const message = { key, value: sound, headers: headers(key) };
    await withProducer(producer, (it) => it.send({ topic: "audio.chunks", compression, messages: [message] }));
  } else if (client === "confluent-kafka-javascript") {
    const { default: confluent } = await import("@confluentinc/kafka-javascript");
    const kafka = new confluent.KafkaJS.Kafka({ "bootstrap.servers": bootstrap, "compression.codec": codec, log_level: 2 });
    const message = { key, value: sound, headers: headers(key) };
    await withProducer(kafka.producer(), (it) => it.send({ topic: "audio.chunks", messages: [message] }));
  } else if (client === "cloudevents") {
    const { CloudEvent, Kafka: Binding } = await import("cloudevents");
    const { default: kafkajs } = await import("kafkajs");
    const producer = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.ERROR }).producer();
    const own = { id: `${key}/1`, source: "/gateway", type: "com.example.sound", subject: key, time: "2026-11-28T10:00:00Z" };
    const keyed = codec.startsWith("default") ? {} : { partitionkey: key };
    const structured = codec.endsWith("structured");
    const data = structured ? { data_base64: sound.toString("base64") } : { data: sound };
    const event = new CloudEvent({ ...own, ...keyed, ...data, datacontenttype: "audio/wav" });
    const message = structured ? Binding.structured(event) : Binding.binary(event);
    // In binary mode the SDK names attributes that the event has not, with the value `undefined`, on which KafkaJS fails.
    const headers = Object.fromEntries(Object.entries(message.headers).filter(([, value]) => value !== undefined));
    await withProducer(producer, (it) => it.send({ topic: "audio.chunks", messages: [{ key: message.key, value: message.value, headers }] }));
  } else {
    throw new Error("no such client");
  }
}
console.log(require(`${packages[client]}/package.json`).version);
