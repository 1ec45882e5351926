//! `import.json` beside the recordings: the source, the rate with its origin, and the unit of each recording.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use auscult_import::Recording;
use serde::{Deserialize, Serialize};

use super::origin::Origin;
use crate::files;

/// The file's name.
pub(super) const FILE_NAME: &str = "import.json";

/// All recordings of a folder.
#[derive(Debug)]
pub(super) struct Manifest {
    path: PathBuf,
    recordings: Recordings,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Recordings {
    recordings: Vec<Entry>,
}

/// One recording.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// Path relative to the folder.
    file: String,
    source: String,
    format: String,
    rate_hz: f64,
    rate_from: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    rpm: Option<f64>,
    samples: usize,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    scale: Option<f64>,
    channels: Vec<Channel>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    notes: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Channel {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    unit: Option<String>,
}

impl Manifest {
    /// Reads the existing manifest, to be extended.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE_NAME);
        let recordings = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
                format!(
                    "{} is not a list of imported recordings: move it, or import into another folder",
                    path.display()
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Recordings::default(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        Ok(Self { path, recordings })
    }

    pub(super) fn add(
        &mut self,
        source: &Path,
        format: &str,
        recording: &Recording,
        path: &Path,
        scale: Option<f64>,
        notes: &[String],
    ) {
        let file = path.to_string_lossy().into_owned();
        self.recordings.recordings.retain(|entry| entry.file != file);
        let channel =
            |channel: &auscult_import::Channel| Channel { name: channel.name.clone(), unit: channel.unit.clone() };
        self.recordings.recordings.push(Entry {
            file,
            source: source.display().to_string(),
            format: format.to_owned(),
            rate_hz: recording.rate.hz,
            rate_from: recording.rate.from.clone(),
            rpm: recording.rpm,
            samples: recording.samples(),
            scale,
            channels: recording.channels.iter().map(channel).collect(),
            notes: notes.to_vec(),
        });
    }

    pub(super) fn write(&self) -> anyhow::Result<()> {
        if self.recordings.recordings.is_empty() {
            return Ok(());
        }
        let mut text = serde_json::to_vec_pretty(&self.recordings)?;
        text.push(b'\n');
        files::write_whole(&self.path, &text)
    }
}

/// What a manifest says of each recording, by its path relative to the folder; nothing if it is no manifest.
pub(super) fn origins(bytes: &[u8]) -> HashMap<PathBuf, Origin> {
    let recordings: Recordings = serde_json::from_slice(bytes).unwrap_or_default();
    let origin = |entry: Entry| {
        let channels = entry.channels.into_iter().map(|channel| (channel.name, channel.unit)).collect();
        let Entry { file, source, rate_hz, rpm, .. } = entry;
        (PathBuf::from(file), Origin { source, rate_hz, rpm, channels })
    };
    recordings.recordings.into_iter().map(origin).collect()
}

/// The comment in a WAV file: `unit g; rate 25600 Hz by --rate; from run.csv: Acc`.
pub(super) fn comment(source: &Path, recording: &Recording, scale: Option<f64>) -> String {
    let mut units: Vec<&str> =
        recording.channels.iter().map(|channel| channel.unit.as_deref().unwrap_or("unknown")).collect();
    // A single unit if all are equal; otherwise one per channel, which the other commands use.
    if units.iter().all(|unit| *unit == units[0]) {
        units.truncate(1);
    }
    let names: Vec<&str> = recording.channels.iter().map(|channel| channel.name.as_str()).collect();
    let source = source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let scale = scale.map_or_else(String::new, |scale| format!("; times {scale}"));
    let (hz, from) = (recording.rate.hz, &recording.rate.from);
    format!("unit {}; rate {hz} Hz by {from}{scale}; from {source}: {}", units.join(", "), names.join(", "))
}
