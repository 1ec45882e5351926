//! Parses dates and times of day in cells: ISO 8601, and the formats of loggers and spreadsheets.

/// The formats found.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    /// Whether the first two columns contain any.
    pub has: [bool; 2],
}

impl Stamps {
    pub(super) fn note(&self) -> Option<String> {
        self.has.contains(&true).then(|| "dates and times of day are read as seconds".to_owned())
    }

    /// Seconds of a date and time of day in one of the first two columns, or of a date in the first and a time in the
    /// second.
    pub(super) fn read(&mut self, cell: &str, column: usize) -> Option<f64> {
        let value = match column {
            0 => seconds(cell).or_else(|| days(cell.trim()).map(|days| days as f64 * 86_400.0)),
            1 => seconds(cell),
            _ => None,
        }?;
        self.has[column] = true;
        Some(value)
    }
}

/// Seconds since 1970, or since midnight without a date. Time zones are ignored: only differences matter.
fn seconds(cell: &str) -> Option<f64> {
    let cell = cell.trim().trim_end_matches(['Z', 'z']);
    let (date, time) = match cell.find(['T', ' ', '_']) {
        Some(at) => (Some(&cell[..at]), &cell[at + 1..]),
        None => (None, cell),
    };
    let days = match date {
        Some(date) => days(date)?,
        None => 0,
    };
    Some(days as f64 * 86_400.0 + time_of_day(time.trim())?)
}

fn time_of_day(text: &str) -> Option<f64> {
    // Followed by `+01:00`.
    let text = text.split(['+', ' ']).next()?;
    let text = text.rsplit_once('-').map_or(text, |(time, _)| time);
    let mut parts = text.split(':');
    // `12:34.5` is minutes and seconds.
    if let (Some(first), Some(second), None) = (text.split(':').next(), text.split(':').nth(1), text.split(':').nth(2))
        && second.contains(['.', ','])
    {
        let (minutes, second): (u32, f64) = (first.parse().ok()?, second.replace(',', ".").parse().ok()?);
        return (second < 61.0).then_some(f64::from(minutes) * 60.0 + second);
    }
    let hour: u32 = parts.next()?.parse().ok()?;
    let minute: u32 = parts.next()?.parse().ok()?;
    let second: f64 = match parts.next() {
        Some(second) if second.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b',') => {
            second.replace(',', ".").parse().ok()?
        }
        Some(_) => return None,
        None => 0.0,
    };
    let fraction = match parts.next() {
        // `9:39:39:65664`: microseconds.
        Some(micros) => {
            micros.parse::<u32>().ok().filter(|micros| *micros < 1_000_000).map(|micros| f64::from(micros) * 1e-6)?
        }
        None => 0.0,
    };
    let is_time = hour < 24 && minute < 60 && second < 61.0 && parts.next().is_none();
    is_time.then(|| f64::from(hour * 3600 + minute * 60) + second + fraction)
}

/// Days since 1970 for `2024-05-01`, `2024/05/01`, `01.05.2024` and `05/01/2024`; the order of the last two does not
/// matter within a recording.
fn days(text: &str) -> Option<i64> {
    let numbers: Vec<i64> = text.split(['-', '/', '.']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [a, b, c] = numbers[..] else { return None };
    let (year, month, day) = match (a, c) {
        (1000..=9999, _) => (a, b, c),
        (_, 1000..=9999) if text.contains('/') && b > 12 => (c, a, b),
        (_, 1000..=9999) => (c, b, a),
        _ => return None,
    };
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_seconds() {
        assert_eq!(seconds("1970-01-02T00:00:01.5Z"), Some(86_401.5));
        assert_eq!(seconds("2024-05-01 12:00:00,25"), seconds("01.05.2024 12:00:00.25"));
        assert_eq!(seconds("2024-05-01T12:00:00+02:00"), Some(1_714_564_800.0));
        assert_eq!(seconds("9:39:39:65664"), Some(34_779.065_664));
        assert_eq!(seconds("0.5"), None);
        assert_eq!(seconds("12"), None);
        assert_eq!(seconds("99:00:00"), None);
    }
}
