//! Which alerts are active, and what a record changes about it. Pure: no clock, no IO.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// What identifies an alert to Alertmanager.
pub(super) type Labels = BTreeMap<String, String>;

/// What alerts are about: of one subject they replace each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A machine's state.
    Machine(String),
    /// A machine's sensors.
    Sensors(String),
    /// How a machine's sound arrives.
    Setup(String),
    /// That a machine is muted.
    Mute(String),
    /// An environment.
    Environment(String),
}

/// An active alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActiveAlert {
    /// What identifies it.
    pub labels: Labels,
    /// What it says.
    pub annotations: BTreeMap<String, String>,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself, where that is known.
    pub until: Option<Timestamp>,
}

/// An alert that begins, says something new, or has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The alert.
    pub alert: ActiveAlert,
    /// When it ended; `None` while it is active.
    pub ended: Option<Timestamp>,
}

/// An alert as `POST /api/v2/alerts` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PostedAlert {
    pub labels: Labels,
    pub annotations: BTreeMap<String, String>,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
}

impl ActiveAlert {
    /// The machine that it is of, where it is of one.
    pub fn machine(&self) -> Option<&str> {
        self.labels.get("machine").map(String::as_str)
    }

    /// Whether it inhibits other alerts of its machine, by the `inhibit_rules` of docs/alertmanager.yml.
    pub fn inhibits(&self) -> bool {
        const INHIBITING: [&str; 2] = ["AuscultMachineAcknowledged", "AuscultMachineMuted"];
        self.labels.get("alertname").is_some_and(|name| INHIBITING.contains(&name.as_str()))
    }
}

impl Change {
    /// The alert as it is posted at this time; if nobody repeats it, it ends after `hold`.
    pub fn posted(&self, now: Timestamp, hold: SignedDuration) -> PostedAlert {
        let ActiveAlert { labels, annotations, since, until } = &self.alert;
        // A gateway's clock may be ahead of ours. What has not begun cannot be shown, and what has ended must have.
        let starts_at = (*since).min(now);
        let ends_at = match self.ended {
            Some(ended) => ended.clamp(starts_at, now),
            None => until.unwrap_or(Timestamp::MAX).min(now.saturating_add(hold).unwrap_or(Timestamp::MAX)),
        };
        let (labels, annotations) = (labels.clone(), annotations.clone());
        PostedAlert { labels, annotations, starts_at, ends_at: ends_at.max(starts_at) }
    }
}

/// Every active alert. What it takes in memory follows from their number: of a healthy machine nothing is kept.
#[derive(Debug, Default)]
pub(super) struct ActiveAlerts(BTreeMap<Subject, Vec<ActiveAlert>>);

impl ActiveAlerts {
    /// From `at` on exactly these alerts of the subject are active. Gives what that changes.
    pub fn replace(&mut self, subject: &Subject, alerts: Vec<ActiveAlert>, at: Timestamp) -> Vec<Change> {
        let mut before = self.0.remove(subject).unwrap_or_default();
        let mut changes = Vec::new();
        let mut active = Vec::new();
        for mut alert in alerts {
            if let Some(known) = before.iter().position(|known| known.labels == alert.labels) {
                // It is the same alert and has been active since it began: an acknowledged alarm is no younger than the
                // alarm.
                alert.since = before.swap_remove(known).since;
            }
            changes.push(Change { alert: alert.clone(), ended: None });
            active.push(alert);
        }
        changes.extend(before.into_iter().map(|alert| Change { alert, ended: Some(at) }));
        if !active.is_empty() {
            self.0.insert(subject.clone(), active);
        }
        changes
    }

    /// Forgets what has ended by itself; Alertmanager was told when that would be.
    pub fn expire(&mut self, now: Timestamp) {
        self.0.retain(|_, alerts| {
            alerts.retain(|alert| alert.until.is_none_or(|until| until > now));
            !alerts.is_empty()
        });
    }

    /// The active alerts that inhibit the machine's others.
    pub fn inhibiting(&self, machine: &str) -> impl Iterator<Item = &ActiveAlert> {
        let of_machine = [Subject::Machine(machine.to_owned()), Subject::Mute(machine.to_owned())];
        let active = of_machine.into_iter().filter_map(|subject| self.0.get(&subject)).flatten();
        active.filter(|alert| alert.inhibits())
    }

    /// Every active alert.
    pub fn all(&self) -> impl Iterator<Item = &ActiveAlert> {
        self.0.values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    fn alert(name: &str, since: Timestamp) -> ActiveAlert {
        let labels = Labels::from([("alertname".to_owned(), name.to_owned())]);
        ActiveAlert { labels, annotations: BTreeMap::new(), since, until: None }
    }

    fn fan() -> Subject {
        Subject::Machine("fan-7".to_owned())
    }

    #[test]
    fn what_a_machine_is_no_longer_ends_and_what_it_is_begins() {
        let mut alerts = ActiveAlerts::default();
        assert_eq!(alerts.replace(&fan(), vec![alert("warning", at(0))], at(0)).len(), 1);
        let changes = alerts.replace(&fan(), vec![alert("alarm", at(5))], at(6));
        assert_eq!(
            changes,
            [
                Change { alert: alert("alarm", at(5)), ended: None },
                Change { alert: alert("warning", at(0)), ended: Some(at(6)) }
            ]
        );
        assert_eq!(alerts.replace(&fan(), Vec::new(), at(9))[0].ended, Some(at(9)));
        assert_eq!(alerts.all().count(), 0);
    }

    #[test]
    fn an_alert_that_goes_on_began_when_it_began() {
        let mut alerts = ActiveAlerts::default();
        alerts.replace(&fan(), vec![alert("alarm", at(0))], at(0));
        alerts.replace(&fan(), vec![alert("alarm", at(60)), alert("acknowledged", at(60))], at(60));
        let since: Vec<Timestamp> = alerts.all().map(|alert| alert.since).collect();
        assert_eq!(since, [at(0), at(60)]);
    }

    #[test]
    fn machines_do_not_touch_each_other_nor_a_machine_its_sensors() {
        let mut alerts = ActiveAlerts::default();
        let sensors = Subject::Sensors("fan-7".to_owned());
        alerts.replace(&fan(), vec![alert("alarm", at(0))], at(0));
        alerts.replace(&sensors, vec![alert("sensor", at(1))], at(1));
        assert_eq!(alerts.replace(&Subject::Machine("fan-8".to_owned()), Vec::new(), at(2)), []);
        assert_eq!(alerts.replace(&sensors, Vec::new(), at(2)).len(), 1);
        assert_eq!(alerts.all().count(), 1);
    }

    #[test]
    fn what_inhibits_a_machine_s_alerts_is_found_by_the_machine() {
        let mut alerts = ActiveAlerts::default();
        alerts.replace(
            &fan(),
            vec![alert("AuscultMachineAlarm", at(0)), alert("AuscultMachineAcknowledged", at(1))],
            at(1),
        );
        alerts.replace(&Subject::Mute("fan-7".to_owned()), vec![alert("AuscultMachineMuted", at(2))], at(2));
        let names = |machine: &str| -> Vec<String> {
            alerts.inhibiting(machine).map(|alert| alert.labels["alertname"].clone()).collect()
        };
        assert_eq!(names("fan-7"), ["AuscultMachineAcknowledged", "AuscultMachineMuted"]);
        assert!(names("fan-8").is_empty());
    }

    #[test]
    fn what_has_an_end_of_its_own_is_forgotten_then() {
        let mut alerts = ActiveAlerts::default();
        alerts.replace(&fan(), vec![ActiveAlert { until: Some(at(30)), ..alert("muted", at(0)) }], at(0));
        alerts.expire(at(29));
        assert_eq!(alerts.all().count(), 1);
        alerts.expire(at(30));
        assert_eq!(alerts.all().count(), 0);
    }

    #[test]
    fn what_is_active_is_posted_with_an_end_ahead_and_what_ended_with_one_that_is_past() {
        let hold = SignedDuration::from_mins(15);
        let posted = |until, ended| {
            Change { alert: ActiveAlert { until, ..alert("alarm", at(0)) }, ended }.posted(at(100), hold)
        };
        assert_eq!(posted(None, None).ends_at, at(115));
        assert_eq!(posted(Some(at(105)), None).ends_at, at(105));
        assert_eq!(posted(None, Some(at(90))).ends_at, at(90));
        // The machine's clock is ten minutes ahead of ours.
        assert_eq!(posted(None, Some(at(110))).ends_at, at(100));
        let early = Change { alert: alert("alarm", at(110)), ended: None }.posted(at(100), hold);
        assert_eq!((early.starts_at, early.ends_at), (at(100), at(115)));
    }
}
