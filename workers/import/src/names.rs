//! Interprets names of columns, variables and settings.

use crate::TimeUnit;

/// Only letters, in lower case, and digits.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// `Acc [g]` and `Time (s)`: the name and the unit after it.
pub(crate) fn split_unit(text: &str) -> (String, Option<String>) {
    let text = text.trim();
    for (open, close) in [('[', ']'), ('(', ')')] {
        let Some(inside) = text.strip_suffix(close) else { continue };
        let Some((name, unit)) = inside.rsplit_once(open) else { continue };
        let (name, unit) = (name.trim(), unit.trim());
        if !name.is_empty() && !unit.is_empty() && unit.chars().count() <= 12 {
            return (name.to_owned(), Some(unit.to_owned()));
        }
    }
    (text.to_owned(), None)
}

/// Whether a line of short words contains units: each is a known one, in brackets, or empty.
pub(crate) fn are_units(cells: &[String]) -> bool {
    let is_unit = |cell: &String| {
        let cell = cell.trim();
        let bare = cell.trim_start_matches(['[', '(']).trim_end_matches([']', ')']);
        bare.is_empty() || bare.len() < cell.len() || TimeUnit::parse(bare).is_some() || is_unit(bare)
    };
    !cells.is_empty() && cells.iter().all(is_unit) && cells.iter().any(|cell| !cell.trim().is_empty())
}

fn is_unit(text: &str) -> bool {
    const KNOWN: [&str; 44] = [
        "g", "mg", "gn", "g rms", "m/s2", "m/s^2", "m/s²", "mm/s2", "mm/s^2", "mm/s²", "m/s", "mm/s", "in/s", "ips",
        "m", "mm", "um", "µm", "mil", "v", "mv", "µv", "uv", "volt", "volts", "a", "ma", "pa", "kpa", "mpa", "bar",
        "mbar", "psi", "n", "kn", "nm", "hz", "rpm", "1/min", "°c", "degc", "c", "k", "%",
    ];
    KNOWN.contains(&text.to_lowercase().as_str())
}

/// `fs` whose text is `25600 Hz`: the number under `fs [Hz]`.
pub(crate) fn text_setting(name: &str, text: &str) -> Option<(String, f64)> {
    let text = text.trim();
    let end = text.find(|letter: char| !(letter.is_ascii_digit() || "+-.eE".contains(letter))).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let value: f64 = number.trim_end_matches(['e', 'E']).parse().ok()?;
    let unit = unit.trim();
    let name = if unit.is_empty() || unit.contains(['.', '/']) { name.to_owned() } else { format!("{name} [{unit}]") };
    rate_of(&name, value).is_some().then_some((name, value))
}

/// Sorts by the numbers in names: `ch9` before `ch10`.
#[cfg(feature = "hdf5")]
pub(crate) fn natural_order(one: &str, other: &str) -> std::cmp::Ordering {
    let padded = |name: &str| {
        let mut out = String::new();
        let mut digits = String::new();
        for letter in name.chars().chain(std::iter::once('\0')) {
            if letter.is_ascii_digit() {
                digits.push(letter);
                continue;
            }
            if !digits.is_empty() {
                out.push_str(&format!("{:0>20}", digits.trim_start_matches('0')));
                digits.clear();
            }
            out.push(letter);
        }
        out
    };
    padded(one).cmp(&padded(other)).then_with(|| one.cmp(other))
}

/// Whether a setting with this name is a scale factor or an offset.
pub(crate) fn is_scale(name: &str) -> bool {
    let plain = plain(last_part(&split_unit(name).0));
    let known = [
        "scale",
        "scalefactor",
        "scaling",
        "scalingfactor",
        "gain",
        "sensitivity",
        "offset",
        "addoffset",
        "calibration",
        "calibrationfactor",
        "calfactor",
        "factor",
        "lsb",
        "voltsperbit",
        "vperbit",
    ];
    known.contains(&plain.as_str())
}

/// Whether a rising column with this name is time.
pub(crate) fn is_time(name: &str) -> bool {
    let (name, _) = split_unit(name);
    let last = last_part(&name);
    let bare = if time_unit_suffix(last).is_some() {
        last.rsplit_once(['_', ' ']).map_or(last, |(bare, _)| bare)
    } else {
        last
    };
    let plain = plain(bare);
    let exact = [
        "t", "x", "ts", "zeit", "tid", "temps", "tempo", "tiempo", "date", "datum", "elapsed", "seconds", "sec",
        "sekunden", "xvalue",
    ];
    exact.contains(&plain.as_str())
        || ["time", "zeit", "datetime", "xwert"].iter().any(|start| plain.starts_with(start))
}

/// Whether a column with this name that counts up by one is a sample number.
pub(crate) fn is_index(name: &str) -> bool {
    let plain = plain(last_part(name));
    let known = [
        "index",
        "idx",
        "sample",
        "samples",
        "sampleno",
        "samplenumber",
        "no",
        "nr",
        "n",
        "number",
        "point",
        "row",
        "count",
        "counter",
        "id",
    ];
    plain.is_empty() || known.contains(&plain.as_str()) || plain.starts_with("unnamed")
}

/// Whether a column with this name is a date, and not a time since the start.
pub(crate) fn is_date(name: &str) -> bool {
    let plain = plain(last_part(&split_unit(name).0));
    ["date", "datum", "excel"].iter().any(|word| plain.contains(word)) || plain == "serial"
}

/// Whether this text in place of a unit only means a count.
pub(crate) fn is_count(unit: &str) -> bool {
    ["sample", "samples", "pts", "point", "points", "no", "nr", "sequence", "index", "count", "counts"]
        .contains(&unit.trim().to_lowercase().as_str())
}

/// The unit in a name such as `time_ms`.
pub(crate) fn time_unit_suffix(name: &str) -> Option<TimeUnit> {
    let (_, suffix) = name.trim().rsplit_once(['_', ' ', '/'])?;
    TimeUnit::parse(suffix)
}

/// The rate, Hz, stated by a setting with this name; `None` if its name does not mean a sample rate.
pub(crate) fn rate_of(name: &str, value: f64) -> Option<StatedRate> {
    let (name, unit) = split_unit(name);
    let plain = plain(last_part(&name));
    let unit = unit.unwrap_or_default().to_lowercase();
    // Not `rate`: in MFPT's files that is the shaft's.
    let rates = [
        "fs",
        "sr",
        "fsamp",
        "fsample",
        "fsampling",
        "samplerate",
        "samplingrate",
        "samplefrequency",
        "samplingfrequency",
        "samplefreq",
        "samplingfreq",
        "samplespersecond",
        "abtastrate",
        "abtastfrequenz",
        "srate",
        "fabtast",
    ];
    let steps = [
        "dt",
        "deltat",
        "deltax",
        "tsample",
        "tsampling",
        "sampletime",
        "samplinginterval",
        "sampleinterval",
        "samplingperiod",
        "sampleperiod",
        "samplingtime",
        "wfincrement",
        "abtastzeit",
        "timestep",
        "timeincrement",
        "increment",
        "tinc",
        "xinc",
        "xincrement",
        "abtastintervall",
        "ts",
    ];
    for (suffix, factor) in [("khz", 1e3), ("mhz", 1e6), ("hz", 1.0), ("", 1.0)] {
        let Some(base) = plain.strip_suffix(suffix) else { continue };
        if rates.contains(&base) {
            let factor = match unit.as_str() {
                "khz" => 1e3,
                "mhz" => 1e6,
                _ => factor,
            };
            return Some(StatedRate::Hertz(value * factor));
        }
    }
    // `ts` is often the time of a file.
    if plain == "ts" && value > 1.0 {
        return None;
    }
    if steps.contains(&plain.as_str()) {
        return Some(StatedRate::Step(value * TimeUnit::parse(&unit).map_or(1.0, TimeUnit::seconds)));
    }
    None
}

/// A rate as stated by settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum StatedRate {
    Hertz(f64),
    /// Seconds from one sample to the next.
    Step(f64),
}

/// Whether a setting with this name is the shaft's speed in turns per minute.
pub(crate) fn is_rpm(name: &str) -> bool {
    let plain = plain(last_part(name));
    plain.ends_with("rpm") && plain.len() <= 12
}

/// `a.b/c` is `c` in `a.b`.
pub(crate) fn last_part(name: &str) -> &str {
    name.rsplit(['.', '/']).next().unwrap_or(name)
}

/// The text before the last part.
pub(crate) fn parent(name: &str) -> &str {
    name.rsplit_once(['.', '/']).map_or("", |(parent, _)| parent)
}

/// A name without characters that move a terminal's cursor.
pub(crate) fn printable(name: &str) -> String {
    let shown: String =
        name.trim().chars().map(|letter| if letter.is_control() { '?' } else { letter }).take(120).collect();
    shown
}

/// A name that is a valid file name on every system.
pub(crate) fn for_file(name: &str) -> String {
    let kept = |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' };
    let name: String = name.trim().chars().map(kept).take(80).collect();
    name.trim_matches(['.', '_']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_stand_in_brackets_and_settings_name_rates() {
        assert_eq!(split_unit("Acc [m/s²]"), ("Acc".to_owned(), Some("m/s²".to_owned())));
        assert_eq!(split_unit("f(x)"), ("f".to_owned(), Some("x".to_owned())));
        assert_eq!(split_unit("Acc"), ("Acc".to_owned(), None));
        assert_eq!(rate_of("bearing.sr", 97_656.0), Some(StatedRate::Hertz(97_656.0)));
        assert_eq!(rate_of("bearing.rate", 25.0), None, "MFPT's shaft");
        assert_eq!(rate_of("Sampling rate [kHz]", 25.6), Some(StatedRate::Hertz(25_600.0)));
        assert_eq!(rate_of("Delta_X", 3.9e-5), Some(StatedRate::Step(3.9e-5)));
        assert!(is_rpm("X097RPM") && !is_rpm("rpm_of_the_whole_test_bench_at_start"));
        assert!(!is_time("X097_DE_time") && is_time("Time (s)") && is_time("timestamp") && is_time("t_us"));
        assert!(are_units(&["s".into(), "g".into()]) && !are_units(&["Zeit".into(), "g".into()]));
        assert_eq!(for_file("Vib/Acc 1"), "Vib_Acc_1");
    }
}
