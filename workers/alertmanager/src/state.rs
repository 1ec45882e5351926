//! The state of the bridge: active alerts, and changes not yet posted to Alertmanager. No IO.

use std::collections::{BTreeMap, BTreeSet};

use auscult_runtime::record::Record;
use auscult_schemas::topics::AUDIT;
use auscult_schemas::{Alert, AlertKind, Audit, AuditAction, ControlAction};
use jiff::{SignedDuration, Timestamp};

use super::active_alerts::{ActiveAlert, ActiveAlerts, Change, Labels, Subject};
use super::alerts;
use super::config::AlertmanagerConfig;
use super::environment::EnvironmentReports;

/// The active alerts, and the changes not yet posted to Alertmanager.
pub(super) struct BridgeState<'a> {
    labels: &'a Labels,
    /// How long an environment change stays active.
    environment_shown: SignedDuration,
    environments: BTreeMap<String, EnvironmentReports>,
    active: ActiveAlerts,
    /// The latest change of each alert.
    pending: BTreeMap<Labels, Change>,
    /// When each machine was last retired.
    retired: BTreeMap<String, Timestamp>,
    /// The time of the latest alert about a machine's sensors or recording setup.
    latest_alert: BTreeMap<Subject, Timestamp>,
}

impl<'a> BridgeState<'a> {
    pub fn new(config: &'a AlertmanagerConfig) -> Self {
        let shown_secs = i64::try_from(config.environment_secs).unwrap_or(i64::MAX);
        Self {
            labels: &config.labels,
            environment_shown: SignedDuration::from_secs(shown_secs),
            environments: BTreeMap::new(),
            active: ActiveAlerts::default(),
            pending: BTreeMap::new(),
            retired: BTreeMap::new(),
            latest_alert: BTreeMap::new(),
        }
    }

    /// Applies a record; if it is new, its changes are queued for delivery.
    pub fn read(&mut self, record: &Record, is_new: bool, now: Timestamp) -> Result<(), String> {
        let value = record.value.as_deref().unwrap_or_default();
        let unreadable = |error: serde_json::Error| error.to_string();
        let mut changes = Vec::new();
        let (subject_alerts, at) = if record.coordinates.topic == AUDIT {
            let audit: Audit = serde_json::from_slice(value).map_err(unreadable)?;
            if audit.action == AuditAction::Control(ControlAction::Retire) {
                changes = self.retire(audit.machine.as_str(), audit.time);
            }
            (Some(alerts::of_audit(&audit, self.labels)), audit.time)
        } else {
            let alert: Alert = serde_json::from_slice(value).map_err(unreadable)?;
            let machine = alert.machine.as_str();
            let sensors_or_setup = match alert.kind {
                AlertKind::Sensor => Some(Subject::Sensors(machine.to_owned())),
                AlertKind::Setup => Some(Subject::Setup(machine.to_owned())),
                AlertKind::Machine | AlertKind::Environment => None,
            };
            if let Some(subject) = sensors_or_setup {
                if self.retired.get(machine).is_some_and(|retired| *retired >= alert.time) {
                    return Ok(());
                }
                self.latest_alert.insert(subject, alert.time);
            }
            let subject_alerts = match alert.kind {
                AlertKind::Environment => self.environment(&alert, record, now)?,
                AlertKind::Machine | AlertKind::Sensor | AlertKind::Setup => alerts::of_machine(&alert, self.labels),
            };
            (subject_alerts, alert.time)
        };
        let Some((subject, alerts)) = subject_alerts else { return Ok(()) };
        changes.extend(self.active.replace(&subject, alerts, at));
        if is_new {
            self.pending.extend(changes.into_iter().map(|change| (change.alert.labels.clone(), change)));
        }
        Ok(())
    }

    /// Ends the alerts about the machine's sensors and recording setup. The two topics are read in no fixed order
    /// relative to each other: an earlier alert that is read later does not start again, and a later alert stays
    /// active.
    fn retire(&mut self, machine: &str, at: Timestamp) -> Vec<Change> {
        let latest = self.retired.entry(machine.to_owned()).or_insert(at);
        *latest = (*latest).max(at);
        let mut changes = Vec::new();
        for subject in [Subject::Sensors(machine.to_owned()), Subject::Setup(machine.to_owned())] {
            if self.latest_alert.get(&subject).is_none_or(|latest| *latest <= at) {
                changes.extend(self.active.replace(&subject, Vec::new(), at));
            }
        }
        changes
    }

    fn environment(
        &mut self,
        alert: &Alert,
        record: &Record,
        now: Timestamp,
    ) -> Result<Option<(Subject, Vec<ActiveAlert>)>, String> {
        let report = alert.environment.clone().ok_or("an environment's alert does not say what has changed")?;
        // The time of writing, so that a restarted bridge shows it no longer than the previous one.
        let written = record.timestamp_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(now);
        let reports = self.environments.entry(report.environment.clone()).or_default();
        let merged = reports.add(record.coordinates.partition, report, written.min(now));
        Ok(merged.map(|(change, latest)| {
            let until = latest.saturating_add(self.environment_shown).unwrap_or(Timestamp::MAX);
            alerts::of_environment(&change, until, self.labels)
        }))
    }

    /// Queues every active alert to be posted again. For an alert that has just changed, the change is enough.
    pub fn enqueue_all(&mut self) {
        for alert in self.active.all() {
            let change = Change { alert: alert.clone(), ended: None };
            self.pending.entry(alert.labels.clone()).or_insert(change);
        }
    }

    /// Adds the alerts that inhibit each machine with a pending alert: an Alertmanager that was restarted does not know
    /// that the machine is muted.
    fn enqueue_inhibitors(&mut self) {
        let machines: BTreeSet<String> =
            self.pending.values().filter_map(|change| change.alert.labels.get("machine").cloned()).collect();
        for machine in machines {
            for alert in self.active.inhibiting(&machine) {
                let change = Change { alert: alert.clone(), ended: None };
                self.pending.entry(alert.labels.clone()).or_insert(change);
            }
        }
    }

    /// The changes to post now, with the alerts that inhibit them.
    pub fn changes_to_post(&mut self) -> Vec<Change> {
        self.enqueue_inhibitors();
        self.pending.values().cloned().collect()
    }

    /// Clears the pending changes after they were posted.
    pub fn clear_pending(&mut self) {
        self.pending.clear();
    }

    /// Number of changes not yet posted.
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// Removes alerts that have expired.
    pub fn expire(&mut self, now: Timestamp) {
        self.active.expire(now);
    }

    /// The active alerts.
    pub fn active(&self) -> &ActiveAlerts {
        &self.active
    }
}

#[cfg(test)]
mod tests {
    use auscult_schemas::topics::ALERTS;
    use auscult_schemas::{Headers, RecordCoordinates};

    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-03-14T{text}Z").parse().unwrap()
    }

    fn record(topic: &str, partition: i32, offset: i64, value: &serde_json::Value) -> Record {
        Record {
            coordinates: RecordCoordinates { topic: topic.to_owned(), partition, offset },
            key: None,
            value: Some(value.to_string().into()),
            headers: Headers::default(),
            timestamp_ms: Some(at("09:10:00").as_millisecond()),
        }
    }

    fn state_alert(machine: &str, state: &str, time: &str) -> serde_json::Value {
        serde_json::json!({
            "id": "1", "machine": machine, "time": at(time).to_string(), "state": state, "previous_state": "healthy",
            "since": at(time).to_string(), "chunk_id": "c", "score": 4.5, "threshold": 3.0, "p_value": 1e-6, "bands": [],
            "model": {"id": "m", "version": "v1"}
        })
    }

    fn environment(machine: &str, affected: u32) -> serde_json::Value {
        let mut message = state_alert(machine, "healthy", "09:10:00");
        message["kind"] = "environment".into();
        message["environment"] = serde_json::json!({
            "environment": machine, "machines_affected": affected, "machines_heard": affected + 1, "since": at("09:00:00").to_string()
        });
        message
    }

    fn pending(state: &BridgeState<'_>) -> Vec<String> {
        let named = state.pending.values().map(|change| {
            let what = if change.ended.is_some() { "ended" } else { "active" };
            format!("{} {what}", change.alert.labels["alertname"])
        });
        named.collect()
    }

    #[test]
    fn what_was_delivered_before_a_restart_is_known_and_only_what_is_active_is_posted() {
        let config = AlertmanagerConfig::default();
        let mut state = BridgeState::new(&config);
        let now = at("10:00:00");
        state.read(&record(ALERTS, 0, 0, &state_alert("fan-1", "alarm", "08:00:00")), false, now).unwrap();
        state.read(&record(ALERTS, 0, 1, &state_alert("fan-2", "warning", "08:30:00")), false, now).unwrap();
        state.read(&record(ALERTS, 0, 2, &state_alert("fan-2", "healthy", "08:40:00")), false, now).unwrap();
        assert_eq!(pending(&state), [""; 0]);
        // This one nobody has posted yet, so that it must be told of, though nothing stands any more.
        state.read(&record(ALERTS, 0, 3, &state_alert("fan-1", "healthy", "09:00:00")), true, now).unwrap();
        state.enqueue_all();
        assert_eq!(pending(&state), ["AuscultMachineAlarm ended"]);
    }

    #[test]
    fn two_partitions_that_report_one_change_of_environment_make_one_alert() {
        let config = AlertmanagerConfig::default();
        let mut state = BridgeState::new(&config);
        let now = at("09:11:00");
        state.read(&record(ALERTS, 0, 0, &environment("plant/hall-2", 5)), true, now).unwrap();
        state.read(&record(ALERTS, 1, 0, &environment("plant/hall-2", 7)), true, now).unwrap();
        assert_eq!(pending(&state), ["AuscultEnvironmentChanged active"]);
        let alert = &state.pending.values().next().unwrap().alert;
        assert!(alert.annotations["summary"].starts_with("12 of 14 machines"), "{:?}", alert.annotations);
    }

    fn sensor(machine: &str, time: &str) -> serde_json::Value {
        let mut message = state_alert(machine, "healthy", time);
        message["kind"] = "sensor".into();
        message["sensor_faults"] = serde_json::json!([{"channel": 0, "flags": ["silent"]}]);
        message
    }

    fn retirement(machine: &str, time: &str) -> serde_json::Value {
        let judging = serde_json::json!({"state": "learning", "threshold": 3.0, "muted": false});
        serde_json::json!({
            "id": "r", "machine": machine, "time": at(time).to_string(), "by": "anna", "action": {"control": "retire"},
            "before": judging, "after": judging, "model": {"id": "m", "version": "v1"}
        })
    }

    #[test]
    fn the_sensors_of_a_retired_machine_are_at_fault_no_longer_whichever_topic_is_read_first() {
        let config = AlertmanagerConfig::default();
        let (before, retired, after) =
            (sensor("fan-1", "08:00:00"), retirement("fan-1", "09:00:00"), sensor("fan-1", "09:30:00"));
        let active = |records: &[(&str, &serde_json::Value)]| {
            let mut state = BridgeState::new(&config);
            for (topic, value) in records {
                state.read(&record(topic, 0, 0, value), true, at("10:00:00")).unwrap();
            }
            state.active.all().count()
        };
        assert_eq!(active(&[(ALERTS, &before)]), 1);
        assert_eq!(active(&[(ALERTS, &before), (AUDIT, &retired)]), 0);
        assert_eq!(active(&[(AUDIT, &retired), (ALERTS, &before)]), 0);
        // It is back, with the microphone that it had.
        assert_eq!(active(&[(ALERTS, &before), (AUDIT, &retired), (ALERTS, &after)]), 1);
        assert_eq!(active(&[(ALERTS, &before), (ALERTS, &after), (AUDIT, &retired)]), 1);
    }

    #[test]
    fn a_record_that_is_no_message_of_ours_changes_nothing() {
        let config = AlertmanagerConfig::default();
        let mut state = BridgeState::new(&config);
        for poison in [serde_json::json!({"machine": "fan-1"}), serde_json::json!("Dear Sir or Madam")] {
            for topic in [ALERTS, AUDIT] {
                state.read(&record(topic, 0, 0, &poison), true, at("09:00:00")).unwrap_err();
            }
        }
        assert_eq!(pending(&state), [""; 0]);
    }
}
