//! Debian's Prometheus, scraping the workers of a test once a second.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use crate::installation::program;
use crate::{Process, free_ports, get, repository, until};

/// A running Prometheus; gone when dropped.
#[derive(Debug)]
pub struct Prometheus {
    // Before the folder: fields are dropped in order.
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

/// One series of a query's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct PrometheusSample {
    /// Its labels, `__name__` among them where the query keeps it.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Prometheus {
    /// Starts one that scrapes these addresses, each under the name of a job.
    ///
    /// # Errors
    /// When Prometheus is not installed, with the command that gets it, or does not start.
    pub fn start(targets: &[(&str, SocketAddr)]) -> Result<Self> {
        Self::start_with(targets, None)
    }

    /// As [`Prometheus::start`], with the chart's rules, whose alerts go to this Alertmanager. A test has no hours:
    /// every duration in the rules is divided by `haste`, and nothing else about them is changed.
    ///
    /// # Errors
    /// As [`Prometheus::start`].
    pub fn start_alerting(targets: &[(&str, SocketAddr)], alertmanager: SocketAddr, haste: u32) -> Result<Self> {
        Self::start_with(targets, Some((alertmanager, haste)))
    }

    fn start_with(targets: &[(&str, SocketAddr)], alerting: Option<(SocketAddr, u32)>) -> Result<Self> {
        let binary = program("prometheus")?;
        let folder = tempfile::Builder::new().prefix("auscult-prometheus-").tempdir()?;
        let mut config =
            "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  evaluation_interval: 1s\nscrape_configs:\n"
                .to_owned();
        let mut jobs: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (job, address) in targets {
            jobs.entry(job).or_default().push(format!("'{address}'"));
        }
        for (job, addresses) in jobs {
            let targets = addresses.join(", ");
            config += &format!("  - job_name: {job}\n    static_configs:\n      - targets: [{targets}]\n");
        }
        if let Some((alertmanager, haste)) = alerting {
            for name in ["recording", "alerts"] {
                let file = repository().join(format!("helm/auscult/files/rules/{name}.yaml"));
                let rules = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
                std::fs::write(folder.path().join(format!("{name}.yaml")), hastened(&rules, haste))?;
            }
            config += &format!(
                "rule_files: [recording.yaml, alerts.yaml]\n\
                 alerting:\n  alertmanagers:\n    - static_configs:\n      - targets: ['{alertmanager}']\n"
            );
        }
        let config_file = folder.path().join("prometheus.yml");
        std::fs::write(&config_file, config)?;

        let address = SocketAddr::from(([127, 0, 0, 1], free_ports(1)?[0]));
        let mut command = Command::new(&binary);
        command
            .arg(format!("--config.file={}", config_file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--rules.alert.resend-delay=1s")
            .arg("--log.level=warn");
        // Debian's looks for its pages where the package would have been installed.
        let pages = binary.ancestors().nth(2).map(|usr| usr.join("share/prometheus/web"));
        if let Some(pages) = pages.filter(|pages| pages.is_dir()) {
            command.arg(format!("--web.local-assets={}", pages.display()));
        }
        let mut process = Process::start("prometheus", &mut command, &folder.path().join("output.txt"))?;
        until("Prometheus to be ready", Duration::from_secs(30), || {
            process.ensure_running()?;
            Ok(get(address, "/-/ready").ok().filter(|(status, _)| *status == 200))
        })?;
        Ok(Self { process, address, _folder: folder })
    }

    /// Asks a PromQL expression for its value now.
    ///
    /// # Errors
    /// When the expression is wrong, or its answer is no vector.
    pub fn query(&self, expression: &str) -> Result<Vec<PrometheusSample>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            error: String,
            data: Option<Data>,
        }
        #[derive(Deserialize)]
        struct Data {
            result: Vec<Series>,
        }
        #[derive(Deserialize)]
        struct Series {
            metric: BTreeMap<String, String>,
            value: (f64, String),
        }
        let (status, body) = get(self.address, &format!("/api/v1/query?query={}", percent_encoded(expression)))?;
        let answer: Answer = serde_json::from_str(&body).with_context(|| format!("{expression}: {body}"))?;
        ensure!(status == 200, "{expression}: {}", answer.error);
        let series = answer.data.context("the answer has no data")?.result;
        series
            .into_iter()
            .map(|series| Ok(PrometheusSample { labels: series.metric, value: series.value.1.parse()? }))
            .collect()
    }

    /// Asks until the expression has at least one series.
    ///
    /// # Errors
    /// As [`Prometheus::query`], or when there is none within `limit`.
    pub fn wait_for(&mut self, expression: &str, limit: Duration) -> Result<Vec<PrometheusSample>> {
        until(&format!("Prometheus to know {expression}"), limit, || {
            self.process.ensure_running()?;
            Ok(Some(self.query(expression)?).filter(|series| !series.is_empty()))
        })
    }

    /// A picture of its own page of graphs, 1440 pixels wide: one graph an expression, of so many minutes up to now.
    /// Debian's page needs its scripts, the packages `libjs-*` that `prometheus` depends on, in
    /// `.work/prometheus/usr/share/javascript`.
    ///
    /// # Errors
    /// When there is no Chromium, or it draws nothing.
    pub fn picture(&self, expressions: &[&str], minutes: u32, file: &Path) -> Result<()> {
        let graph = |(number, expression): (usize, &&str)| {
            format!("g{number}.expr={}&g{number}.tab=0&g{number}.range_input={minutes}m", percent_encoded(expression))
        };
        let graphs: Vec<String> = expressions.iter().enumerate().map(graph).collect();
        let url = format!("http://{}/graph?{}", self.address, graphs.join("&"));
        let height = 160 + 700 * expressions.len();
        let status = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=15000"])
            .arg(format!("--window-size=1440,{height}"))
            .arg(format!("--screenshot={}", file.display()))
            .arg(url)
            .status()
            .context("running chromium: apt-get install chromium")?;
        ensure!(status.success() && file.is_file(), "chromium: {status}");
        Ok(())
    }

    /// Where its own pages are.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Rules whose durations (`[1h]`, `for: 30m`, `interval: 1m`) are `haste` times as short.
fn hastened(rules: &str, haste: u32) -> String {
    let mut hastened = String::new();
    for line in rules.lines() {
        let (indent, text) = line.split_at(line.len() - line.trim_start().len());
        let named = ["for: ", "interval: "]
            .into_iter()
            .find_map(|name| Some((name, shorter(text.strip_prefix(name)?, haste)?)));
        match named {
            Some((name, duration)) => hastened += &format!("{indent}{name}{duration}"),
            None => {
                for (number, part) in line.split('[').enumerate() {
                    let range = part.split_once(']').filter(|_| number > 0);
                    match range.and_then(|(range, rest)| Some((shorter(range, haste)?, rest))) {
                        Some((range, rest)) => hastened += &format!("[{range}]{rest}"),
                        None => hastened += &format!("{}{part}", if number > 0 { "[" } else { "" }),
                    }
                }
            }
        }
        hastened.push('\n');
    }
    hastened
}

/// `30m` by 60 is `30000ms`; `None` where the text is no duration.
fn shorter(duration: &str, haste: u32) -> Option<String> {
    let (number, unit) = duration.split_at(duration.len().checked_sub(1)?);
    let unit_ms = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(format!("{}ms", number.parse::<u64>().ok()? * unit_ms / u64::from(haste)))
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_durations_are_changed() {
        let rules = "  - interval: 1m\n    expr: rate(x[1h]) / rate(y{a=\"[1h\"}[15m]) > 0.25\n    for: 30m\n    summary: for 5m, 1h\n";
        let hastened = hastened(rules, 60);
        let expected = "  - interval: 1m\n    expr: rate(x[60000ms]) / rate(y{a=\"[1h\"}[15000ms]) > 0.25\n    for: 30000ms\n    summary: for 5m, 1h\n";
        assert_eq!(hastened, expected);
        let group = "    interval: 1m\n";
        assert_eq!(super::hastened(group, 60), "    interval: 1000ms\n");
    }
}
