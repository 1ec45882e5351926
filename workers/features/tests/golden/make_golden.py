"""Makes the golden vectors beside it: log-mel spectrograms by librosa, and recordings by libsndfile.

    python -m venv .venv && .venv/bin/pip install librosa==0.11.0 soundfile==0.14.0
    .venv/bin/python make_golden.py

The output is committed; run this only to add a case. Signals are synthetic. Integer signals are committed as int16 and
divided by 32768 on both sides, as librosa.load does, so that neither side depends on the other's sine.
"""

from pathlib import Path

import librosa
import numpy as np
import soundfile

HERE = Path(__file__).parent


def pcm16(signal):
    return np.clip(np.rint(signal * 32767.0), -32768, 32767).astype(np.int16)


def signals(rate, samples):
    """Six signals, [6, samples] int16: sines, chirp, impulses, noise, a quiet one, silence."""
    t = np.arange(samples) / rate
    noise = np.random.default_rng(20240229)
    sines = 0.5 * np.sin(2 * np.pi * 440.0 * t) + 0.2 * np.sin(2 * np.pi * 3210.5 * t) + 0.001 * np.sin(2 * np.pi * 7100.0 * t)
    chirp = 0.8 * np.sin(2 * np.pi * (50.0 * t + 0.5 * (0.45 * rate - 50.0) / t[-1] * t**2))
    impulses = np.zeros(samples)
    impulses[77::1000] = 0.9
    impulses[500::1700] = -0.4
    return np.stack([
        pcm16(sines),
        pcm16(chirp),
        pcm16(impulses),
        pcm16(0.25 * noise.standard_normal(samples)),
        noise.integers(-3, 4, samples).astype(np.int16),
        np.zeros(samples, np.int16),
    ])


def log_mel(y, rate, *, n_fft=1024, hop=512, mels=64, f_min=0.0, f_max=None, power=2.0, center=True, ref=1.0, amin=1e-10, top_db=None):
    """[frames, mels], dB."""
    mel = librosa.feature.melspectrogram(
        y=y, sr=rate, n_fft=n_fft, hop_length=hop, window="hann", center=center, pad_mode="constant",
        power=power, n_mels=mels, fmin=f_min, fmax=f_max, htk=False, norm="slaney",
    )
    return librosa.power_to_db(mel, ref=ref, amin=amin, top_db=top_db).T.astype(np.float32)


def main():
    mid = signals(16_000, 16_000)
    high = signals(44_100, 11_025)
    # At full scale and without the noise of 16 bits: the widest range between a peak and the bins far from it.
    tone = np.sin(2 * np.pi * 1234.5 * np.arange(16_000) / 16_000).astype(np.float32)
    np.save(HERE / "signals_16000.npy", mid)
    np.save(HERE / "signals_44100.npy", high)
    np.save(HERE / "tone_16000.npy", tone)

    mid = [row.astype(np.float32) / 32768 for row in mid] + [tone]
    high = [row.astype(np.float32) / 32768 for row in high]
    cases = {
        "default": [log_mel(y, 16_000) for y in mid],
        "reference_method": [log_mel(y, 16_000, ref=np.max, top_db=80.0) for y in mid],
        "wide_44100": [log_mel(y, 44_100, n_fft=2048, mels=128) for y in high],
        # Every other field away from its default, and the floor of the DCASE baselines.
        "magnitude_uncentred": [
            log_mel(y, 16_000, n_fft=800, hop=300, mels=40, f_min=50.0, f_max=7_000.0, power=1.0, center=False, amin=2.220446e-16, top_db=60.0)
            for y in mid
        ],
    }
    for name, spectrograms in cases.items():
        np.save(HERE / f"log_mel_{name}.npy", np.stack(spectrograms))
    recordings()


def ramp(channel, samples):
    """The recordings' signal in 16-bit steps, from whole numbers alone so that the test can make it again."""
    index = np.arange(samples, dtype=np.int64)
    return ((index * (37 + 11 * channel)) % 2001 - 1000) * 16


def recordings():
    """Short recordings in every accepted encoding, and some refused ones, by another implementation than ours."""
    folder = HERE / "recordings"
    folder.mkdir(exist_ok=True)
    cases = [
        ("pcm16.wav", "WAV", "PCM_16", 1, 16_000),
        ("pcm24.wav", "WAV", "PCM_24", 2, 48_000),
        ("pcm32.wav", "WAV", "PCM_32", 2, 44_100),
        ("float32.wav", "WAV", "FLOAT", 1, 16_000),
        ("extensible16.wav", "WAVEX", "PCM_16", 8, 16_000),
        ("extensible_float.wav", "WAVEX", "FLOAT", 2, 96_000),
        ("pcm_u8.wav", "WAV", "PCM_U8", 1, 16_000),
        ("float64.wav", "WAV", "DOUBLE", 1, 16_000),
        ("ulaw.wav", "WAV", "ULAW", 1, 8_000),
        ("mono16.flac", "FLAC", "PCM_16", 1, 16_000),
        ("stereo24.flac", "FLAC", "PCM_24", 2, 48_000),
        ("eight16.flac", "FLAC", "PCM_16", 8, 16_000),
    ]
    for name, container, subtype, channels, rate in cases:
        # Two FLAC blocks of 4096 and a part of one; an odd number, so that some data chunks need a pad byte.
        samples = 9_001 if name == "mono16.flac" else 501
        steps = np.stack([ramp(channel, samples) for channel in range(channels)], axis=1)
        is_float = subtype in ("FLOAT", "DOUBLE")
        values = steps / 32768.0 if is_float else (steps << 16).astype(np.int32)
        soundfile.write(folder / name, values, rate, subtype=subtype, format=container)


if __name__ == "__main__":
    main()
