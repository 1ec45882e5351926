//! A worker's metrics as it served them.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::installation::program;

/// One scrape in Prometheus' text format.
#[derive(Debug, Clone)]
pub struct Metrics(
    /// The text as served.
    pub String,
);

impl Metrics {
    /// The sum of all series of this name that carry these labels; `None` where there is no such series.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let mut found = None;
        for line in self.0.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let (series_name, series_labels) = series.split_once('{').unwrap_or((series, ""));
            // Labels are compared whole: {reason="empty"} must not be found in {other_reason="empty"}.
            let has = |label: &String| series_labels.trim_end_matches('}').split(',').any(|own| own == label);
            if series_name == name && wanted.iter().all(has) {
                *found.get_or_insert(0.0) += value.parse::<f64>().unwrap_or(f64::NAN);
            }
        }
        found
    }

    /// Has `promtool check metrics` judge names, types and help texts.
    ///
    /// # Errors
    /// What promtool objects to, or that it is not installed.
    pub fn lint(&self) -> Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), &self.0)?;
        let output = promtool(file.path())?;
        ensure!(output.0, "promtool check metrics:\n{}", output.1);
        Ok(())
    }
}

fn promtool(scrape: &Path) -> Result<(bool, String)> {
    let output = Command::new(program("promtool")?)
        .args(["check", "metrics"])
        .stdin(Stdio::from(std::fs::File::open(scrape)?))
        .output()
        .context("running promtool")?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn series_are_summed_by_whole_name_and_whole_labels() {
        let text = "# HELP a_total help\n# TYPE a_total counter\na_total{reason=\"empty\",x=\"1\"} 2\n\
            a_total{reason=\"empty\",x=\"2\"} 3\na_total{other_reason=\"empty\"} 100\na_total_more 7\nb 1.5\n";
        let metrics = Metrics(text.to_owned());
        assert_eq!(metrics.sum("a_total", &[("reason", "empty")]), Some(5.0));
        assert_eq!(metrics.sum("a_total", &[("reason", "empty"), ("x", "2")]), Some(3.0));
        assert_eq!(metrics.sum("a_total", &[]), Some(105.0));
        assert_eq!(metrics.sum("b", &[]), Some(1.5));
        assert_eq!(metrics.sum("c", &[]), None);
        assert_eq!(metrics.sum("a_total", &[("reason", "truncated")]), None);
    }
}
