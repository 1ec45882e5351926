//! Finds the files to import, and names their recordings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use auscult_detection::natural_order;
use auscult_features::content_type_of;

/// Maximum depth of nested folders.
const MAX_DEPTH: usize = 8;

/// One file.
#[derive(Debug)]
pub struct Input {
    /// The file.
    pub path: PathBuf,
    /// Its folder relative to the given folder; its recordings go to the same subfolder of the output folder.
    pub folder: PathBuf,
    /// The file name without its extension; with it, if another file would have the same name.
    pub stem: String,
}

/// Files to import, and other files of the folders.
#[derive(Debug, Default)]
pub struct Found {
    /// The files, in the order of the numbers in their names.
    pub inputs: Vec<Input>,
    passed_over: BTreeMap<String, usize>,
}

impl Found {
    /// `3 files (.pdf 2, .xlsx 1)`.
    #[must_use]
    pub fn passed_over_words(&self) -> Option<String> {
        let count: usize = self.passed_over.values().sum();
        let kinds: Vec<String> = self.passed_over.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        (count > 0).then(|| format!("{count} files of kinds that are not imported ({})", kinds.join(", ")))
    }
}

/// The files at these paths, including those in folders.
///
/// # Errors
/// If a folder cannot be read, or two files would have the same output name.
pub fn inputs(paths: &[PathBuf]) -> anyhow::Result<Found> {
    let mut found = Found::default();
    for path in paths {
        if path.is_dir() {
            walk(path, Path::new(""), 0, &mut found)?;
        } else {
            found.inputs.push(Input { path: path.clone(), folder: PathBuf::new(), stem: String::new() });
        }
    }
    let mut count: BTreeMap<(PathBuf, String), usize> = BTreeMap::new();
    let stem = |path: &Path| {
        if is_numbered(path) {
            file_name(path)
        } else {
            path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
        }
    };
    for input in &found.inputs {
        *count.entry((input.folder.clone(), stem(&input.path))).or_default() += 1;
    }
    let mut whole_names: BTreeMap<(PathBuf, String), PathBuf> = BTreeMap::new();
    for input in &mut found.inputs {
        let short = stem(&input.path);
        let is_alone = count.get(&(input.folder.clone(), short.clone())) == Some(&1);
        input.stem = if is_alone { short } else { file_name(&input.path).replace('.', "_") };
        if let Some(other) = whole_names.insert((input.folder.clone(), input.stem.clone()), input.path.clone()) {
            bail!(
                "{} and {} would have the same recording: import them into different folders",
                other.display(),
                input.path.display()
            );
        }
    }
    Ok(found)
}

fn walk(folder: &Path, below: &Path, depth: usize, found: &mut Found) -> anyhow::Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}: check the path", folder.display()))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("cannot read {}", folder.display()))?;
    paths.sort_by(|one, other| natural_order(&file_name(one), &file_name(other)));
    for path in paths {
        let name = file_name(&path);
        if name.starts_with('.') || name.ends_with("tdms_index") || name == super::manifest::FILE_NAME {
            continue;
        }
        if path.is_dir() {
            if depth < MAX_DEPTH {
                walk(&path, &below.join(&name), depth + 1, found)?;
            }
        } else if auscult_import::is_importable(&path) || content_type_of(&name).is_some() || is_numbered(&path) {
            found.inputs.push(Input { path, folder: below.to_owned(), stem: String::new() });
        } else {
            let kind = path
                .extension()
                .map_or_else(|| "without ending".to_owned(), |ending| format!(".{}", ending.to_string_lossy()));
            *found.passed_over.entry(kind).or_default() += 1;
        }
    }
    Ok(())
}

/// IMS names files by their time, `2004.02.12.10.32.39`, which contains no extension.
fn is_numbered(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| !ending.is_empty() && ending.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
