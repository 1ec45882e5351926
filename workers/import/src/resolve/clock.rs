//! Finds time axes, and determines a series' rate: from an option, the format, its axis, or a setting.

use crate::axis::{Axis, Shape, examine};
use crate::names::{
    StatedRate, is_count, is_date, is_index, is_time, last_part, parent, printable, rate_of, split_unit,
    time_unit_suffix,
};
use crate::{ImportError, Options, Rate, Series, TimeUnit, round};

/// Maximum relative difference between a given rate and the file's without a note.
const SAME: f64 = 1e-3;

/// Maximum share of rows without a time in a time column.
const MAX_UNTIMED: f64 = 0.5;

/// Times, or sample numbers, shared by series of one place and length.
#[derive(Debug)]
pub(super) struct Clock {
    group: String,
    len: usize,
    /// The series with these times; they are not signals.
    pub members: Vec<usize>,
    /// `None`: sample numbers, which show gaps but no rate.
    rate: Option<Rate>,
    breaks: Vec<usize>,
}

impl Clock {
    /// Finds the axes of all places and lengths, and converts dates among them to seconds.
    pub(super) fn find(
        series: &mut [Series],
        asked: Option<usize>,
        wanted: &[usize],
        options: &Options,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Self>, ImportError> {
        let mut clocks: Vec<Self> = Vec::new();
        for index in 0..series.len() {
            if wanted.contains(&index) {
                continue;
            }
            let one = &series[index];
            let is_first =
                series[..index].iter().all(|other| other.group != one.group || other.values.len() != one.values.len());
            let candidate = Candidate { series: one, is_asked: asked == Some(index), is_first, options };
            let Some(mut clock) = candidate.examine(notes)? else { continue };
            clock.members.push(index);
            let same = |other: &&mut Self| other.group == clock.group && other.len == clock.len;
            match clocks.iter_mut().find(same) {
                None => clocks.push(clock),
                Some(other) => {
                    if let (Some(first), Some(second)) = (&other.rate, &clock.rate)
                        && (first.hz / second.hz - 1.0).abs() > SAME
                    {
                        let (a, b) = (&first.from, &second.from);
                        let detail = format!(
                            "{a} says {} Hz and {b} says {} Hz: say which is the time with --time",
                            first.hz, second.hz
                        );
                        return Err(ImportError::Time { detail });
                    }
                    other.rate = other.rate.take().or(clock.rate);
                    other.members.push(index);
                }
            }
        }
        for clock in &clocks {
            for &member in &clock.members[1..] {
                notes.push(format!("{} is time, too: left out", series[member].name));
            }
            if clock.rate.is_none() {
                notes.push(format!("{} counts the samples: left out", series[clock.members[0]].name));
            }
        }
        Ok(clocks)
    }
}

struct Candidate<'a> {
    series: &'a Series,
    is_asked: bool,
    is_first: bool,
    options: &'a Options,
}

impl Candidate<'_> {
    /// The clock in this series, if it is one.
    fn examine(&self, notes: &mut Vec<String>) -> Result<Option<Clock>, ImportError> {
        let Series { name, values, is_seconds, .. } = self.series;
        let is_named = self.is_asked || *is_seconds || is_time(name);
        // A first column that rises evenly is not vibration, whatever its name.
        if !is_named && !self.is_first {
            return Ok(None);
        }
        // Rows without a time are gaps: the remaining rows must be even, except for gaps.
        let timed: Vec<usize> = (0..values.len()).filter(|&row| values[row].is_finite()).collect();
        if ((values.len() - timed.len()) as f64) > MAX_UNTIMED * values.len() as f64 && !self.is_asked {
            return Ok(None);
        }
        let shape = examine(&timed.iter().map(|&row| values[row]).collect::<Vec<f64>>());
        let axis = match shape {
            Shape::Even(axis) => {
                let breaks = axis.breaks.iter().map(|&place| timed[place]).collect();
                Axis { breaks, ..axis }
            }
            Shape::Uneven { .. } if self.options.rate_hz.is_some() && is_named => {
                return Ok(Some(self.clock(None, Vec::new())));
            }
            Shape::Uneven { smallest, largest } if is_named => {
                let detail = format!(
                    "\"{name}\" is time in uneven steps, from {smallest} to {largest}: resample it evenly first, or say with --rate \
                     HZ that its samples are even"
                );
                return Err(ImportError::Time { detail });
            }
            Shape::NoAxis if self.is_asked => {
                return Err(ImportError::Time { detail: format!("\"{name}\" (--time) does not rise: it is no time") });
            }
            Shape::Uneven { .. } | Shape::NoAxis => return Ok(None),
        };
        if axis.repeats > 0 {
            notes.push(format!(
                "{} rows have the time in \"{name}\" of the row before: cut there; remove them if they are copies",
                axis.repeats
            ));
        }
        let stated_unit = self.stated_unit();
        if stated_unit.is_none()
            && let Some(unit) = self.other_unit()
        {
            if self.options.rate_hz.is_some() {
                return Ok(Some(self.clock(None, axis.breaks)));
            }
            let detail = format!(
                "\"{name}\" rises evenly and is in {unit}, which is no unit of time: say which with --time-unit if it is time after all, \
                 take it as a signal with --variable, or give the rate with --rate HZ"
            );
            return Err(ImportError::Time { detail });
        }
        let is_whole = (axis.step - 1.0).abs() < 1e-9;
        if is_whole && stated_unit.is_none() && !(self.is_asked || (is_time(name) && !is_index(name))) {
            return Ok(Some(self.clock(None, axis.breaks)));
        }
        if self.options.rate_hz.is_some() {
            // The option gives the rate; the axis still shows gaps.
            return Ok(Some(self.clock(self.rate(&axis).ok(), axis.breaks)));
        }
        let rate = self.rate(&axis)?;
        Ok(Some(self.clock(Some(rate), axis.breaks)))
    }

    fn clock(&self, rate: Option<Rate>, breaks: Vec<usize>) -> Clock {
        let Series { group, values, .. } = self.series;
        Clock { group: group.clone(), len: values.len(), members: Vec::new(), rate, breaks }
    }

    fn stated_unit(&self) -> Option<TimeUnit> {
        let Series { name, unit, is_seconds, .. } = self.series;
        let (_, in_name) = split_unit(name);
        let of = |unit: Option<&str>| unit.and_then(TimeUnit::parse);
        let stated = of(unit.as_deref()).or_else(|| of(in_name.as_deref())).or_else(|| time_unit_suffix(name));
        is_seconds.then_some(TimeUnit::Seconds).or(self.options.time_unit).or(stated)
    }

    /// A stated unit that is not a time unit: of an angle, of a frequency.
    fn other_unit(&self) -> Option<String> {
        const SMALLEST_DATE: f64 = 1e8;
        let Series { name, unit, values, .. } = self.series;
        // `Timestamp (UTC)` is a date in seconds or parts of them.
        if values.iter().copied().find(|value| value.is_finite()).is_some_and(|first| first >= SMALLEST_DATE) {
            return None;
        }
        let (_, in_name) = split_unit(name);
        let last = last_part(name).to_lowercase();
        let by_name = ["freq", "hz", "rpm", "angle", "deg"].into_iter().find(|word| last.contains(word));
        unit.clone()
            .or(in_name)
            .filter(|unit| unit.chars().any(char::is_alphabetic) || unit.contains(['%', '°']))
            .filter(|unit| !is_count(unit))
            .or_else(|| by_name.filter(|_| !is_time(name)).map(ToOwned::to_owned))
    }

    fn rate(&self, axis: &Axis) -> Result<Rate, ImportError> {
        let Series { name, values, .. } = self.series;
        let unit = match self.stated_unit() {
            Some(unit) => unit,
            None => {
                self.unit_by_size(axis.step, values.iter().copied().find(|value| value.is_finite()).unwrap_or(0.0))?
            }
        };
        let step_s = axis.step * unit.seconds();
        let Some(hz) = round::meant(1.0 / step_s, axis.uncertainty) else {
            let (low, high) = (1.0 / step_s / (1.0 + axis.uncertainty), 1.0 / step_s * (1.0 + axis.uncertainty));
            let detail = format!(
                "\"{name}\" has too few digits to tell the rate: it is between {low:.1} and {high:.1} Hz; give it with --rate HZ"
            );
            return Err(ImportError::Time { detail });
        };
        if !(0.1..=100e6).contains(&hz) {
            let detail = format!(
                "\"{name}\" would mean a rate of {hz} Hz: give its unit with --time-unit s, ms or us, or the rate with --rate HZ"
            );
            return Err(ImportError::Time { detail });
        }
        let mut from = format!("the time in \"{name}\"");
        if unit == TimeUnit::Days {
            from.push_str(" in days");
        }
        // With few digits, several rates are possible. One of them is common, but that is not certain.
        if axis.uncertainty > round::WELL_KNOWN && round::shortest(1.0 / step_s, 1e-9, 4).is_none() {
            let (low, high) = (1.0 / step_s / (1.0 + axis.uncertainty), 1.0 / step_s * (1.0 + axis.uncertainty));
            from.push_str(&format!(
                " (its digits leave {low:.0} to {high:.0} Hz open, {hz} is the one usual rate there; --rate says another)"
            ));
        }
        Ok(Rate { hz, from })
    }

    /// Seconds, if milliseconds would mean more than a megahertz; dates by their magnitude.
    fn unit_by_size(&self, step: f64, first: f64) -> Result<TimeUnit, ImportError> {
        match first {
            1e8..1e11 => return Ok(TimeUnit::Seconds),
            1e11..1e14 => return Ok(TimeUnit::Milliseconds),
            1e14..1e17 => return Ok(TimeUnit::Microseconds),
            1e17..1e20 => return Ok(TimeUnit::Nanoseconds),
            _ => {}
        }
        if self.may_be_days(step, first) {
            if is_date(&self.series.name) {
                return Ok(TimeUnit::Days);
            }
            let detail = format!(
                "\"{}\" begins with {first} and may be in days, as Excel and MATLAB count them, or in seconds: in days that is {:.4} Hz, in \
                 seconds {:.1} Hz; say which with --time-unit d or s, or give the rate with --rate HZ",
                self.series.name,
                1.0 / step / TimeUnit::Days.seconds(),
                1.0 / step
            );
            return Err(ImportError::Time { detail });
        }
        // Slightly more, because steps of a kilohertz are not exact.
        if (1e-7..1.0001e-3).contains(&step) {
            return Ok(TimeUnit::Seconds);
        }
        let name = &self.series.name;
        let in_seconds = 1.0 / step;
        let detail = format!(
            "\"{name}\" rises by {step:.6} and names no unit: in seconds that is {in_seconds:.4} Hz, in milliseconds {:.1} Hz; say which with \
             --time-unit s or ms, or give the rate with --rate HZ",
            in_seconds * 1e3
        );
        Err(ImportError::Time { detail })
    }
}

impl Candidate<'_> {
    /// Whether a time with this start may be in days: Excel's of 1981 to 2064, MATLAB's `datenum` of the same. Seconds
    /// of a day have the same magnitude, but then the rate is a common one, or, in days, less than one in two seconds.
    fn may_be_days(&self, step: f64, first: f64) -> bool {
        const SLOWEST_HZ: f64 = 0.5;
        let is_as_large = (30_000.0..60_000.0).contains(&first) || (725_000.0..755_000.0).contains(&first);
        let in_seconds = 1.0 / step;
        is_as_large
            && (is_date(&self.series.name)
                || (in_seconds / TimeUnit::Days.seconds() >= SLOWEST_HZ && !round::is_usual(in_seconds)))
    }
}

/// Gaps in series of this place and length.
pub(super) fn breaks(clocks: &[Clock], group: &str, len: usize) -> Vec<usize> {
    clocks
        .iter()
        .filter(|clock| clock.group == group && clock.len == len)
        .flat_map(|clock| clock.breaks.clone())
        .collect()
}

/// The rate of one series.
pub(super) fn rate(
    series: &Series,
    clocks: &[Clock],
    scalars: &[(String, f64)],
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<Rate, ImportError> {
    let clock = clocks.iter().find(|clock| clock.group == series.group && clock.len == series.values.len());
    let of_clock = clock.and_then(|clock| clock.rate.clone());
    let in_file = match series.rate.clone().or(of_clock) {
        Some(rate) => Ok(Some(rate)),
        None => setting(series, scalars),
    };
    let Some(hz) = options.rate_hz else {
        if let (Ok(Some(rate)), Ok(Some(stated))) = (&in_file, setting(series, scalars))
            && (rate.hz / stated.hz - 1.0).abs() > SAME
        {
            notes.push(format!(
                "{} says {} Hz, and {} says {} Hz: the former is taken, unless --rate says otherwise",
                rate.from, rate.hz, stated.from, stated.hz
            ));
        }
        return in_file?.ok_or_else(|| {
            let open: Vec<&str> = notes.iter().map(String::as_str).filter(|note| note.contains("rate")).collect();
            let open = if open.is_empty() { String::new() } else { format!("; {}", open.join("; ")) };
            ImportError::NoRate { holds: format!("{}{open}", printable(&series.name)) }
        });
    };
    if let Ok(Some(rate)) = in_file
        && (rate.hz / hz - 1.0).abs() > SAME
    {
        notes.push(format!("--rate {hz} goes before {}, which says {} Hz", rate.from, rate.hz));
    }
    Ok(Rate { hz, from: "--rate".to_owned() })
}

/// The rate stated by the settings nearest to the series.
fn setting(series: &Series, scalars: &[(String, f64)]) -> Result<Option<Rate>, ImportError> {
    let mut nearest: Option<(usize, f64, String)> = None;
    for (name, value) in scalars {
        let Some(stated) = rate_of(name, *value) else { continue };
        let place = parent(name);
        if !(place.is_empty() || series.name.starts_with(place) || series.group.starts_with(place)) {
            continue;
        }
        let hz = match stated {
            StatedRate::Hertz(hz) => Some(hz),
            StatedRate::Step(step_s) => round::of_step(step_s),
        };
        let name = printable(name);
        let Some(hz) = hz.filter(|hz| (0.1..=100e6).contains(hz)) else {
            let detail = format!("{name} = {value} states no rate that can be: give it with --rate HZ");
            return Err(ImportError::Time { detail });
        };
        match &nearest {
            Some((depth, _, _)) if *depth > place.len() => {}
            Some((depth, other, of)) if *depth == place.len() && (other / hz - 1.0).abs() > SAME => {
                let detail = format!("{of} says {other} Hz and {name} says {hz} Hz: give the rate with --rate HZ");
                return Err(ImportError::Time { detail });
            }
            _ => nearest = Some((place.len(), hz, name)),
        }
    }
    Ok(nearest.map(|(_, hz, name)| Rate { hz, from: name }))
}
