//! What `import.json` says of a recording: read back where the recording's own comment is gone.
//!
//! Programs that copy a WAV often leave its comment out. The values are then still those of the import, as long as they
//! are float: integers have a full scale of their own. What contradicts the file is an error.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use anyhow::bail;
use auscult_features::Clip;
use auscult_schemas::{FullScale, Unit};

use super::manifest::{self, FILE_NAME};

/// Maximum number of folders between a recording and its `import.json`: `--as train/normal` and folders of machines.
const DEEPEST: usize = 8;

/// Where an imported recording came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The file that was imported.
    pub source: String,
    /// Exact sample rate, Hz; WAV has whole numbers only.
    pub rate_hz: f64,
    /// Speed of the shaft, turns per minute, if the source states it.
    pub rpm: Option<f64>,
    /// Name and unit of each channel.
    pub channels: Vec<(String, Option<String>)>,
}

impl Origin {
    /// What `import.json` in a folder above says of a recording; `None` if it says nothing.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        // From the root, since the path may begin below the folder of the manifest.
        let path = std::fs::canonicalize(path).ok()?;
        let mut folders = path.ancestors().skip(1).take(DEEPEST);
        let (folder, manifest) = folders.find_map(|folder| Some((folder, read(&folder.join(FILE_NAME))?)))?;
        manifest.get(path.strip_prefix(folder).ok()?).cloned()
    }

    /// The full scale of each channel; empty if a unit is unknown.
    #[must_use]
    pub fn full_scale(&self) -> Vec<FullScale> {
        let one = |(_, unit): &(String, Option<String>)| {
            let full_scale = FullScale { value: 1.0, unit: Unit::new(unit.as_deref()?) };
            full_scale.is_valid().then_some(full_scale)
        };
        self.channels.iter().map(one).collect::<Option<_>>().unwrap_or_default()
    }

    /// Gives a decoded recording the full scale that its file no longer states.
    ///
    /// # Errors
    /// If the recording contradicts `import.json` in rate, number of channels or unit.
    pub fn complete(&self, clip: &mut Clip) -> anyhow::Result<()> {
        let full_scale = self.full_scale();
        let said = |of: &[FullScale]| of.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let is_other = |(one, other): (&FullScale, &FullScale)| one.relative_to(other) != Some(1.0);
        if self.rate_hz.round() != f64::from(clip.sample_rate_hz) {
            self.refuse(&format!("{} Hz", self.rate_hz), &format!("{} Hz", clip.sample_rate_hz))?;
        }
        if self.channels.len() != clip.channels.len() {
            self.refuse(&format!("{} channels", self.channels.len()), &format!("{}", clip.channels.len()))?;
        }
        if clip.full_scale.is_empty() && clip.step.is_none() {
            clip.full_scale = full_scale;
        } else if clip.full_scale.iter().zip(&full_scale).any(is_other) {
            self.refuse(&format!("a full scale of {}", said(&full_scale)), &said(&clip.full_scale))?;
        }
        Ok(())
    }

    fn refuse(&self, recorded: &str, found: &str) -> anyhow::Result<()> {
        bail!(
            "contradicts {FILE_NAME}, which says {recorded} (imported from {}); the file says {found}: it was changed after the import. Import it again with --overwrite, or delete its entry from {FILE_NAME}",
            self.source
        )
    }
}

type Origins = Arc<HashMap<PathBuf, Origin>>;
/// Size and time of a manifest that was read, and what it says.
type Known = HashMap<PathBuf, ((u64, Option<SystemTime>), Origins)>;

/// Reads a manifest, once for all its recordings. Another program's file of the same name says nothing.
fn read(path: &Path) -> Option<Origins> {
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    let metadata = std::fs::metadata(path).ok()?;
    let version = (metadata.len(), metadata.modified().ok());
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, origins)) = known.get(path).filter(|(read, _)| *read == version) {
        return Some(Arc::clone(origins));
    }
    let origins = Arc::new(manifest::origins(&std::fs::read(path).ok()?));
    known.insert(path.to_owned(), (version, Arc::clone(&origins)));
    Some(origins)
}

#[cfg(test)]
mod tests {
    use auscult_import::{Channel, Rate, Recording, wav_bytes};
    use auscult_schemas::FeatureSpec;

    use super::*;
    use crate::clips::decode_file;
    use crate::full_scales::by_recordings;

    /// An imported folder whose recording has another comment than that of the import.
    fn imported(comment: &str, change: impl FnOnce(&mut Recording)) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let channel = |name: &str| Channel { name: name.into(), unit: Some("g".into()), samples: vec![0.5; 64] };
        let mut recording = Recording {
            name: String::new(),
            rate: Rate { hz: 25_600.25, from: "--rate".into() },
            rpm: Some(1_797.0),
            channels: vec![channel("DE"), channel("FE")],
        };
        let file = Path::new("train/normal/run.wav");
        let mut manifest = manifest::Manifest::open(folder.path()).unwrap();
        manifest.add(Path::new("run.csv"), "CSV", &recording, file, None, &[]);
        manifest.write().unwrap();
        change(&mut recording);
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, wav_bytes(&recording, comment).unwrap()).unwrap();
        (folder, path)
    }

    fn decode(path: &Path) -> anyhow::Result<Clip> {
        decode_file(path, &std::fs::read(path)?)
    }

    #[test]
    fn a_recording_that_lost_its_comment_keeps_its_unit_by_the_manifest() {
        let (_folder, path) = imported("copied", |_| {});
        assert_eq!(decode(&path).unwrap().full_scale, vec![FullScale::one("g"); 2]);
        let mut spec = FeatureSpec::default();
        by_recordings(&mut spec, std::slice::from_ref(&path)).unwrap();
        assert_eq!(spec.full_scale, Some(FullScale::one("g")));
        let origin = Origin::of(&path).unwrap();
        assert_eq!((origin.rate_hz, origin.rpm, &*origin.source), (25_600.25, Some(1_797.0), "run.csv"));
        assert_eq!(origin.channels[1], ("FE".to_owned(), Some("g".to_owned())));
    }

    #[test]
    fn integers_and_recordings_that_the_manifest_does_not_name_get_no_unit() {
        let (_folder, path) = imported("copied", |_| {});
        let mut integers = auscult_simulator::wav_bytes(&[0.1; 128], 25_600);
        // Two channels instead of one.
        (integers[22], integers[32]) = (2, 4);
        std::fs::write(&path, integers).unwrap();
        assert!(decode(&path).unwrap().full_scale.is_empty());
        let mut spec = FeatureSpec::default();
        by_recordings(&mut spec, std::slice::from_ref(&path)).unwrap();
        assert_eq!(spec.full_scale, None);

        let (folder, path) = imported("copied", |_| {});
        let other = path.with_file_name("other.wav");
        std::fs::copy(&path, &other).unwrap();
        assert!(decode(&other).unwrap().full_scale.is_empty());
        std::fs::write(folder.path().join(FILE_NAME), "[\"another program's\"]").unwrap();
        assert!(decode(&path).unwrap().full_scale.is_empty());
    }

    #[test]
    fn a_recording_that_contradicts_the_manifest_is_an_error_with_both() {
        let refusal = |comment: &str, change: fn(&mut Recording)| {
            let (_folder, path) = imported(comment, change);
            decode(&path).unwrap_err().to_string()
        };
        let rate = refusal("copied", |recording| recording.rate.hz = 48_000.0);
        assert!(rate.contains("says 25600.25 Hz (imported from run.csv); the file says 48000 Hz"), "{rate}");
        let channels = refusal("copied", |recording| recording.channels.truncate(1));
        assert!(channels.contains("2 channels") && channels.contains("the file says 1"), "{channels}");
        let unit = refusal("unit m/s2; rate 25600 Hz by --rate", |_| {});
        assert!(unit.contains("1 g") && unit.contains("1 m/s²") && unit.contains("--overwrite"), "{unit}");
        let (_folder, same) = imported("unit g; rate 25600 Hz by --rate", |_| {});
        assert_eq!(decode(&same).unwrap().full_scale, vec![FullScale::one("g"); 2]);
    }
}
