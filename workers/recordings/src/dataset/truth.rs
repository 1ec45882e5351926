//! Labels of clips whose names have none, from the CSV files of DCASE's evaluators.
//!
//! ```text
//!  ground_truth_data/ground_truth_<type>_section_<nn>_test.csv       file,0 or file,1      2022 and later
//!  ground_truth_domain/ground_truth_<type>_section_<nn>_test.csv     file,0 or file,1      0 source, 1 target
//!  ground_truth_data/ground_truth_<type>_section_<nn>_<domain>_test.csv                    2021
//!  eval_data_list.csv      a line with the type, then file,labelled name,0 or 1            2020
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::clip_name::Domain;
use super::dcase::{DcaseName, Edition};
use super::{AbnormalClip, DatasetError, MachineClips};

/// Number of folders above DATA_DIR that are searched.
const LEVELS_ABOVE: usize = 2;

const DATA: &str = "ground_truth_data";
const DOMAIN: &str = "ground_truth_domain";
const LIST_OF_2020: &str = "eval_data_list.csv";

/// Where labels were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Truth {
    folder: PathBuf,
}

impl Truth {
    /// The given folder, or the first one at `root` or above with such files.
    ///
    /// # Errors
    /// [`DatasetError::NoTruth`] if the given folder has no such files.
    pub(super) fn find(root: &Path, given: Option<&Path>) -> Result<Option<Self>, DatasetError> {
        if let Some(given) = given {
            // The folder of the labels itself is accepted, too.
            let parent = given.file_name().is_some_and(|name| name == DATA).then(|| given.parent()).flatten();
            let folder = parent.unwrap_or(given);
            return match has_truth(folder) {
                true => Ok(Some(Self { folder: folder.to_owned() })),
                false => Err(DatasetError::NoTruth { path: given.to_owned() }),
            };
        }
        let places = root.ancestors().take(1 + LEVELS_ABOVE);
        Ok(places.filter(|place| has_truth(place)).map(|place| Self { folder: place.to_owned() }).next())
    }

    /// Assigns labels to a machine's unlabelled clips; returns the source of the labels, if any.
    ///
    /// # Errors
    /// [`DatasetError::BadTruth`] with file and line if a label is neither 0 nor 1.
    pub(super) fn label(&self, machine: &mut MachineClips) -> Result<Option<PathBuf>, DatasetError> {
        let Some(name) = machine.dcase.clone().filter(|_| !machine.unlabelled.is_empty()) else { return Ok(None) };
        let (labels, from) = self.labels(&name)?;
        if labels.is_empty() {
            return Ok(None);
        }
        let domains = match name.edition {
            Edition::Y2022 => rows(&self.folder.join(DOMAIN).join(file_of(&name, "test")))?,
            Edition::Y2020 | Edition::Y2021 => HashMap::new(),
        };
        let mut found = false;
        for path in std::mem::take(&mut machine.unlabelled) {
            let file = super::files::file_name(&path);
            let Some(is_abnormal) = labels.get(&file) else {
                machine.unlabelled.push(path);
                continue;
            };
            found = true;
            if let Some(is_target) = domains.get(&file) {
                let domain = if *is_target { Domain::Target } else { Domain::Source };
                machine.domains.insert(path.clone(), domain);
            }
            if *is_abnormal {
                machine.test_abnormal.push(AbnormalClip { path, fault: None });
            } else {
                machine.test_normal.push(path);
            }
        }
        machine.sort();
        Ok(found.then_some(from))
    }

    /// Each file's label, and its source file or folder.
    fn labels(&self, name: &DcaseName) -> Result<(HashMap<String, bool>, PathBuf), DatasetError> {
        let data = self.folder.join(DATA);
        match name.edition {
            Edition::Y2020 => {
                let list = self.folder.join(LIST_OF_2020);
                Ok((rows_of_type(&list, &name.machine_type)?, list))
            }
            Edition::Y2021 => {
                let mut labels = rows(&data.join(file_of(name, "source_test")))?;
                labels.extend(rows(&data.join(file_of(name, "target_test")))?);
                Ok((labels, data))
            }
            Edition::Y2022 => Ok((rows(&data.join(file_of(name, "test")))?, data)),
        }
    }
}

fn has_truth(folder: &Path) -> bool {
    folder.join(DATA).is_dir() || folder.join(LIST_OF_2020).is_file()
}

fn file_of(name: &DcaseName, part: &str) -> String {
    format!("ground_truth_{}_section_{}_{part}.csv", name.machine_type, name.number)
}

/// `file,0` and `file,1`; empty if the file does not exist.
fn rows(path: &Path) -> Result<HashMap<String, bool>, DatasetError> {
    let mut labels = HashMap::new();
    for (number, line) in lines(path)?.iter().enumerate() {
        let Some((file, label)) = line.rsplit_once(',') else { return Err(bad(path, number, line)) };
        labels.insert(file.trim().to_owned(), label_of(label).ok_or_else(|| bad(path, number, line))?);
    }
    Ok(labels)
}

/// The rows below a machine type's own line.
fn rows_of_type(path: &Path, machine_type: &str) -> Result<HashMap<String, bool>, DatasetError> {
    let mut labels = HashMap::new();
    let mut is_of_type = false;
    for (number, line) in lines(path)?.iter().enumerate() {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        match fields.as_slice() {
            [of] => is_of_type = *of == machine_type,
            [of, rest @ ..] if rest.iter().all(|field| field.is_empty()) => is_of_type = *of == machine_type,
            [file, .., label] if is_of_type => {
                labels.insert((*file).to_owned(), label_of(label).ok_or_else(|| bad(path, number, line))?);
            }
            _ => {}
        }
    }
    Ok(labels)
}

fn lines(path: &Path) -> Result<Vec<String>, DatasetError> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text =
        std::fs::read_to_string(path).map_err(|source| DatasetError::Unreadable { path: path.to_owned(), source })?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn label_of(text: &str) -> Option<bool> {
    match text.trim() {
        "0" | "0.0" => Some(false),
        "1" | "1.0" => Some(true),
        _ => None,
    }
}

fn bad(path: &Path, number: usize, line: &str) -> DatasetError {
    DatasetError::BadTruth { path: path.to_owned(), line: number + 1, text: line.to_owned() }
}
