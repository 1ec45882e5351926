//! What is noted beside a score about how a chunk was recorded. No alarm of the machine: a chunk that does not fit what
//! the model has learned is named, with the remedy, and where it cannot be compared its score is not held against the
//! threshold.

use auscult_schemas::{FeatureSpec, MachineState, Note, NoteKind, QualityFlag, SetupNote};

use crate::judgement::Judgement;
use crate::learned::{Learned, LearnedRate, USUAL_SHARE, total_level_db};
use crate::training::Recorded;
use crate::{Manifest, words};

/// Rates give the same bandwidth within this share: 2 %, less than the highest of 64 mel bands is wide.
const SAME_RATE: f64 = 0.02;
/// Chunks down to this share of the shortest usual training clip are judged. Below it a healthy machine's scores rise:
/// of a simulated one with clips of 2.8 s, chunks at 0.75 of their length are above the threshold of one in a hundred
/// in 28 of 100 chunks, at 0.5 in 93.
const SHORTEST_SHARE: f64 = 0.9;
/// From so many times the longest usual training clip on it is noted that a short event weighs less. Scores hold: at
/// ten times that length no chunk of the healthy machine is above the threshold, and every one with a lasting fault is.
const LONGEST_TIMES: f64 = 4.0;

/// So far below the quietest training clip a machine does not run, dB.
const FAR_DB: f64 = 30.0;
/// And so little louder than the quietest training clip, dB, is a chunk in any band: nothing new is heard in it.
const NOTHING_NEW_DB: f64 = 3.0;
/// How much louder than the loudest clip at rest a chunk at rest may be, dB: as a whole, and in one band.
const REST_LEVEL_DB: f64 = 3.0;
const REST_BAND_DB: f64 = 6.0;

/// What is to be noted of a chunk, and why it says nothing about the machine's health.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChunkNotes {
    /// The notes, those about the setup first.
    pub notes: Vec<Note>,
    /// `sensor_fault`, `setup_fault` or `idle`; `None` of a chunk that is judged.
    pub unjudged: Option<MachineState>,
}

/// What is to be noted of a chunk, by how it was recorded and how it sounds. `judgement` is `None` where no sensor
/// heard it.
#[must_use]
pub fn of_chunk(
    manifest: &Manifest,
    judgement: Option<&Judgement>,
    recorded: Option<Recorded>,
    quality: &[QualityFlag],
) -> ChunkNotes {
    let mut notes = recorded.map(|recorded| of_recording(manifest, recorded, quality)).unwrap_or_default();
    let Some(judgement) = judgement else { return ChunkNotes { notes, unjudged: Some(MachineState::SensorFault) } };
    if is_incomparable(&notes) {
        return ChunkNotes { notes, unjudged: Some(MachineState::SetupFault) };
    }
    let rest = at_rest(manifest, judgement);
    if let Some(Rest::FarQuieter(note)) = &rest {
        notes.insert(0, note.clone());
    }
    ChunkNotes { notes, unjudged: rest.map(|_| MachineState::Idle) }
}

/// What is to be noted of a chunk, by how it was recorded and by its quality flags.
#[must_use]
pub fn of_recording(manifest: &Manifest, recorded: Recorded, quality: &[QualityFlag]) -> Vec<Note> {
    let mut notes = Vec::new();
    if let Some(learned) = &manifest.learned {
        notes.extend(other_rate(learned, &manifest.feature_spec, recorded.source_rate_hz));
        notes.extend(other_length(learned, recorded.duration_s));
    }
    let usual = manifest.learned.as_ref().map(|learned| learned.flags.as_slice()).unwrap_or_default();
    let chunk_notes =
        quality.iter().filter(|flag| NoteKind::is_noted(**flag) && !(may_be_learned(**flag) && usual.contains(flag)));
    notes.extend(chunk_notes.map(|flag| words::quality_note(*flag, manifest.quantity())));
    notes
}

/// Whether a peculiarity is nothing to note where training had it, too: the machine hums, the sensor measures a mean.
/// What harms the sound however often it comes is noted all the same.
fn may_be_learned(flag: QualityFlag) -> bool {
    !matches!(flag, QualityFlag::Processed | QualityFlag::Joins | QualityFlag::StartTransient)
}

/// Whether a chunk with these notes cannot be compared with the training clips.
#[must_use]
pub fn is_incomparable(notes: &[Note]) -> bool {
    notes.iter().any(|note| note.kind.is_incomparable())
}

/// The highest frequency that sound of this rate has in the spec's bands, Hz. Sound above the spec's rate has no more
/// than it.
fn bandwidth_hz(spec: &FeatureSpec, rate_hz: u32) -> f64 {
    (f64::from(rate_hz) / 2.0).min(f64::from(spec.f_max()))
}

fn other_rate(learned: &Learned, spec: &FeatureSpec, rate_hz: u32) -> Option<Note> {
    let all: usize = learned.rates.iter().map(|rate| rate.clips).sum();
    let is_usual = |rate: &&LearnedRate| rate.clips as f64 >= USUAL_SHARE * all as f64;
    let usual: Vec<&LearnedRate> = learned.rates.iter().filter(is_usual).collect();
    let bandwidth = bandwidth_hz(spec, rate_hz);
    let is_same = |rate: &&LearnedRate| {
        let known = bandwidth_hz(spec, rate.hz);
        (bandwidth - known).abs() <= SAME_RATE * known
    };
    // The rate that most clips came with stands for them all.
    let most = usual.iter().max_by_key(|rate| rate.clips)?;
    if usual.iter().any(is_same) {
        return None;
    }
    let (arrives, known) = (kilohertz(rate_hz), kilohertz(most.hz));
    Some(Note {
        kind: NoteKind::Setup(SetupNote::OtherRate),
        words: format!("arrives at {arrives}, learned at {known}"),
        remedy: format!("have the gateway send {known}, or train the model with clips of {arrives}"),
    })
}

fn other_length(learned: &Learned, duration_s: f64) -> Option<Note> {
    let lengths = &learned.lengths;
    let kind = match duration_s {
        short if short < SHORTEST_SHARE * lengths.short_s => SetupNote::Shorter,
        long if long > LONGEST_TIMES * lengths.long_s => SetupNote::Longer,
        _ => return None,
    };
    let (arrives, known) = (seconds(duration_s), seconds(lengths.median_s));
    let remedy = match kind {
        SetupNote::Longer => format!("send chunks of {known}: in longer ones a short event weighs less"),
        _ => format!("send chunks of {known}, or train the model with clips of {arrives}"),
    };
    let words = format!("chunks of {arrives}, learned with {known}");
    Some(Note { kind: NoteKind::Setup(kind), words, remedy })
}

/// Why a chunk is taken for one of the machine at rest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rest {
    /// It sounds as the clips at rest that training had.
    Learned,
    /// It is far below everything that training had.
    FarQuieter(Note),
}

/// Whether a chunk sounds as the machine does at rest. A machine that has become quieter by some dB runs, and is
/// judged; so is a chunk in which any band is louder than rest allows.
pub(crate) fn at_rest(manifest: &Manifest, judgement: &Judgement) -> Option<Rest> {
    let learned = manifest.learned.as_ref()?;
    let levels: Vec<f64> = judgement.band_levels_db.iter().map(|level| f64::from(*level)).collect();
    let level_db = total_level_db(&levels);
    let is_within = |bounds_db: &[f64], room_db: f64| {
        bounds_db.len() == levels.len() && levels.iter().zip(bounds_db).all(|(level, bound)| *level <= bound + room_db)
    };
    if let Some(rest) = &learned.at_rest
        && level_db <= rest.level_db + REST_LEVEL_DB
        && is_within(&rest.band_levels_db, REST_BAND_DB)
    {
        return Some(Rest::Learned);
    }
    let quietest = learned.quietest.as_ref()?;
    let below_db = quietest.level_db - level_db;
    if below_db < FAR_DB || !is_within(&quietest.band_levels_db, NOTHING_NEW_DB) {
        return None;
    }
    let sensor = words::sensor(manifest.quantity());
    Some(Rest::FarQuieter(Note {
        kind: NoteKind::Setup(SetupNote::FarQuieter),
        words: format!(
            "{below_db:.0} dB below everything learned: the machine is at rest, or its {sensor} is off the machine"
        ),
        remedy: format!(
            "if it runs, check the {sensor}'s mounting, cable and gain; if it rests, train with `--idle RECORDINGS` of it at rest, \
             or say so with `auscult control MACHINE idle`"
        ),
    }))
}

/// `8 kHz`, `25.6 kHz`, `44.1 kHz`, `500 Hz`.
fn kilohertz(hz: u32) -> String {
    if hz < 1000 { format!("{hz} Hz") } else { format!("{} kHz", f64::from(hz) / 1000.0) }
}

/// `2.8 s`, `0.56 s`, `10 s`.
fn seconds(seconds: f64) -> String {
    // Three digits are what such lengths are known by.
    let digits = if seconds >= 100.0 {
        0
    } else if seconds >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{seconds:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} s")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learned::{LearnedLengths, Levels};

    fn learned(rates: &[(u32, usize)], length_s: f64) -> Learned {
        Learned {
            rates: rates.iter().map(|(hz, clips)| LearnedRate { hz: *hz, clips: *clips }).collect(),
            flags: Vec::new(),
            lengths: LearnedLengths { short_s: length_s, median_s: length_s, long_s: length_s },
            quietest: Some(Levels { band_levels_db: vec![-40.0; 4], level_db: -34.0 }),
            at_rest: None,
        }
    }

    #[test]
    fn a_rate_that_gives_another_bandwidth_than_learned_is_noted_and_no_other() {
        let spec = FeatureSpec::default();
        let words = |rates: &[(u32, usize)], hz| other_rate(&learned(rates, 2.0), &spec, hz).map(|note| note.words);
        assert_eq!(words(&[(16_000, 50)], 8_000).as_deref(), Some("arrives at 8 kHz, learned at 16 kHz"));
        assert_eq!(words(&[(16_000, 50)], 16_000), None);
        assert_eq!(words(&[(16_000, 50)], 48_000), None, "resampled down, its bands are the same");
        assert_eq!(words(&[(48_000, 50)], 16_000), None, "the spec's bands end at 8 kHz");
        assert_eq!(words(&[(48_000, 50)], 44_100), None);
        assert_eq!(words(&[(16_000, 50)], 15_900), None, "within 2 %");
        assert_eq!(words(&[(16_000, 40), (8_000, 10)], 8_000), None, "training had it");
        assert_eq!(words(&[(16_000, 99), (8_000, 1)], 8_000).as_deref(), Some("arrives at 8 kHz, learned at 16 kHz"));
        // The bands above 4 kHz were empty in training, and are not now.
        assert_eq!(words(&[(8_000, 50)], 16_000).as_deref(), Some("arrives at 16 kHz, learned at 8 kHz"));
        assert_eq!(words(&[(8_000, 50)], 11_025).as_deref(), Some("arrives at 11.025 kHz, learned at 8 kHz"));
        assert_eq!(words(&[], 8_000), None, "a package that does not know its rates");
    }

    #[test]
    fn a_band_limit_of_the_spec_bounds_what_a_rate_is_needed_for() {
        let spec = FeatureSpec { f_max_hz: Some(3_800.0), ..FeatureSpec::default() };
        assert_eq!(other_rate(&learned(&[(16_000, 50)], 2.0), &spec, 8_000), None, "its bands are complete at 8 kHz");
        assert!(other_rate(&learned(&[(16_000, 50)], 2.0), &spec, 6_000).is_some());
    }

    #[test]
    fn a_length_far_from_those_learned_is_noted_with_both() {
        let words = |duration_s| other_length(&learned(&[], 2.8), duration_s).map(|note| note.words);
        assert_eq!(words(0.56).as_deref(), Some("chunks of 0.56 s, learned with 2.8 s"));
        for near in [2.55, 2.8, 3.0, 5.6, 11.2] {
            assert_eq!(words(near), None, "{near}");
        }
        assert_eq!(words(30.0).as_deref(), Some("chunks of 30 s, learned with 2.8 s"));
        let is_judged = |duration_s| !other_length(&learned(&[], 2.8), duration_s).unwrap().kind.is_incomparable();
        assert!(is_judged(30.0) && !is_judged(2.4));
        assert_eq!([0.56, 2.0, 10.0, 10.5, 120.4].map(seconds), ["0.56 s", "2 s", "10 s", "10.5 s", "120 s"]);
    }
}
