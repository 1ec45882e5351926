//! Scores test clips with their machine's model: those used for metrics, and all others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use auscult_detection::{HealthyClip, Judgement, Model, words};
use auscult_recordings::clips::{self, Clip};
use auscult_recordings::dataset::{Domain, MachineClips};

use crate::dcase::ScoredClip;
use crate::judged::JudgedClip;

/// A model's result for the channels of a clip with working sensors.
#[derive(Debug, Clone)]
pub struct HealthyJudgement {
    /// The channels.
    pub channels: Vec<usize>,
    /// The judgement on them.
    pub judgement: Judgement,
}

/// Number of clips per forward pass.
const BATCH: usize = 64;

/// Scores clips like a worker: without channels with sensor faults. A clip without any other channel has no judgement:
/// [`left_out`] returns the reason.
///
/// # Errors
/// If the model fails.
pub fn judge_in_batches(model: &Model, clips: &[Clip]) -> anyhow::Result<Vec<Option<HealthyJudgement>>> {
    let mut results = Vec::with_capacity(clips.len());
    for batch in clips.chunks(BATCH) {
        let healthy: Vec<Option<HealthyClip<'_>>> = batch.iter().map(Clip::healthy).collect();
        let judged: Vec<HealthyClip<'_>> = healthy.iter().flatten().cloned().collect();
        let mut judgements = model.judge_heard(&judged)?.into_iter();
        results.extend(healthy.into_iter().map(|healthy| {
            // One judgement per clip with a healthy channel, in order.
            let healthy = healthy?;
            judgements.next().map(|judgement| HealthyJudgement { channels: healthy.channels.clone(), judgement })
        }));
    }
    Ok(results)
}

/// Why a clip has no judgement: one line of text.
#[must_use]
pub fn left_out(clip: &Clip) -> String {
    format!("left out: {}: {}", clip.path.display(), words::sensor_faults(&clip.features.sensor_faults, clip.quantity))
}

/// A machine's model, with the scale of its scores.
#[derive(Clone, Copy)]
pub struct MachineModel<'a> {
    /// The model.
    pub model: &'a Model,
    /// Scores above it are anomalous.
    pub threshold: f64,
    /// Divisor of labelled clips' scores: the threshold, if machines have their own models; otherwise 1.
    pub unit: f64,
}

/// The test clips of a data set.
#[derive(Debug, Clone)]
pub struct JudgedClips {
    /// Labelled clips with a working sensor: those used for the metrics. If machines have their own models, each score
    /// is in units of its machine's threshold.
    pub judged: Vec<JudgedClip>,
    /// Every clip, with the model's own score.
    pub scored: Vec<ScoredClip>,
    /// Scores above it are anomalous.
    pub threshold: f64,
}

impl JudgedClips {
    /// No clips yet.
    #[must_use]
    pub fn new(threshold: f64) -> Self {
        Self { judged: Vec::new(), scored: Vec::new(), threshold }
    }

    /// Number of labelled clips without a working sensor.
    #[must_use]
    pub fn n_unheard(&self) -> usize {
        let is_unheard = |clip: &&ScoredClip| clip.left_out.is_some() && clip.score.is_some();
        self.scored.iter().filter(is_unheard).filter(|clip| clip.is_abnormal.is_some()).count()
    }

    /// Number of unreadable clips.
    #[must_use]
    pub fn n_unreadable(&self) -> usize {
        self.scored.iter().filter(|clip| clip.score.is_none()).count()
    }

    /// Number of clips without a label.
    #[must_use]
    pub fn n_unlabelled(&self) -> usize {
        self.scored.iter().filter(|clip| clip.is_abnormal.is_none()).count()
    }

    /// Rejects a data set in which more than one clip in ten cannot be read.
    ///
    /// # Errors
    /// If that is the case.
    pub fn refuse_too_many_unreadable(&self) -> anyhow::Result<()> {
        clips::refuse_too_many_bad(self.n_unreadable(), self.scored.len())
    }

    /// Scores a machine's test clips. `read` are the recordings of `tests`, in the same order. Returns notes on single
    /// clips, one line each.
    ///
    /// # Errors
    /// If the model fails.
    pub fn judge_machine(
        &mut self,
        machine: &MachineClips,
        model: &MachineModel<'_>,
        tests: Vec<TestClip>,
        read: Vec<anyhow::Result<Clip>>,
    ) -> anyhow::Result<Vec<String>> {
        let mut lines = Vec::new();
        let mut good = Vec::with_capacity(read.len());
        let mut unreadable: BTreeMap<PathBuf, String> = BTreeMap::new();
        for (test, clip) in tests.iter().zip(read) {
            match clip {
                Ok(clip) => good.push(clip),
                Err(error) => {
                    lines.push(format!("not read: {error:#}"));
                    unreadable.insert(test.path.clone(), format!("{:#}", error.root_cause()));
                }
            }
        }
        let judgements = judge_in_batches(model.model, &good)?;
        let unjudged = good.iter().zip(&judgements).filter(|(_, judgement)| judgement.is_none());
        let unjudged: Vec<&Clip> = unjudged.map(|(clip, _)| clip).collect();
        lines.extend(unjudged.iter().map(|clip| left_out(clip)));
        let scores_of_all_channels = score_all_channels(model.model, &unjudged)?;
        let mut results: BTreeMap<&Path, (&Clip, Option<HealthyJudgement>)> =
            good.iter().zip(judgements).map(|(clip, judgement)| (clip.path.as_path(), (clip, judgement))).collect();

        for test in tests {
            let TestClip { path, fault, is_abnormal, domain } = test;
            let result = results.remove(path.as_path());
            let (score, left_out) = match &result {
                None => (None, unreadable.remove(&path)),
                Some((_, Some(healthy))) => (Some(healthy.judgement.score), None),
                Some((clip, None)) => {
                    let why = words::sensor_faults(&clip.features.sensor_faults, clip.quantity);
                    (scores_of_all_channels.get(path.as_path()).copied(), Some(why))
                }
            };
            if let (Some(is_abnormal), Some((clip, Some(healthy)))) = (is_abnormal, result) {
                let HealthyJudgement { channels, judgement } = healthy;
                let mut channel_scores = vec![None; clip.features.channels];
                for (channel, score) in channels.into_iter().zip(judgement.channel_scores) {
                    channel_scores[channel] = Some(score / model.unit);
                }
                self.judged.push(JudgedClip {
                    path: path.clone(),
                    machine: machine.id.clone(),
                    domain,
                    is_abnormal,
                    fault,
                    quantity: clip.quantity,
                    score: judgement.score / model.unit,
                    channel_scores,
                });
            }
            self.scored.push(ScoredClip {
                path,
                machine: machine.id.clone(),
                dcase: machine.dcase.clone(),
                domain,
                is_abnormal,
                score,
                threshold: model.threshold,
                left_out,
            });
        }
        Ok(lines)
    }
}

/// A test clip before scoring.
#[derive(Debug, Clone)]
pub struct TestClip {
    /// The file.
    pub path: PathBuf,
    fault: Option<String>,
    is_abnormal: Option<bool>,
    domain: Option<Domain>,
}

/// A machine's test clips: normal, abnormal, without a label.
#[must_use]
pub fn test_clips(machine: &MachineClips) -> Vec<TestClip> {
    let clip = |path: &PathBuf, fault, is_abnormal| TestClip {
        path: path.clone(),
        fault,
        is_abnormal,
        domain: machine.domain_of(path),
    };
    let normal = machine.test_normal.iter().map(|path| clip(path, None, Some(false)));
    let abnormal = machine.test_abnormal.iter().map(|test| clip(&test.path, test.fault.clone(), Some(true)));
    let unlabelled = machine.unlabelled.iter().map(|path| clip(path, None, None));
    normal.chain(abnormal).chain(unlabelled).collect()
}

/// Scores clips without a healthy channel, with all their channels: an evaluator requires a score for every clip.
fn score_all_channels<'a>(model: &Model, clips: &[&'a Clip]) -> anyhow::Result<BTreeMap<&'a Path, f64>> {
    let mut scores = BTreeMap::new();
    for batch in clips.chunks(BATCH) {
        let whole: Vec<_> = batch.iter().filter_map(|clip| clip.all_channels()).collect();
        for (clip, judgement) in batch.iter().zip(model.judge_heard(&whole)?) {
            scores.insert(clip.path.as_path(), judgement.score);
        }
    }
    Ok(scores)
}
