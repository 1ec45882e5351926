//! Merges the reports of one environment change from all partitions that have its machines.

use std::collections::BTreeMap;

use auscult_schemas::EnvironmentChange;
use jiff::{SignedDuration, Timestamp};

/// Reports that start within this time of each other belong to the same change.
const SAME_CHANGE: SignedDuration = SignedDuration::from_hours(1);

/// The reports of an environment's latest change, by partition.
#[derive(Debug, Default)]
pub(super) struct EnvironmentReports {
    /// The latest report of each partition.
    by_partition: BTreeMap<i32, EnvironmentChange>,
    /// When the last report was read.
    latest: Timestamp,
}

impl EnvironmentReports {
    /// Adds a partition's report, read at `read_at`. Returns `None` if it belongs to a change before the known one,
    /// because partitions are read in no fixed order. Otherwise returns the change merged from all reports, and the
    /// time when the last report was read.
    pub fn add(
        &mut self,
        partition: i32,
        report: EnvironmentChange,
        read_at: Timestamp,
    ) -> Option<(EnvironmentChange, Timestamp)> {
        let known = self.by_partition.values().map(|known| known.since).min();
        let distance = known.map_or(SignedDuration::ZERO, |known| report.since.duration_since(known));
        if distance < -SAME_CHANGE {
            return None;
        }
        if distance > SAME_CHANGE {
            self.by_partition.clear();
            self.latest = read_at;
        }
        let environment = report.environment.clone();
        self.by_partition.insert(partition, report);
        self.latest = self.latest.max(read_at);

        let reports = || self.by_partition.values();
        let change = EnvironmentChange {
            environment,
            machines_affected: reports().map(|report| report.machines_affected).fold(0, u32::saturating_add),
            machines_heard: reports().map(|report| report.machines_heard).fold(0, u32::saturating_add),
            since: reports().map(|report| report.since).min()?,
        };
        Some((change, self.latest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    fn report(affected: u32, heard: u32, minute: i64) -> EnvironmentChange {
        let environment = "plant/hall-2".to_owned();
        EnvironmentChange { environment, machines_affected: affected, machines_heard: heard, since: at(minute) }
    }

    #[test]
    fn partitions_reports_of_one_change_add_up_and_the_earliest_says_since_when() {
        let mut reports = EnvironmentReports::default();
        reports.add(0, report(5, 6, 10), at(30)).unwrap();
        let (change, latest) = reports.add(3, report(4, 4, 5), at(40)).unwrap();
        assert_eq!((change, latest), (report(9, 10, 5), at(40)));
        // The same once more, as after a restart, adds nothing.
        let (again, _) = reports.add(3, report(4, 4, 5), at(40)).unwrap();
        assert_eq!(again, report(9, 10, 5));
    }

    #[test]
    fn a_later_change_replaces_an_earlier_one_in_whatever_order_they_are_read() {
        let mut reports = EnvironmentReports::default();
        reports.add(0, report(5, 6, 0), at(1)).unwrap();
        assert_eq!(reports.add(0, report(6, 6, 600), at(601)).unwrap(), (report(6, 6, 600), at(601)));
        assert!(reports.add(1, report(4, 4, 2), at(3)).is_none());
        assert_eq!(reports.add(1, report(4, 4, 602), at(603)).unwrap().0, report(10, 10, 600));
    }
}
