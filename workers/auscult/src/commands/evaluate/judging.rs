//! Test clips judged by their machine's model: those that figures are of, and a score of every other one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use auscult_detection::{HealthyClip, Judgement, Model, words};

use super::super::arguments::ChannelArgs;
use super::super::reading::read_clips;
use super::models::{LoadedModel, Models};
use crate::report::dcase::ScoredClip;
use crate::report::judged::JudgedClip;
use auscult_recordings::clips;
use auscult_recordings::dataset::{Dataset, Domain, MachineClips};

/// What a model says of the channels of a clip whose sensor is well.
pub(in crate::commands) struct Heard {
    /// These channels.
    pub channels: Vec<usize>,
    pub judgement: Judgement,
}

/// So many clips go through one forward pass.
const BATCH: usize = 64;

/// Judges clips as a worker does: without the channels whose sensor is at fault. A clip of which none is left has no
/// judgement, and is named on standard error.
pub(in crate::commands) fn judge_in_batches(
    model: &Model,
    clips: &[clips::Clip],
) -> anyhow::Result<Vec<Option<Heard>>> {
    let mut results = Vec::with_capacity(clips.len());
    for batch in clips.chunks(BATCH) {
        let healthy: Vec<Option<HealthyClip<'_>>> = batch.iter().map(clips::Clip::healthy).collect();
        let heard: Vec<HealthyClip<'_>> = healthy.iter().flatten().cloned().collect();
        let mut judgements = model.judge_heard(&heard)?.into_iter();
        for (clip, healthy) in batch.iter().zip(healthy) {
            if healthy.is_none() {
                let faults = words::sensor_faults(&clip.features.sensor_faults, clip.quantity);
                eprintln!("left out: {}: {faults}", clip.path.display());
            }
            // A judgement for each that is heard, in their order.
            let heard = healthy.and_then(|healthy| {
                judgements.next().map(|judgement| Heard { channels: healthy.channels.clone(), judgement })
            });
            results.push(heard);
        }
    }
    Ok(results)
}

/// The test clips of a data set.
pub(super) struct JudgedClips {
    /// Labelled clips that a sensor heard: those that the figures are of. Where machines have models of their own, each
    /// score is in units of its machine's threshold.
    pub judged: Vec<JudgedClip>,
    /// Every clip, with the model's own score.
    pub scored: Vec<ScoredClip>,
    /// Scores above it are anomalous.
    pub threshold: f64,
}

impl JudgedClips {
    /// Labelled clips of which no sensor heard the machine.
    pub(super) fn n_unheard(&self) -> usize {
        let is_unheard = |clip: &&ScoredClip| clip.left_out.is_some() && clip.score.is_some();
        self.scored.iter().filter(is_unheard).filter(|clip| clip.is_abnormal.is_some()).count()
    }

    /// Clips that cannot be read.
    pub(super) fn n_unreadable(&self) -> usize {
        self.scored.iter().filter(|clip| clip.score.is_none()).count()
    }

    /// Clips without a label.
    pub(super) fn n_unlabelled(&self) -> usize {
        self.scored.iter().filter(|clip| clip.is_abnormal.is_none()).count()
    }
}

/// What is known of a test clip before it is judged.
struct TestClip {
    path: PathBuf,
    fault: Option<String>,
    is_abnormal: Option<bool>,
    domain: Option<Domain>,
}

/// Judges every test clip.
///
/// # Errors
/// When more than one labelled clip in ten cannot be read, a model fails, or the user interrupts.
pub(super) fn judge(
    models: &Models,
    dataset: &Dataset,
    channels: &ChannelArgs,
    interrupted: &AtomicBool,
) -> anyhow::Result<JudgedClips> {
    let threshold = models.only().map_or(1.0, LoadedModel::threshold);
    let mut all = JudgedClips { judged: Vec::new(), scored: Vec::new(), threshold };
    for (model, machines) in models.with_machines(dataset) {
        let unit = if models.only().is_some() { 1.0 } else { model.threshold() };
        for machine in machines {
            judge_machine(model, machine, unit, (channels, interrupted), &mut all)?;
        }
    }
    let unreadable = all.n_unreadable();
    clips::refuse_too_many_bad(unreadable, all.scored.len())?;
    Ok(all)
}

fn judge_machine(
    model: &LoadedModel,
    machine: &MachineClips,
    unit: f64,
    (channels, interrupted): (&ChannelArgs, &AtomicBool),
    all: &mut JudgedClips,
) -> anyhow::Result<()> {
    let tests = test_clips(machine);
    let paths: Vec<PathBuf> = tests.iter().map(|test| test.path.clone()).collect();
    let spec = &model.package.manifest().feature_spec;
    let read = read_clips(&paths, spec, &format!("test recordings of {}", machine.id), interrupted)?;
    let read = clips::choosing(read, channels.chosen_of(model.package.manifest())?.as_deref());

    let mut good = Vec::with_capacity(read.len());
    let mut unreadable: BTreeMap<PathBuf, String> = BTreeMap::new();
    for (test, clip) in tests.iter().zip(read) {
        match clip {
            Ok(clip) => good.push(clip),
            Err(error) => {
                eprintln!("not read: {error:#}");
                unreadable.insert(test.path.clone(), format!("{:#}", error.root_cause()));
            }
        }
    }
    let heard = judge_in_batches(&model.model, &good)?;
    let scores_as_they_are = score_unheard(&model.model, &good, &heard)?;
    let mut results: BTreeMap<&Path, (&clips::Clip, Option<Heard>)> =
        good.iter().zip(heard).map(|(clip, heard)| (clip.path.as_path(), (clip, heard))).collect();

    for test in tests {
        let TestClip { path, fault, is_abnormal, domain } = test;
        let result = results.remove(path.as_path());
        let (score, left_out) = match &result {
            None => (None, unreadable.remove(&path)),
            Some((_, Some(heard))) => (Some(heard.judgement.score), None),
            Some((clip, None)) => {
                let why = words::sensor_faults(&clip.features.sensor_faults, clip.quantity);
                (scores_as_they_are.get(path.as_path()).copied(), Some(why))
            }
        };
        if let (Some(is_abnormal), Some((clip, Some(heard)))) = (is_abnormal, result) {
            let Heard { channels, judgement } = heard;
            let mut channel_scores = vec![None; clip.features.channels];
            for (channel, score) in channels.into_iter().zip(judgement.channel_scores) {
                channel_scores[channel] = Some(score / unit);
            }
            all.judged.push(JudgedClip {
                path: path.clone(),
                machine: machine.id.clone(),
                domain,
                is_abnormal,
                fault,
                quantity: clip.quantity,
                score: judgement.score / unit,
                channel_scores,
            });
        }
        all.scored.push(ScoredClip {
            path,
            machine: machine.id.clone(),
            dcase: machine.dcase.clone(),
            domain,
            is_abnormal,
            score,
            threshold: model.threshold(),
            left_out,
        });
    }
    Ok(())
}

fn test_clips(machine: &MachineClips) -> Vec<TestClip> {
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

/// The scores of clips that no sensor heard, with all their channels: an evaluator wants a score of every clip.
fn score_unheard<'a>(
    model: &Model,
    clips: &'a [clips::Clip],
    heard: &[Option<Heard>],
) -> anyhow::Result<BTreeMap<&'a Path, f64>> {
    let unheard: Vec<&clips::Clip> =
        clips.iter().zip(heard).filter(|(_, heard)| heard.is_none()).map(|(clip, _)| clip).collect();
    let mut scores = BTreeMap::new();
    for batch in unheard.chunks(BATCH) {
        let whole: Vec<_> = batch.iter().filter_map(|clip| clip.whole()).collect();
        for (clip, judgement) in batch.iter().zip(model.judge_heard(&whole)?) {
            scores.insert(clip.path.as_path(), judgement.score);
        }
    }
    Ok(scores)
}
