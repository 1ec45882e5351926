"""Writes the clip with a Python library: FORMAT MODE RAW OUT CHANNELS. In mode "pipe" to standard output, in mode "killed"
block by block until the process kills itself after two thirds."""

import io
import os
import signal
import sys
import wave

import numpy as np

RATE, BLOCK = 16_000, 1_600


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Pipe(io.RawIOBase):
    """Standard output as what it is: nothing that one can seek in."""

    def writable(self):
        return True

    def write(self, data):
        return sys.stdout.buffer.write(data)


def write_wave(mode, samples, out):
    target = sys.stdout.buffer if mode == "pipe" else open(out, "wb")
    writer = wave.open(target, "wb")
    writer.setparams((samples.shape[1], 2, RATE, 0, "NONE", ""))
    try:
        for at in range(0, len(samples), BLOCK):
            writer.writeframes(samples[at : at + BLOCK].tobytes()) if mode != "pipe" else writer.writeframesraw(samples[at : at + BLOCK].tobytes())
            if mode == "killed" and at > len(samples) * 2 // 3:
                target.flush()
                die()
        writer.close()
    except (OSError, io.UnsupportedOperation) as error:
        # On a pipe the header cannot be mended; the samples are out.
        print(error, file=sys.stderr)
        sys.stdout.buffer.flush()
        os._exit(0)


def write_soundfile(kind, mode, samples, out):
    import soundfile

    container = kind if kind in ("RF64", "WAVEX", "FLAC") else "WAV"
    subtype = "PCM_16" if container != "WAV" else kind
    if subtype in ("FLOAT", "DOUBLE"):
        # Integers would be written as they are, 32768 times too large.
        samples = samples / 32768
    if mode == "pipe":
        # Python's own advice for pipes: write to memory, then out.
        memory = io.BytesIO()
        soundfile.write(memory, samples, RATE, subtype=subtype, format=container)
        sys.stdout.buffer.write(memory.getvalue())
        return
    with soundfile.SoundFile(out, "w", RATE, samples.shape[1], subtype=subtype, format=container) as writer:
        for at in range(0, len(samples), BLOCK):
            writer.write(samples[at : at + BLOCK])
            if mode == "killed" and at > len(samples) * 2 // 3:
                die()


def write_scipy(kind, mode, samples, out):
    from scipy.io import wavfile

    values = samples if kind == "int16" else samples / 32768
    values = values[:, 0] if samples.shape[1] == 1 else values
    if mode == "pipe":
        memory = io.BytesIO()
        wavfile.write(memory, RATE, values)
        sys.stdout.buffer.write(memory.getvalue())
    else:
        wavfile.write(out, RATE, values)


def main():
    kind, mode, raw, out, channels = sys.argv[1:6]
    samples = np.fromfile(raw, "<i2").reshape(-1, int(channels))
    library, _, rest = kind.partition("-")
    {
        "wave": lambda: write_wave(mode, samples, out),
        "soundfile": lambda: write_soundfile(rest, mode, samples, out),
        "scipy": lambda: write_scipy(rest, mode, samples, out),
    }[library]()


main()
