//! The information in the name of a DCASE Task 2 clip.
//!
//! ```text
//!  2020    normal_id_00_00000000    anomaly_id_00_00000012    id_01_00000003 (evaluation set: no label)
//!  2021    section_00_source_train_normal_0000_strength_1     section_03_target_test_0007 (no label)
//!  2022+   section_00_target_test_anomaly_0001                section_00_0013 (neither label nor domain)
//!  2025+   section_00_clean_supplemental_0000, section_00_noise_supplemental_0000
//! ```

use std::path::Path;

/// The recording conditions of a DCASE clip: most training clips are from the source domain, few or none from the
/// target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// The conditions of the training clips.
    Source,
    /// Another speed, load, microphone or background.
    Target,
}

impl Domain {
    /// The domain in a file name; `None` if there is none (2020, and recordings that are not from DCASE).
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        ClipName::of(path)?.domain
    }

    /// Its name in file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// The use of a clip, as far as its name shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Normal,
    Abnormal,
    /// No label in the name: a clip of an evaluation set.
    Unlabelled,
    /// Clean machine sound or noise only, in addition to the training clips.
    Supplemental,
}

/// The information in a file name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClipName {
    /// `id_00` or `section_00`.
    pub machine: String,
    pub label: Label,
    pub domain: Option<Domain>,
}

impl ClipName {
    /// `None` if it is not a DCASE name.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let stem = path.file_stem()?.to_str()?;
        let parts: Vec<&str> = stem.split('_').collect();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let label_of = |label: &str| match label {
            "normal" => Some(Label::Normal),
            "anomaly" => Some(Label::Abnormal),
            _ => None,
        };
        let domain_of = |domain: &str| match domain {
            "source" => Some(Domain::Source),
            "target" => Some(Domain::Target),
            _ => None,
        };
        let of_id = |id: &str, label| Some(Self { machine: format!("id_{id}"), label, domain: None });
        let of_section =
            |section: &str, label, domain| Some(Self { machine: format!("section_{section}"), label, domain });
        match parts.as_slice() {
            [label, "id", id, clip, ..] if is_number(id) && is_number(clip) => of_id(id, label_of(label)?),
            ["id", id, clip] if is_number(id) && is_number(clip) => of_id(id, Label::Unlabelled),
            ["section", section, rest @ ..] if is_number(section) => match rest {
                [domain, "train" | "test", label, clip, ..] if is_number(clip) => {
                    of_section(section, label_of(label)?, Some(domain_of(domain)?))
                }
                [domain, "test", clip] if is_number(clip) => {
                    of_section(section, Label::Unlabelled, Some(domain_of(domain)?))
                }
                [clip] if is_number(clip) => of_section(section, Label::Unlabelled, None),
                [.., "supplemental", clip] if is_number(clip) => of_section(section, Label::Supplemental, None),
                _ => None,
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{ClipName, Domain, Label};

    #[test]
    fn names_of_all_years_are_read() {
        let cases = [
            ("normal_id_00_00000000.wav", Some(("id_00", Label::Normal))),
            ("anomaly_id_06_00000013.wav", Some(("id_06", Label::Abnormal))),
            ("id_01_00000003.wav", Some(("id_01", Label::Unlabelled))),
            ("section_00_source_train_normal_0000_strength_1_ambient.wav", Some(("section_00", Label::Normal))),
            ("section_02_target_test_anomaly_0001.flac", Some(("section_02", Label::Abnormal))),
            ("section_03_source_test_0007.wav", Some(("section_03", Label::Unlabelled))),
            ("section_00_0000.wav", Some(("section_00", Label::Unlabelled))),
            ("section_00_clean_supplemental_0000.wav", Some(("section_00", Label::Supplemental))),
            ("section_00_supplemental_0000.wav", Some(("section_00", Label::Supplemental))),
            ("section_00_source_test_strange_0001.wav", None),
            ("preprocess_Reading1.flac", None),
            ("id_card.wav", None),
        ];
        for (name, expected) in cases {
            let found = ClipName::of(Path::new(name));
            let read = found.as_ref().map(|found| (found.machine.as_str(), found.label));
            assert_eq!(read, expected, "{name}");
        }
    }

    #[test]
    fn the_domain_is_read_where_the_name_has_one() {
        let domain = |name| Domain::of(Path::new(name));
        assert_eq!(domain("section_00_source_test_normal_0000.wav"), Some(Domain::Source));
        assert_eq!(domain("test/section_02_target_test_anomaly_0001.flac"), Some(Domain::Target));
        assert_eq!(domain("section_03_target_test_0007.wav"), Some(Domain::Target));
        assert_eq!(domain("normal_id_00_00000000.wav"), None);
        assert_eq!(domain("source.wav"), None);
    }
}
