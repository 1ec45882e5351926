//! Measures a folder of recordings for the page.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context, bail};
use auscult_detection::{DetectorKind, TrainingOptions, check_chosen, is_chosen};
use auscult_features::ChunkExtractor;
use auscult_recordings::clips::{self, Clip, Reading};
use auscult_recordings::dataset::{Dataset, MachineClips};
use auscult_recordings::training_findings::TrainingFindings;
use auscult_schemas::FeatureSpec;
use rayon::prelude::*;

use super::group::{Group, GroupKind, Machine};
use super::recording::{Levels, Measured, Recording, RecordingPicture, band_levels};

/// The messages that `auscult train` would print for these clips.
fn training_lines(read: Vec<anyhow::Result<Clip>>, spec: &FeatureSpec) -> Vec<String> {
    if read.is_empty() {
        return Vec::new();
    }
    let mut findings = TrainingFindings::of(read, spec);
    let options = TrainingOptions { spec: spec.clone(), ..TrainingOptions::of(DetectorKind::Fused) };
    if findings.refusal.is_none()
        && let Err(error) = findings.set(&options)
    {
        findings.refusal = Some(error.to_string());
    }
    let refusal = findings.refusal.iter().map(|refusal| format!("refused: {refusal}"));
    refusal.chain(findings.lines.iter().cloned()).collect()
}

/// A measured file: the data for the page, and, for training clips, the data for training.
struct MeasuredFile {
    recording: Recording,
    clip: Option<Clip>,
}

/// A file to read, with its group.
struct FileToMeasure {
    path: PathBuf,
    kind: GroupKind,
    is_shown: bool,
}

/// Reads and measures every recording of a data set, on all cores. `chosen` are the selected channels, or all if it is
/// `None`; `shown` recordings of each group get a picture.
///
/// # Errors
/// On an interrupt, or if none of the recordings can be used.
pub fn measure(
    dataset: &Dataset,
    spec: &FeatureSpec,
    chosen: Option<&[usize]>,
    shown: usize,
    reading: &Reading<'_>,
) -> anyhow::Result<Vec<Machine>> {
    let root = dataset.root.canonicalize().unwrap_or_else(|_| dataset.root.clone());
    let new_extractor = || ChunkExtractor::new(spec.clone()).expect("the arguments' spec has been validated");

    let mut machines = Vec::new();
    for machine in &dataset.machines {
        let listed = list(machine, shown);
        let read: Vec<anyhow::Result<MeasuredFile>> = listed
            .par_iter()
            .map_init(new_extractor, |extractor, file| {
                if reading.interrupted.load(Ordering::Relaxed) {
                    bail!("interrupted");
                }
                let recording = measure_file(file, &root, chosen, extractor);
                (reading.on_read)();
                recording
            })
            .collect();
        if reading.interrupted.load(Ordering::Relaxed) {
            bail!("interrupted while reading {}; nothing was written", reading.what);
        }
        let (mut recordings, mut train) = (Vec::with_capacity(read.len()), Vec::new());
        for (measured_file, file) in read.into_iter().zip(&listed) {
            let training = file.kind == GroupKind::TrainNormal;
            match measured_file {
                Ok(MeasuredFile { recording, clip }) => {
                    train.extend(clip.map(Ok));
                    recordings.push(Ok(recording));
                }
                Err(error) => {
                    // An unreadable file counts for training's limit of unreadable files; the page lists it separately.
                    train.extend(training.then(|| Err(anyhow::anyhow!("{error:#}"))));
                    recordings.push(Err(error));
                }
            }
        }
        let training = training_lines(train, spec);
        machines.push(Machine { id: machine.id.clone(), groups: grouped(listed, recordings), training });
    }

    if machines.iter().all(|machine| machine.recordings().next().is_none()) {
        let first = machines.iter().flat_map(|machine| &machine.groups).find_map(|group| group.unreadable.first());
        bail!("none of the recordings in {} can be used: {}", dataset.root.display(), first.map_or("", String::as_str));
    }
    Ok(machines)
}

/// A machine's files in the page's order: normal ones, then faults by name. An evenly spaced selection of each is
/// shown.
fn list(machine: &MachineClips, shown: usize) -> Vec<FileToMeasure> {
    let mut faults: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
    for clip in &machine.test_abnormal {
        faults.entry(clip.fault.as_deref().unwrap_or("abnormal")).or_default().push(clip.path.clone());
    }
    // Both normal groups share one column of the page, and therefore its number of pictures.
    let normal_shown = evenly(machine.train_normal.len() + machine.test_normal.len(), shown);
    let train = machine.train_normal.iter().map(|path| (path, GroupKind::TrainNormal));
    let test = machine.test_normal.iter().map(|path| (path, GroupKind::TestNormal));
    let mut listed: Vec<FileToMeasure> = train
        .chain(test)
        .enumerate()
        .map(|(index, (path, kind))| FileToMeasure {
            path: path.clone(),
            kind,
            is_shown: normal_shown.contains(&index),
        })
        .collect();
    for (fault, paths) in faults {
        let fault_shown = evenly(paths.len(), shown);
        listed.extend(paths.into_iter().enumerate().map(|(index, path)| FileToMeasure {
            path,
            kind: GroupKind::Fault(fault.to_owned()),
            is_shown: fault_shown.contains(&index),
        }));
    }
    listed
}

/// `wanted` of `count` indices, each in the middle of its part: neighbouring files are often from the same minute.
fn evenly(count: usize, wanted: usize) -> Vec<usize> {
    let wanted = wanted.min(count);
    (0..wanted).map(|part| (2 * part + 1) * count / (2 * wanted)).collect()
}

fn measure_file(
    file: &FileToMeasure,
    root: &Path,
    chosen: Option<&[usize]>,
    extractor: &mut ChunkExtractor,
) -> anyhow::Result<MeasuredFile> {
    let name = file.path.strip_prefix(root).unwrap_or(&file.path).display().to_string();
    let mut read = || -> anyhow::Result<MeasuredFile> {
        let bytes = clips::read_bytes(&file.path)?;
        let mut clip = clips::decode_file(&file.path, &bytes)?;
        check_chosen(clip.channels.len(), chosen).map_err(anyhow::Error::msg)?;
        // Training refers to a channel by its number in the recording.
        let is_training = file.kind == GroupKind::TrainNormal;
        let whole = (is_training && chosen.is_some()).then(|| extractor.extract_clip(&clip)).transpose()?;
        let mut number = 0;
        clip.channels.retain(|_| {
            number += 1;
            is_chosen(number - 1, chosen)
        });
        let mut number = 0;
        clip.full_scale.retain(|_| {
            number += 1;
            is_chosen(number - 1, chosen)
        });
        let features = extractor.extract_clip(&clip)?;
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let recording = Recording {
            name: name.clone(),
            sample_rate_hz: clip.sample_rate_hz,
            channels: clip.channels.len(),
            duration_s: clip.duration_s(),
            levels: Levels::of(&clip),
            measured: Measured::of(&clip, extractor.spec()),
            band_levels_db: band_levels(&features),
            picture: file.is_shown.then(|| RecordingPicture::of(&clip, &features)),
            quality: features.quality.clone(),
            file_hash: hasher.finish(),
        };
        let training = is_training.then(|| Clip {
            path: file.path.clone(),
            trace: Some(Box::new(clips::trace_of(&clip.channels))),
            quantity: extractor.spec().quantity,
            chosen: None,
            features: whole.unwrap_or(features),
        });
        let clip = training.map(|clip| clip.with_channels(chosen)).transpose()?;
        Ok(MeasuredFile { recording, clip })
    };
    read().with_context(|| name.clone())
}

/// Files of one kind are consecutive in the list: each run of them is a group.
fn grouped(listed: Vec<FileToMeasure>, read: Vec<anyhow::Result<Recording>>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (FileToMeasure { kind, .. }, recording) in listed.into_iter().zip(read) {
        if groups.last().is_none_or(|group| group.kind != kind) {
            groups.push(Group { kind, recordings: Vec::new(), unreadable: Vec::new() });
        }
        let group = groups.last_mut().expect("one was pushed where there was none");
        match recording {
            Ok(recording) => group.recordings.push(recording),
            Err(error) => group.unreadable.push(format!("{error:#}")),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use auscult_simulator::{SAMPLE_RATE_HZ, wav_bytes};

    use super::*;
    use crate::pages::exploration::ExplorationPage;

    fn write(folder: &Path, file: &str, bytes: &[u8]) {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// A second of a tone, whose frequency makes every file another one.
    fn tone(hz: f32, amplitude: f32) -> Vec<u8> {
        let sample = |t: i32| amplitude * (std::f32::consts::TAU * hz * t as f32 / SAMPLE_RATE_HZ as f32).sin();
        wav_bytes(&(0..16_000).map(sample).collect::<Vec<_>>(), SAMPLE_RATE_HZ)
    }

    fn explored(folder: &Path) -> anyhow::Result<Vec<Machine>> {
        let dataset = Dataset::discover(folder).unwrap();
        let reading = Reading { what: "recordings", interrupted: &AtomicBool::new(false), on_read: &|| () };
        measure(&dataset, &FeatureSpec::default(), None, 2, &reading)
    }

    #[test]
    fn a_folder_becomes_groups_of_measured_recordings_and_its_bad_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for index in 0..5_u16 {
            write(folder.path(), &format!("saw/train/normal/{index}.wav"), &tone(100.0 + f32::from(index), 0.1));
        }
        write(folder.path(), "saw/train/normal/0-letter.wav", b"Dear Sir or Madam");
        write(folder.path(), "saw/test/normal/5.wav", &tone(110.0, 0.1));
        write(folder.path(), "saw/test/abnormal/loud/6.wav", &tone(110.0, 1.0));
        write(folder.path(), "saw/test/abnormal/dead/7.wav", &wav_bytes(&[0.0; 16_000], SAMPLE_RATE_HZ));

        let machines = explored(folder.path()).unwrap();
        let [saw] = machines.as_slice() else { panic!("{machines:?}") };
        let kinds: Vec<(&str, usize)> =
            saw.groups.iter().map(|group| (group.kind.name(), group.recordings.len())).collect();
        assert_eq!(kinds, [("normal, training", 5), ("normal, test", 1), ("dead", 1), ("loud", 1)]);
        assert_eq!(saw.groups[0].unreadable.len(), 1);
        assert!(
            saw.groups[0].unreadable[0].starts_with("saw/train/normal/0-letter.wav: "),
            "{:?}",
            saw.groups[0].unreadable
        );
        assert!((saw.groups[0].recordings[0].levels.rms_dbfs + 23.01).abs() < 0.01);
        assert_eq!(
            saw.recordings().filter(|recording| recording.picture.is_some()).count(),
            4,
            "two normal, two faults"
        );

        let spec = FeatureSpec::default();
        let page = ExplorationPage { data: folder.path(), layout: "split", spec: &spec, machines: &machines }.html();
        assert!(page.contains("title=\"saw/test/abnormal/loud/6.wav\"") && !page.contains("NaN"));
    }

    #[test]
    fn a_folder_without_one_good_recording_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "train/normal/empty.wav", b"");
        let refusal = format!("{:#}", explored(folder.path()).unwrap_err());
        assert!(refusal.contains("none of the recordings") && refusal.contains("empty.wav"), "{refusal}");
    }

    #[test]
    fn what_is_shown_is_spread_evenly() {
        assert_eq!(evenly(100, 2), [25, 75]);
        assert_eq!(evenly(3, 5), [0, 1, 2]);
        assert_eq!(evenly(9, 0), [0_usize; 0]);
    }
}
