//! How sound becomes numbers: decode, check, resample, STFT, mel, decibel, framing.
