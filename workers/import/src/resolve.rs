//! Converts a file's series to recordings: selects signals and time axes, and determines rate and unit.

mod clock;
mod gaps;

use std::collections::BTreeMap;

use crate::names::{for_file, is_rpm, is_scale, last_part, parent, printable};
use crate::{Channel, ImportError, Imported, Options, Rate, Recording, Series, Snapshots, Source};
use clock::Clock;

/// Series shorter than this share of the longest one are settings and windows, not signals, unless requested.
const SHORTEST_SHARE: f64 = 0.01;

/// Minimum number of values of a signal that was not requested by name.
const SHORTEST: usize = 8;

pub(crate) fn resolve(source: Source, options: &Options) -> Result<Imported, ImportError> {
    check(options)?;
    let Source { format, mut series, scalars, mut notes } = source;
    for one in &mut series {
        one.name = printable(&one.name);
    }
    let time = options.time.as_deref().map(|name| find(&series, name)).transpose()?;
    let wanted = options.variables.iter().map(|name| find(&series, name)).collect::<Result<Vec<_>, _>>()?;
    let clocks = Clock::find(&mut series, time, &wanted, options, &mut notes)?;
    let shortest = if options.snapshots.is_some() { 1 } else { SHORTEST };
    let signals = signals(&series, &clocks, &wanted, shortest, &mut notes);
    if signals.is_empty() {
        return Err(no_signal(&series, &scalars, &notes));
    }
    let rpm = rpm(&scalars, &mut notes);
    if options.scale.is_none() {
        notes.extend(unused_scales(&scalars));
    }

    let mut groups: Vec<Group> = Vec::new();
    for &index in &signals {
        let one = &series[index];
        let rate = clock::rate(one, &clocks, &scalars, options, &mut notes)?;
        let key = (one.group.clone(), one.values.len());
        let same = |group: &&mut Group| group.key == key && group.rate.hz.to_bits() == rate.hz.to_bits();
        match groups.iter_mut().find(same) {
            Some(group) => group.members.push(index),
            None => groups.push(Group { key, rate, members: vec![index] }),
        }
    }

    let names = group_names(&groups, &series);
    let mut recordings = Vec::new();
    for (group, name) in groups.iter().zip(names) {
        let mut breaks = clock::breaks(&clocks, &group.key.0, group.key.1);
        let mut members: Vec<Series> = group.members.iter().map(|&index| std::mem::take(&mut series[index])).collect();
        if let Some(snapshots) = options.snapshots {
            members = vec![joined(members, snapshots, &mut notes)];
            notes.retain(|note| !note.contains("are taken as channels"));
            breaks.clear();
        }
        let pieces = gaps::cut(members, breaks, group.rate.hz, &mut notes)?;
        let several = pieces.len() > 1;
        for (number, channels) in pieces.into_iter().enumerate() {
            let piece = (number + 1).to_string();
            let name = match (name.is_empty(), several) {
                (_, false) => name.clone(),
                (true, true) => piece,
                (false, true) => format!("{name}_{piece}"),
            };
            let channels = channels.into_iter().map(|one| channel(one, options, &mut notes)).collect();
            recordings.push(Recording { name, rate: group.rate.clone(), rpm, channels });
        }
    }
    if recordings.is_empty() {
        return Err(ImportError::NoSignal { detail: notes.join("; ") });
    }
    let mut told = std::collections::BTreeSet::new();
    notes.retain(|note| told.insert(note.clone()));
    Ok(Imported { format, recordings, notes })
}

/// Series with the same rate, length and place in the file.
struct Group {
    key: (String, usize),
    rate: Rate,
    members: Vec<usize>,
}

fn check(options: &Options) -> Result<(), ImportError> {
    let refuse = |detail: String| Err(ImportError::Option { detail });
    if let Some(rate) = options.rate_hz
        && !(1.0..=100e6).contains(&rate)
    {
        return refuse(format!("--rate {rate} cannot be: it is in Hz, from 1 to 100,000,000"));
    }
    if let Some(scale) = options.scale
        && !(scale.is_finite() && scale != 0.0)
    {
        return refuse(format!("--scale {scale} cannot be: give a number other than 0"));
    }
    Ok(())
}

/// The series with this name, with this number from 1, or the only one whose name contains the text.
fn find(series: &[Series], wanted: &str) -> Result<usize, ImportError> {
    let wanted = wanted.trim().trim_start_matches('/');
    let exact = series.iter().position(|one| one.name == wanted);
    let loose =
        || series.iter().position(|one| one.name.eq_ignore_ascii_case(wanted) || last_part(&one.name) == wanted);
    let number =
        || wanted.parse::<usize>().ok().filter(|&number| (1..=series.len()).contains(&number)).map(|number| number - 1);
    // `DE_time` matches X097_DE_time, X105_DE_time and so on.
    let part = || {
        let mut having = (0..series.len()).filter(|&index| series[index].name.contains(wanted) && !wanted.is_empty());
        having.next().filter(|_| having.next().is_none())
    };
    exact
        .or_else(loose)
        .or_else(number)
        .or_else(part)
        .ok_or_else(|| ImportError::NoVariable { name: printable(wanted), has: list(series) })
}

/// `1 Time, 2 Acc`.
fn list(series: &[Series]) -> String {
    const SHOWN: usize = 20;
    let mut names: Vec<String> =
        series.iter().take(SHOWN).enumerate().map(|(index, one)| format!("{} {}", index + 1, one.name)).collect();
    if series.len() > SHOWN {
        names.push(format!("and {} more", series.len() - SHOWN));
    }
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The requested series, or all that are neither time nor sample numbers nor far shorter than the rest.
fn signals(
    series: &[Series],
    clocks: &[Clock],
    wanted: &[usize],
    shortest: usize,
    notes: &mut Vec<String>,
) -> Vec<usize> {
    if !wanted.is_empty() {
        return wanted.to_vec();
    }
    let is_clock = |index: &usize| clocks.iter().any(|clock| clock.members.contains(index));
    let others: Vec<usize> = (0..series.len()).filter(|index| !is_clock(index)).collect();
    let longest = others.iter().map(|&index| series[index].values.len()).max().unwrap_or(0);
    let mut kept = Vec::new();
    for index in others {
        let one = &series[index];
        if one.values.len() < shortest || (one.values.len() as f64) < SHORTEST_SHARE * longest as f64 {
            notes.push(format!("{} has {} values: left out", one.name, one.values.len()));
        } else {
            kept.push(index);
        }
    }
    kept
}

fn no_signal(series: &[Series], scalars: &[(String, f64)], notes: &[String]) -> ImportError {
    const NOTES: usize = 8;
    // The reason why there is no signal is what was left out.
    let mut parts: Vec<String> = notes.iter().filter(|note| note.contains("left out")).take(NOTES).cloned().collect();
    if series.len() > 1 && series.iter().all(|one| one.values.len() == 1) {
        parts.push(format!(
            "it has one row of {} columns: say --snapshots rows if that row is one signal",
            series.len()
        ));
    } else if !series.is_empty() {
        parts.push(format!(
            "its columns are time or numbers of samples ({}): name one with --variable if it is a signal",
            list(series)
        ));
    }
    if !scalars.is_empty() {
        let names: Vec<String> =
            scalars.iter().take(8).map(|(name, value)| format!("{} = {value}", printable(name))).collect();
        parts.push(format!("single numbers ({})", names.join(", ")));
    }
    if parts.is_empty() {
        parts.push("there are no numbers in it".to_owned());
    }
    ImportError::NoSignal { detail: parts.join("; ") }
}

/// Factors in the file whose use the format does not define.
fn unused_scales(scalars: &[(String, f64)]) -> Vec<String> {
    const MOST: usize = 8;
    let is_one = |name: &str, value: f64| is_scale(name) && value.is_finite() && value != 0.0 && value != 1.0;
    scalars
        .iter()
        .filter(|(name, value)| is_one(name, *value))
        .take(MOST)
        .map(|(name, value)| {
            let name = printable(name);
            format!("the file states {name} = {value}, which is not applied: if its values are raw, multiply them with --scale")
        })
        .collect()
}

/// The speed in the file, if it states exactly one.
fn rpm(scalars: &[(String, f64)], notes: &mut Vec<String>) -> Option<f64> {
    let stated: Vec<&(String, f64)> = scalars.iter().filter(|(name, value)| is_rpm(name) && *value > 0.0).collect();
    match stated[..] {
        [] => None,
        [(name, value)] => {
            notes.push(format!("the shaft's speed is {value} rpm by {}", printable(name)));
            Some(*value)
        }
        [(_, first), ..] if stated.iter().all(|(_, value)| value == first) => Some(*first),
        _ => {
            let all: Vec<String> =
                stated.iter().map(|(name, value)| format!("{} = {value}", printable(name))).collect();
            notes.push(format!("it states several speeds, none is taken: {}", all.join(", ")));
            None
        }
    }
}

/// Distinguishing names of recordings: empty for a single one, otherwise the group's name, or the common part of its
/// first names.
fn group_names(groups: &[Group], series: &[Series]) -> Vec<String> {
    if groups.len() == 1 {
        return vec![String::new()];
    }
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let is_alone = |group: &Group| groups.iter().filter(|other| other.key.0 == group.key.0).count() == 1;
    let mut names = Vec::with_capacity(groups.len());
    for group in groups {
        let place = for_file(&group.key.0);
        let first = for_file(&series[group.members[0]].name);
        let name = if is_alone(group) && !place.is_empty() { place } else { first };
        let name = if name.is_empty() { "signal".to_owned() } else { name };
        let count = taken.entry(name.to_lowercase()).or_insert(0);
        *count += 1;
        names.push(if *count == 1 { name } else { format!("{name}-{count}") });
    }
    names
}

/// Joins consecutive pieces into one channel.
fn joined(members: Vec<Series>, snapshots: Snapshots, notes: &mut Vec<String>) -> Series {
    // In a wide array each series is a row, so the order of pieces is the other way round.
    let snapshots = match (snapshots, members.first().is_some_and(|one| one.is_row)) {
        (Snapshots::Rows, true) => Snapshots::Columns,
        (Snapshots::Columns, true) => Snapshots::Rows,
        (as_said, false) => as_said,
    };
    let columns = members.len();
    let rows = members.first().map_or(0, |one| one.values.len());
    let values = match snapshots {
        Snapshots::Columns => members.iter().flat_map(|one| one.values.iter().copied()).collect(),
        Snapshots::Rows => (0..rows).flat_map(|row| members.iter().map(move |one| one.values[row])).collect(),
    };
    let (pieces, samples) = match snapshots {
        Snapshots::Columns => (columns, rows),
        Snapshots::Rows => (rows, columns),
    };
    notes.push(format!("{pieces} snapshots of {samples} samples each are joined (--snapshots)"));
    let first = members.into_iter().next().unwrap_or_default();
    let name = parent_or_self(&first.name);
    Series { name, values, ..first }
}

/// `x[1]` is a column of `x`.
fn parent_or_self(name: &str) -> String {
    let bare = name.split_once('[').map_or(name, |(bare, _)| bare);
    if bare.is_empty() { parent(name).to_owned() } else { bare.to_owned() }
}

fn channel(series: Series, options: &Options, notes: &mut Vec<String>) -> Channel {
    let scale = options.scale.unwrap_or(1.0);
    let samples: Vec<f32> = series.values.iter().map(|value| (value * scale) as f32).collect();
    notes.extend(remark(&series, &samples, scale));
    Channel { name: series.name, unit: options.unit.clone().or(series.unit), samples }
}

/// Notes on a channel's values: they are constant, or 32-bit floats are not precise enough for them.
fn remark(series: &Series, samples: &[f32], scale: f64) -> Option<String> {
    /// Maximum rounding error, as a share of a signal's spread, without a note: −80 dB.
    const MOST_ROUNDING: f64 = 1e-4;
    let count = series.values.len() as f64;
    let mean = series.values.iter().sum::<f64>() / count;
    let spread = (series.values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt() * scale.abs();
    if series.values.windows(2).all(|pair| pair[0] == pair[1]) && series.values.len() > 1 {
        return Some(format!(
            "{} is {} in every row: no signal? --variable takes others",
            series.name, series.values[0]
        ));
    }
    let errors = series.values.iter().zip(samples).map(|(value, sample)| (value * scale - f64::from(*sample)).powi(2));
    let rounding = (errors.sum::<f64>() / count).sqrt();
    (rounding > MOST_ROUNDING * spread).then(|| {
        format!(
            "{} varies by {spread:.3e} around {:.9e}, of which the 32-bit floats of WAV keep too few digits (rounding {rounding:.1e}): take the \
             constant part off first",
            series.name,
            mean * scale
        )
    })
}
