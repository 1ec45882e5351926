//! Columns of numbers as text: all CSV variants of instruments and spreadsheets.
//!
//! ```text
//!  Sampling rate: 25600            settings      (any number of lines, also after # or %)
//!  Zeit;Beschleunigung             names         ─┐ the last lines before the numbers
//!  s;g                             units         ─┘ that have as many cells
//!  0,000000;0,012345               rows: separator and decimal mark are those that give numbers for most lines
//! ```

mod dialect;
mod head;
mod numbers;
mod stamp;

use std::borrow::Cow;

use crate::{ImportError, Options, Series, Source};
use dialect::Dialect;
use head::Head;

/// Maximum share of invalid rows, at the end and inside, of a table.
const MAX_BAD_ROWS: f64 = 0.05;
/// Columns of a time of day, as in the FEMTO bearings: hour, minute, second, microsecond.
const CLOCK_COLUMNS: usize = 4;

pub(crate) fn read(bytes: &[u8], options: &Options) -> Result<Source, ImportError> {
    let text = decode(bytes)?;
    let lines: Vec<&str> = text.lines().collect();
    let dialect = Dialect::find(&lines, options.decimal_comma)?;
    let width = dialect.columns;
    let first = dialect.first_row;
    let head = Head::of(&lines[..first], &dialect);
    let mut source = Source::new("text");
    source.scalars = head.scalars;

    let mut columns: Vec<Vec<f64>> = vec![Vec::with_capacity(lines.len() - first); width];
    let mut bad: Vec<usize> = Vec::new();
    let mut blank = 0;
    let mut row = Vec::with_capacity(width);
    let mut stamps = stamp::Stamps::default();
    for (number, line) in lines.iter().enumerate().skip(first) {
        if line.trim().is_empty() {
            blank += 1;
            continue;
        }
        match dialect.row(line, &mut row, &mut stamps) {
            true => {
                if let Some(beside) = dialect.beside(line) {
                    source.scalars.extend(head::setting(&beside, dialect.has_decimal_comma()));
                }
                for (column, value) in columns.iter_mut().zip(&row) {
                    column.push(*value);
                }
            }
            false => {
                bad.push(number);
                for column in &mut columns {
                    column.push(f64::NAN);
                }
            }
        }
    }
    drop(lines);
    let rows = columns.first().map_or(0, Vec::len);
    if bad.len() as f64 > MAX_BAD_ROWS * rows as f64 && bad.len() > 3 {
        let detail = format!(
            "is text of which {} of {rows} rows are not the {width} numbers that the others are (the first is line {}; read as {}): is it one table?",
            bad.len(),
            bad[0] + 1,
            dialect.words().trim_end_matches([',', ' '])
        );
        return Err(ImportError::Table { detail });
    }
    if let Some(first_bad) = bad.first() {
        source.notes.push(format!(
            "{} of {rows} rows are no {width} numbers, the first is line {}",
            bad.len(),
            first_bad + 1
        ));
    }
    if blank > 1 {
        source.notes.push(format!("{blank} empty lines"));
    }
    source.notes.extend(stamps.note());
    source.notes.push(dialect.words().trim_end_matches(", ").to_owned());
    source.series = series(columns, &head.names, &head.units);
    stamped(&mut source, stamps.has);
    day_clock(&mut source);
    // Empty columns: LabVIEW's for a time that is not written, and those left empty by a scope.
    let Source { series, notes, .. } = &mut source;
    series.retain(|one| {
        let is_filled = one.values.iter().any(|value| !value.is_nan());
        if !is_filled && !one.name.starts_with("column ") {
            notes.push(format!("{} has numbers in 0 of {rows} rows: left out", one.name));
        }
        is_filled
    });
    Ok(source)
}

fn series(columns: Vec<Vec<f64>>, names: &[String], units: &[Option<String>]) -> Vec<Series> {
    let mut out = Vec::with_capacity(columns.len());
    for (index, values) in columns.into_iter().enumerate() {
        let name = names
            .get(index)
            .filter(|name| !name.is_empty())
            .cloned()
            .unwrap_or_else(|| format!("column {}", index + 1));
        let unit = units.get(index).cloned().flatten();
        out.push(Series { unit, ..Series::new(name, values) });
    }
    out
}

/// Converts the columns of dates and times of day to seconds, including a date beside a time.
fn stamped(source: &mut Source, has: [bool; 2]) {
    match has {
        [true, true] if source.series.len() > 1 => {
            let dates = source.series.remove(0);
            for (time, date) in source.series[0].values.iter_mut().zip(dates.values) {
                *time += date;
            }
            source.series[0].is_seconds = true;
        }
        [first, _] => {
            if let Some(series) = source.series.get_mut(usize::from(!first)).filter(|_| has.contains(&true)) {
                series.is_seconds = true;
                past_midnight(&mut series.values);
            }
        }
    }
}

/// Makes times of day continue past midnight.
fn past_midnight(seconds: &mut [f64]) {
    const DAY: f64 = 86_400.0;
    if seconds.iter().any(|second| *second > DAY) {
        return;
    }
    let mut days = 0.0;
    let mut last = f64::NAN;
    for second in seconds {
        let now = *second + days;
        if now + DAY / 2.0 < last {
            days += DAY;
        }
        *second += days;
        if !second.is_nan() {
            last = *second;
        }
    }
}

/// Converts hour, minute, second and microsecond to one column of seconds.
fn day_clock(source: &mut Source) {
    let Some((clock, signals)) = source.series.split_at_checked(CLOCK_COLUMNS) else { return };
    let is_whole_below = |series: &Series, limit: f64| {
        series.name.starts_with("column ")
            && series
                .values
                .iter()
                .all(|value| value.is_nan() || (value.fract() == 0.0 && (0.0..limit).contains(value)))
    };
    let limits = [24.0, 60.0, 60.0, 1e6];
    if signals.is_empty() || !clock.iter().zip(limits).all(|(series, limit)| is_whole_below(series, limit)) {
        return;
    }
    let rows = clock[0].values.len();
    let mut seconds = Vec::with_capacity(rows);
    let mut days = 0.0;
    for row in 0..rows {
        let [hour, minute, second, micros] = [0, 1, 2, 3].map(|column| clock[column].values[row]);
        let mut now = (hour * 60.0 + minute) * 60.0 + second + micros * 1e-6 + days;
        // Past midnight.
        if seconds.last().is_some_and(|last| now + 43_200.0 < *last) {
            days += 86_400.0;
            now += 86_400.0;
        }
        seconds.push(now);
    }
    // A constant second column and rows of signal could look alike, but a clock must advance.
    if !seconds.windows(2).any(|pair| pair[1] > pair[0]) || seconds.windows(2).any(|pair| pair[1] < pair[0]) {
        return;
    }
    let name = "hour, minute, second, microsecond".to_owned();
    source.series.splice(..CLOCK_COLUMNS, [Series { is_seconds: true, ..Series::new(name, seconds) }]);
}

/// UTF-8, UTF-16 with its mark, or else Latin-1.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, ImportError> {
    let utf16 = |rest: &[u8], from: fn([u8; 2]) -> u16| {
        let units = rest.chunks_exact(2).map(|pair| from([pair[0], pair[1]]));
        Cow::Owned(char::decode_utf16(units).map(|letter| letter.unwrap_or('\u{fffd}')).collect::<String>())
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()),
        },
    };
    let sample = &text.as_bytes()[..text.len().min(4096)];
    let is_binary = sample.iter().any(|&byte| byte < 0x20 && !b"\t\r\n\x0c\x1a".contains(&byte));
    if is_binary {
        let start = &bytes[..bytes.len().min(8)];
        let detail = format!(
            "is in no format that is read (it starts with \"{}\"): CSV, MATLAB, TDMS, UFF58, NumPy, Parquet, HDF5, WAV and FLAC are",
            start.escape_ascii()
        );
        return Err(ImportError::UnknownFormat { detail });
    }
    // Classic Mac OS ends lines with a carriage return only.
    if !text.contains('\n') && text.contains('\r') {
        return Ok(Cow::Owned(text.replace('\r', "\n")));
    }
    Ok(text)
}
