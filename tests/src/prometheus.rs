//! Debian's Prometheus, scraping the workers of a test once a second.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use crate::installation::program;
use crate::{Process, free_ports, get, until};

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

/// The rules that it evaluates, and whom it tells what they find.
#[derive(Debug, Clone)]
pub struct Alerting {
    /// Files of rules.
    pub rules: Vec<PathBuf>,
    /// An Alertmanager.
    pub alertmanager: SocketAddr,
}

impl Prometheus {
    /// Starts one that scrapes these addresses, each under the name of a job.
    ///
    /// # Errors
    /// When Prometheus is not installed, with the command that gets it, or does not start.
    pub fn start(targets: &[(&str, SocketAddr)]) -> Result<Self> {
        Self::start_with(targets, None)
    }

    /// As [`Prometheus::start`], with rules that are evaluated once a second where they do not say otherwise.
    ///
    /// # Errors
    /// As [`Prometheus::start`], and when it does not understand the rules.
    pub fn start_with(targets: &[(&str, SocketAddr)], alerting: Option<&Alerting>) -> Result<Self> {
        let binary = program("prometheus")?;
        let folder = tempfile::Builder::new().prefix("auscult-prometheus-").tempdir()?;
        let mut config = "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  evaluation_interval: 1s\n".to_owned();
        if let Some(Alerting { rules, alertmanager }) = alerting {
            config += &format!(
                "rule_files: {rules:?}\nalerting:\n  alertmanagers:\n    - static_configs:\n        - targets: ['{alertmanager}']\n"
            );
        }
        config += "scrape_configs:\n";
        let mut jobs: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (job, address) in targets {
            jobs.entry(job).or_default().push(format!("'{address}'"));
        }
        for (job, addresses) in jobs {
            let targets = addresses.join(", ");
            config += &format!("  - job_name: {job}\n    static_configs:\n      - targets: [{targets}]\n");
        }
        let config_file = folder.path().join("prometheus.yml");
        std::fs::write(&config_file, config)?;

        let address = SocketAddr::from(([127, 0, 0, 1], free_ports(1)?[0]));
        let mut command = Command::new(&binary);
        command
            .arg(format!("--config.file={}", config_file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
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

    /// A picture of its own page of graphs, 1440 pixels wide: one graph an expression, of so many minutes up to now. Debian's page needs its scripts, the
    /// packages `libjs-*` that `prometheus` depends on, in `.work/prometheus/usr/share/javascript`.
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

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
