//! Reads, checks and decodes the file of one recording.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use auscult_detection::pieces::Trace;
use auscult_features::{ChunkExtractor, Extraction, FeatureError, content_type_of, content_type_of_bytes};
use auscult_schemas::topics::MAX_MESSAGE_BYTES;

use super::Clip;
use crate::import::Origin;
use crate::natural_order::sort_paths;

/// The recordings directly in a folder, in the order of their names; for a file, the file itself.
///
/// # Errors
/// If the folder cannot be read, or contains no recording.
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
/// With the file name and the fix: the file cannot be read, exceeds the size limit of a chunk, or cannot be decoded.
pub fn read_clip(path: &Path, extractor: &mut ChunkExtractor) -> anyhow::Result<Clip> {
    let features = read_features(path, extractor).with_context(|| path.display().to_string())?;
    Ok(Clip { path: path.to_owned(), features, quantity: extractor.spec().quantity, trace: None, chosen: None })
}

/// Reads a training clip, with the data for finding its recording.
pub(super) fn read_training_clip(path: &Path, extractor: &mut ChunkExtractor) -> anyhow::Result<Clip> {
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

/// From the first channel that is not constant.
#[must_use]
pub fn trace_of(channels: &[Vec<f32>]) -> Trace {
    let moves = |samples: &&Vec<f32>| samples.windows(2).any(|pair| pair[0].to_bits() != pair[1].to_bits());
    Trace::of(channels.iter().find(moves).or(channels.first()).map_or(&[][..], Vec::as_slice))
}

fn read_features(path: &Path, extractor: &mut ChunkExtractor) -> anyhow::Result<Extraction> {
    let bytes = read_bytes(path)?;
    let started = Instant::now();
    let sound = decode_file(path, &bytes)?;
    let decode_s = started.elapsed().as_secs_f64();
    let mut features = extractor.extract_clip(&sound).map_err(of_a_file)?;
    features.timings.decode_s = Some(decode_s);
    Ok(features)
}

/// Decodes a recording's file of any length. If it was imported and no longer states its unit, `import.json` does.
///
/// # Errors
/// The problem, without the path; also if the file contradicts `import.json`.
pub fn decode_file(path: &Path, bytes: &[u8]) -> anyhow::Result<auscult_features::Clip> {
    check_name(path, bytes)?;
    let mut clip = auscult_features::decode(declared_type(path), bytes).map_err(of_a_file)?;
    if let Some(origin) = Origin::of(path) {
        origin.complete(&mut clip)?;
    }
    Ok(clip)
}

/// Rejects FLAC files named `.wav` and WAV files named `.flac`, because `auscult send` and other programs use the name.
fn check_name(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let declared = declared_type(path);
    let Some(found) = content_type_of_bytes(bytes).filter(|found| !declared.is_empty() && *found != declared) else {
        return Ok(());
    };
    let (what, ending) = if found == "audio/flac" { ("FLAC", "flac") } else { ("WAV", "wav") };
    let right = path.with_extension(ending);
    bail!("holds {what}, whatever its name says: rename it to {}", right.file_name().unwrap_or_default().display())
}

/// Describes an error of a value as an error of a file.
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

/// Reads a recording's file, up to the size limit of a chunk.
///
/// # Errors
/// With the fix, but without the path: the file cannot be read, or exceeds the size limit of a chunk.
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

/// The content type from a file's name; if the name is unknown, the first bytes decide.
#[must_use]
pub fn declared_type(path: &Path) -> &'static str {
    content_type_of(&path.to_string_lossy()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use auscult_schemas::FeatureSpec;
    use auscult_simulator::{SAMPLE_RATE_HZ, wav_bytes};

    use super::*;

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
}
