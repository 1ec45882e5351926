"""The writers' matrix: files that real programs write, finished, to a pipe and killed midway, as `auscult features` reads
them, against libsndfile's reading of the clean clip.

Every program gets the same 16-bit clip. What it writes must give the log-mel of the clean clip, value for value; a file of
a killed program that of the clip's beginning; a format that is not read must be named, and the command in the refusal must
make of it what is read. `run.sh` prepares the programs; a program that is missing is reported as such and is no failure.

usage: matrix.py --auscult PATH --work DIR [--only WORD] [--table FILE.md]
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

HERE = Path(__file__).resolve().parent
RATE = 16_000
SAMPLES = 48_000
# A limit for 8 bits, whose noise fills the quiet bands.
NEAR_DB = 30
READ = ("equal", "near", "libsndfile")
MODES = ("finished", "pipe", "killed")


@dataclass
class Writer:
    """A program and a format; `commands` by mode, with {raw}, {clean} and {out}. `pipe` writes to standard output."""

    program: str
    format: str
    ending: str
    commands: dict = field(default_factory=dict)
    channels: int = 1
    # "equal", "near" (8 bits, a lossy codec), "libsndfile" (the program changes the samples: what libsndfile reads in its
    # file), or a part of the name by which the format is refused.
    expect: str = "equal"


def clip(channels):
    """A hum with harmonics and noise; the second channel is the first one backwards."""
    rng, t = np.random.default_rng(7), np.arange(SAMPLES) / RATE
    x = 0.01 * rng.standard_normal(SAMPLES) + sum(0.02 / k * np.sin(2 * np.pi * 48 * k * t + k) for k in range(1, 9))
    x = np.round(x * 32767).astype("<i2")
    return np.stack([x, x[::-1]][:channels], 1)


def ffmpeg(name, ending, options, channels=1, expect="equal", pipe_format=None):
    head = f"ffmpeg -v error -f s16le -ar {RATE} -ac {channels} -i"
    form = pipe_format or ending
    return Writer("ffmpeg", name, ending, {
        "finished": f"{head} {{raw}} {options} -y {{out}}",
        "pipe": f"{head} {{raw}} {options} -f {form} -",
        "killed": f"{head} - {options} -flush_packets 1 -y {{out}}",
    }, channels, expect)


def sox(name, ending, options, channels=1, expect="equal"):
    head = f"sox -t s16 -r {RATE} -c {channels}"
    return Writer("sox", name, ending, {
        "finished": f"{head} {{raw}} {options} {{out}}",
        "pipe": f"{head} - {options} -t {ending} -",
        "killed": f"{head} - {options} {{out}}",
    }, channels, expect)


def flac(name, ending, options, channels=1, bits=16, expect="equal"):
    raw = "{raw}" if bits == 16 else f"{{raw{bits}}}"
    head = f"flac -s -f --force-raw-format --endian=little --sign=signed --channels={channels} --bps={bits} --sample-rate={RATE} {options}"
    return Writer("flac", name, ending, {
        "finished": f"{head} -o {{out}} {raw}",
        "pipe": f"{head} -c -",
        "killed": f"{head} -o {{out}} -",
    }, channels, expect)


def arecord(form):
    head = f"arecord -q -D {form} -f {form} -r {RATE} -c 1"
    return Writer("arecord", form, "wav", {
        "finished": f"{head} -d 3 {{out}}",
        "pipe": f"{head} -d 3 -t wav",
        # ALSA's null device is not paced: a reader that goes away stops it where a kill would.
        "killed": f"sh -c '{head} -t wav | head -c 60000 > {{out}}'",
    })


def gstreamer(name, ending, chain, channels=1):
    source = f"rawaudioparse format=pcm pcm-format=s16le sample-rate={RATE} num-channels={channels}"
    return Writer("GStreamer", name, ending, {
        "finished": f"gst-launch-1.0 -q filesrc location={{raw}} ! {source} ! audioconvert ! {chain} ! filesink location={{out}}",
        "pipe": f"gst-launch-1.0 -q filesrc location={{raw}} ! {source} ! audioconvert ! {chain} ! fdsink",
        "killed": f"gst-launch-1.0 -q fdsrc ! {source} ! audioconvert ! {chain} ! filesink buffer-mode=unbuffered location={{out}}",
    }, channels)


def script(program, command, name, ending, modes=MODES, channels=1):
    commands = {mode: f"{command} {shlex.quote(name)} {mode} {{raw}} {{out}} {channels}" for mode in modes}
    # wavefile scales by 32,767 and back by other numbers.
    expect = "libsndfile" if name.startswith("wavefile") else "equal"
    return Writer(program, name, ending, commands, channels, expect)


def writers(work):
    python = f"{sys.executable} {HERE}/python_writers.py"
    rows = [
        ffmpeg("WAV 16 bit", "wav", "-c:a pcm_s16le"),
        ffmpeg("WAV 16 bit, stereo", "wav", "-c:a pcm_s16le", 2),
        ffmpeg("WAV 24 bit", "wav", "-c:a pcm_s24le"),
        ffmpeg("WAV 32 bit", "wav", "-c:a pcm_s32le"),
        ffmpeg("WAV float 32", "wav", "-c:a pcm_f32le"),
        ffmpeg("WAV float 64", "wav", "-c:a pcm_f64le"),
        ffmpeg("WAV 8 bit", "wav", "-c:a pcm_u8", expect="near"),
        ffmpeg("RF64", "wav", "-c:a pcm_s16le -rf64 always"),
        ffmpeg("FLAC", "flac", "-c:a flac"),
        ffmpeg("FLAC 24 bit, stereo", "flac", "-c:a flac -sample_fmt s32", 2),
        ffmpeg("FLAC in Ogg", "oga", "-c:a flac", expect="FLAC in Ogg", pipe_format="ogg"),
        ffmpeg("Wave64", "w64", "-c:a pcm_s16le", expect="Wave64"),
        ffmpeg("AIFF", "aiff", "-c:a pcm_s16be", expect="AIFF"),
        ffmpeg("AU", "au", "-c:a pcm_s16be", expect="AU"),
        ffmpeg("CAF", "caf", "-c:a pcm_s16le", expect="CAF"),
        ffmpeg("Vorbis", "ogg", "-c:a libvorbis -q:a 9", expect="Vorbis"),
        ffmpeg("Opus", "opus", "-c:a libopus -b:a 128k", expect="Opus"),
        ffmpeg("MP3", "mp3", "-c:a libmp3lame -b:a 160k", expect="MP3"),
        ffmpeg("AAC in MP4", "m4a", "-c:a aac -b:a 128k", expect="AAC", pipe_format="adts"),
        ffmpeg("Matroska", "mka", "-c:a flac", expect="Matroska", pipe_format="matroska"),
        ffmpeg("A-law WAV", "wav", "-c:a pcm_alaw", expect="A-law"),
        ffmpeg("ADPCM WAV", "wav", "-c:a adpcm_ms", expect="ADPCM"),
        sox("WAV 16 bit", "wav", "-b 16"),
        sox("WAV 16 bit, stereo", "wav", "-b 16", 2),
        sox("WAV 24 bit", "wav", "-b 24"),
        sox("WAV 32 bit", "wav", "-b 32"),
        sox("WAV float 32", "wav", "-e float -b 32"),
        sox("WAV float 64", "wav", "-e float -b 64"),
        sox("RIFX", "wav", "-b 16 -B"),
        sox("FLAC", "flac", "-b 16"),
        sox("FLAC 24 bit, stereo", "flac", "-b 24", 2),
        flac("FLAC", "flac", ""),
        flac("FLAC, level 8, stereo", "flac", "-8", 2),
        flac("FLAC 32 bit, stereo", "flac", "-8 --no-md5-sum", 2, 32),
        flac("FLAC, lax, short blocks", "flac", "--lax -b 37"),
        flac("FLAC in Ogg", "oga", "--ogg", expect="FLAC in Ogg"),
        *(arecord(form) for form in ("S16_LE", "S24_LE", "S24_3LE", "S32_LE", "FLOAT_LE")),
        gstreamer("WAV 16 bit", "wav", "audio/x-raw,format=S16LE ! wavenc"),
        gstreamer("WAV 24 bit", "wav", "audio/x-raw,format=S24LE ! wavenc"),
        gstreamer("WAV 16 bit, stereo", "wav", "audio/x-raw,format=S16LE ! wavenc", 2),
        gstreamer("WAV float 32", "wav", "audio/x-raw,format=F32LE ! wavenc"),
        gstreamer("FLAC", "flac", "flacenc"),
        script("Python wave", python, "wave", "wav"),
        script("Python soundfile", python, "soundfile-PCM_16", "wav"),
        script("Python soundfile", python, "soundfile-PCM_24", "wav"),
        script("Python soundfile", python, "soundfile-FLOAT", "wav", channels=2),
        script("Python soundfile", python, "soundfile-DOUBLE", "wav"),
        script("Python soundfile", python, "soundfile-RF64", "wav", ("finished", "killed")),
        script("Python soundfile", python, "soundfile-WAVEX", "wav", ("finished", "killed"), 2),
        script("Python soundfile", python, "soundfile-FLAC", "flac", ("finished", "killed")),
        script("Python scipy", python, "scipy-int16", "wav", ("finished", "pipe")),
        script("Python scipy", python, "scipy-float64", "wav", ("finished", "pipe")),
    ]
    optional = [
        (work / "node/node_modules", "Node wavefile", f"node {work}/node/writers.js", ["wavefile-16", "wavefile-24", "wavefile-32f", "wavefile-64", "wavefile-RIFX"], ("finished",)),
        (work / "node/node_modules", "Node node-wav", f"node {work}/node/writers.js", ["node-wav-float"], ("finished",)),
        (work / "node/node_modules", "Node wav", f"node {work}/node/writers.js", ["wav"], MODES),
        (work / "go/writers", "Go go-audio/wav", f"{work}/go/writers", ["go-audio-16", "go-audio-24"], ("finished", "killed")),
        (work / "java/Writers.class", "Java javax.sound", f"java -cp {work}/java Writers", ["javax-16"], ("finished", "pipe")),
        (work / "rust/writers", "Rust hound", f"{work}/rust/writers", ["hound-16", "hound-24", "hound-24in32", "hound-float"], ("finished", "killed")),
    ]
    missing = []
    for needed, program, command, names, modes in optional:
        if not needed.exists():
            missing.append(program)
            continue
        rows += [script(program, command, name, "wav", modes) for name in names]
    return rows, missing


def make(writer, mode, work, number):
    """Runs the program; the file that it leaves, or an explanation."""
    out = work / "files" / f"{number:03}-{mode}.{writer.ending}"
    raws = {"raw": work / f"clip{writer.channels}.raw", "raw32": work / f"clip{writer.channels}.raw32"}
    command = writer.commands[mode].format(out=out, clean=work / f"clean{writer.channels}.wav", **raws)
    arguments = shlex.split(command)
    if shutil.which(arguments[0]) is None:
        return None, f"{arguments[0]} is not installed"
    raw = raws["raw32" if "--bps=32" in command else "raw"]
    environment = {**os.environ, "ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{work}/asound.conf"}
    quiet = {"stderr": subprocess.DEVNULL, "env": environment}
    if mode == "pipe":
        with open(raw, "rb") as source, open(out, "wb") as sink:
            # A shell's pipe, so that the program cannot seek.
            process = subprocess.Popen(arguments, stdin=source, stdout=subprocess.PIPE, **quiet)
            sink.write(process.stdout.read())
            process.wait(60)
    elif mode == "killed" and "{raw}" not in writer.commands[mode] and arguments[0] != "sh":
        process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, **quiet)
        data = raw.read_bytes()
        try:
            process.stdin.write(data[: len(data) * 2 // 3 // 16 * 16])
            process.stdin.flush()
        except BrokenPipeError:
            pass
        time.sleep(3)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        process.stdin.close()
    else:
        subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120, **quiet)
    if not out.exists() or out.stat().st_size < 100:
        return None, "it leaves no file" if mode == "killed" else "it writes nothing"
    return out, ""


def read(auscult, files, folder):
    """{file: arrays of its channels, or the refusal}"""
    shutil.rmtree(folder, ignore_errors=True)
    results = {}
    for file in files:
        done = subprocess.run([auscult, "features", file, "--out", folder], capture_output=True, text=True)
        arrays = sorted(folder.glob(f"{file.stem}.npy")) or sorted(folder.glob(f"{file.stem}_ch*.npy"))
        results[file] = [np.load(path) for path in arrays] if arrays else done.stderr.strip().splitlines()[0]
    return results


def judge(writer, mode, result, clean, auscult, file, work):
    """What the table says, and whether that is right."""
    if isinstance(result, str):
        if writer.expect in READ or writer.expect not in result:
            return f"**refused**: {result}", False
        text, works = remedy(result, clean, auscult, file, work)
        # Of what a killed program leaves, not every format can be converted by anyone.
        return (text, works) if mode != "killed" or works else ("named", True)
    if writer.expect not in READ:
        return "**read, though it should be named**", False
    if mode == "killed":
        frames = result[0].shape[0]
        # The last frames reach beyond the end.
        whole = max(frames - 3, 0)
        pairs = [(ours[:whole], theirs[:whole]) for ours, theirs in zip(result, clean)]
        limit = NEAR_DB if writer.expect == "near" else 0
        if whole == 0 or any(ours.shape != theirs.shape or np.abs(ours - theirs).max() > limit for ours, theirs in pairs):
            return "**differs**", False
        return f"the first {(frames - 1) * 512 / RATE:.1f} s", True
    if any(ours.shape != theirs.shape for ours, theirs in zip(result, clean)):
        return f"**{result[0].shape[0]} frames, not {clean[0].shape[0]}**", False
    difference = max(float(np.abs(ours - theirs).max()) for ours, theirs in zip(result, clean))
    if writer.expect == "near":
        return f"within {difference:.1f} dB", difference < NEAR_DB
    return ("equal", True) if difference == 0 else (f"**{difference:.2f} dB off**", False)


def remedy(refusal, clean, auscult, file, work):
    """Runs the command that the refusal gives."""
    found = re.search(r"`((?:ffmpeg -i|sox) IN\S* .*?OUT\.(wav|flac))`", refusal)
    if not found:
        return "named; **no remedy**", False
    out = work / "remedies" / f"{file.stem}.{found[2]}"
    out.parent.mkdir(exist_ok=True)
    out.unlink(missing_ok=True)
    command = re.sub(r"IN(\.\w+)?(?= )", str(file), found[1], count=1).replace(f"OUT.{found[2]}", str(out))
    subprocess.run(shlex.split(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    result = read(auscult, [out], work / "remedied")[out] if out.exists() else "the command fails"
    if isinstance(result, str):
        return f"named; **remedy fails**: {result}", False
    return "named, remedy works", result[0].shape[0] >= clean[0].shape[0] // 2


def prepare(work):
    for folder in ("files", "features"):
        shutil.rmtree(work / folder, ignore_errors=True)
    (work / "files").mkdir(parents=True)
    for channels in (1, 2):
        samples = clip(channels)
        (work / f"clip{channels}.raw").write_bytes(samples.tobytes())
        (work / f"clip{channels}.raw32").write_bytes((samples.astype("<i4") << 16).tobytes())
        soundfile.write(work / f"clean{channels}.wav", samples, RATE, subtype="PCM_16")
    mono = clip(1)[:, 0]
    in_24 = (mono.astype("<i4") << 8).tobytes()
    devices = {
        "S16_LE": mono.tobytes(),
        "S24_LE": in_24,
        "S24_3LE": np.frombuffer(in_24, "u1").reshape(-1, 4)[:, :3].tobytes(),
        "S32_LE": (mono.astype("<i4") << 16).tobytes(),
        "FLOAT_LE": (mono / 32768).astype("<f4").tobytes(),
    }
    # A sound card for each format, which plays the clip into the recorder again and again.
    lines = ["pcm.!default { type null }"]
    for form, data in devices.items():
        (work / f"{form}.raw").write_bytes(data)
        lines.append(f'pcm.{form} {{ type file slave.pcm {{ type null }} file /dev/null format raw infile "{work}/{form}.raw" }}')
    (work / "asound.conf").write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--auscult", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    work = options.work.resolve()
    prepare(work)
    clean = {
        channels: read(options.auscult, [work / f"clean{channels}.wav"], work / "clean")[work / f"clean{channels}.wav"]
        for channels in (1, 2)
    }
    rows, missing = writers(work)
    lines = ["| program | format | " + " | ".join(MODES) + " |", "|---|---|" + "---|" * len(MODES)]
    wrong = []
    for number, writer in enumerate(rows):
        if options.only.lower() not in f"{writer.program} {writer.format}".lower():
            continue
        cells = []
        for mode in MODES:
            if mode not in writer.commands:
                cells.append("–")
                continue
            file, reason = make(writer, mode, work, number)
            if file is None:
                cells.append(reason)
                continue
            result = read(options.auscult, [file], work / "features")[file]
            against = clean[writer.channels]
            if writer.expect == "libsndfile":
                reading = work / "reading.wav"
                soundfile.write(reading, *soundfile.read(file, dtype="float32"), subtype="FLOAT")
                against = read(options.auscult, [reading], work / "clean")[reading]
            text, right = judge(writer, mode, result, against, options.auscult, file, work)
            cells.append(text.replace("|", "/"))
            if not right:
                wrong.append(f"{writer.program}, {writer.format}, {mode} ({file.name}): {text}")
        lines.append(f"| {writer.program} | {writer.format} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    if options.table:
        options.table.write_text("\n".join(lines) + "\n")
    for program in missing:
        print(f"not prepared: {program}")
    for line in wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    print(f"{len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
