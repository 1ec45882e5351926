//! The CSV files of DCASE Task 2, as the baselines and the evaluator of the challenge have them.
//!
//! | file | rows |
//! |---|---|
//! | `anomaly_score_<type>_section_<nn>_test.csv` | `file,score`, no header |
//! | `decision_result_<type>_section_<nn>_test.csv` | `file,0` or `file,1`, no header |
//! | `result.csv` | one a machine, then the arithmetic and the harmonic means of each column |
//!
//! `AUC (source)` has the source domain's normal clips against the anomalies of *both* domains, `AUC (target)` the target domain's; pAUC,
//! precision, recall and F1 are over all clips (2022 and later). Recordings without a domain count as source.

use std::collections::BTreeSet;

use auscult_detection::metrics::{arithmetic_mean, harmonic_mean, roc_auc};
use auscult_detection::{Evaluation, evaluate};

use super::judged::{self, JudgedClip, scores_by_class};
use crate::dataset::Domain;

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFile {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// All files of an evaluation: two a machine, and `result.csv`.
#[must_use]
pub fn csv_files(clips: &[JudgedClip], threshold: f64) -> Vec<CsvFile> {
    let mut files = Vec::new();
    let mut results = Vec::new();
    let mut taken = BTreeSet::new();
    for machine in judged::machines(clips) {
        let mut own: Vec<(String, &JudgedClip)> = clips
            .iter()
            .filter(|clip| clip.machine == machine)
            .map(|clip| (clip.path.file_name().unwrap_or_default().to_string_lossy().into_owned(), clip))
            .collect();
        name_apart(&mut own);
        own.sort_by(|a, b| a.0.cmp(&b.0));

        let mut section = Section::of(machine);
        if !taken.insert(section.clone()) {
            // Another machine's files have that name: the whole id is nobody else's.
            section = Section { machine_type: machine.to_owned(), number: "00".to_owned() };
        }
        let stem = format!("{}_section_{}_test.csv", section.machine_type, section.number);
        let scores = own.iter().map(|(file, clip)| vec![file.clone(), clip.score.to_string()]);
        let decisions = own.iter().map(|(file, clip)| vec![file.clone(), u8::from(clip.score > threshold).to_string()]);
        files.push(CsvFile { name: format!("anomaly_score_{stem}"), text: csv(scores) });
        files.push(CsvFile { name: format!("decision_result_{stem}"), text: csv(decisions) });
        results.push((section, SectionFigures::of(own.iter().map(|(_, clip)| *clip), threshold)));
    }
    files.push(CsvFile { name: "result.csv".to_owned(), text: result_csv(&results) });
    files
}

/// What DCASE calls a machine: a type, and the number of one of its kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Section {
    machine_type: String,
    number: String,
}

impl Section {
    /// `fan_section_00` is section 00 of the type `fan`, and so is 2020's and MIMII's `fan_id_00`; what has no number is its own type.
    fn of(machine: &str) -> Self {
        let split = ["_section_", "_id_"].iter().find_map(|between| machine.rsplit_once(between));
        let (machine_type, number) = match split {
            Some((of, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
                (of, number)
            }
            _ => (machine, "00"),
        };
        Self { machine_type: machine_type.to_owned(), number: number.to_owned() }
    }
}

/// Files of one name in two folders (a fault each, say) get the folder's name before their own, as far up as it takes.
fn name_apart(clips: &mut [(String, &JudgedClip)]) {
    let are_apart = |clips: &[(String, &JudgedClip)]| {
        clips.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len() == clips.len()
    };
    for levels in 2.. {
        let deepest = clips.iter().map(|(_, clip)| clip.path.components().count()).max().unwrap_or(0);
        if are_apart(clips) || levels > deepest {
            return;
        }
        for (name, clip) in &mut *clips {
            let parts: Vec<_> = clip.path.iter().map(|part| part.to_string_lossy()).collect();
            *name = parts[parts.len().saturating_sub(levels)..].join("/");
        }
    }
}

/// A row of `result.csv`, absent where there are no clips that it could be of.
struct SectionFigures {
    columns: [Option<f64>; 6],
}

const COLUMNS: [&str; 6] = ["AUC (source)", "AUC (target)", "pAUC", "precision", "recall", "F1 score"];

impl SectionFigures {
    fn of<'a>(clips: impl Iterator<Item = &'a JudgedClip> + Clone, threshold: f64) -> Self {
        let (normal, abnormal) = scores_by_class(clips.clone());
        let is_of = |clip: &JudgedClip, domain| clip.domain.unwrap_or(Domain::Source) == domain;
        let auc_of = |domain| {
            let (normal, _) = scores_by_class(clips.clone().filter(|clip| is_of(clip, domain)));
            roc_auc(&normal, &abnormal)
        };
        let Evaluation { pauc, abnormal_positive: rates, n_abnormal, .. } = evaluate(&normal, &abnormal, threshold);
        let rate = |rate: f64| (n_abnormal > 0).then_some(rate);
        let (source, target) = (auc_of(Domain::Source), auc_of(Domain::Target));
        Self { columns: [source, target, pauc, rate(rates.precision), rate(rates.recall), rate(rates.f1)] }
    }
}

fn result_csv(results: &[(Section, SectionFigures)]) -> String {
    let head = ["machine type", "section"].iter().chain(&COLUMNS).map(ToString::to_string).collect();
    let row = |machine_type: &str, section: &str, columns: [Option<f64>; 6]| -> Vec<String> {
        let columns = columns.map(|figure| figure.map(|figure| figure.to_string()).unwrap_or_default());
        [machine_type.to_owned(), section.to_owned()].into_iter().chain(columns).collect()
    };
    let mean = |mean: fn(&[f64]) -> Option<f64>| {
        std::array::from_fn(|column| {
            let figures: Vec<f64> = results.iter().filter_map(|(_, figures)| figures.columns[column]).collect();
            mean(&figures)
        })
    };
    let mut rows = vec![head];
    rows.extend(results.iter().map(|(section, figures)| row(&section.machine_type, &section.number, figures.columns)));
    rows.push(row("arithmetic mean", "", mean(arithmetic_mean)));
    rows.push(row("harmonic mean", "", mean(harmonic_mean)));
    csv(rows.into_iter())
}

/// Rows of fields, quoted where they must be (RFC 4180), ended by a line feed as Python's baselines write them.
fn csv(rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |row: Vec<String>| row.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",") + "\n";
    rows.map(line).collect()
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(machine: &str, path: &str, score: f64) -> JudgedClip {
        JudgedClip {
            path: path.into(),
            machine: machine.to_owned(),
            domain: Domain::of(path.as_ref()),
            is_abnormal: path.contains("anomaly") || path.contains("abnormal"),
            fault: None,
            score,
            channel_scores: vec![Some(score)],
        }
    }

    fn text<'a>(files: &'a [CsvFile], name: &str) -> &'a str {
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        let at = names.iter().position(|there| *there == name);
        &files[at.unwrap_or_else(|| panic!("no {name} in {names:?}"))].text
    }

    #[test]
    fn scores_decisions_and_results_are_in_dcases_files() {
        let clips = [
            clip("fan_section_00", "test/section_00_source_test_normal_0000.wav", 1.0),
            clip("fan_section_00", "test/section_00_source_test_anomaly_0000.wav", 3.0),
            clip("fan_section_00", "test/section_00_target_test_normal_0000.wav", 2.5),
            clip("fan_section_00", "test/section_00_target_test_anomaly_0000.wav", 2.0),
        ];
        let files = csv_files(&clips, 2.2);
        assert_eq!(
            text(&files, "anomaly_score_fan_section_00_test.csv"),
            "section_00_source_test_anomaly_0000.wav,3\nsection_00_source_test_normal_0000.wav,1\n\
             section_00_target_test_anomaly_0000.wav,2\nsection_00_target_test_normal_0000.wav,2.5\n"
        );
        assert_eq!(
            text(&files, "decision_result_fan_section_00_test.csv"),
            "section_00_source_test_anomaly_0000.wav,1\nsection_00_source_test_normal_0000.wav,0\n\
             section_00_target_test_anomaly_0000.wav,0\nsection_00_target_test_normal_0000.wav,1\n"
        );
        // AUC (source): 1.0 against the anomalies of both domains; AUC (target): 2.5 against them.
        let result = text(&files, "result.csv");
        let head = "machine type,section,AUC (source),AUC (target),pAUC,precision,recall,F1 score";
        assert_eq!(result.lines().next(), Some(head));
        assert!(result.contains("\nfan,00,1,0.5,"), "{result}");
        assert!(result.contains("\narithmetic mean,,1,0.5,"), "{result}");
        assert!(result.contains("\nharmonic mean,,1,0.5,"), "{result}");
    }

    #[test]
    fn machines_that_are_not_dcases_have_their_id_for_a_type_and_no_target() {
        let clips = [
            clip("saw", "saw/normal/a.wav", 1.0),
            clip("saw", "saw/abnormal/blade/1.wav", 2.0),
            clip("saw", "saw/abnormal/belt/1.wav", 0.5),
            clip("mill", "mill/normal/a, \"b\".wav", 1.0),
        ];
        let files = csv_files(&clips, 1.5);
        assert_eq!(
            text(&files, "decision_result_saw_section_00_test.csv"),
            "belt/1.wav,0\nblade/1.wav,1\nnormal/a.wav,0\n",
            "two files of one name are told apart"
        );
        assert_eq!(text(&files, "anomaly_score_mill_section_00_test.csv"), "\"a, \"\"b\"\".wav\",1\n");
        let result = text(&files, "result.csv");
        assert!(result.contains("\nsaw,00,0.5,,"), "{result}");
        assert!(result.contains("\nmill,00,,,,,,\n"), "no abnormal clips, no figures: {result}");
    }

    #[test]
    fn no_two_machines_share_their_files() {
        let clips =
            ["fan", "fan_id_00", "fan_section_00"].map(|machine| clip(machine, &format!("{machine}/normal.wav"), 1.0));
        let files = csv_files(&clips, 2.0);
        let names: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names.len(), files.len(), "{names:?}");
    }

    #[test]
    fn a_number_after_section_or_id_is_the_section() {
        let section = |machine| {
            let Section { machine_type, number } = Section::of(machine);
            (machine_type, number)
        };
        assert_eq!(section("ToyCar_section_02"), ("ToyCar".to_owned(), "02".to_owned()));
        assert_eq!(section("6_dB_fan_id_04"), ("6_dB_fan".to_owned(), "04".to_owned()));
        assert_eq!(section("valve_id_x"), ("valve_id_x".to_owned(), "00".to_owned()));
        assert_eq!(section("compressor"), ("compressor".to_owned(), "00".to_owned()));
    }
}
