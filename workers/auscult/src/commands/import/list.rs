//! `auscult import --list`: the contents of files.

use std::io::Write;

use anyhow::ensure;
use auscult_import::Options;
use auscult_recordings::import::Input;

/// Prints every series and scalar.
pub(super) fn list(inputs: &[Input], options: &Options) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut failures = 0;
    for input in inputs {
        let source = match auscult_import::open(&input.path, options) {
            Ok(source) => source,
            Err(error) => {
                failures += 1;
                eprintln!("error: {}: {error}", input.path.display());
                continue;
            }
        };
        writeln!(out, "{}: {}", input.path.display(), source.format)?;
        for (index, series) in source.series.iter().enumerate() {
            let name = series.name.escape_debug();
            let unit = series.unit.as_ref().map_or_else(String::new, |unit| format!(", {}", unit.escape_debug()));
            let rate =
                series.rate.as_ref().map_or_else(String::new, |rate| format!(", {} Hz by {}", rate.hz, rate.from));
            let finite = series.values.iter().copied().filter(|value| value.is_finite());
            let (low, high) =
                finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
            writeln!(
                out,
                "  {:>3} {name}: {} values from {low} to {high}{unit}{rate}",
                index + 1,
                series.values.len()
            )?;
        }
        for (name, value) in &source.scalars {
            writeln!(out, "      {} = {value}", name.escape_debug())?;
        }
        for note in &source.notes {
            writeln!(out, "      {note}")?;
        }
    }
    ensure!(failures == 0, "{failures} of {} files cannot be read", inputs.len());
    Ok(())
}
