//! The unused files of a data set: every one is counted, with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::clip_name::{ClipName, Label};
use super::files::{all_files, file_name, is_sound};
use super::{DatasetError, MachineClips};

/// Why a file is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PassedOverReason {
    /// A sound file whose folder and name match no layout.
    Unplaced,
    /// Clean machine sound or noise only, as provided by DCASE since 2025.
    Supplemental,
    /// A clip that is used under its other name, in `test` or `test_rename`.
    OtherName,
    /// Its name starts with a dot, such as the companion files of macOS (`._clip.wav`).
    Hidden,
    /// A recording in an unsupported format.
    OtherFormat,
    /// Neither `.wav` nor `.flac`, nor another recording format.
    NotSound,
}

impl fmt::Display for PassedOverReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unplaced => "folder and name fit no layout: see `auscult explore --help` for those that do",
            Self::Supplemental => "supplemental clips (clean sound or noise alone) are not used",
            Self::OtherName => "the same clips are used under their other names",
            Self::Hidden => "hidden: the name begins with a dot",
            Self::OtherFormat => {
                "recordings, but not WAV or FLAC: convert sound with `ffmpeg -i IN -c:a pcm_s16le OUT.wav`, measurements with `auscult import`"
            }
            Self::NotSound => "not .wav or .flac",
        })
    }
}

/// Files of one folder that are not used for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The folder.
    pub folder: PathBuf,
    /// Why.
    pub reason: PassedOverReason,
    /// The files, sorted; at least one.
    pub files: Vec<PathBuf>,
}

impl PassedOver {
    /// Whether a user should check it: unused sound that may have been meant to be used.
    #[must_use]
    pub fn may_be_a_mistake(&self) -> bool {
        matches!(self.reason, PassedOverReason::Unplaced | PassedOverReason::OtherFormat)
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.files.len() == 1 { "file" } else { "files" };
        let first = self.files.first().map(|file| file_name(file)).unwrap_or_default();
        let more = if self.files.len() == 1 { "" } else { ", …" };
        let Self { folder, reason, files } = self;
        write!(f, "{} {plural} in {} ({first}{more}): {reason}", files.len(), folder.display())
    }
}

/// Every file below `root` that belongs to no machine.
pub(super) fn passed_over(root: &Path, machines: &[MachineClips]) -> Result<Vec<PassedOver>, DatasetError> {
    let used: BTreeSet<&Path> = machines.iter().flat_map(MachineClips::all_paths).collect();
    let other_names: BTreeSet<&Path> =
        machines.iter().flat_map(|machine| machine.other_names.iter().map(PathBuf::as_path)).collect();
    let mut groups: BTreeMap<(PathBuf, PassedOverReason), Vec<PathBuf>> = BTreeMap::new();
    for path in all_files(root)? {
        if used.contains(path.as_path()) {
            continue;
        }
        let reason = if other_names.contains(path.as_path()) { PassedOverReason::OtherName } else { reason_of(&path) };
        let folder = path.parent().unwrap_or(root).to_owned();
        groups.entry((folder, reason)).or_default().push(path);
    }
    Ok(groups.into_iter().map(|((folder, reason), files)| PassedOver { folder, reason, files }).collect())
}

fn reason_of(path: &Path) -> PassedOverReason {
    let is_in_supplemental = path.parent().is_some_and(|folder| file_name(folder) == "supplemental");
    let has_such_a_name = ClipName::of(path).is_some_and(|name| name.label == Label::Supplemental);
    if file_name(path).starts_with('.') {
        PassedOverReason::Hidden
    } else if is_other_recording(path) {
        PassedOverReason::OtherFormat
    } else if !is_sound(path) {
        PassedOverReason::NotSound
    } else if is_in_supplemental || has_such_a_name {
        PassedOverReason::Supplemental
    } else {
        PassedOverReason::Unplaced
    }
}

/// Extensions of unsupported recordings. Text formats are not included: data sets have lists, notes and labels as CSV
/// and text.
const RECORDINGS: [&str; 32] = [
    "mp3", "ogg", "oga", "opus", "m4a", "aac", "wma", "amr", "aif", "aiff", "aifc", "au", "snd", "caf", "w64", "rf64",
    "bwf", "voc", "wv", "ape", "mka", "mkv", "mp4", "mov", "webm", "3gp", "tdms", "mat", "uff", "unv", "npy", "wave",
];

fn is_other_recording(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    RECORDINGS.contains(&ending.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_of_another_format_is_named_and_a_list_is_not() {
        assert_eq!(reason_of(Path::new("train/normal/a.MP3")), PassedOverReason::OtherFormat);
        assert_eq!(reason_of(Path::new("train/normal/readme.txt")), PassedOverReason::NotSound);
        assert_eq!(reason_of(Path::new("train/normal/.a.mp3")), PassedOverReason::Hidden);
    }
}
