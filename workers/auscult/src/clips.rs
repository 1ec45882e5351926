//! Reading many recordings at once: file, decoder, log-mel, on all cores, with progress and without stopping at a bad
//! one.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use auscult_detection::pieces::Trace;
use auscult_detection::{ClipView, HealthyClip, Recorded, TrainingClip, check_chosen, is_chosen, words};
use auscult_features::{ChunkExtractor, Extraction, FeatureError, content_type_of, content_type_of_bytes};
use auscult_schemas::{FeatureSpec, Quantity, topics::MAX_MESSAGE_BYTES};
use rayon::prelude::*;

use crate::dataset::Domain;
use crate::natural_order::sort_paths;
use crate::progress;

/// A recording that became features.
#[derive(Debug)]
pub struct Clip {
    /// The file.
    pub path: PathBuf,
    /// Its log-mel spectrograms.
    pub features: Extraction,
    /// What its sensors measure; `None`: sound.
    pub quantity: Option<Quantity>,
    /// What tells the recording that it is a piece of; only of training clips.
    pub trace: Option<Box<Trace>>,
    /// Its channels that are listened to, counted from 0 and ascending; `None`: all.
    pub chosen: Option<Vec<usize>>,
}

impl Clip {
    /// As a model takes it to judge.
    #[must_use]
    pub fn view(&self) -> ClipView<'_> {
        ClipView {
            channels: self.features.channels,
            frames: self.features.frames,
            mels: self.features.mels,
            values: &self.features.values,
        }
    }

    /// The chosen channels without those whose sensor is at fault; `None` where none is left.
    #[must_use]
    pub fn healthy(&self) -> Option<HealthyClip<'_>> {
        HealthyClip::of(&self.view(), self.chosen.as_deref(), &self.features.sensor_faults)
    }

    /// The chosen channels, those whose sensor is at fault among them.
    #[must_use]
    pub fn whole(&self) -> Option<HealthyClip<'_>> {
        HealthyClip::of(&self.view(), self.chosen.as_deref(), &[])
    }

    /// How many channels are listened to.
    #[must_use]
    pub fn listened(&self) -> usize {
        self.chosen.as_ref().map_or(self.features.channels, Vec::len)
    }

    /// With only the chosen channels, whose numbers stay. What is at fault with others is no longer told.
    ///
    /// # Errors
    /// Naming the file and the channel that it lacks.
    pub fn choosing(mut self, chosen: Option<&[usize]>) -> anyhow::Result<Self> {
        if let Err(lacking) = check_chosen(self.features.channels, chosen) {
            bail!("{}: {lacking}", self.path.display());
        }
        self.features.sensor_faults.retain(|fault| is_chosen(fault.channel, chosen));
        self.chosen = chosen.map(<[usize]>::to_vec);
        Ok(self)
    }

    /// As training takes it: `[frames, mels]` for each channel whose sensor hears the machine, and the domain where
    /// DCASE's file names give one.
    ///
    /// # Errors
    /// When none does.
    pub fn to_training(&self) -> anyhow::Result<TrainingClip> {
        let faults = &self.features.sensor_faults;
        let Some(healthy) = self.healthy() else {
            bail!(
                "{}: no sensor heard the machine: {}",
                self.path.display(),
                words::sensor_faults(faults, self.quantity)
            );
        };
        let (channels, numbers) = (healthy.spectrograms(), healthy.channels.clone());
        let domain = Domain::of(&self.path).map(|domain| domain.name().to_owned());
        let Extraction { source_rate_hz, duration_s, quality, .. } = &self.features;
        let recorded = Some(Recorded { source_rate_hz: *source_rate_hz, duration_s: *duration_s });
        let name = self.path.display().to_string();
        Ok(TrainingClip {
            name,
            channels,
            numbers,
            domain,
            recorded,
            quality: quality.clone(),
            ..TrainingClip::default()
        })
    }
}

/// The recordings directly in a folder, in the order of their names; of a file, that file.
///
/// # Errors
/// When the folder cannot be read, or there is no recording in it.
pub fn recordings_in(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    found.retain(|file| content_type_of(&file.to_string_lossy()).is_some());
    sort_paths(&mut found);
    if found.is_empty() {
        bail!("{} holds no WAV or FLAC file", path.display());
    }
    Ok(found)
}

/// Reads one recording.
///
/// # Errors
/// Naming the file and the remedy: it cannot be read, is larger than a chunk may be, or is no sound that can be
/// decoded.
pub fn read_clip(path: &Path, extractor: &mut ChunkExtractor) -> anyhow::Result<Clip> {
    let features = read_features(path, extractor).with_context(|| path.display().to_string())?;
    Ok(Clip { path: path.to_owned(), features, quantity: extractor.spec().quantity, trace: None, chosen: None })
}

/// Reads a training clip, with what tells the recording that it is a piece of.
fn read_training_clip(path: &Path, extractor: &mut ChunkExtractor) -> anyhow::Result<Clip> {
    let mut read = || -> anyhow::Result<Clip> {
        let sound = decode_file(path, &read_bytes(path)?)?;
        let features = extractor.extract_clip(&sound)?;
        let quantity = extractor.spec().quantity;
        Ok(Clip {
            path: path.to_owned(),
            features,
            quantity,
            trace: Some(Box::new(trace_of(&sound.channels))),
            chosen: None,
        })
    };
    read().with_context(|| path.display().to_string())
}

/// Of the first channel that moves.
#[must_use]
pub fn trace_of(channels: &[Vec<f32>]) -> Trace {
    let moves = |samples: &&Vec<f32>| samples.windows(2).any(|pair| pair[0].to_bits() != pair[1].to_bits());
    Trace::of(channels.iter().find(moves).or(channels.first()).map_or(&[][..], Vec::as_slice))
}

fn read_features(path: &Path, extractor: &mut ChunkExtractor) -> anyhow::Result<Extraction> {
    let bytes = read_bytes(path)?;
    check_name(path, &bytes)?;
    extractor.extract(declared_type(path), &bytes).map_err(of_a_file)
}

/// Decodes a recording's file, of any length.
///
/// # Errors
/// In a file's words, without the path.
pub fn decode_file(path: &Path, bytes: &[u8]) -> anyhow::Result<auscult_features::Clip> {
    check_name(path, bytes)?;
    auscult_features::decode(declared_type(path), bytes).map_err(of_a_file)
}

/// Refuses FLAC that is named `.wav` and WAV that is named `.flac`: `auscult send` and others go by the name.
fn check_name(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let declared = declared_type(path);
    let Some(found) = content_type_of_bytes(bytes).filter(|found| !declared.is_empty() && *found != declared) else {
        return Ok(());
    };
    let (what, ending) = if found == "audio/flac" { ("FLAC", "flac") } else { ("WAV", "wav") };
    let right = path.with_extension(ending);
    bail!("holds {what}, whatever its name says: rename it to {}", right.file_name().unwrap_or_default().display())
}

/// What is wrong with a value, in the words of a file.
fn of_a_file(error: FeatureError) -> anyhow::Error {
    match error {
        FeatureError::Empty => anyhow::anyhow!("the file is empty: record it again"),
        FeatureError::ForeignFormat { name, remedy, .. } => {
            let remedy = remedy.replace("send ", "take ");
            anyhow::anyhow!("the file is {name}; this is not read: {remedy}")
        }
        FeatureError::SeveralRecordings { format } => {
            anyhow::anyhow!("the {format} file holds several recordings, one behind the other: cut it into a file each")
        }
        FeatureError::NotAudio { found, .. } => anyhow::anyhow!(
            "no WAV or FLAC file, its bytes are {}",
            found
                .replace("send WAV, FLAC or L16", "record WAV or FLAC")
                .replace("send it without them", "cut them off")
        ),
        FeatureError::Truncated { format, detail } => {
            anyhow::anyhow!("the {format} file is cut short: {detail}; copy or record it again")
        }
        FeatureError::Damaged { format, detail } => {
            anyhow::anyhow!("the {format} file is damaged: {detail}; copy it again from its source")
        }
        other => other.into(),
    }
}

/// A recording's file, with no more bytes than one chunk may have.
///
/// # Errors
/// With the remedy, but without the path: it cannot be read, or is larger than a chunk may be.
pub fn read_bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path).context("cannot be opened: check the path and its permissions")?;
    if metadata.is_dir() {
        bail!("is a folder: name its files, for example {}", path.join("*.wav").display());
    }
    if metadata.len() > MAX_MESSAGE_BYTES as u64 {
        bail!(
            "has {:.1} MiB, more than the {} MiB that one chunk may have: cut it into shorter recordings",
            metadata.len() as f64 / f64::from(1 << 20),
            MAX_MESSAGE_BYTES >> 20
        );
    }
    std::fs::read(path).context("cannot be read: check its permissions")
}

/// The content type that a file's name declares; a name that says nothing leaves it to the first bytes.
#[must_use]
pub fn declared_type(path: &Path) -> &'static str {
    content_type_of(&path.to_string_lossy()).unwrap_or_default()
}

/// Reads recordings on all cores, in the order given. The bad ones are errors in their places.
///
/// # Errors
/// When the spec is none that features can be computed with, or `interrupted` is set before all are read.
pub fn read_clips(
    paths: &[PathBuf],
    spec: &FeatureSpec,
    what: &str,
    interrupted: &AtomicBool,
) -> anyhow::Result<Vec<anyhow::Result<Clip>>> {
    read_all(paths, spec, what, interrupted, read_clip)
}

/// The same of clips to train on.
///
/// # Errors
/// As [`read_clips`].
pub fn read_training_clips(
    paths: &[PathBuf],
    spec: &FeatureSpec,
    what: &str,
    interrupted: &AtomicBool,
) -> anyhow::Result<Vec<anyhow::Result<Clip>>> {
    read_all(paths, spec, what, interrupted, read_training_clip)
}

fn read_all(
    paths: &[PathBuf],
    spec: &FeatureSpec,
    what: &str,
    interrupted: &AtomicBool,
    read: impl Fn(&Path, &mut ChunkExtractor) -> anyhow::Result<Clip> + Sync,
) -> anyhow::Result<Vec<anyhow::Result<Clip>>> {
    ChunkExtractor::new(spec.clone())?;
    let bar = progress::bar(paths.len() as u64, what);
    let new_extractor = || ChunkExtractor::new(spec.clone()).expect("the same spec has been accepted above");
    let clips: Vec<Option<anyhow::Result<Clip>>> = paths
        .par_iter()
        .map_init(new_extractor, |extractor, path| {
            if interrupted.load(Ordering::Relaxed) {
                return None;
            }
            let clip = read(path, extractor);
            bar.inc(1);
            Some(clip)
        })
        .collect();
    bar.finish_and_clear();
    match clips.into_iter().collect() {
        Some(clips) => Ok(clips),
        None => bail!("interrupted while reading {what}; nothing was written"),
    }
}

/// Recordings with only their chosen channels; one that lacks any is an error in its place.
#[must_use]
pub fn choosing(clips: Vec<anyhow::Result<Clip>>, chosen: Option<&[usize]>) -> Vec<anyhow::Result<Clip>> {
    clips.into_iter().map(|clip| clip.and_then(|clip| clip.choosing(chosen))).collect()
}

/// A share of bad clips above which a folder is not to be trusted.
pub const TOLERATED_BAD_SHARE: f64 = 0.1;

/// Parts good clips from bad ones, names each bad one on standard error, and refuses when they are more than one in
/// ten.
///
/// # Errors
/// When too many are bad: a model or a figure from what is left would mislead.
pub fn keep_good<T>(clips: Vec<anyhow::Result<T>>) -> anyhow::Result<Vec<T>> {
    let all = clips.len();
    let mut good = Vec::with_capacity(all);
    let mut bad = 0;
    for clip in clips {
        match clip {
            Ok(clip) => good.push(clip),
            Err(error) => {
                bad += 1;
                eprintln!("skipped: {error:#}");
            }
        }
    }
    refuse_too_many_bad(bad, all)?;
    if bad > 0 {
        eprintln!("skipped {bad} of {all} clips");
    }
    Ok(good)
}

/// Refuses a folder of which more than one clip in ten is bad.
///
/// # Errors
/// Then.
pub fn refuse_too_many_bad(bad: usize, all: usize) -> anyhow::Result<()> {
    if bad as f64 > TOLERATED_BAD_SHARE * all as f64 {
        bail!("{bad} of {all} clips cannot be used, more than one in ten: mend or remove them");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use auscult_simulator::{SAMPLE_RATE_HZ, wav_bytes};

    fn extractor() -> ChunkExtractor {
        ChunkExtractor::new(FeatureSpec::default()).unwrap()
    }

    #[test]
    fn a_bad_file_is_named_with_its_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let whole = wav_bytes(&[0.1; 16_000], SAMPLE_RATE_HZ);
        let cases = [
            (write("empty.wav", b""), "empty"),
            (write("cut.wav", &whole[..10_000]), "cut short"),
            (write("letter.wav", b"Dear Sir or Madam, please find enclosed"), "the file is text"),
            (write("flac.wav", b"fLaC\x80\0\0\x22"), "holds FLAC, whatever its name says: rename it to flac.flac"),
            (write("wav.flac", &whole), "holds WAV, whatever its name says: rename it to wav.wav"),
            (write("huge.wav", &vec![0; MAX_MESSAGE_BYTES + 1]), "cut it into shorter recordings"),
            (folder.path().join("missing.wav"), "cannot be opened"),
            (folder.path().to_owned(), "is a folder"),
        ];
        for (path, expected) in cases {
            let error = format!("{:#}", read_clip(&path, &mut extractor()).unwrap_err());
            assert!(error.starts_with(&path.display().to_string()), "{error}");
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_microphone_at_fault_teaches_nothing_and_a_clip_of_such_is_refused() {
        let sound = |features: Extraction| Clip {
            path: PathBuf::from("fan.wav"),
            features,
            quantity: None,
            trace: None,
            chosen: None,
        };
        let mut noise = 1_u32;
        let mut next = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((noise >> 16) as i16) / 8
        };
        let heard: Vec<i16> = (0..32_000).map(|index| if index % 2 == 0 { next() } else { 0 }).collect();
        let l16 = |samples: &[i16]| samples.iter().flat_map(|sample| sample.to_be_bytes()).collect::<Vec<u8>>();
        let two = extractor().extract("audio/L16;rate=16000;channels=2", &l16(&heard)).unwrap();
        let first = two.values[..two.frames * two.mels].to_vec();
        let training = sound(two).to_training().unwrap();
        assert_eq!(training.channels.len(), 1, "the second microphone is silent");
        assert_eq!(training.channels[0].as_slice().unwrap(), first);
        let none = extractor().extract("audio/L16;rate=16000;channels=2", &l16(&[0; 32_000])).unwrap();
        let refusal = sound(none).to_training().unwrap_err().to_string();
        assert!(refusal.contains("fan.wav") && refusal.contains("microphone 2: silent"), "{refusal}");
    }

    #[test]
    fn one_bad_clip_in_ten_is_skipped_and_two_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let mut paths: Vec<PathBuf> = (0..10).map(|index| folder.path().join(format!("{index}.wav"))).collect();
        for path in &paths {
            std::fs::write(path, wav_bytes(&[0.1; 16_000], SAMPLE_RATE_HZ)).unwrap();
        }
        let read = |paths: &[PathBuf]| {
            let clips = read_clips(paths, &FeatureSpec::default(), "clips", &AtomicBool::new(false)).unwrap();
            keep_good(clips)
        };
        std::fs::write(&paths[3], b"no sound").unwrap();
        let good = read(&paths).unwrap();
        paths.remove(3);
        assert_eq!(good.iter().map(|clip| clip.path.clone()).collect::<Vec<_>>(), paths, "the order is kept");
        std::fs::write(&paths[5], b"no sound either").unwrap();
        let refusal = read(&paths[..8]).unwrap_err().to_string();
        assert!(refusal.contains("1 of 8"), "{refusal}");
    }
}
