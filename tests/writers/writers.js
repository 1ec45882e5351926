// Writes the clip with Node's WAV libraries: FORMAT MODE RAW OUT CHANNELS.
const fs = require("fs");

const [kind, mode, raw, out, channels] = process.argv.slice(2);
const RATE = 16000, BLOCK = 3200;
const bytes = fs.readFileSync(raw);
const samples = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);

if (kind.startsWith("wavefile")) {
  const { WaveFile } = require("wavefile");
  const wav = new WaveFile();
  wav.fromScratch(Number(channels), RATE, "16", samples, { container: kind.endsWith("RIFX") ? "RIFX" : "RIFF" });
  if (kind.endsWith("-24")) wav.toBitDepth("24");
  if (kind.endsWith("-32f")) wav.toBitDepth("32f");
  if (kind.endsWith("-64")) wav.toBitDepth("64");
  if (kind.endsWith("RIFX")) wav.toRIFX();
  fs.writeFileSync(out, wav.toBuffer());
} else if (kind === "node-wav-float") {
  const wav = require("node-wav");
  const planes = [...Array(Number(channels)).keys()].map((channel) =>
    Float32Array.from(samples.filter((_, index) => index % channels === channel), (sample) => sample / 32768));
  fs.writeFileSync(out, wav.encode(planes, { sampleRate: RATE, float: true, bitDepth: 32 }));
} else {
  const wav = require("wav");
  const options = { channels: Number(channels), sampleRate: RATE, bitDepth: 16 };
  const writer = mode === "pipe" ? new wav.Writer(options) : new wav.FileWriter(out, options);
  if (mode === "pipe") writer.pipe(process.stdout);
  let at = 0;
  const step = () => {
    if (mode === "killed" && at > (bytes.length * 2) / 3) return setTimeout(() => process.kill(process.pid, "SIGKILL"), 300);
    if (at >= bytes.length) return writer.end();
    writer.write(bytes.subarray(at, (at += BLOCK)), step);
  };
  step();
}
