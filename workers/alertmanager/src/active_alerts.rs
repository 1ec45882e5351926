//! The active alerts, and how a record changes them. Pure: no clock, no IO.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// The labels that identify an alert in Alertmanager.
pub(super) type Labels = BTreeMap<String, String>;

/// What alerts are about. Alerts of the same subject replace each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A machine's state.
    Machine(String),
    /// A machine's sensors.
    Sensors(String),
    /// A machine's recording setup.
    Setup(String),
    /// The muting of a machine.
    Mute(String),
    /// An environment.
    Environment(String),
}

/// An active alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActiveAlert {
    /// Its labels, which identify it.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its start.
    pub since: Timestamp,
    /// When it expires, if known.
    pub until: Option<Timestamp>,
}

/// An alert that started, changed or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The alert.
    pub alert: ActiveAlert,
    /// When it ended; `None` while it is active.
    pub ended: Option<Timestamp>,
}

/// An alert in the format of `POST /api/v2/alerts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PostedAlert {
    pub labels: Labels,
    pub annotations: BTreeMap<String, String>,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
}

impl ActiveAlert {
    /// The machine of the alert, if any.
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
    /// The alert as posted at this time; if it is not repeated, it ends after `hold`.
    pub fn posted(&self, now: Timestamp, hold: SignedDuration) -> PostedAlert {
        let ActiveAlert { labels, annotations, since, until } = &self.alert;
        // A gateway's clock may be ahead of ours. An alert must not start in the future, and must end after its start.
        let starts_at = (*since).min(now);
        let ends_at = match self.ended {
            Some(ended) => ended.clamp(starts_at, now),
            None => until.unwrap_or(Timestamp::MAX).min(now.saturating_add(hold).unwrap_or(Timestamp::MAX)),
        };
        let (labels, annotations) = (labels.clone(), annotations.clone());
        PostedAlert { labels, annotations, starts_at, ends_at: ends_at.max(starts_at) }
    }
}

/// All active alerts. Memory use depends on their number: nothing is kept for a healthy machine.
#[derive(Debug, Default)]
pub(super) struct ActiveAlerts(BTreeMap<Subject, Vec<ActiveAlert>>);

impl ActiveAlerts {
    /// Makes exactly these alerts of the subject active from `at` on. Returns the changes.
    pub fn replace(&mut self, subject: &Subject, alerts: Vec<ActiveAlert>, at: Timestamp) -> Vec<Change> {
        let mut before = self.0.remove(subject).unwrap_or_default();
        let mut changes = Vec::new();
        let mut active = Vec::new();
        for mut alert in alerts {
            if let Some(known) = before.iter().position(|known| known.labels == alert.labels) {
                // The alert stays the same and keeps its start: an acknowledged alarm is as old as the alarm.
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

    /// Removes expired alerts; Alertmanager already knows their end time.
    pub fn expire(&mut self, now: Timestamp) {
        self.0.retain(|_, alerts| {
            alerts.retain(|alert| alert.until.is_none_or(|until| until > now));
            !alerts.is_empty()
        });
    }

    /// The active alerts that inhibit the machine's other alerts.
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
