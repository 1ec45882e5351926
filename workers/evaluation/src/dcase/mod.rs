//! The CSV files of DCASE Task 2, in the format of the baselines and the evaluators of the challenge.
//!
//! | file | rows |
//! |---|---|
//! | `anomaly_score_<type>_id_<nn>.csv` | `file,score`, no header: 2020 |
//! | `anomaly_score_<type>_section_<nn>_<domain>_test.csv` | the same, one file per domain: 2021 |
//! | `anomaly_score_<type>_section_<nn>_test.csv` | the same: 2022 and later, and recordings that are not from DCASE |
//! | `decision_result_…` | `file,0` or `file,1` |
//! | `result.csv` | one per machine ([`official`]), arithmetic and harmonic mean of each column, official score |
//! | `left_out.csv` | the clips that could not be scored normally: file, machine, reason |
//!
//! Every test clip has a row, because an evaluator rejects an incomplete list. A clip without a working sensor has the
//! score of all its channels; an unreadable clip has the lowest score of its section, so that it never counts as
//! a detected fault.

pub mod official;

use std::collections::BTreeSet;
use std::path::PathBuf;

use auscult_detection::metrics::{arithmetic_mean, harmonic_mean};
use auscult_recordings::dataset::{DcaseName, Domain, Edition};

use official::{LabelledScore, Official, Section, SectionFigures};

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFile {
    /// Its name.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// A test clip, labelled or not, with the model's result.
#[derive(Debug, Clone)]
pub struct ScoredClip {
    /// The file.
    pub path: PathBuf,
    /// The machine's id.
    pub machine: String,
    /// The machine's DCASE name.
    pub dcase: Option<DcaseName>,
    /// DCASE's domain, if known.
    pub domain: Option<Domain>,
    /// The label, if known.
    pub is_abnormal: Option<bool>,
    /// The score; `None` if the clip cannot be read.
    pub score: Option<f64>,
    /// Scores above it are classified as abnormal.
    pub threshold: f64,
    /// Why the clip is excluded from the metrics.
    pub left_out: Option<String>,
}

/// One machine's clips in DCASE's format.
struct Listed<'a> {
    machine: &'a str,
    dcase: Option<&'a DcaseName>,
    /// The machine's name in the files.
    name: DcaseName,
    /// File names, each once, and the clips; sorted.
    clips: Vec<(String, &'a ScoredClip)>,
    /// The score for clips without one.
    lowest: f64,
}

impl<'a> Listed<'a> {
    fn all(clips: &'a [ScoredClip]) -> Vec<Self> {
        let machines: BTreeSet<&str> = clips.iter().map(|clip| clip.machine.as_str()).collect();
        let mut taken = BTreeSet::new();
        machines.into_iter().map(|machine| Self::of(machine, clips, &mut taken)).collect()
    }

    fn of(machine: &'a str, clips: &'a [ScoredClip], taken: &mut BTreeSet<DcaseName>) -> Self {
        let named =
            |clip: &'a ScoredClip| (clip.path.file_name().unwrap_or_default().to_string_lossy().into_owned(), clip);
        let mut own: Vec<(String, &ScoredClip)> =
            clips.iter().filter(|clip| clip.machine == machine).map(named).collect();
        name_apart(&mut own);
        own.sort_by(|a, b| a.0.cmp(&b.0));
        let dcase = own.first().and_then(|(_, clip)| clip.dcase.as_ref());
        let mut name = dcase.cloned().unwrap_or_else(|| name_of(machine));
        if !taken.insert(name.clone()) {
            // Another machine's files have that name: the whole id is unique.
            let own = [format!("_section_{}", name.number), format!("_id_{}", name.number)];
            let machine_type = own.iter().find_map(|end| machine.strip_suffix(end.as_str())).unwrap_or(machine);
            name.machine_type = machine_type.to_owned();
            if !taken.insert(name.clone()) {
                name = DcaseName { machine_type: machine.to_owned(), ..name };
                taken.insert(name.clone());
            }
        }
        let scores = own.iter().filter_map(|(_, clip)| clip.score);
        let lowest = scores.min_by(f64::total_cmp).unwrap_or(0.0);
        Self { machine, dcase, name, clips: own, lowest }
    }

    /// The file names without `anomaly_score_`, and the clips of each.
    fn files(&self) -> Vec<(String, Vec<&(String, &'a ScoredClip)>)> {
        let DcaseName { edition, machine_type, number } = &self.name;
        let all = || self.clips.iter().collect::<Vec<_>>();
        match edition {
            Edition::Y2020 => vec![(format!("{machine_type}_id_{number}.csv"), all())],
            Edition::Y2022 => vec![(format!("{machine_type}_section_{number}_test.csv"), all())],
            Edition::Y2021 => [Domain::Source, Domain::Target]
                .into_iter()
                .map(|domain| {
                    let is_of = |clip: &ScoredClip| clip.domain.unwrap_or(Domain::Source) == domain;
                    let clips = self.clips.iter().filter(|(_, clip)| is_of(clip)).collect();
                    (format!("{machine_type}_section_{number}_{}_test.csv", domain.name()), clips)
                })
                .filter(|(_, clips): &(String, Vec<_>)| !clips.is_empty())
                .collect(),
        }
    }

    fn score(&self, clip: &ScoredClip) -> f64 {
        clip.score.unwrap_or(self.lowest)
    }

    fn is_alarm(&self, clip: &ScoredClip) -> bool {
        clip.score.is_some_and(|score| score > clip.threshold)
    }

    fn section(&self) -> Section {
        let labelled: Vec<LabelledScore> = self
            .clips
            .iter()
            .filter_map(|(_, clip)| {
                Some(LabelledScore {
                    score: self.score(clip),
                    is_alarm: self.is_alarm(clip),
                    is_abnormal: clip.is_abnormal?,
                    domain: clip.domain.unwrap_or(Domain::Source),
                })
            })
            .collect();
        Section {
            machine: self.machine.to_owned(),
            machine_type: self.name.machine_type.clone(),
            section: self.name.number.clone(),
            figures: SectionFigures::of(&labelled, self.dcase.map(|name| name.edition)),
        }
    }
}

/// `fan_section_00` is section 00 of the type `fan`, and so is MIMII's `fan_id_00`; a name without a number is its own
/// type.
fn name_of(machine: &str) -> DcaseName {
    let split = ["_section_", "_id_"].iter().find_map(|between| machine.rsplit_once(between));
    let (machine_type, number) = match split {
        Some((of, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => (of, number),
        _ => (machine, "00"),
    };
    DcaseName { edition: Edition::Y2022, machine_type: machine_type.to_owned(), number: number.to_owned() }
}

/// The metrics of every edition of the clips; empty if they are not from DCASE.
#[must_use]
pub fn official(clips: &[ScoredClip]) -> Vec<Official> {
    let sections = Listed::all(clips).iter().filter_map(|one| Some((one.dcase?.clone(), one.section()))).collect();
    Official::all(sections)
}

/// All files of an evaluation.
#[must_use]
pub fn csv_files(clips: &[ScoredClip]) -> Vec<CsvFile> {
    let machines = Listed::all(clips);
    let mut files = Vec::new();
    for machine in &machines {
        for (stem, clips) in machine.files() {
            let scores = clips.iter().map(|(file, clip)| vec![file.clone(), machine.score(clip).to_string()]);
            let decisions =
                clips.iter().map(|(file, clip)| vec![file.clone(), u8::from(machine.is_alarm(clip)).to_string()]);
            files.push(CsvFile { name: format!("anomaly_score_{stem}"), text: csv(scores) });
            files.push(CsvFile { name: format!("decision_result_{stem}"), text: csv(decisions) });
        }
    }
    if clips.iter().any(|clip| clip.is_abnormal.is_some()) {
        let sections: Vec<Section> = machines.iter().map(Listed::section).collect();
        files.push(CsvFile { name: "result.csv".to_owned(), text: result_csv(&sections, &official(clips)) });
    }
    if clips.iter().any(|clip| clip.left_out.is_some()) {
        let head = vec!["file".to_owned(), "machine".to_owned(), "why".to_owned()];
        let rows = machines.iter().flat_map(|machine| &machine.clips).filter_map(|(file, clip)| {
            clip.left_out.as_ref().map(|why| vec![file.clone(), clip.machine.clone(), why.clone()])
        });
        files.push(CsvFile { name: "left_out.csv".to_owned(), text: csv([head].into_iter().chain(rows)) });
    }
    files
}

/// Files with the same name in two folders (one per fault, for example) get the folder names as a prefix, as many as
/// necessary.
fn name_apart(clips: &mut [(String, &ScoredClip)]) {
    let are_apart = |clips: &[(String, &ScoredClip)]| {
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

fn result_csv(sections: &[Section], official: &[Official]) -> String {
    let head = ["machine type", "section"].iter().chain(&SectionFigures::COLUMNS).map(ToString::to_string).collect();
    let row = |machine_type: &str, section: &str, columns: [Option<f64>; 15]| -> Vec<String> {
        let columns = columns.map(|figure| figure.map(|figure| figure.to_string()).unwrap_or_default());
        [machine_type.to_owned(), section.to_owned()].into_iter().chain(columns).collect()
    };
    let mean = |mean: fn(&[f64]) -> Option<f64>| {
        std::array::from_fn(|column| {
            let figures: Vec<f64> = sections.iter().filter_map(|section| section.figures.columns()[column]).collect();
            mean(&figures)
        })
    };
    let mut rows = vec![head];
    rows.extend(sections.iter().map(|one| row(&one.machine_type, &one.section, one.figures.columns())));
    rows.push(row("arithmetic mean", "", mean(arithmetic_mean)));
    rows.push(row("harmonic mean", "", mean(harmonic_mean)));
    for edition in official {
        let score = edition.official_score.map(|score| score.to_string()).unwrap_or_default();
        rows.push(vec![format!("official score of {}", edition.edition), String::new(), score]);
    }
    csv(rows.into_iter())
}

/// Rows of fields, quoted if necessary (RFC 4180), with line feeds as written by Python's baselines.
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
mod tests;
