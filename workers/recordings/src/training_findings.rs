//! Problems of training clips: one list, which `auscult train` applies and `auscult explore` prints before training.
//!
//! ```text
//!  recordings ─► unreadable, sensor fault ─► rates ─► lengths ─► pieces of one recording ─┐
//!                 └──────────────── lines, and a reason to refuse ────────────────┘        │
//!                         training set ◄─ copies, foreign clips, other operating modes ◄───┘
//! ```

use std::collections::BTreeMap;

use auscult_detection::pieces::{Trace, pieces};
use auscult_detection::{DetectionError, TrainingClip, TrainingOptions, TrainingSet, words};
use auscult_schemas::{FeatureSpec, QualityFlag};

use crate::clips::{Clip, TOLERATED_BAD_SHARE};
use crate::signal_findings::signal_findings;

/// Lengths that differ by less count as equal, because recorders do not stop at an exact sample.
const SAME_LENGTH: f64 = 0.1;
/// Maximum number of clips listed in a line; the others are counted.
const NAMED: usize = 20;

/// Training clips and their problems.
#[derive(Debug)]
pub struct TrainingFindings {
    clips: Vec<TrainingClip>,
    /// Findings from the quality flags, one line each; `explore` prints the same lines for all its recordings.
    pub signals: Vec<String>,
    /// Excluded clips and notes, one line each, the most serious first.
    pub lines: Vec<String>,
    /// Why training is refused, and how to fix it.
    pub refusal: Option<String>,
}

/// A readable clip.
struct Readable {
    clip: TrainingClip,
    /// Number of used channels, including faulty ones.
    listened: usize,
    rate_hz: u32,
    duration_s: f64,
    trace: Option<Box<Trace>>,
}

impl TrainingFindings {
    /// From recordings that were read for a spec.
    #[must_use]
    pub fn of(read: Vec<anyhow::Result<Clip>>, spec: &FeatureSpec) -> Self {
        let all = read.len();
        let names: Vec<String> = read.iter().flatten().map(|clip| clip.path.display().to_string()).collect();
        let flags = read.iter().flatten().map(|clip| clip.features.quality.as_slice());
        let recordings: Vec<(&str, &[QualityFlag])> = names.iter().map(String::as_str).zip(flags).collect();
        let signals = signal_findings(&recordings);
        let mut findings = Self { clips: Vec::new(), signals, lines: Vec::new(), refusal: None };
        let mut readable = Vec::with_capacity(all);
        for clip in read {
            match clip.and_then(|clip| Ok((clip.to_training()?, clip))) {
                Ok((training, clip)) => {
                    if training.channels.len() < clip.channel_count() {
                        let faults = words::sensor_faults(&clip.features.sensor_faults, clip.quantity);
                        findings.lines.push(format!("left out: {}: {faults}", clip.path.display()));
                    }
                    let (rate_hz, duration_s) = (clip.features.source_rate_hz, clip.features.duration_s);
                    readable.push(Readable {
                        clip: training,
                        listened: clip.channel_count(),
                        rate_hz,
                        duration_s,
                        trace: clip.trace,
                    });
                }
                Err(error) => findings.lines.push(format!("skipped: {error:#}")),
            }
        }
        let bad = all - readable.len();
        if bad > 0 {
            findings.lines.push(format!("skipped {bad} of {all} clips"));
        }
        if bad as f64 > TOLERATED_BAD_SHARE * all as f64 {
            findings.refuse(format!("{bad} of {all} clips cannot be used, more than one in ten: mend or remove them"));
        }
        findings.rates(&mut readable, spec);
        findings.lengths(&readable);
        findings.pieces(&mut readable);
        findings.channels(&readable);
        findings.clips = readable.into_iter().map(|readable| readable.clip).collect();
        findings
    }

    /// The training set. Copies and foreign clips are excluded and reported as lines.
    ///
    /// # Errors
    /// As [`TrainingSet::of`].
    pub fn set(&mut self, options: &TrainingOptions) -> anyhow::Result<TrainingSet> {
        let set = self.screened(options)?;
        self.lines.extend(set.left_out.iter().map(|out| format!("left out: {}", out.in_words())));
        for mode in &set.modes {
            self.lines.push(format!(
                "kept: {} clips are alike among themselves and unlike the others, another way of running as it seems: {}; if it is a fault, remove them",
                mode.len(),
                named(mode)
            ));
        }
        if let Some(foreign) = set.too_many_foreign {
            self.lines.push(format!(
                "kept: {foreign} of {} clips do not fit with the others, too many to leave out: are they of one machine in one state?",
                set.len()
            ));
        }
        Ok(set)
    }

    /// The clips without further checks, for other kinds of training.
    ///
    /// # Errors
    /// With the reason why training is refused.
    pub fn into_clips(self) -> anyhow::Result<Vec<TrainingClip>> {
        match self.refusal {
            Some(refusal) => Err(anyhow::anyhow!("{refusal}")),
            None => Ok(self.clips),
        }
    }

    fn screened(&mut self, options: &TrainingOptions) -> Result<TrainingSet, DetectionError> {
        TrainingSet::of(std::mem::take(&mut self.clips), options)
    }

    /// Keeps the first reason.
    fn refuse(&mut self, reason: String) {
        self.refusal.get_or_insert(reason);
    }

    /// Excludes clips whose rate is too low for the spec's bands, if they are the minority: their upper bands are
    /// empty, and a model that learned empty bands as normal detects no fault there.
    fn rates(&mut self, readable: &mut Vec<Readable>, spec: &FeatureSpec) {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        readable.iter().for_each(|readable| *counts.entry(readable.rate_hz).or_default() += 1);
        if counts.len() < 2 {
            return;
        }
        let tally: Vec<String> = counts.iter().map(|(rate, count)| format!("{count} at {rate} Hz")).collect();
        let top_hz = f64::from(spec.f_max());
        let is_low = |readable: &Readable| f64::from(readable.rate_hz) / 2.0 < top_hz - 1.0;
        let low: Vec<String> =
            readable.iter().filter(|readable| is_low(readable)).map(|readable| readable.clip.name.clone()).collect();
        if low.is_empty() || low.len() == readable.len() {
            self.lines.push(format!("mixed sample rates: {}; all hold the model's bands alike", tally.join(", ")));
            return;
        }
        let lowest = *counts.keys().next().expect("there are two");
        let way = format!("train with --sample-rate {lowest} to use all of them, or remove those of one rate");
        if 2 * low.len() >= readable.len() {
            self.refuse(format!(
                "mixed sample rates: {}, and {} of {} clips hold nothing above half their rate, which the model's bands reach ({top_hz:.0} Hz): {way}",
                tally.join(", "),
                low.len(),
                readable.len()
            ));
            return;
        }
        self.lines.push(format!(
            "left out: {} of {} clips, whose sample rate is too low for the model's bands, up to {top_hz:.0} Hz ({}): {way}. They are {}",
            low.len(),
            readable.len(),
            tally.join(", "),
            named(&low)
        ));
        readable.retain(|readable| !is_low(readable));
    }

    /// Finds clips that are pieces of one recording. Training then holds them out together.
    fn pieces(&mut self, readable: &mut [Readable]) {
        let known: Vec<(&str, Option<&Trace>)> =
            readable.iter().map(|readable| (readable.clip.name.as_str(), readable.trace.as_deref())).collect();
        let pieces = pieces(&known);
        let recordings = pieces.recordings();
        if recordings == readable.len() {
            return;
        }
        let together = if recordings == 1 {
            "nothing can be held out of one recording: the threshold holds for it alone; record on other days, too"
        } else {
            "pieces are held out together and count as one"
        };
        self.lines.push(format!(
            "{} clips are pieces of {recordings} recording{} ({}): {together}",
            readable.len(),
            if recordings == 1 { "" } else { "s" },
            pieces.in_words()
        ));
        let first_names: Vec<String> =
            pieces.recording_of.iter().map(|first| readable[*first].clip.name.clone()).collect();
        for (readable, first) in readable.iter_mut().zip(first_names) {
            readable.clip.recording = Some(first);
        }
    }

    fn channels(&mut self, readable: &[Readable]) {
        let mut counts: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for readable in readable {
            counts.entry(readable.listened).or_default().push(readable.clip.name.clone());
        }
        if counts.len() < 2 {
            return;
        }
        let tally: Vec<String> =
            counts.iter().map(|(channels, clips)| format!("{channels} in {}", clips.len())).collect();
        let fewest = counts.into_values().min_by_key(Vec::len).unwrap_or_default();
        self.lines.push(format!(
            "mixed numbers of channels: {} clips; scores of one channel and of several differ: choose those that all have with --channels. The fewest are {}",
            tally.join(", "),
            named(&fewest)
        ));
    }

    fn lengths(&mut self, readable: &[Readable]) {
        let mut lengths: Vec<f64> = readable.iter().map(|readable| readable.duration_s).collect();
        lengths.sort_by(f64::total_cmp);
        let Some(usual) = lengths.get(lengths.len() / 2).copied() else { return };
        let differs = |readable: &&Readable| (readable.duration_s / usual - 1.0).abs() > SAME_LENGTH;
        let others: Vec<String> = readable
            .iter()
            .filter(differs)
            .map(|readable| format!("{} ({:.2} s)", readable.clip.name, readable.duration_s))
            .collect();
        if !others.is_empty() {
            self.lines.push(format!(
                "mixed lengths: {} of {} clips are not about {usual:.2} s long, and scores of short clips scatter more: cut all to one length. They are {}",
                others.len(),
                readable.len(),
                named(&others)
            ));
        }
    }
}

fn named(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use auscult_features::ChunkExtractor;
    use auscult_simulator::wav_bytes;

    use super::*;

    fn clip(name: &str, rate_hz: u32, seconds: f64, seed: u32) -> anyhow::Result<Clip> {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let samples: Vec<f32> = (0..(f64::from(rate_hz) * seconds) as usize)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / 83_886_080.0 - 0.1
            })
            .collect();
        let features =
            ChunkExtractor::new(FeatureSpec::default())?.extract("audio/wav", &wav_bytes(&samples, rate_hz))?;
        Ok(Clip { path: PathBuf::from(name), features, quantity: None, trace: None, chosen: None })
    }

    fn found(low: u32, short: u32) -> TrainingFindings {
        let rate = |index| if index < low { 8_000 } else { 16_000 };
        let seconds = |index| if index >= 20 - short { 0.5 } else { 1.0 };
        let read = (0..20).map(|index| clip(&format!("{index}.wav"), rate(index), seconds(index), index)).collect();
        TrainingFindings::of(read, &FeatureSpec::default())
    }

    #[test]
    fn clips_of_a_rate_too_low_are_left_out_by_name_and_a_majority_is_refused() {
        let few = found(4, 0);
        assert!(few.refusal.is_none() && few.clips.len() == 16);
        let line = few.lines.first().unwrap();
        assert!(line.contains("left out: 4 of 20") && line.contains("--sample-rate 8000"), "{line}");
        assert!(line.contains("0.wav, 1.wav, 2.wav, 3.wav"), "{line}");
        let many = found(12, 0).refusal.unwrap();
        assert!(many.contains("12 at 8000 Hz, 8 at 16000 Hz") && many.contains("--sample-rate 8000"), "{many}");
        assert!(found(0, 0).lines.is_empty());
    }

    #[test]
    fn clips_of_another_number_of_channels_are_named() {
        let stereo = |mut clip: Clip| {
            clip.features.values.extend(clip.features.values.clone());
            clip.features.channels = 2;
            clip
        };
        let read = (0..20).map(|index| {
            let clip = clip(&format!("{index}.wav"), 16_000, 0.5, index);
            if index < 3 { clip.map(stereo) } else { clip }
        });
        let lines = TrainingFindings::of(read.collect(), &FeatureSpec::default()).lines;
        assert!(lines.len() == 1 && lines[0].contains("1 in 17, 2 in 3 clips"), "{lines:?}");
        assert!(lines[0].contains("0.wav, 1.wav, 2.wav"), "{lines:?}");
    }

    #[test]
    fn clips_of_another_length_are_named() {
        let lines = found(0, 3).lines;
        assert!(lines.len() == 1 && lines[0].contains("3 of 20") && lines[0].contains("17.wav (0.50 s)"), "{lines:?}");
    }

    #[test]
    fn files_that_cannot_be_read_are_named_counted_and_too_many_refused() {
        let read = |bad: usize| {
            let broken = (0..bad).map(|index| Err(anyhow::anyhow!("{index}.wav: is no sound")));
            let sound = (0..20).map(|index| clip(&format!("sound-{index}.wav"), 16_000, 0.5, index));
            TrainingFindings::of(broken.chain(sound).collect(), &FeatureSpec::default())
        };
        let one = read(1);
        assert_eq!(one.lines, ["skipped: 0.wav: is no sound", "skipped 1 of 21 clips"]);
        assert!(one.refusal.is_none() && one.clips.len() == 20);
        assert!(read(5).refusal.unwrap().contains("5 of 25"));
    }
}
