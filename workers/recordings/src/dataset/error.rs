//! Errors of data sets.

use std::path::PathBuf;

use thiserror::Error;

/// Why a folder cannot be used as DATA_DIR, and how to fix it.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// The path is missing or a file.
    #[error("{} is not a folder: give the folder that holds the recordings", path.display())]
    NotAFolder {
        /// The path as given.
        path: PathBuf,
    },
    /// The folder, or one inside it, cannot be listed.
    #[error("cannot list the folder {}: check its permissions", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No layout matches.
    #[error(
        "no machine sound found in {}: {found}.\n\
         Looked for, at this level and up to four below:\n  \
         train/normal, test/normal, test/abnormal[/FAULT]    split folders\n  \
         id_XX/normal, id_XX/abnormal                        MIMII's own tree\n  \
         train/normal_id_XX_*, test/anomaly_id_XX_*,\n  \
         train/section_XX_source_train_normal_*              DCASE Task 2\n\
         each with .wav or .flac files. Sort the recordings into one of these, or give another folder",
        root.display()
    )]
    UnknownLayout {
        /// The folder as given.
        root: PathBuf,
        /// Its content.
        found: String,
    },
    /// There are no training clips.
    #[error("{} holds no normal clips to train with ({machine}): put recordings of the healthy machine into {}", root.display(), expected.display())]
    NoTrainingClips {
        /// The folder as given.
        root: PathBuf,
        /// The machine, or `any machine`.
        machine: String,
        /// Where such clips are expected.
        expected: PathBuf,
    },
    /// Two machines cannot be distinguished by name.
    #[error("two machines have the id {id}: {}. Rename one of the folders", folders.join(" and "))]
    SameId {
        /// Their id.
        id: String,
        /// Where they lie.
        folders: Vec<String>,
    },
    /// The folder given for the labels contains none.
    #[error(
        "{} holds neither a folder ground_truth_data nor eval_data_list.csv: give the folder of DCASE's evaluator that holds one",
        path.display()
    )]
    NoTruth {
        /// The folder as given.
        path: PathBuf,
    },
    /// A line of a label file is invalid.
    #[error("{}, line {line}: {text:?} is no label: it should end in ,0 (normal) or ,1 (anomaly)", path.display())]
    BadTruth {
        /// The file.
        path: PathBuf,
        /// Counted from 1, without empty lines.
        line: usize,
        /// The line.
        text: String,
    },
    /// There are no test clips of one class.
    #[error(
        "{} holds {normal} normal and {abnormal} abnormal test clips{}: evaluation needs some of both, in {}",
        root.display(),
        unlabelled_in_words(*unlabelled),
        expected.display()
    )]
    NoTestClips {
        /// Test clips without a label.
        unlabelled: usize,
        /// The folder as given.
        root: PathBuf,
        /// Normal test clips found.
        normal: usize,
        /// Abnormal test clips found.
        abnormal: usize,
        /// Where such clips are expected.
        expected: PathBuf,
    },
    /// `--machine` matches no machine.
    #[error("no machine {asked:?} in {}: it holds {known}", root.display())]
    UnknownMachine {
        /// The folder as given.
        root: PathBuf,
        /// The requested id.
        asked: String,
        /// The existing ids.
        known: String,
    },
}

fn unlabelled_in_words(unlabelled: usize) -> String {
    match unlabelled {
        0 => String::new(),
        clips => format!(
            ", and {clips} whose names carry no label (an evaluation set: give --truth with the folder of DCASE's evaluator, \
             or --out to have their scores written)"
        ),
    }
}
