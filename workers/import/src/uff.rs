//! Universal files: data set 58 (functions at nodal degrees of freedom), as text or, 58b, in binary.
//!
//! ```text
//!      -1
//!      58  or  58b  byte order, float format, lines, bytes
//!  11 lines: 5 of description, one of the function's kind and place, one of its values, 4 of its axes
//!  values
//!      -1
//! ```
//!
//! Fields have fixed columns. Source: University of Cincinnati, Structural Dynamics Research Laboratory, "Universal
//! File Formats", data set 58.

use crate::cursor::Number;
use crate::{ImportError, Rate, Series, Source, TimeUnit, round};

const FORMAT: &str = "UFF58";
const HEAD_LINES: usize = 11;
const KIND_UNKNOWN: i64 = 0;
const KIND_TIME_RESPONSE: i64 = 1;
const QUANTITY_TIME: i64 = 17;
/// A rate of one megahertz.
const SHORTEST_STEP_S: f64 = 1e-6;

/// Whether the first line is the delimiter and the second starts with the number of a data set.
pub(crate) fn is_uff(bytes: &[u8]) -> bool {
    let mut lines = Lines { bytes, at: 0 };
    let mut line = lines.next();
    while line.is_some_and(|line| line.trim_ascii().is_empty()) {
        line = lines.next();
    }
    let second = lines.next().map(|second| text(second.get(..6).unwrap_or(second)));
    let is_number = second.is_some_and(|second| second.starts_with(' ') && second.trim().parse::<u32>().is_ok());
    is_number && line.is_some_and(|line| line.trim_ascii() == b"-1")
}

pub(crate) fn read(bytes: &[u8]) -> Result<Source, ImportError> {
    let mut source = Source::new(FORMAT);
    let mut lines = Lines { bytes, at: 0 };
    let mut others: Vec<String> = Vec::new();
    while let Some(line) = lines.next() {
        if line.trim_ascii() != b"-1" {
            continue;
        }
        let Some(head) = lines.next() else { break };
        let kind = text(head.get(..6).unwrap_or(head)).trim().to_owned();
        let is_58 = kind == "58" && (head.len() < 7 || head[6] == b' ' || head[6].eq_ignore_ascii_case(&b'b'));
        if is_58 {
            function(&mut lines, head, &mut source)?;
        } else {
            if !["151", "164"].contains(&kind.as_str()) && !others.contains(&kind) {
                others.push(kind);
            }
            // To the closing delimiter.
            while lines.next().is_some_and(|line| line.trim_ascii() != b"-1") {}
        }
    }
    if !others.is_empty() {
        source.notes.push(format!("data sets {} are left out: only 58 has signals", others.join(", ")));
    }
    Ok(source)
}

/// One data set 58, from the line after its number to the closing delimiter.
fn function(lines: &mut Lines<'_>, head: &[u8], source: &mut Source) -> Result<(), ImportError> {
    let is_binary = head.get(6).is_some_and(|mark| mark.eq_ignore_ascii_case(&b'b'));
    let mut records = Vec::with_capacity(HEAD_LINES);
    for _ in 0..HEAD_LINES {
        records.push(text(lines.next().ok_or_else(|| damaged("a data set ends inside its head"))?));
    }
    let record = |number: usize| records[number - 1].as_str();
    let whole = |line: &str, at: usize, len: usize| field(line, at, len).parse::<i64>().unwrap_or(0);
    let real = |line: &str, at: usize, len: usize| parse(field(line, at, len)).unwrap_or(0.0);
    let kind = whole(record(6), 0, 5);
    let name = name(&records, source.series.len() + 1);
    // Columns shifted by a writer are separated by spaces.
    let spaced: Vec<&str> = record(7).split_whitespace().collect();
    let is_fixed = field(record(7), 0, 10).parse::<i64>().is_ok() && field(record(7), 10, 10).parse::<usize>().is_ok();
    let (value_type, count, spacing, step) = if is_fixed {
        let count = field(record(7), 10, 10).parse::<usize>().unwrap_or(0);
        (whole(record(7), 0, 10), count, whole(record(7), 20, 10), real(record(7), 43, 13))
    } else {
        let at = |index: usize| spaced.get(index).and_then(|text| parse(text)).unwrap_or(0.0);
        (at(0) as i64, at(1) as usize, at(2) as i64, at(4))
    };
    let is_even = spacing == 1;
    let (is_double, is_complex) = match value_type {
        2 => (false, false),
        4 => (true, false),
        5 => (false, true),
        6 => (true, true),
        other => return Err(damaged(format!("{name} has values of type {other}"))),
    };
    let abscissa = whole(record(8), 0, 10);
    // A time response over speed or frequency is not a signal.
    let is_time = match kind {
        KIND_TIME_RESPONSE => [QUANTITY_TIME, 0, 1].contains(&abscissa),
        KIND_UNKNOWN => abscissa == QUANTITY_TIME,
        _ => false,
    };
    let values = if is_binary {
        let head = text(head);
        check_floats(&head)?;
        let stated = Binary {
            is_big_endian: whole(&head, 7, 6) == 2,
            is_double,
            is_complex,
            is_even,
            has_double_abscissa: false,
        };
        let layout = stated.as_written(lines, count).ok_or_else(|| {
            damaged(format!("the binary values of {name} do not end where its head says ({count} values)"))
        })?;
        if layout != stated {
            source
                .notes
                .push(format!("{name} has values of another precision than its head says: they are taken as they are"));
        }
        let size = layout.bytes(count).unwrap_or(usize::MAX);
        let body = lines.take(size);
        if body.len() < size {
            source.notes.push(format!("the file is cut short: {name} has {} of {size} bytes", body.len()));
        }
        layout.values(body)
    } else {
        ascii(lines, is_double, is_even)
    };
    lines.skip_to_mark();
    if !is_time || is_complex {
        let what = match (is_complex, kind) {
            (true, _) => "complex values",
            (false, KIND_TIME_RESPONSE) => "values over another quantity than time",
            (false, _) => kind_name(kind),
        };
        source.notes.push(format!(
            "{name} is {what} and no signal over time (export the time response, function type 1): left out"
        ));
        return Ok(());
    }
    let unit = axis_unit(record(9));
    if is_even {
        let mut values = values;
        cut_or_tell(&mut values, count, is_binary, &name, source);
        let step_text = if is_fixed {
            field(record(7), 43, 13).to_owned()
        } else {
            spaced.get(4).copied().unwrap_or_default().to_owned()
        };
        // Steps are in seconds, whatever the label says, unless that is not a plausible rate and the label's is.
        let label =
            axis_unit(record(8)).and_then(|label| TimeUnit::parse(&label)).filter(|unit| *unit != TimeUnit::Seconds);
        let rate = match label {
            Some(unit) if step * unit.seconds() >= SHORTEST_STEP_S => {
                rate(step * unit.seconds(), &step_text).map(|rate| Rate {
                    from: rate.from.trim_end_matches(" s").to_owned() + " in the unit of its axis",
                    ..rate
                })
            }
            _ => rate(step, &step_text),
        };
        if rate.is_none() {
            source
                .notes
                .push(format!("{name} states a step of {} s, from which the rate cannot be told", step_text.trim()));
        }
        source.series.push(Series { unit, rate, ..Series::new(name, values) });
    } else {
        let (mut times, mut samples): (Vec<f64>, Vec<f64>) =
            values.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip();
        cut_or_tell(&mut times, count, is_binary, &name, source);
        samples.truncate(times.len());
        // Each one has its own time axis, and therefore its own group.
        let group = name.clone();
        source.series.push(Series {
            group: group.clone(),
            is_seconds: true,
            ..Series::new(format!("time of {name}"), times)
        });
        source.series.push(Series { group, unit, ..Series::new(name, samples) });
    }
    Ok(())
}

/// Text has padding after the last value, or fewer values than stated.
fn cut_or_tell(values: &mut Vec<f64>, count: usize, is_binary: bool, name: &str, source: &mut Source) {
    if values.len() < count {
        // The last value of a truncated text may lack digits.
        if !is_binary {
            values.pop();
        }
        source.notes.push(format!("{name} says {count} values and has {}", values.len()));
    }
    values.truncate(count);
}

fn damaged(detail: impl Into<String>) -> ImportError {
    ImportError::Damaged { format: FORMAT, detail: detail.into() }
}

fn rate(step: f64, text: &str) -> Option<Rate> {
    if step <= 0.0 {
        return None;
    }
    // The number of digits in the text.
    let mantissa = text.trim().split(['e', 'E', 'd', 'D']).next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count().clamp(1, 17);
    let value: f64 = mantissa.parse().ok()?;
    let uncertainty = 0.5 * 10_f64.powi(1 - digits as i32) / (value.abs() / 10_f64.powf(value.abs().log10().floor()));
    let hz = round::meant(1.0 / step, uncertainty.min(round::digits_uncertainty(step)))?;
    Some(Rate { hz, from: format!("the step of {} s", text.trim()) })
}

/// The description if it is informative, otherwise node and direction.
fn name(records: &[String], number: usize) -> String {
    let place = &records[5];
    let node = field(place, 41, 10);
    let node_name = field(place, 31, 10);
    let direction = match field(place, 51, 4) {
        "1" => "X",
        "2" => "Y",
        "3" => "Z",
        "-1" => "-X",
        "-2" => "-Y",
        "-3" => "-Z",
        _ => "",
    };
    let description = records[0].trim();
    if !description.is_empty() && !description.eq_ignore_ascii_case("none") {
        return format!("{number} {description} {direction}").trim_end().to_owned();
    }
    let node = if node_name.is_empty() || node_name.eq_ignore_ascii_case("none") {
        format!("node {node}")
    } else {
        node_name.to_owned()
    };
    format!("{node} {direction}").trim_end().to_owned()
}

/// The unit's label in an axis record.
fn axis_unit(record: &str) -> Option<String> {
    let label = field(record, 46, 21);
    let is_said = !label.is_empty() && !label.eq_ignore_ascii_case("none") && !label.eq_ignore_ascii_case("unknown");
    is_said.then(|| label.to_owned())
}

fn kind_name(kind: i64) -> &'static str {
    match kind {
        2 => "an auto spectrum",
        3 => "a cross spectrum",
        4 => "a frequency response function",
        6 => "a coherence",
        7 => "an auto correlation",
        8 => "a cross correlation",
        9 => "a power spectral density",
        12 => "a spectrum",
        _ => "a function of another kind",
    }
}

/// Values as text: 13 or 20 columns each; if the abscissa is uneven, it takes 13 columns before each value.
fn ascii(lines: &mut Lines<'_>, is_double: bool, is_even: bool) -> Vec<f64> {
    let mut values = Vec::new();
    loop {
        let before = lines.at;
        let Some(line) = lines.next() else { return values };
        if line.trim_ascii() == b"-1" {
            lines.at = before;
            return values;
        }
        let line = text(line);
        let fixed = || {
            let mut at = 0;
            let mut row = Vec::new();
            while at < line.len() {
                let is_time = !is_even && row.len() % 2 == 0;
                let width = if is_double && !is_time { 20 } else { 13 };
                match field(&line, at, width) {
                    "" if line[at..].trim().is_empty() => break,
                    text => row.push(parse(text)?),
                }
                at += width;
            }
            Some(row)
        };
        let spaced = || line.split_whitespace().map(parse).collect::<Option<Vec<f64>>>();
        // Either interpretation must match the whole line; writers differ in the width of columns, so separation by
        // spaces takes precedence.
        let row = spaced().filter(|row| !row.is_empty()).or_else(fixed);
        values.extend(row.unwrap_or_else(|| vec![f64::NAN]));
    }
}

/// Rejects float formats of other machines.
fn check_floats(head: &str) -> Result<(), ImportError> {
    match field(head, 13, 6) {
        "2" | "" | "0" => Ok(()),
        "1" => Err(ImportError::Unsupported {
            format: FORMAT,
            detail: "floats of DEC VMS: write it anew with IEEE floats".to_owned(),
        }),
        "3" => Err(ImportError::Unsupported {
            format: FORMAT,
            detail: "floats of IBM 370: write it anew with IEEE floats".to_owned(),
        }),
        other => Err(damaged(format!("floats of kind {}", other.escape_debug()))),
    }
}

/// The layout of values in a binary data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Binary {
    is_big_endian: bool,
    is_double: bool,
    is_complex: bool,
    is_even: bool,
    /// An uneven abscissa is single precision, as in text; some writers use double.
    has_double_abscissa: bool,
}

impl Binary {
    /// The layout for which the closing delimiter is at the expected place: pyuff writes doubles whatever its header
    /// says. A truncated file has no delimiter, so its header is used.
    fn as_written(self, lines: &Lines<'_>, count: usize) -> Option<Self> {
        let rest = lines.bytes.get(lines.at..).unwrap_or_default();
        let ways = [
            self,
            Self { is_double: !self.is_double, ..self },
            Self { has_double_abscissa: true, ..self },
            Self { has_double_abscissa: true, is_double: !self.is_double, ..self },
        ];
        let ends = |way: &Self| {
            let behind = way.bytes(count).and_then(|size| rest.get(size..));
            behind.is_some_and(|behind| behind.trim_ascii_start().starts_with(b"-1"))
        };
        let is_cut = self.bytes(count).is_none_or(|size| size >= rest.len());
        ways.into_iter().find(ends).or(is_cut.then_some(self))
    }

    fn value(&self) -> Number {
        if self.is_double { Number::F64 } else { Number::F32 }
    }

    fn abscissa(&self) -> Number {
        if self.has_double_abscissa { Number::F64 } else { Number::F32 }
    }

    /// One value with its abscissa.
    fn block(&self) -> usize {
        let value = self.value().bytes() * if self.is_complex { 2 } else { 1 };
        if self.is_even { value } else { value + self.abscissa().bytes() }
    }

    fn bytes(&self, count: usize) -> Option<usize> {
        count.checked_mul(self.block())
    }

    fn values(&self, body: &[u8]) -> Vec<f64> {
        if self.is_even {
            return self.value().values(body, self.is_big_endian);
        }
        let mut values = Vec::with_capacity(body.len() / self.block() * 2);
        for block in body.chunks_exact(self.block()) {
            let (time, value) = block.split_at(self.abscissa().bytes());
            values.push(self.abscissa().value(time, self.is_big_endian));
            values.push(self.value().value(value, self.is_big_endian));
        }
        values
    }
}

/// A number, including Fortran's D and exponents without a letter.
fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.replace(['d', 'D'], "e").parse().ok())
}

/// Columns of a line, without surrounding spaces.
fn field(line: &str, at: usize, len: usize) -> &str {
    let end = (at + len).min(line.len());
    line.get(at.min(end)..end).unwrap_or_default().trim()
}

/// A line as ASCII; other characters become question marks, so that columns keep their positions.
fn text(line: &[u8]) -> String {
    line.iter().map(|&byte| if byte.is_ascii() { char::from(byte) } else { '?' }).collect()
}

/// Lines and, between them, bytes.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let len = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        self.at += len + 1;
        let line = &rest[..len];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = &rest[..len.min(rest.len())];
        self.at += taken.len();
        taken
    }

    /// Skips past the line that ends a data set, which may follow binary values directly.
    fn skip_to_mark(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let mark = b"    -1";
        let found = rest.windows(mark.len()).position(|window| window == mark);
        self.at = found.map_or(self.bytes.len(), |at| self.at + at);
        self.next();
    }
}
