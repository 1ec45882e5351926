//! `auscult doctor`: checks a live installation, and reports how to fix each problem.
//!
//! ```text
//!   auscult_runtime::kafka::survey      facts, read without changing anything
//!        │
//!        ▼
//!   brokers  topics  rights  groups  clocks  machines      what each fact means, in words
//!        │
//!        ▼
//!   Report ─► text lines, coloured; or JSON
//! ```

mod brokers;
mod clocks;
mod examine;
mod groups;
mod machines;
mod partitions;
mod print;
mod rights;
mod times;
mod topics;

use std::time::Duration;

use auscult_processes::WorkerKind;
use auscult_runtime::config::{KafkaConfig, LimitsConfig};
use auscult_scoring_worker::ModelsConfig;

pub use examine::examine;
pub use print::{json, lines};

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Correct.
    Ok,
    /// It works now, but may fail later.
    Warning,
    /// It does not work, or loses data.
    Wrong,
    /// The check could not be made; the finding says why.
    Unknown,
}

impl Outcome {
    /// The outcome as one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
            Self::Unknown => "unknown",
        }
    }
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its group: `brokers`, `topics`, …
    pub group: &'static str,
    /// What was checked, in a word or two.
    pub check: &'static str,
    /// The outcome.
    pub outcome: Outcome,
    /// What was found.
    pub says: String,
    /// How to fix it; empty if nothing is required.
    pub todo: String,
}

/// Collects the findings of one group.
#[derive(Debug)]
struct Findings {
    group: &'static str,
    list: Vec<Finding>,
}

impl Findings {
    fn of(group: &'static str) -> Self {
        Self { group, list: Vec::new() }
    }

    fn ok(&mut self, check: &'static str, says: impl Into<String>) {
        self.add(check, Outcome::Ok, says, "");
    }

    fn warning(&mut self, check: &'static str, says: impl Into<String>, todo: impl Into<String>) {
        self.add(check, Outcome::Warning, says, todo);
    }

    fn wrong(&mut self, check: &'static str, says: impl Into<String>, todo: impl Into<String>) {
        self.add(check, Outcome::Wrong, says, todo);
    }

    fn unknown(&mut self, check: &'static str, says: impl Into<String>) {
        self.add(check, Outcome::Unknown, says, "");
    }

    fn add(&mut self, check: &'static str, outcome: Outcome, says: impl Into<String>, todo: impl Into<String>) {
        self.list.push(Finding { group: self.group, check, outcome, says: says.into(), todo: todo.into() });
    }

    /// Adds `ok` if no problem was found in this check.
    fn ok_if_sound(&mut self, check: &'static str, says: impl Into<String>) {
        if self.list.iter().all(|finding| finding.check != check) {
            self.ok(check, says);
        }
    }
}

/// What to check.
#[derive(Debug, Clone)]
pub struct Question {
    /// Connection to Kafka.
    pub kafka: KafkaConfig,
    /// Bounds of the workers.
    pub limits: LimitsConfig,
    /// The models; `None` if the configuration has none.
    pub models: Option<ModelsConfig>,
    /// Kind of worker whose permissions are checked.
    pub kind: WorkerKind,
    /// Whether one worker runs both stages, without a feature group.
    pub is_fused: bool,
    /// Consumer group of the feature workers.
    pub feature_group: String,
    /// Consumer group of the scoring workers.
    pub scoring_group: String,
    /// Maximum age of a waiting record.
    pub lag: Duration,
    /// Maximum difference between clocks.
    pub skew: Duration,
    /// Whether write permissions are tested with records that the brokers must reject.
    pub tries_writing: bool,
}

/// All findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Number of findings with this outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.findings.iter().filter(|finding| finding.outcome == outcome).count()
    }

    /// Whether nothing is wrong; with `strict`, whether there are no warnings either.
    #[must_use]
    pub fn is_sound(&self, strict: bool) -> bool {
        self.count(Outcome::Wrong) == 0 && (!strict || self.count(Outcome::Warning) == 0)
    }
}
