//! Verdicts as text and as JSON lines.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use auscult_detection::{FalseAlarms, findings, words};
use auscult_evaluation::recording::ScoredRecording;
use auscult_schemas::{DeviatingBand, MeasuredLevels, ModelRef, Note, NoteKind, QualityFlag, SensorFault, TimeCourse};
use serde::Serialize;

/// One line of `--json`.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Line<'a> {
    Scored {
        file: String,
        verdict: &'static str,
        anomalous: bool,
        score: f64,
        threshold: f64,
        p_value: f64,
        health_index: f64,
        channel_scores: &'a [f64],
        bands: &'a [DeviatingBand],
        #[serde(skip_serializing_if = "Option::is_none")]
        time_course: Option<&'a TimeCourse>,
        #[serde(skip_serializing_if = "Option::is_none")]
        explanation: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        levels: Option<&'a MeasuredLevels>,
        quality: &'a [QualityFlag],
        sensor_faults: &'a [SensorFault],
        #[serde(skip_serializing_if = "<[Note]>::is_empty")]
        notes: &'a [Note],
        model: &'a ModelRef,
        calibration: &'a FalseAlarms,
    },
    Unjudged {
        file: String,
        verdict: &'static str,
        explanation: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        score: Option<f64>,
        quality: &'a [QualityFlag],
        sensor_faults: &'a [SensorFault],
        #[serde(skip_serializing_if = "<[Note]>::is_empty")]
        notes: &'a [Note],
        model: &'a ModelRef,
    },
    Failed {
        file: String,
        error: String,
    },
}

impl<'a> Line<'a> {
    /// The line of a file and its result.
    pub(super) fn new(
        path: &Path,
        result: &'a anyhow::Result<ScoredRecording>,
        model: &'a ModelRef,
        calibration: &'a FalseAlarms,
    ) -> Self {
        let file = path.display().to_string();
        let scored = match result {
            Ok(scored) => scored,
            Err(error) => return Self::Failed { file, error: format!("{error:#}") },
        };
        let ScoredRecording { judgement, noted, quality, sensor_faults, .. } = scored;
        match judgement {
            Some(judgement) if noted.unjudged.is_none() => Self::Scored {
                file,
                verdict: scored.verdict(),
                anomalous: judgement.anomalous,
                score: judgement.score,
                threshold: judgement.threshold,
                p_value: judgement.p_value,
                health_index: judgement.health_index,
                channel_scores: &judgement.channel_scores,
                bands: &judgement.bands,
                time_course: judgement.time_course.as_ref(),
                explanation: judgement.anomalous.then(|| scored.explanation(judgement)),
                levels: scored.levels.as_ref(),
                quality,
                sensor_faults,
                notes: &noted.notes,
                model,
                calibration,
            },
            _ => Self::Unjudged {
                file,
                verdict: scored.verdict(),
                explanation: scored.why_unjudged(),
                score: judgement.as_ref().map(|judgement| judgement.score),
                quality,
                sensor_faults,
                notes: &noted.notes,
                model,
            },
        }
    }
}

/// Writes the verdict and its reasons.
pub(super) fn write_verdict(out: &mut impl Write, path: &Path, scored: &ScoredRecording) -> std::io::Result<()> {
    let verdict = scored.verdict();
    match &scored.judgement {
        Some(judgement) if scored.noted.unjudged.is_none() => {
            write!(
                out,
                "{verdict:<9}  score {:>8.3} / {:<8.3} p {:<8.2e} health {:>3.0}  {}",
                judgement.score,
                judgement.threshold,
                judgement.p_value,
                judgement.health_index,
                path.display()
            )?;
            // The deviating bands explain an anomaly; for a normal clip they mean nothing.
            if judgement.anomalous {
                write!(out, "\n           {}", scored.explanation(judgement))?;
            }
            writeln!(out)?;
        }
        // The reason is printed below: sensor faults for each file, setup faults once at the end.
        _ => writeln!(out, "{verdict:<12}  not judged  {}", path.display())?,
    }
    for fault in &scored.sensor_faults {
        writeln!(out, "           left out: {}", words::sensor_fault(fault, scored.quantity))?;
    }
    Ok(())
}

/// Remarks printed once at the end, for any number of files: how to fix faults and notes.
#[derive(Default)]
pub(super) struct Remarks {
    faults: BTreeMap<QualityFlag, usize>,
    /// The first note of each kind, and the number of files with it.
    notes: BTreeMap<NoteKind, (Note, usize)>,
}

impl Remarks {
    pub(super) fn add(&mut self, scored: &ScoredRecording) {
        let at_fault: BTreeSet<QualityFlag> =
            scored.sensor_faults.iter().flat_map(|fault| &fault.flags).copied().collect();
        for flag in at_fault {
            *self.faults.entry(flag).or_default() += 1;
        }
        for note in &scored.noted.notes {
            self.notes.entry(note.kind).or_insert_with(|| (note.clone(), 0)).1 += 1;
        }
    }

    pub(super) fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let files = |count: usize| if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
        for (flag, count) in &self.faults {
            writeln!(out, "note, {}: {}", files(*count), findings::finding(*flag))?;
        }
        for (Note { words, remedy, .. }, count) in self.notes.values() {
            writeln!(out, "note, {}: {words}; {remedy}", files(*count))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use auscult_detection::notes::ChunkNotes;
    use auscult_schemas::{MachineState, SetupNote};

    use super::*;

    fn scored(notes: Vec<Note>, unjudged: Option<MachineState>) -> ScoredRecording {
        let noted = ChunkNotes { notes, unjudged };
        ScoredRecording {
            judgement: None,
            noted,
            quality: Vec::new(),
            sensor_faults: Vec::new(),
            quantity: None,
            levels: None,
        }
    }

    #[test]
    fn a_setup_note_of_many_files_is_said_once_with_its_remedy() {
        let note = |words: &str| Note {
            kind: NoteKind::Setup(SetupNote::Shorter),
            words: words.to_owned(),
            remedy: "send chunks of 2.8 s".to_owned(),
        };
        let mut remarks = Remarks::default();
        for words in ["chunks of 0.56 s, learned with 2.8 s", "chunks of 0.55 s, learned with 2.8 s"] {
            remarks.add(&scored(vec![note(words)], Some(MachineState::SetupFault)));
        }
        let mut out = Vec::new();
        remarks.write(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "note, 2 files: chunks of 0.56 s, learned with 2.8 s; send chunks of 2.8 s\n"
        );
    }
}
