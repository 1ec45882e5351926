//! Everything that can be wrong with a chunk of sound.

use auscult_schemas::{DeadLetterCode, SchemaError, Unit};

/// Why a chunk cannot become features. Every message ends with what to do next.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// The feature spec is not one that a spectrogram can be computed with.
    #[error("{0}")]
    Spec(#[from] SchemaError),
    /// There are no bytes at all.
    #[error("the value is empty: send the recording itself (WAV, FLAC or L16)")]
    Empty,
    /// The content type is none that is understood.
    #[error(
        "content type {0:?} is not supported: send audio/wav, audio/flac or audio/L16;rate=…;channels=…, or none at all with a WAV or FLAC value"
    )]
    UnsupportedContentType(String),
    /// The content type is understood, but a parameter is missing or wrong.
    #[error("content type {content_type:?}: {reason}; write it as audio/L16;rate=16000;channels=1 (RFC 2586)")]
    InvalidContentType {
        /// The content type as it came.
        content_type: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The bytes are not the kind of sound they are said to be.
    #[error("expected {expected}, but the bytes are {found}")]
    NotAudio {
        /// What the content type says.
        expected: &'static str,
        /// What the bytes look like, and what to do.
        found: String,
    },
    /// The sound ends before its own header says it should.
    #[error("the {format} value is cut short: {detail}; send the whole recording again")]
    Truncated {
        /// `WAV`, `FLAC` or `L16`.
        format: &'static str,
        /// How much is there of how much.
        detail: String,
    },
    /// The sound was damaged on its way: a checksum does not hold, or a block cannot be decoded.
    #[error("the {format} value is damaged: {detail}; send the recording again from its source")]
    Damaged {
        /// `WAV` or `FLAC`.
        format: &'static str,
        /// What does not fit.
        detail: String,
    },
    /// Sound, but stored in a way that is not read.
    #[error(
        "{format}: {detail} is not read; PCM of 8, 16, 24 or 32 bits and float of 32 or 64 bits are: convert it with `ffmpeg -i IN.wav -c:a pcm_s16le OUT.wav`, or record PCM"
    )]
    UnsupportedFormat {
        /// `WAV`, `FLAC`, `L16` or `clip`.
        format: &'static str,
        /// What is outside it.
        detail: String,
    },
    /// A WAV whose codec no tool brings back whole.
    #[error("WAV: {codec} is not read, and tools bring back only a part of it from a WAV file: record anew, as PCM")]
    LostCodec {
        /// `AAC`, `Vorbis` or `Speex`.
        codec: &'static str,
    },
    /// More channels than a chunk may have, or none.
    #[error(
        "{format}: {channels} channels, 1 to 16 can be read: {}",
        if *channels == 0 { "the header is damaged, record again" } else { "choose those of this machine, for example with `sox IN OUT.wav remix 1 2 3`" }
    )]
    Channels {
        /// `WAV`, `FLAC`, `L16` or `clip`.
        format: &'static str,
        /// Channels that it has.
        channels: usize,
    },
    /// A sample rate outside the contract.
    #[error(
        "{format}: a sample rate of {rate_hz} Hz, 100 Hz to 1 MHz can be read: {}",
        if *rate_hz > 1_000_000 && *rate_hz < 1 << 30 {
            "resample with `ffmpeg -i IN.wav -ar 96000 OUT.wav`, or correct the rate in the header, for example with `sox -r 16000 IN.wav OUT.wav`"
        } else {
            "correct the rate in the header, for example with `sox -r 16000 IN.wav OUT.wav`"
        }
    )]
    Rate {
        /// `WAV`, `FLAC`, `L16` or `clip`.
        format: &'static str,
        /// The rate, Hz.
        rate_hz: u32,
    },
    /// The chunk says a full scale for another number of channels than it has.
    #[error(
        "the full scale is said of {said} channels and the recording has {channels}: say one for all, such as `ce_fullscale: 50 m/s2`, or one for each"
    )]
    FullScales {
        /// Full scales that are said.
        said: usize,
        /// Channels.
        channels: usize,
    },
    /// The chunk's unit is of another quantity than the feature spec's.
    #[error(
        "channel {channel} is in {unit} and the feature spec in {expected}, another quantity: send the sensor that the model was trained on, or \
         train a model with recordings in {unit}; channels of different quantities go as recordings of their own (`auscult import --per-channel`)"
    )]
    OtherQuantity {
        /// Channel, from 0.
        channel: usize,
        /// Its unit.
        unit: Unit,
        /// The spec's unit.
        expected: Unit,
    },
    /// Bytes of a format that is not read, recognised by how they begin.
    #[error("the value is {name}; this is not read: {remedy}")]
    ForeignFormat {
        /// What it is; of a text, how it begins.
        name: String,
        /// How to make of it what is read.
        remedy: &'static str,
        /// Whether it holds sound at all.
        is_sound: bool,
    },
    /// More than one recording in one value.
    #[error(
        "the {format} value holds several recordings, one behind the other: send each as a value of its own, with the time at which it began"
    )]
    SeveralRecordings {
        /// `WAV` or `FLAC`.
        format: &'static str,
    },
    /// L16 with the low byte first.
    #[error(
        "the audio/L16 value has the low byte of each sample first, RFC 2586 wants the high byte first: swap them, for example with `sox -t s16 -r 16000 -c 1 IN -t raw -e signed -b 16 -B OUT`, or send the samples as audio/wav"
    )]
    ByteOrder,
    /// A header and not one sample.
    #[error("the recording holds no samples: check that the recorder ran before the chunk was sent")]
    NoSamples,
    /// A sample is NaN or infinite.
    #[error(
        "channel {channel} has {count} samples that are no numbers, the first, {value}, at index {index}: check the recorder's float conversion, and whether bytes were lost or added on the way"
    )]
    NonFinite {
        /// Channel, from 0.
        channel: usize,
        /// Sample, from 0.
        index: usize,
        /// The sample.
        value: f32,
        /// Samples of the channel that are NaN or infinite.
        count: usize,
    },
    /// More samples than a chunk may hold.
    #[error(
        "the recording has {samples} samples in all channels together, the limit is {limit}: send it in shorter chunks"
    )]
    TooLarge {
        /// Samples that it has, or claims to have.
        samples: u64,
        /// Samples that it may have.
        limit: u64,
    },
    /// Channels of a clip differ in length.
    #[error("channel {channel} has {found} samples and channel 0 has {expected}: give every channel the same length")]
    UnevenChannels {
        /// The channel that differs.
        channel: usize,
        /// Length of channel 0, samples.
        expected: usize,
        /// Length of this one, samples.
        found: usize,
    },
    /// Too few frames to be stacked.
    #[error("{available} frames cannot fill one vector of {wanted}: use a clip of at least {wanted} frames")]
    TooFewFrames {
        /// Frames that there are.
        available: usize,
        /// Frames of one vector.
        wanted: usize,
    },
    /// The resampler refused; no input is known that leads here.
    #[error("resampling {from_hz} Hz to {to_hz} Hz: {detail}; please report this")]
    Resample {
        /// Rate of the sound, Hz.
        from_hz: u32,
        /// Rate wanted, Hz.
        to_hz: u32,
        /// The resampler's own words.
        detail: String,
    },
}

impl FeatureError {
    /// The code under which the chunk becomes a dead letter.
    #[must_use]
    pub fn code(&self) -> DeadLetterCode {
        match self {
            Self::Empty => DeadLetterCode::Empty,
            Self::UnsupportedContentType(_) | Self::InvalidContentType { .. } => DeadLetterCode::UnsupportedContentType,
            Self::NotAudio { .. } => DeadLetterCode::NotAudio,
            Self::Truncated { .. } | Self::Damaged { .. } => DeadLetterCode::Truncated,
            Self::UnsupportedFormat { .. }
            | Self::LostCodec { .. }
            | Self::Channels { .. }
            | Self::Rate { .. }
            | Self::ByteOrder => DeadLetterCode::UnsupportedFormat,
            Self::FullScales { .. } | Self::OtherQuantity { .. } => DeadLetterCode::UnsupportedFormat,
            Self::ForeignFormat { is_sound: true, .. } => DeadLetterCode::UnsupportedFormat,
            Self::ForeignFormat { is_sound: false, .. } => DeadLetterCode::NotAudio,
            Self::SeveralRecordings { .. } => DeadLetterCode::UnsupportedFormat,
            Self::NoSamples => DeadLetterCode::NoSamples,
            Self::NonFinite { .. } => DeadLetterCode::NonFinite,
            Self::TooLarge { .. } => DeadLetterCode::TooLarge,
            Self::Spec(_) | Self::UnevenChannels { .. } | Self::TooFewFrames { .. } | Self::Resample { .. } => {
                DeadLetterCode::Internal
            }
        }
    }
}
