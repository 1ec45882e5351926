//! What a fleet's run is worth, as a table.

use std::fmt;
use std::time::Duration;

use auscult_simulator::{Fault, MicrophoneFault};
use jiff::Timestamp;

/// What is promised of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Promise {
    /// Every chunk has one score.
    OneScoreAChunk,
    /// A failing machine is alarmed between its fault's onset and its failure.
    AlarmBeforeFailure,
    /// One false alarm in ten machine-weeks at most.
    FewFalseAlarms,
    /// A dead microphone is named as a sensor fault within an hour, and no other one is.
    DeadMicrophonesNamed,
    /// A change of environment is reported once, and none that was not.
    EnvironmentOnce,
    /// No machine is called silent while its gateway sends.
    NobodySilencedWrongly,
}

/// Where a promise was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortcoming {
    /// Which.
    pub promise: Promise,
    /// How, naming machine and time.
    pub what: String,
}

/// What became of a failing machine.
#[derive(Debug, Clone, PartialEq)]
pub struct FailureVerdict {
    /// The machine.
    pub machine: String,
    /// Its fault.
    pub fault: Fault,
    /// When the fault began.
    pub onset: Timestamp,
    /// When the machine failed.
    pub failure: Timestamp,
    /// The first warning or alarm between the two.
    pub noticed: Option<Timestamp>,
    /// The first alarm between the two.
    pub alarmed: Option<Timestamp>,
}

impl FailureVerdict {
    /// From the alarm to the failure.
    #[must_use]
    pub fn lead(&self) -> Option<Duration> {
        self.alarmed.map(|alarmed| self.failure.duration_since(alarmed).unsigned_abs())
    }

    /// The share of the time from onset to failure that had passed at the alarm.
    #[must_use]
    pub fn life_at_alarm(&self) -> Option<f64> {
        let life = self.failure.duration_since(self.onset).as_secs_f64();
        self.alarmed.map(|alarmed| alarmed.duration_since(self.onset).as_secs_f64() / life)
    }
}

/// What became of a dead microphone.
#[derive(Debug, Clone, PartialEq)]
pub struct MicrophoneVerdict {
    /// The machine.
    pub machine: String,
    /// How it died.
    pub fault: MicrophoneFault,
    /// When.
    pub at: Timestamp,
    /// When it was named.
    pub named: Option<Timestamp>,
}

/// Reports of one change of an environment, those of several partitions taken together.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvironmentReport {
    /// The environment.
    pub environment: String,
    /// Since when it is said to have changed, the earliest.
    pub since: Timestamp,
    /// When it was first reported.
    pub reported: Timestamp,
    /// How many partitions' records it is.
    pub records: usize,
    /// How many machines are said to be affected, all partitions together.
    pub machines: u32,
}

/// The whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    /// Machines.
    pub machines: usize,
    /// All machines' time together, weeks.
    pub machine_weeks: f64,
    /// Chunks sent.
    pub chunks: u64,
    /// Scores.
    pub scores: u64,
    /// Failing machines, in the order of their failures.
    pub failures: Vec<FailureVerdict>,
    /// Alarms of machines that had no fault: a sentence each.
    pub false_alarms: Vec<String>,
    /// Warnings of machines that had no fault.
    pub false_warnings: usize,
    /// Dead microphones.
    pub microphones: Vec<MicrophoneVerdict>,
    /// Changes of environment, as reported.
    pub environment: Vec<EnvironmentReport>,
    /// Share of anomalous chunks among those of machines without a fault, before anything was new in a hall, and since.
    pub anomalous_share: [f64; 2],
    /// From the first chunk sent to the last one scored.
    pub took: Duration,
    /// What falls short.
    pub shortcomings: Vec<Shortcoming>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        writeln!(
            f,
            "{} machines, {:.1} machine-weeks: {} chunks, {} scores, {:.0} s from the first sent to the last scored, {:.0} a second\n",
            self.machines,
            self.machine_weeks,
            self.chunks,
            self.scores,
            seconds,
            self.chunks as f64 / seconds.max(1e-9)
        )?;
        writeln!(
            f,
            "| failing machine | fault | onset | first warning | alarm | failure | lead time | life at the alarm |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        for failure in &self.failures {
            let lead = failure.lead().map_or("none".to_owned(), hours);
            let life = failure.life_at_alarm().map_or("–".to_owned(), |share| format!("{:.0} %", 100.0 * share));
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {lead} | {life} |",
                failure.machine,
                failure.fault,
                minute(Some(failure.onset)),
                minute(failure.noticed),
                minute(failure.alarmed),
                minute(Some(failure.failure)),
            )?;
        }
        writeln!(f, "\n| dead microphone | how | since | named |")?;
        writeln!(f, "|---|---|---|---|")?;
        for dead in &self.microphones {
            let how = match dead.fault {
                MicrophoneFault::Quiet => "its own noise only",
                MicrophoneFault::Stuck => "one value held",
            };
            writeln!(f, "| {} | {how} | {} | {} |", dead.machine, minute(Some(dead.at)), minute(dead.named))?;
        }
        writeln!(f, "\n| environment | since | reported | records | machines |")?;
        writeln!(f, "|---|---|---|---|---|")?;
        for report in &self.environment {
            let (since, reported) = (minute(Some(report.since)), minute(Some(report.reported)));
            writeln!(
                f,
                "| {} | {since} | {reported} | {} | {} |",
                report.environment, report.records, report.machines
            )?;
        }
        writeln!(
            f,
            "\nfalse alarms: {} in {:.1} machine-weeks ({:.2} in ten); false warnings: {}; anomalous chunks of machines without a fault: {:.2} %, since \
             the hall changed {:.2} %",
            self.false_alarms.len(),
            self.machine_weeks,
            10.0 * self.false_alarms.len() as f64 / self.machine_weeks,
            self.false_warnings,
            100.0 * self.anomalous_share[0],
            100.0 * self.anomalous_share[1],
        )?;
        for alarm in self.false_alarms.iter().take(20) {
            writeln!(f, "  false alarm: {alarm}")?;
        }
        if self.shortcomings.is_empty() {
            return write!(f, "every promise is kept");
        }
        write!(f, "{} shortcomings:", self.shortcomings.len())?;
        for Shortcoming { promise, what } in self.shortcomings.iter().take(40) {
            write!(f, "\n  {promise:?}: {what}")?;
        }
        Ok(())
    }
}

fn hours(duration: Duration) -> String {
    format!("{:.1} h", duration.as_secs_f64() / 3600.0)
}

fn minute(time: Option<Timestamp>) -> String {
    time.map_or("–".to_owned(), |time| time.strftime("%a %d %H:%M").to_string())
}
