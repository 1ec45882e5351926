//! `auscult doctor`: is a live installation as it must be, and what is to be done where it is not?
//!
//! ```text
//!   auscult_runtime::kafka::survey      facts, asked for without changing anything
//!        │
//!        ▼
//!   brokers  topics  rights  groups  clocks  machines      what each fact means, in words
//!        │
//!        ▼
//!   Report ─► lines for people, coloured; or JSON
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

/// What comes of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it must be.
    Ok,
    /// It works, and one day it may not.
    Warning,
    /// It does not work, or loses something.
    Wrong,
    /// Could not be told, and why.
    Unknown,
}

impl Outcome {
    /// In a word.
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
    /// What it belongs to: `brokers`, `topics`, …
    pub group: &'static str,
    /// What was looked at, in a word or two.
    pub check: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// What was found.
    pub says: String,
    /// What to do; empty where there is nothing to be done.
    pub todo: String,
}

/// Findings of one group, in the words of its checks.
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

    /// `ok` where nothing of this check has been found wrong.
    fn ok_if_sound(&mut self, check: &'static str, says: impl Into<String>) {
        if self.list.iter().all(|finding| finding.check != check) {
            self.ok(check, says);
        }
    }
}

/// What is to be looked at.
#[derive(Debug, Clone)]
pub struct Question {
    /// How Kafka is reached.
    pub kafka: KafkaConfig,
    /// Bounds of the workers.
    pub limits: LimitsConfig,
    /// Where models are; `None` where the configuration names none.
    pub models: Option<ModelsConfig>,
    /// Whose rights this client should have: those of this kind of worker.
    pub kind: WorkerKind,
    /// Whether one worker does both stages, and there is no feature group.
    pub is_fused: bool,
    /// The group of the feature workers.
    pub feature_group: String,
    /// The group of the scoring workers.
    pub scoring_group: String,
    /// From which age on a record that waits is too old.
    pub lag: Duration,
    /// How far clocks may be apart.
    pub skew: Duration,
    /// Whether topics are tried by records that the brokers have to refuse.
    pub tries_writing: bool,
}

/// All that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order in which it was looked at.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many came to this.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.findings.iter().filter(|finding| finding.outcome == outcome).count()
    }

    /// Whether nothing is wrong; with `strict`, whether there is no warning either.
    #[must_use]
    pub fn is_sound(&self, strict: bool) -> bool {
        self.count(Outcome::Wrong) == 0 && (!strict || self.count(Outcome::Warning) == 0)
    }
}
