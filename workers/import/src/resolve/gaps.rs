//! Cuts recordings at missing samples, because joining across a gap creates an artificial click.

use std::ops::Range;

use crate::{ImportError, Series, axis};

/// Maximum share of missing values in a series; above it, the series is left out.
const MAX_MISSING: f64 = 0.01;
/// Minimum length of a piece, samples.
const SHORTEST: usize = 16;
/// Maximum number of pieces of one recording.
const MOST_PIECES: usize = 1000;

/// The pieces between gaps, each with every channel. Series with too few numbers are left out; if none remains, there
/// are no pieces.
pub(super) fn cut(
    mut members: Vec<Series>,
    mut breaks: Vec<usize>,
    rate_hz: f64,
    notes: &mut Vec<String>,
) -> Result<Vec<Vec<Series>>, ImportError> {
    let rows = members.first().map_or(0, |one| one.values.len());
    let range = trim(&members, rows);
    members.retain(|one| {
        let inside = &one.values[range.clone()];
        let missing = inside.iter().filter(|value| is_missing(**value)).count();
        let keep = missing as f64 <= MAX_MISSING * inside.len() as f64 && !inside.is_empty();
        if !keep {
            let present = inside.len() - missing;
            notes.push(format!("{} has numbers in {present} of {} rows: left out", one.name, inside.len()));
        }
        keep
    });
    if members.is_empty() {
        return Ok(Vec::new());
    }
    if range.len() < rows {
        notes.push(format!("{} rows without numbers at the beginning or end: left out", rows - range.len()));
    }
    let is_gap = |row: usize| members.iter().any(|one| is_missing(one.values[row]));
    let missing: Vec<usize> = range.clone().filter(|&row| is_gap(row)).collect();
    for &row in &missing {
        breaks.extend([row, row + 1]);
    }
    breaks.retain(|place| range.start < *place && *place < range.end);
    breaks.sort_unstable();
    breaks.dedup();
    if breaks.is_empty() {
        return Ok(vec![members.into_iter().map(|one| part(&one, range.clone())).collect()]);
    }
    let shifted: Vec<usize> = breaks.iter().map(|place| place - range.start).collect();
    let all: Vec<Range<usize>> = axis::pieces(&shifted, range.len())
        .into_iter()
        .map(|piece| piece.start + range.start..piece.end + range.start)
        .filter(|piece| !is_gap(piece.start))
        .collect();
    let kept: Vec<Range<usize>> = all.iter().filter(|piece| piece.len() >= SHORTEST).cloned().collect();
    let lost: usize = all.iter().filter(|piece| piece.len() < SHORTEST).map(Range::len).sum();
    let gaps = all.len().saturating_sub(1);
    if kept.is_empty() || kept.len() > MOST_PIECES {
        let detail = format!("it has {gaps} gaps ({} rows without numbers): repair it first", missing.len());
        return Err(ImportError::NoSignal { detail });
    }
    let first = breaks[0] as f64 / rate_hz;
    let short =
        if lost > 0 { format!("; {lost} samples in pieces shorter than {SHORTEST} left out") } else { String::new() };
    notes.push(format!(
        "{gaps} {} ({} rows without numbers), the first after {first:.3} s: cut there into {} recordings{short}",
        if gaps == 1 { "gap" } else { "gaps" },
        missing.len(),
        kept.len()
    ));
    Ok(kept.into_iter().map(|piece| members.iter().map(|one| part(one, piece.clone())).collect()).collect())
}

/// Rows from the first to the last one with a number in any series.
fn trim(members: &[Series], rows: usize) -> Range<usize> {
    let has_number = |row: &usize| members.iter().any(|one| !is_missing(one.values[*row]));
    let first = (0..rows).find(has_number).unwrap_or(rows);
    let last = (0..rows).rfind(has_number).map_or(first, |row| row + 1);
    first..last
}

/// Not a number, or not a valid sample.
fn is_missing(value: f64) -> bool {
    !(value as f32).is_finite()
}

fn part(series: &Series, range: Range<usize>) -> Series {
    Series {
        name: series.name.clone(),
        group: series.group.clone(),
        values: series.values[range].to_vec(),
        unit: series.unit.clone(),
        rate: series.rate.clone(),
        is_seconds: series.is_seconds,
        is_row: series.is_row,
    }
}
