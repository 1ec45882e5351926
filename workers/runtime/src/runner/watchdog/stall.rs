//! Detects a stall, and when it started.

use std::collections::BTreeMap;
use std::time::Instant;

use super::progress::{Progress, RepeatedFailure};

/// A worker that makes no progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stall {
    pub since: Instant,
    pub reason: String,
}

/// The last known end of a partition.
#[derive(Debug, Clone, Copy)]
struct EndMark {
    progress: Instant,
    end: i64,
    /// When the end was first seen to have advanced since the worker's last delivery.
    grown: Option<Instant>,
}

#[derive(Debug, Default)]
pub(super) struct StallDetector {
    marks: BTreeMap<i32, EndMark>,
}

impl StallDetector {
    /// The longest stall of all.
    pub fn longest_stall(
        &mut self,
        report: &Progress,
        ends: Option<&BTreeMap<i32, i64>>,
        now: Instant,
    ) -> Option<Stall> {
        let mut stalls = Vec::new();
        if let Some(ends) = ends {
            self.mark(report, ends, now);
        }
        if !report.is_paused {
            stalls.extend(self.undelivered(report));
        }
        stalls.extend(report.busy_since.map(|since| Stall {
            since,
            reason: "a batch or a restore is under way and does not end (a broker that does not answer, or a scorer that hangs)"
                .to_owned(),
        }));
        if let Some(replacements) = report.replacements.as_ref().filter(|replacements| replacements.is_present(now)) {
            let RepeatedFailure { times, reason, .. } = replacements;
            let reason =
                format!("the kafka clients were replaced {times} times without a commit, last because: {reason}");
            stalls.push(Stall { since: replacements.first, reason });
        }
        for (partition, aborts) in report.aborts.iter().filter(|(_, aborts)| aborts.is_present(now)) {
            let RepeatedFailure { times, reason, .. } = aborts;
            let reason = format!(
                "partition {partition}: {times} aborts in a row and no commit in between, last because: {reason}"
            );
            stalls.push(Stall { since: aborts.first, reason });
        }
        stalls.push(Stall {
            since: report.loop_ran,
            reason: "the log thread hangs in a call of the kafka client".to_owned(),
        });
        stalls.into_iter().min_by_key(|stall| stall.since)
    }

    fn mark(&mut self, report: &Progress, ends: &BTreeMap<i32, i64>, now: Instant) {
        self.marks.retain(|partition, _| report.progress.contains_key(partition));
        for (partition, progress) in &report.progress {
            let Some(&end) = ends.get(partition) else { continue };
            match self.marks.get_mut(partition) {
                Some(mark) if mark.progress == progress.at => {
                    if end > mark.end && mark.grown.is_none() {
                        mark.grown = Some(now);
                    }
                }
                _ => {
                    self.marks.insert(*partition, EndMark { progress: progress.at, end, grown: None });
                }
            }
        }
    }

    /// Partitions with records that are not delivered. Between a position and the end there may be only transaction
    /// markers; then the consumer has reported the end, and only later records count.
    fn undelivered(&self, report: &Progress) -> Vec<Stall> {
        let mut stalls = Vec::new();
        for (partition, progress) in &report.progress {
            let Some(mark) = self.marks.get(partition).filter(|mark| mark.progress == progress.at) else { continue };
            let since =
                if progress.is_caught_up { mark.grown } else { (mark.end > progress.position).then_some(progress.at) };
            stalls.extend(since.map(|since| Stall {
                since,
                reason: format!(
                    "partition {partition} has records from offset {} on that the consumer does not deliver",
                    progress.position
                ),
            }));
        }
        stalls
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::super::progress::ProgressReport;
    use super::*;
    use crate::ports::PartitionProgress;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    struct Fixture {
        start: Instant,
        report: Progress,
        watch: StallDetector,
    }

    impl Fixture {
        fn new() -> Self {
            let start = Instant::now();
            let report = ProgressReport::new(start).report().clone();
            Self { start, report, watch: StallDetector::default() }
        }

        fn hears(&mut self, at: u64, position: i64, is_caught_up: bool) {
            self.report.progress.insert(0, PartitionProgress { position, at: self.start + secs(at), is_caught_up });
        }

        /// How long the worker has been standing still.
        fn longest_stall(&mut self, at: u64, end: i64) -> u64 {
            let now = self.start + secs(at);
            self.report.loop_ran = now;
            let stall = self.watch.longest_stall(&self.report, Some(&BTreeMap::from([(0, end)])), now);
            stall.map_or(0, |stall| now.duration_since(stall.since).as_secs())
        }
    }

    #[test]
    fn a_consumer_that_is_at_the_end_is_idle_and_not_stalled() {
        let mut fixture = Fixture::new();
        fixture.hears(0, 10, true);
        assert_eq!(fixture.longest_stall(1, 10), 0);
        assert_eq!(fixture.longest_stall(100, 10), 0);
    }

    #[test]
    fn markers_behind_the_last_record_are_no_stall() {
        let mut fixture = Fixture::new();
        fixture.hears(0, 10, true);
        assert_eq!(fixture.longest_stall(1, 11), 0);
        assert_eq!(fixture.longest_stall(100, 11), 0);
    }

    #[test]
    fn records_that_are_not_delivered_are_a_stall_from_when_they_came() {
        let mut fixture = Fixture::new();
        fixture.hears(0, 10, true);
        assert_eq!(fixture.longest_stall(5, 10), 0);
        assert_eq!(fixture.longest_stall(10, 12), 0);
        assert_eq!(fixture.longest_stall(40, 90), 30);
        fixture.hears(41, 90, true);
        assert_eq!(fixture.longest_stall(42, 90), 0);
    }

    #[test]
    fn a_consumer_that_stops_in_the_middle_is_a_stall() {
        let mut fixture = Fixture::new();
        fixture.hears(0, 10, false);
        assert_eq!(fixture.longest_stall(20, 12), 20);
    }

    #[test]
    fn silence_of_a_paused_consumer_is_wanted_but_a_batch_that_never_ends_is_not() {
        let mut fixture = Fixture::new();
        fixture.hears(0, 10, false);
        fixture.report.is_paused = true;
        assert_eq!(fixture.longest_stall(20, 12), 0);
        fixture.report.busy_since = Some(fixture.start + secs(5));
        assert_eq!(fixture.longest_stall(30, 12), 25);
    }

    #[test]
    fn clients_that_are_replaced_again_and_again_are_a_stall_until_they_hold() {
        let mut fixture = Fixture::new();
        let at = |secs_later| fixture.start + secs(secs_later);
        fixture.report.replacements =
            Some(RepeatedFailure { first: at(0), last: at(50), times: 7, reason: "no such topic".to_owned() });
        assert_eq!(fixture.longest_stall(60, 0), 60);
        assert_eq!(fixture.longest_stall(150, 0), 0);
    }

    #[test]
    fn aborts_without_a_commit_are_a_stall_whatever_other_partitions_commit() {
        let report = ProgressReport::new(Instant::now());
        let (poisoned, both) = (BTreeSet::from([3]), BTreeSet::from([1, 3]));
        report.aborted(&both, "INVALID_TIMESTAMP");
        report.committed(&BTreeSet::from([1]));
        report.aborted(&poisoned, "INVALID_TIMESTAMP");
        let mut fixture = Fixture::new();
        fixture.report = report.report().clone();
        let started = fixture.report.aborts[&3].first;
        fixture.start = started;
        fixture.report.aborts.get_mut(&3).unwrap().last = started + secs(70);
        assert_eq!(fixture.report.aborts.keys().collect::<Vec<_>>(), [&3]);
        assert_eq!(fixture.longest_stall(61, 0), 61);
        fixture.report.loop_ran = started + secs(61);
        let stall = fixture.watch.longest_stall(&fixture.report, None, started + secs(61)).unwrap();
        assert!(
            stall.reason.contains("partition 3: 2 aborts") && stall.reason.contains("INVALID_TIMESTAMP"),
            "{stall:?}"
        );

        report.keep_aborts_of(|partition| partition != 3);
        assert!(report.report().aborts.is_empty(), "it is another worker's");
        report.aborted(&poisoned, "again");
        report.committed(&poisoned);
        assert!(report.report().aborts.is_empty());
    }

    #[test]
    fn a_log_thread_that_hangs_is_a_stall() {
        let mut fixture = Fixture::new();
        let now = fixture.start + secs(70);
        let stall = fixture.watch.longest_stall(&fixture.report, None, now).unwrap();
        assert_eq!(now.duration_since(stall.since), secs(70));
    }
}
