#!/usr/bin/env bash
# The CloudEvents SDK for JavaScript makes Kafka messages that KafkaJS cannot send.
#
# Guess, written down before running: `Kafka.binary(event)` of the SDK gives a message whose headers are those attributes that the event has, so that
#   producer.send({ topic, messages: [Kafka.binary(event)] }) of KafkaJS takes it. That is what its name and its README say it is for.
# Behaviour: attributes that the event has not are in the headers, too, with the value `undefined` (ce_dataschema, ce_schemaurl,
#   ce_datacontentencoding), and KafkaJS throws ERR_INVALID_ARG_TYPE while it encodes the record, naming neither header nor message. Structured mode
#   has no such headers and is encoded. The media type is there twice, as content-type and as ce_datacontenttype, which the binding forbids.
# Hurts: whoever writes a gateway in Node with both, in the mode that suits binary data. Every send fails, and the error speaks of a "string" argument.
# Remedy: filter the headers for `undefined` before sending.
#
# Needs node and npm. Exit status 1 when the behaviour is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund cloudevents@10.0.0 kafkajs@2.2.4 >/dev/null

cat >check.cjs <<'PROGRAM'
const { CloudEvent, Kafka } = require("cloudevents");
// KafkaJS' own encoder of a record, which producer.send calls: no broker is needed to see it fail.
const encode = require("kafkajs/src/protocol/recordBatch/record/v0");
const version = (name) => require(`${name}/package.json`).version;
console.log(`cloudevents ${version("cloudevents")}, kafkajs ${version("kafkajs")}, node ${process.version}`);
console.log("guess: the headers are the event's attributes, and KafkaJS encodes the message");

const event = new CloudEvent({ id: "1", source: "/gateway", type: "sound", partitionkey: "fan-07", datacontenttype: "audio/wav", data: Buffer.from("RIFF") });
const outcome = (message, headers) => {
  try {
    encode({ key: message.key, value: message.value, headers, offsetDelta: 0, timestampDelta: 0 });
    return "encoded";
  } catch (error) {
    return `${error.code}: ${error.message}`;
  }
};
const binary = Kafka.binary(event);
const absent = Object.keys(binary.headers).filter((name) => binary.headers[name] === undefined);
const filtered = Object.fromEntries(Object.entries(binary.headers).filter(([, value]) => value !== undefined));
const structured = Kafka.structured(event);
const seen = { absent, binary: outcome(binary, binary.headers), filtered: outcome(binary, filtered), structured: outcome(structured, structured.headers) };
console.log(seen);
console.log("twice:", binary.headers["content-type"], binary.headers.ce_datacontenttype);
const isAsDescribed = absent.length > 0 && seen.binary.startsWith("ERR_INVALID_ARG_TYPE") && seen.filtered === "encoded" && seen.structured === "encoded";
process.exit(isAsDescribed ? 0 : 1);
PROGRAM
node check.cjs
