//! The demo's data source: simulated machines, or recordings, with the ground truth of every chunk.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use auscult_features::content_type_of;
use auscult_recordings::dataset::{Dataset, MachineClips};
use auscult_simulator::{Condition, SAMPLE_RATE_HZ, Scenario, wav_bytes};

use super::Truth;

/// Source of a chunk's sound.
#[derive(Debug, Clone, PartialEq)]
pub enum Sound {
    /// A file.
    File(PathBuf),
    /// Normal sound of a simulated machine, not part of the stream.
    SimulatedTraining(u64),
    /// A chunk of a simulated machine's stream.
    SimulatedStream(u64),
}

/// A chunk to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedChunk {
    /// Index of its machine.
    pub machine: usize,
    /// Its sound.
    pub sound: Sound,
    /// The machine's ground truth.
    pub truth: Truth,
}

/// A machine of the demo.
#[derive(Debug, Clone, PartialEq)]
pub struct DemoMachine {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Normal sound for training.
    pub training: Vec<Sound>,
}

/// All data of the demo.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its description.
    pub title: String,
    /// The machines.
    pub machines: Vec<DemoMachine>,
    /// The stream, in the order sent.
    pub stream: Vec<PlannedChunk>,
    scenario: Option<Scenario>,
}

impl Subject {
    /// Simulated fans, pumps and valves, some with faults that start and grow.
    #[must_use]
    pub fn simulated(seed: u64, training_chunks: u64, chunks: u64) -> Self {
        let scenario = Scenario::demo(seed, chunks);
        let machines = scenario
            .machines
            .iter()
            .map(|plan| DemoMachine {
                id: plan.machine.id().to_owned(),
                kind: plan.machine.kind().to_string(),
                training: (0..training_chunks).map(Sound::SimulatedTraining).collect(),
            })
            .collect();
        let mut stream = Vec::new();
        for index in 0..chunks {
            for (machine, plan) in scenario.machines.iter().enumerate() {
                let truth = truth_of(plan.condition(index));
                stream.push(PlannedChunk { machine, sound: Sound::SimulatedStream(index), truth });
            }
        }
        let title = format!("{} simulated machines", scenario.machines.len());
        Self { title, machines, stream, scenario: Some(scenario) }
    }

    /// Recordings of a data folder: each machine's training clips, and its test clips as a stream that alternates
    /// between normal sound and faults.
    ///
    /// # Errors
    /// If the folder has no recordings in a known layout, or a machine has no training clips or no test clips.
    pub fn recorded(folder: &Path) -> anyhow::Result<Self> {
        let dataset = Dataset::discover(folder)?;
        let mut machines = Vec::new();
        let mut streams = Vec::new();
        for (index, clips) in dataset.machines.iter().enumerate() {
            if clips.train_normal.is_empty() {
                bail!("machine {} of {} has no normal clips to learn from", clips.id, folder.display());
            }
            machines.push(DemoMachine {
                id: clips.id.clone(),
                kind: "recording".to_owned(),
                training: clips.train_normal.iter().cloned().map(Sound::File).collect(),
            });
            streams.push(in_turns(index, clips));
        }
        let stream = interleaved(streams);
        if stream.is_empty() {
            bail!("{} has no test clips to judge", folder.display());
        }
        let name =
            folder.file_name().map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into_owned());
        Ok(Self { title: format!("recordings of {name}"), machines, stream, scenario: None })
    }

    /// A chunk's content type and bytes.
    ///
    /// # Errors
    /// If its file cannot be read.
    pub fn sound(&self, machine: usize, sound: &Sound) -> anyhow::Result<(&'static str, Vec<u8>)> {
        let simulated = || self.scenario.as_ref().expect("simulated sound belongs to a scenario");
        let samples = match sound {
            Sound::File(path) => {
                let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
                return Ok((content_type_of(&path.to_string_lossy()).unwrap_or_default(), bytes));
            }
            Sound::SimulatedTraining(index) => simulated().training_chunk(machine, *index),
            Sound::SimulatedStream(index) => simulated().stream_chunk(machine, *index).samples,
        };
        Ok(("audio/wav", wav_bytes(&samples, SAMPLE_RATE_HZ)))
    }
}

fn truth_of(condition: Condition) -> Truth {
    match condition.fault {
        Some(fault) => Truth::Faulty { fault: fault.to_string(), severity: Some(condition.severity) },
        None => Truth::Normal,
    }
}

/// Normal clips, a fault's clips, normal clips, the next fault's, and so on: as if the machine were repaired in
/// between.
fn in_turns(machine: usize, clips: &MachineClips) -> Vec<PlannedChunk> {
    let mut faults: Vec<(String, Vec<PlannedChunk>)> = Vec::new();
    for clip in &clips.test_abnormal {
        let name = clip.fault.clone().unwrap_or_else(|| "abnormal".to_owned());
        let truth = Truth::Faulty { fault: name.clone(), severity: None };
        let chunk = PlannedChunk { machine, sound: Sound::File(clip.path.clone()), truth };
        match faults.iter_mut().find(|(fault, _)| *fault == name) {
            Some((_, chunks)) => chunks.push(chunk),
            None => faults.push((name, vec![chunk])),
        }
    }
    let turns = faults.len() + 1;
    let normal: Vec<PlannedChunk> = clips
        .test_normal
        .iter()
        .map(|path| PlannedChunk { machine, sound: Sound::File(path.clone()), truth: Truth::Normal })
        .collect();
    let share = normal.len().div_ceil(turns).max(1);
    let mut normal_turns = normal.chunks(share);
    let mut stream = Vec::new();
    for (_, chunks) in faults {
        stream.extend_from_slice(normal_turns.next().unwrap_or_default());
        stream.extend(chunks);
    }
    stream.extend(normal_turns.flatten().cloned());
    stream
}

/// Takes one chunk of each machine in turn, until all are used.
fn interleaved(streams: Vec<Vec<PlannedChunk>>) -> Vec<PlannedChunk> {
    let longest = streams.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|index| streams.iter().filter_map(move |stream| stream.get(index).cloned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_subject_has_healthy_and_faulty_machines_and_every_chunk_once() {
        let subject = Subject::simulated(1, 8, 20);
        assert_eq!(subject.stream.len(), subject.machines.len() * 20);
        let faulty = subject.stream.iter().filter(|chunk| chunk.truth.is_faulty() == Some(true)).count();
        assert!(faulty > 0 && faulty < subject.stream.len());
        let (content_type, wav) = subject.sound(0, &Sound::SimulatedStream(3)).unwrap();
        assert_eq!((content_type, &wav[..4]), ("audio/wav", &b"RIFF"[..]));
    }

    #[test]
    fn recorded_faults_take_turns_with_normal_sound_and_no_clip_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for (part, clips) in
            [("train/normal", 3), ("test/normal", 5), ("test/abnormal/leak", 2), ("test/abnormal/wear", 2)]
        {
            std::fs::create_dir_all(folder.path().join(part)).unwrap();
            for number in 0..clips {
                std::fs::write(folder.path().join(part).join(format!("{number}.wav")), b"x").unwrap();
            }
        }
        let subject = Subject::recorded(folder.path()).unwrap();
        let kinds: String = subject
            .stream
            .iter()
            .map(|chunk| match &chunk.truth {
                Truth::Faulty { fault, .. } => &fault[..1],
                Truth::Normal | Truth::Unknown => "n",
            })
            .collect();
        assert_eq!(kinds, "nnllnnwwn");
    }
}
