//! Scored test clips with their labels, and their groups.

use std::path::PathBuf;

use auscult_detection::{Evaluation, evaluate};
use auscult_recordings::dataset::Domain;
use auscult_schemas::Quantity;

/// A test clip with its label and the model's result.
#[derive(Debug, Clone)]
pub struct JudgedClip {
    /// The file.
    pub path: PathBuf,
    /// The machine's id.
    pub machine: String,
    /// DCASE's domain, if the file name contains one.
    pub domain: Option<Domain>,
    /// The label.
    pub is_abnormal: bool,
    /// The fault's name, if known from the folder.
    pub fault: Option<String>,
    /// What its sensors measure; `None`: sound.
    pub quantity: Option<Quantity>,
    /// The score, dB².
    pub score: f64,
    /// Each channel's score, dB²; `None` for channels excluded because of a sensor fault.
    pub channel_scores: Vec<Option<f64>>,
}

impl JudgedClip {
    /// The fault's name for output.
    #[must_use]
    pub fn fault_name(&self) -> &str {
        self.fault.as_deref().unwrap_or("(not named)")
    }
}

/// Scores of normal clips, and of abnormal ones.
#[must_use]
pub fn scores_by_class<'a>(clips: impl IntoIterator<Item = &'a JudgedClip>) -> (Vec<f64>, Vec<f64>) {
    let (mut normal, mut abnormal) = (Vec::new(), Vec::new());
    for clip in clips {
        if clip.is_abnormal { abnormal.push(clip.score) } else { normal.push(clip.score) }
    }
    (normal, abnormal)
}

/// The names of all faults.
#[must_use]
pub fn faults(clips: &[JudgedClip]) -> Vec<&str> {
    distinct(clips.iter().filter(|clip| clip.is_abnormal).map(JudgedClip::fault_name))
}

/// The ids of all machines.
#[must_use]
pub fn machines(clips: &[JudgedClip]) -> Vec<&str> {
    distinct(clips.iter().map(|clip| clip.machine.as_str()))
}

/// Evaluates one fault against all normal clips.
#[must_use]
pub fn evaluate_fault(clips: &[JudgedClip], fault: &str, threshold: f64) -> Evaluation {
    let counts = |clip: &&JudgedClip| !clip.is_abnormal || clip.fault_name() == fault;
    let (normal, abnormal) = scores_by_class(clips.iter().filter(counts));
    evaluate(&normal, &abnormal, threshold)
}

/// Evaluates one machine.
#[must_use]
pub fn evaluate_machine(clips: &[JudgedClip], machine: &str, threshold: f64) -> Evaluation {
    let (normal, abnormal) = scores_by_class(clips.iter().filter(|clip| clip.machine == machine));
    evaluate(&normal, &abnormal, threshold)
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}
