//! How sound becomes numbers, in one struct whose hash travels with every model and every features message.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{FullScale, Quantity, SchemaError};

/// The recipe of a log-mel spectrogram. Two machines that hold the same spec compute the same numbers.
///
/// The default is the reference method's (64 mel bands, `n_fft` 1024, hop 512, five frames a vector) at 16 kHz, but
/// with `reference: fixed`, so that one click does not shift a whole clip and a change of gain stays audible.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureSpec {
    /// Version of the algorithm behind these fields; raised when the same fields would give other numbers.
    pub version: u32,
    /// Rate the sound is resampled to, Hz.
    pub sample_rate_hz: u32,
    /// Length of the Fourier transform and of its window, samples.
    pub n_fft: usize,
    /// Step from one frame to the next, samples.
    pub hop_length: usize,
    /// Window function.
    pub window: Window,
    /// Centred frames: the signal is padded with `n_fft / 2` zeros at both ends, and there are
    /// `1 + floor(samples / hop_length)` frames.
    pub center: bool,
    /// Number of mel bands.
    pub n_mels: usize,
    /// Lower edge of the lowest mel band, Hz.
    pub f_min_hz: f32,
    /// Upper edge of the highest mel band, Hz; absent: half the sample rate.
    pub f_max_hz: Option<f32>,
    /// Mel scale.
    pub mel_scale: MelScale,
    /// Normalisation of the mel triangles.
    pub mel_norm: MelNorm,
    /// Exponent of the magnitude: 2 is power, 1 is magnitude.
    pub power: f32,
    /// What 0 dB means.
    pub reference: Reference,
    /// Floor of the power before the logarithm.
    pub amin: f32,
    /// Values more than this below the clip's loudest are raised to that floor, dB; absent: none are.
    pub top_db: Option<f32>,
    /// Consecutive frames stacked into one vector.
    pub frames: usize,
    /// Whether each channel's mean is taken off before the windows. Absent, which is no: the mean is part of the
    /// measurement, as of a pressure gauge. To be set where it is a bias that tells nothing, as of an accelerometer
    /// before its high-pass.
    #[serde(default, skip_serializing_if = "is_false")]
    pub remove_mean: bool,
    /// What the sensor measures; absent: sound. It decides which checks and which words fit. It changes no number, and
    /// so is no part of the hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// What a sample value of 1.0 is: chunks that say another full scale of the same quantity are scaled to this one,
    /// so that it is part of the hash. Absent: samples are taken as they come, and levels have no unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_scale: Option<FullScale>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Window function of the STFT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// Periodic Hann.
    Hann,
}

/// Mel scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MelScale {
    /// Slaney's Auditory Toolbox: linear below 1 kHz, logarithmic above (librosa's `htk=False`).
    Slaney,
}

/// Normalisation of the mel triangles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MelNorm {
    /// Unit area: each triangle times `2 / (f_high - f_low)` (librosa's `norm="slaney"`).
    Slaney,
}

/// What 0 dB means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// Each clip's own loudest value (the reference method).
    Max,
    /// Full scale: power 1.0. The absolute level is kept.
    Fixed,
}

impl Default for FeatureSpec {
    fn default() -> Self {
        Self {
            version: 1,
            sample_rate_hz: 16_000,
            n_fft: 1024,
            hop_length: 512,
            window: Window::Hann,
            center: true,
            n_mels: 64,
            f_min_hz: 0.0,
            f_max_hz: None,
            mel_scale: MelScale::Slaney,
            mel_norm: MelNorm::Slaney,
            power: 2.0,
            reference: Reference::Fixed,
            amin: 1e-10,
            top_db: None,
            frames: 5,
            remove_mean: false,
            quantity: None,
            full_scale: None,
        }
    }
}

impl FeatureSpec {
    /// The reference method's own spec: each clip relative to its own maximum, 80 dB deep.
    #[must_use]
    pub fn reference_method() -> Self {
        Self { reference: Reference::Max, top_db: Some(80.0), ..Self::default() }
    }

    /// A spec for a sensor of any kind by its rate alone: vibration, current, pressure as well as sound. As the
    /// default, which it is at 16 kHz, in all that does not depend on the rate: 64 mel bands up to half the rate,
    /// half-overlapping windows of about 64 ms, but of 256 samples at least, so that slow sensors have a frequency for
    /// every band.
    #[must_use]
    pub fn for_rate(sample_rate_hz: u32) -> Self {
        const WINDOW_S: f64 = 0.064;
        const SHORTEST: u32 = 256;
        const LONGEST: u32 = 65_536;
        let samples = WINDOW_S * f64::from(sample_rate_hz);
        let n_fft = samples.max(1.0).log2().round().exp2().clamp(f64::from(SHORTEST), f64::from(LONGEST)) as usize;
        Self { sample_rate_hz, n_fft, hop_length: n_fft / 2, ..Self::default() }
    }

    /// The same for clips of so many samples: with a window so short that a clip has ten frames or more, where
    /// [`for_rate`](Self::for_rate)'s has not. Below 640 samples the window is as short as it may be, and clips have
    /// fewer.
    #[must_use]
    pub fn for_short_clips(sample_rate_hz: u32, samples: usize) -> Self {
        const SHORTEST: usize = 128;
        let mut spec = Self::for_rate(sample_rate_hz);
        while spec.n_fft > SHORTEST && spec.frame_count(samples) < 10 {
            spec.n_fft /= 2;
            spec.hop_length = spec.n_fft / 2;
        }
        spec
    }

    /// What the sensor measures.
    #[must_use]
    pub fn quantity(&self) -> Quantity {
        self.quantity.unwrap_or(Quantity::Sound)
    }

    /// Upper edge of the highest band, Hz.
    #[must_use]
    pub fn f_max(&self) -> f32 {
        self.f_max_hz.unwrap_or(self.sample_rate_hz as f32 / 2.0)
    }

    /// Length of one stacked vector: mel bands times frames.
    #[must_use]
    pub fn vector_len(&self) -> usize {
        self.n_mels * self.frames
    }

    /// How many spectrogram frames a clip of `samples` samples (at the spec's own rate) has.
    #[must_use]
    pub fn frame_count(&self, samples: usize) -> usize {
        if self.center {
            1 + samples / self.hop_length
        } else {
            samples.checked_sub(self.n_fft).map_or(0, |room| 1 + room / self.hop_length)
        }
    }

    /// Refuses a spec that no spectrogram can be computed with, naming every field at fault.
    ///
    /// # Errors
    /// [`SchemaError::InvalidFeatureSpec`].
    pub fn validate(&self) -> Result<(), SchemaError> {
        let nyquist = self.sample_rate_hz as f32 / 2.0;
        let checks = [
            (self.version == 1, "version: this build knows version 1"),
            ((100..=1_000_000).contains(&self.sample_rate_hz), "sample_rate_hz: must be within 100..=1000000"),
            (
                (16..=65_536).contains(&self.n_fft) && self.n_fft.is_multiple_of(2),
                "n_fft: must be even and within 16..=65536",
            ),
            (self.hop_length >= 1 && self.hop_length <= self.n_fft, "hop_length: must be within 1..=n_fft"),
            ((1..=1024).contains(&self.n_mels), "n_mels: must be within 1..=1024"),
            (self.f_min_hz >= 0.0 && self.f_min_hz < self.f_max(), "f_min_hz: must be at least 0 and below f_max_hz"),
            (self.f_max() <= nyquist, "f_max_hz: must not exceed half the sample rate"),
            (self.power > 0.0 && self.power.is_finite(), "power: must be positive"),
            (self.amin > 0.0 && self.amin.is_finite(), "amin: must be positive"),
            (self.top_db.is_none_or(|depth| depth > 0.0 && depth.is_finite()), "top_db: must be positive"),
            ((1..=64).contains(&self.frames), "frames: must be within 1..=64"),
            (
                self.full_scale.as_ref().is_none_or(FullScale::is_valid),
                "full_scale: must be a positive value and a unit of 1 to 32 characters",
            ),
        ];
        let faults: Vec<&str> = checks.iter().filter(|(holds, _)| !holds).map(|(_, fault)| *fault).collect();
        if faults.is_empty() { Ok(()) } else { Err(SchemaError::InvalidFeatureSpec(faults.join("; "))) }
    }

    /// The spec as JSON with sorted keys and no white space.
    #[must_use]
    pub fn canonical_json(&self) -> String {
        let value = serde_json::to_value(self).expect("a spec holds only numbers and names");
        let serde_json::Value::Object(fields) = value else { unreachable!("a struct serialises to an object") };
        let sorted: std::collections::BTreeMap<_, _> = fields.into_iter().collect();
        serde_json::to_string(&sorted).expect("a spec holds only numbers and names")
    }

    /// SHA-256 of the canonical JSON without `quantity`, which changes no number.
    #[must_use]
    pub fn hash(&self) -> FeatureSpecHash {
        let of_numbers = Self { quantity: None, ..self.clone() };
        FeatureSpecHash(Sha256::digest(of_numbers.canonical_json().as_bytes()).into())
    }
}

/// SHA-256 of a feature spec's canonical JSON; 64 hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[0-9a-f]{64}$"))]
pub struct FeatureSpecHash([u8; 32]);

impl fmt::Display for FeatureSpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FeatureSpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FeatureSpecHash({self})")
    }
}

impl From<FeatureSpecHash> for String {
    fn from(hash: FeatureSpecHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for FeatureSpecHash {
    type Error = SchemaError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_hex = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hex {
            return Err(SchemaError::InvalidHash(text));
        }
        let mut bytes = [0_u8; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = &text[index * 2..index * 2 + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| SchemaError::InvalidHash(text.clone()))?;
        }
        Ok(Self(bytes))
    }
}
