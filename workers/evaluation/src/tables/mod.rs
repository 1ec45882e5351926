//! Tables of log-mels pooled by another program: one clip per row, one band per column.
//!
//! ```text
//!  .csv ─────┐                          ┌─► normal training clips ─► judge_vectors ─► metrics
//!  .parquet ─┴─► RawTable ─► Table ─► Split
//!                          (checked)    └─► as many normal test clips as abnormal ones
//! ```

mod csv_file;
mod figures;
mod parquet_file;
mod split;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ndarray::Array2;

pub use figures::{DetectorFigures, TableFigures, TablesReport};
pub use split::TableSplit;

/// A valid table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The file.
    pub path: PathBuf,
    /// Each clip's name.
    pub clips: Vec<String>,
    /// Each clip's label.
    pub is_abnormal: Vec<bool>,
    /// Pooled levels, `[clips, bands]`.
    pub vectors: Array2<f64>,
}

/// The content of a file before validation.
#[derive(Debug, Default)]
struct RawTable {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// The value of a cell.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Missing,
    Text(String),
    Number(f64),
    /// Another type, in the format's own words.
    Other(String),
}

const CLIP: &str = "clip";
const LABEL: &str = "label";
const BAND: &str = "band_";

impl Table {
    /// Reads a `.csv` or `.parquet` file: columns `clip`, `label` (`normal` or `abnormal`) and `band_000`, `band_001`,
    /// … without gaps; other columns are ignored.
    ///
    /// # Errors
    /// The problem, with row and column.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let raw = match ending.as_deref() {
            Some("csv") => csv_file::read(path),
            Some("parquet") => parquet_file::read(path),
            _ => bail!("{}: a table's name ends in .csv or .parquet", path.display()),
        };
        raw.and_then(|raw| Self::check(path, &raw)).with_context(|| format!("the table {}", path.display()))
    }

    fn check(path: &Path, raw: &RawTable) -> anyhow::Result<Self> {
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (place, name) in raw.columns.iter().enumerate() {
            if places.insert(name.as_str(), place).is_some() {
                bail!("column {name} is there twice: leave one out");
            }
        }
        let place = |name: &str, holds: &str| {
            let place = places.get(name).copied();
            place.with_context(|| format!("column {name} is missing: it holds {holds}"))
        };
        let clip_column = place(CLIP, "each clip's name")?;
        let label_column = place(LABEL, "normal or abnormal")?;
        let bands = band_columns(&raw.columns)?;

        let mut clips = Vec::with_capacity(raw.rows.len());
        let mut is_abnormal = Vec::with_capacity(raw.rows.len());
        let mut values = Vec::with_capacity(raw.rows.len() * bands.len());
        // MIMII numbers the clips of each label from 0.
        let mut seen: HashMap<(String, bool), usize> = HashMap::new();
        for (index, row) in raw.rows.iter().enumerate() {
            // Counted from 1.
            let number = index + 1;
            let clip = name_of(&row[clip_column])
                .with_context(|| format!("row {number}, column {CLIP}: no name: give every clip one of its own"))?;
            let has_fault =
                label(&row[label_column]).with_context(|| format!("row {number} ({clip}), column {LABEL}"))?;
            if let Some(before) = seen.insert((clip.clone(), has_fault), number) {
                bail!(
                    "row {number}, column {CLIP}: {clip} is in row {before} already, with the same label: give every clip one row"
                );
            }
            is_abnormal.push(has_fault);
            for place in &bands {
                let at = || format!("row {number} ({clip}), column {}", raw.columns[*place]);
                values.push(level(&row[*place]).with_context(at)?);
            }
            clips.push(clip);
        }
        let vectors = Array2::from_shape_vec((clips.len(), bands.len()), values).context("rows differ in length")?;
        Ok(Self { path: path.to_owned(), clips, is_abnormal, vectors })
    }
}

/// The indices of the band columns, in the order of their numbers.
fn band_columns(columns: &[String]) -> anyhow::Result<Vec<usize>> {
    let number = |name: &str| {
        let digits = name.strip_prefix(BAND)?;
        digits.chars().all(|digit| digit.is_ascii_digit()).then(|| digits.parse::<usize>().ok())?
    };
    let mut bands: Vec<(usize, usize)> =
        columns.iter().enumerate().filter_map(|(place, name)| Some((number(name)?, place))).collect();
    bands.sort_unstable();
    if bands.is_empty() {
        bail!("no columns {BAND}000, {BAND}001, …: they hold the pooled levels");
    }
    for (wanted, (found, place)) in bands.iter().enumerate() {
        if *found > wanted {
            let next = &columns[*place];
            bail!("column {BAND}{wanted:03} is missing, but {next} is there: number the bands from 0 on without gaps");
        }
        if *found < wanted {
            bail!("band {found} has two columns, {} among them: leave one out", columns[*place]);
        }
    }
    Ok(bands.into_iter().map(|(_, place)| place).collect())
}

fn name_of(cell: &Cell) -> Option<String> {
    match cell {
        Cell::Text(text) if !text.trim().is_empty() => Some(text.clone()),
        Cell::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn label(cell: &Cell) -> anyhow::Result<bool> {
    match cell {
        Cell::Text(text) if text.trim() == "normal" => Ok(false),
        Cell::Text(text) if text.trim() == "abnormal" => Ok(true),
        other => bail!("{} is no label: write normal or abnormal", other.in_words()),
    }
}

fn level(cell: &Cell) -> anyhow::Result<f64> {
    let number = match cell {
        Cell::Number(number) => Some(*number),
        Cell::Text(text) => text.trim().parse().ok(),
        Cell::Missing | Cell::Other(_) => None,
    };
    match number {
        Some(number) if number.is_finite() => Ok(number),
        Some(number) => bail!("{number} is not finite: leave the clip out, or pool it again"),
        None => bail!("{} is not a number: leave the clip out, or pool it again", cell.in_words()),
    }
}

impl Cell {
    fn in_words(&self) -> String {
        match self {
            Self::Missing => "an empty cell".to_owned(),
            Self::Text(text) => format!("\"{text}\""),
            Self::Number(number) => number.to_string(),
            Self::Other(words) => words.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
