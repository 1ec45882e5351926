//! Test clips judged by their machine's model: those that figures are of, and a score of every other one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use auscult_detection::{HealthyClip, Judgement, Model, words};
use auscult_recordings::clips::{self, Clip};
use auscult_recordings::dataset::{Domain, MachineClips};

use crate::dcase::ScoredClip;
use crate::judged::JudgedClip;

/// What a model says of the channels of a clip whose sensor is well.
#[derive(Debug, Clone)]
pub struct HealthyJudgement {
    /// These channels.
    pub channels: Vec<usize>,
    /// The judgement on them.
    pub judgement: Judgement,
}

/// So many clips go through one forward pass.
const BATCH: usize = 64;

/// Judges clips as a worker does: without the channels whose sensor is at fault. A clip of which none is left has no
/// judgement: [`left_out`] says why.
///
/// # Errors
/// When the model fails.
pub fn judge_in_batches(model: &Model, clips: &[Clip]) -> anyhow::Result<Vec<Option<HealthyJudgement>>> {
    let mut results = Vec::with_capacity(clips.len());
    for batch in clips.chunks(BATCH) {
        let healthy: Vec<Option<HealthyClip<'_>>> = batch.iter().map(Clip::healthy).collect();
        let judged: Vec<HealthyClip<'_>> = healthy.iter().flatten().cloned().collect();
        let mut judgements = model.judge_heard(&judged)?.into_iter();
        results.extend(healthy.into_iter().map(|healthy| {
            // A judgement for each clip with a healthy channel, in their order.
            let healthy = healthy?;
            judgements.next().map(|judgement| HealthyJudgement { channels: healthy.channels.clone(), judgement })
        }));
    }
    Ok(results)
}

/// Why a clip has no judgement: a line for people.
#[must_use]
pub fn left_out(clip: &Clip) -> String {
    format!("left out: {}: {}", clip.path.display(), words::sensor_faults(&clip.features.sensor_faults, clip.quantity))
}

/// A machine's model, and what its scores mean.
#[derive(Clone, Copy)]
pub struct MachineModel<'a> {
    /// The model.
    pub model: &'a Model,
    /// Scores above it are anomalous.
    pub threshold: f64,
    /// What labelled clips' scores are divided by: the threshold, where machines have models of their own; else 1.
    pub unit: f64,
}

/// The test clips of a data set.
#[derive(Debug, Clone)]
pub struct JudgedClips {
    /// Labelled clips that a sensor heard: those that the figures are of. Where machines have models of their own, each
    /// score is in units of its machine's threshold.
    pub judged: Vec<JudgedClip>,
    /// Every clip, with the model's own score.
    pub scored: Vec<ScoredClip>,
    /// Scores above it are anomalous.
    pub threshold: f64,
}

impl JudgedClips {
    /// None yet.
    #[must_use]
    pub fn new(threshold: f64) -> Self {
        Self { judged: Vec::new(), scored: Vec::new(), threshold }
    }

    /// Labelled clips none of whose channels has a healthy sensor.
    #[must_use]
    pub fn n_unheard(&self) -> usize {
        let is_unheard = |clip: &&ScoredClip| clip.left_out.is_some() && clip.score.is_some();
        self.scored.iter().filter(is_unheard).filter(|clip| clip.is_abnormal.is_some()).count()
    }

    /// Clips that cannot be read.
    #[must_use]
    pub fn n_unreadable(&self) -> usize {
        self.scored.iter().filter(|clip| clip.score.is_none()).count()
    }

    /// Clips without a label.
    #[must_use]
    pub fn n_unlabelled(&self) -> usize {
        self.scored.iter().filter(|clip| clip.is_abnormal.is_none()).count()
    }

    /// Refuses figures of a data set of which more than one clip in ten cannot be read.
    ///
    /// # Errors
    /// Then.
    pub fn refuse_too_many_unreadable(&self) -> anyhow::Result<()> {
        clips::refuse_too_many_bad(self.n_unreadable(), self.scored.len())
    }

    /// Judges a machine's test clips. `read` are the recordings of `tests`, in their order. Returns what a person
    /// should know of single clips, a line each.
    ///
    /// # Errors
    /// When the model fails.
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

/// What is known of a test clip before it is judged.
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

/// The scores of clips without a healthy channel, with all their channels: an evaluator wants a score of every clip.
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
