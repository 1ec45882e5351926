//! Progress reports of the runner, read by the watchdog.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::ports::PartitionProgress;

/// The runner's progress report.
#[derive(Debug, Clone)]
pub(in crate::runner) struct ProgressReport(Arc<Mutex<Progress>>);

#[derive(Debug, Clone)]
pub(super) struct Progress {
    /// When the log thread last completed its loop.
    pub loop_ran: Instant,
    /// The latest progress of each started partition.
    pub progress: BTreeMap<i32, PartitionProgress>,
    /// Whether intake is paused for want of room: silence is wanted then.
    pub is_paused: bool,
    /// Since when work has been in progress (computing, committing or restoring) without any of it finishing.
    pub busy_since: Option<Instant>,
    /// Clients that are replaced again and again, without a commit in between.
    pub replacements: Option<RepeatedFailure>,
    /// Transactions that were aborted again and again, by partition, without a commit of the partition's records in
    /// between.
    pub aborts: BTreeMap<i32, RepeatedFailure>,
}

#[derive(Debug, Clone)]
pub(super) struct RepeatedFailure {
    pub first: Instant,
    pub last: Instant,
    /// How often.
    pub times: u32,
    pub reason: String,
}

impl ProgressReport {
    pub fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Progress {
            loop_ran: now,
            progress: BTreeMap::new(),
            is_paused: false,
            busy_since: None,
            replacements: None,
            aborts: BTreeMap::new(),
        })))
    }

    /// The log thread has completed a loop.
    pub fn loop_ran(&self, is_busy: bool, is_paused: bool) {
        let now = Instant::now();
        let mut report = self.report();
        report.loop_ran = now;
        report.is_paused = is_paused;
        report.busy_since = if is_busy { report.busy_since.or(Some(now)) } else { None };
    }

    /// An operation has finished, successfully or not.
    pub fn finished(&self) {
        self.report().busy_since = None;
    }

    /// Records of these partitions were committed.
    pub fn committed(&self, partitions: &BTreeSet<i32>) {
        let mut report = self.report();
        report.replacements = None;
        report.aborts.retain(|partition, _| !partitions.contains(partition));
    }

    /// A transaction with records of these partitions was aborted. Only a commit of the same partitions counts as
    /// progress.
    pub fn aborted(&self, partitions: &BTreeSet<i32>, reason: &str) {
        let now = Instant::now();
        let mut report = self.report();
        for partition in partitions {
            let before = report.aborts.remove(partition).filter(|aborts| aborts.is_present(now));
            report.aborts.insert(*partition, RepeatedFailure::again(before, now, reason));
        }
    }

    /// Removes aborts of partitions that another worker owns now.
    pub fn keep_aborts_of(&self, is_owned: impl Fn(i32) -> bool) {
        let mut report = self.report();
        if !report.aborts.is_empty() {
            report.aborts.retain(|partition, _| is_owned(*partition));
        }
    }

    pub fn progress(&self, progress: BTreeMap<i32, PartitionProgress>) {
        self.report().progress = progress;
    }

    /// The clients are being replaced; returns how often in a row.
    pub fn replacing(&self, reason: &str) -> u32 {
        let now = Instant::now();
        let mut report = self.report();
        report.progress.clear();
        report.busy_since = None;
        let before = report.replacements.take().filter(|replacements| replacements.is_present(now));
        let replacements = RepeatedFailure::again(before, now, reason);
        let times = replacements.times;
        report.replacements = Some(replacements);
        times
    }

    pub(super) fn report(&self) -> MutexGuard<'_, Progress> {
        // The data is consistent even if a holder of the lock panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RepeatedFailure {
    /// A failure that has not occurred for this long is over. Longer than any delay between two retries.
    const MEMORY: Duration = Duration::from_secs(90);

    fn again(before: Option<Self>, now: Instant, reason: &str) -> Self {
        let (first, times) = before.map_or((now, 0), |replacements| (replacements.first, replacements.times));
        Self { first, last: now, times: times + 1, reason: reason.to_owned() }
    }

    pub(super) fn is_present(&self, now: Instant) -> bool {
        now.duration_since(self.last) < Self::MEMORY
    }
}
