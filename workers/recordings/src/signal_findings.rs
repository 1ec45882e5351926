//! Problems in the signals of a set of recordings: one list for `train` and `explore`, so that both report the same.

use auscult_detection::findings::finding;
use auscult_schemas::QualityFlag;

/// Maximum number of recordings listed by name; the others are counted.
const NAMED: usize = 3;

/// A line for each quality flag of any recording, sensor faults first: how many recordings, the problem, the fix, and
/// which ones. A recording is given by its name and its flags. Resampling is not reported, because the user chose the
/// rate.
#[must_use]
pub fn signal_findings(recordings: &[(&str, &[QualityFlag])]) -> Vec<String> {
    let mut flags: Vec<QualityFlag> =
        QualityFlag::ALL.into_iter().filter(|flag| *flag != QualityFlag::Resampled).collect();
    flags.sort_by_key(|flag| !flag.is_sensor_fault());
    let line = |flag: QualityFlag| {
        let names: Vec<&str> =
            recordings.iter().filter(|(_, flags)| flags.contains(&flag)).map(|(name, _)| *name).collect();
        let kind = if flag.is_sensor_fault() { "sensor fault, not learned from" } else { "note" };
        (!names.is_empty()).then(|| {
            // Some findings start with the flag's own name.
            let begins_with_it = format!("{}: ", flag.as_str());
            let what = finding(flag);
            let what = what.strip_prefix(&begins_with_it).unwrap_or(what);
            format!("{}, {kind}: {}: {what} ({})", clips(names.len()), flag.as_str(), named(&names))
        })
    };
    flags.into_iter().filter_map(line).collect()
}

fn clips(count: usize) -> String {
    if count == 1 { "1 clip".to_owned() } else { format!("{count} clips") }
}

fn named(names: &[&str]) -> String {
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_first_each_counted_and_named_with_its_remedy() {
        let hum = [QualityFlag::Resampled, QualityFlag::MainsHum];
        let stuck = [QualityFlag::Stuck];
        let found = signal_findings(&[("a", &hum), ("b", &stuck), ("c", &hum), ("d", &hum), ("e", &hum), ("f", &[])]);
        let short = signal_findings(&[("a", &[QualityFlag::Short])]);
        assert!(short[0].starts_with("1 clip, note: short: shorter than "), "{short:?}");
        let [first, second] = found.as_slice() else { panic!("{found:?}") };
        assert!(
            first.starts_with("1 clip, sensor fault, not learned from: stuck: one value ") && first.ends_with("(b)"),
            "{first}"
        );
        assert!(
            second.starts_with("4 clips, note: mains_hum: ") && second.ends_with("(a, c, d and 1 more)"),
            "{second}"
        );
    }
}
