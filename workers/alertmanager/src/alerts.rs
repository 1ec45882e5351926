//! Converts records to Alertmanager alerts: labels, which identify and route an alert, and annotations, which are shown
//! to people.

use std::collections::BTreeMap;

use auscult_detection::words;
use auscult_schemas::{Alert, AlertKind, Audit, EnvironmentChange, MachineState};
use jiff::Timestamp;

use super::active_alerts::{ActiveAlert, Labels, Subject};

/// Maximum length of an annotation, characters; longer text is truncated.
const LONGEST: usize = 2_000;

/// Severity for routing: `critical` notifies immediately, `warning` later, `info` nobody (it inhibits others).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Critical,
    Warning,
    Info,
}

/// One kind of alert.
#[derive(Debug, Clone, Copy)]
struct Name {
    alertname: &'static str,
    kind: &'static str,
    state: Option<&'static str>,
    severity: Severity,
}

const fn machine(alertname: &'static str, state: &'static str, severity: Severity) -> Name {
    Name { alertname, kind: "machine", state: Some(state), severity }
}

const ALARM: Name = machine("AuscultMachineAlarm", "alarm", Severity::Critical);
const WARNING: Name = machine("AuscultMachineWarning", "warning", Severity::Warning);
const ACKNOWLEDGED: Name = machine("AuscultMachineAcknowledged", "acknowledged", Severity::Info);
const MUTED: Name = Name { state: None, ..machine("AuscultMachineMuted", "", Severity::Info) };
const SILENT: Name = machine("AuscultMachineSilent", "silent", Severity::Warning);
/// The machine was in alarm before: it may have stopped because it broke.
const SILENT_AFTER_ALARM: Name = Name { severity: Severity::Critical, ..SILENT };
const SENSOR: Name = Name { kind: "sensor", ..machine("AuscultSensorFault", "sensor_fault", Severity::Warning) };
/// No sensor receives the machine: a fault of the machine would not be detected.
const ALL_SENSORS: Name = Name { severity: Severity::Critical, ..SENSOR };
/// The machine is not scored, or it is unknown whether a sensor receives it.
const SETUP: Name = Name { alertname: "AuscultSetupFault", kind: "setup", state: None, severity: Severity::Warning };
/// The machine is still scored: information about the recorder only.
const SETUP_NOTE: Name = Name { severity: Severity::Info, ..SETUP };
const ENVIRONMENT: Name =
    Name { alertname: "AuscultEnvironmentChanged", kind: "environment", state: None, severity: Severity::Warning };

/// Alert names, for metrics.
pub(super) const ALERTNAMES: [&str; 8] = [
    ALARM.alertname,
    WARNING.alertname,
    ACKNOWLEDGED.alertname,
    MUTED.alertname,
    SILENT.alertname,
    SENSOR.alertname,
    SETUP.alertname,
    ENVIRONMENT.alertname,
];

impl Name {
    fn labels(self, machine: Option<&str>, environment: &str, own: &BTreeMap<String, String>) -> Labels {
        let severity = match self.severity {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        let mut labels = own.clone();
        let mut set = |name: &str, value: &str| {
            // Alertmanager treats a label with an empty value as missing.
            if !value.is_empty() {
                labels.insert(name.to_owned(), value.to_owned());
            }
        };
        set("alertname", self.alertname);
        set("kind", self.kind);
        set("severity", severity);
        set("state", self.state.unwrap_or_default());
        set("machine", machine.unwrap_or_default());
        set("environment", environment);
        labels
    }
}

/// The environment of a machine: the part of its id before the last `/`.
fn environment_of(machine: &str) -> &str {
    machine.rsplit_once('/').map_or("", |(environment, _)| environment)
}

/// Converts an alert about a machine or its sensors: the subject, and all alerts of it that are active from now on.
/// `None` if the alert does not change them, such as an alert about an environment.
pub(super) fn of_machine(alert: &Alert, own: &BTreeMap<String, String>) -> Option<(Subject, Vec<ActiveAlert>)> {
    let machine = alert.machine.as_str();
    let active = |name: Name, summary: String| ActiveAlert {
        labels: name.labels(Some(machine), environment_of(machine), own),
        annotations: annotations(alert, summary),
        since: alert.since,
        until: None,
    };
    let sensor = words::sensor(alert.quantity);
    if alert.kind == AlertKind::Sensor {
        let subject = Subject::Sensors(machine.to_owned());
        let alerts = match (alert.sensor_faults.len(), alert.state) {
            (0, _) => Vec::new(),
            (_, MachineState::SensorFault) => vec![active(ALL_SENSORS, format!("no {sensor} hears {machine}"))],
            (1, _) => vec![active(SENSOR, format!("a {sensor} of {machine} is at fault"))],
            (count, _) => vec![active(SENSOR, format!("{count} {sensor}s of {machine} are at fault"))],
        };
        return Some((subject, alerts));
    }
    if alert.kind == AlertKind::Setup {
        let subject = Subject::Setup(machine.to_owned());
        let alerts = match (alert.notes.len(), alert.state) {
            (0, _) => Vec::new(),
            (_, MachineState::SetupFault) => {
                vec![active(SETUP, format!("{machine} is not judged: its sound arrives otherwise than learned"))]
            }
            (_, MachineState::Idle) => vec![active(SETUP, format!("{machine} is hardly heard: is it at rest?"))],
            _ => vec![active(SETUP_NOTE, format!("there is something to know of how {machine} is recorded"))],
        };
        return Some((subject, alerts));
    }
    if alert.kind == AlertKind::Environment {
        return None;
    }
    let alarm = || active(ALARM, format!("{machine} sounds otherwise than in training, and goes on to"));
    let alerts = match alert.state {
        MachineState::Alarm => vec![alarm()],
        // The alarm stays active until the machine sounds normal; the acknowledgement holds notifications back.
        MachineState::Acknowledged => {
            let who = alert.by.as_deref().unwrap_or("somebody");
            vec![alarm(), active(ACKNOWLEDGED, format!("{who} has acknowledged the alarm of {machine}"))]
        }
        MachineState::Warning => vec![active(WARNING, format!("{machine} sounds otherwise at times"))],
        MachineState::Silent => {
            let was_alarmed = matches!(alert.previous_state, MachineState::Alarm | MachineState::Acknowledged);
            let name = if was_alarmed { SILENT_AFTER_ALARM } else { SILENT };
            vec![active(name, format!("nothing more is heard of {machine}"))]
        }
        MachineState::Learning | MachineState::Healthy | MachineState::Maintenance => Vec::new(),
        // These states do not change the alerts about the machine itself.
        MachineState::SensorFault | MachineState::SetupFault | MachineState::Idle => return None,
    };
    Some((Subject::Machine(machine.to_owned()), alerts))
}

fn annotations(alert: &Alert, summary: String) -> BTreeMap<String, String> {
    let bands: Vec<String> = alert.bands.iter().map(|band| words::frequencies(band.hz_low, band.hz_high)).collect();
    let description = alert.explanation.clone().unwrap_or_else(|| words::alert(alert));
    let judgement = alert.score.map(|_| alert.threshold.to_string());
    let parts = [
        ("summary", Some(summary)),
        ("description", Some(description)),
        ("since", Some(alert.since.to_string())),
        ("score", alert.score.map(|score| score.to_string())),
        ("threshold", judgement),
        ("p_value", alert.p_value.map(|p_value| format!("{p_value:.2e}"))),
        ("bands", Some(bands.join(", "))),
        ("classification", alert.classification.map(|classification| classification.as_str().to_owned())),
        ("previous_state", Some(alert.previous_state.as_str().to_owned())),
        ("by", alert.by.clone()),
        ("chunk_id", Some(alert.chunk_id.to_string())),
        ("model", Some(alert.model.id.to_string())),
    ];
    let said = parts.into_iter().filter_map(|(name, text)| {
        let text = text.filter(|text| !text.is_empty())?;
        Some((name.to_owned(), shortened(&text)))
    });
    said.collect()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A change of environment, merged from all partitions; active until the given time.
pub(super) fn of_environment(
    change: &EnvironmentChange,
    until: Timestamp,
    own: &BTreeMap<String, String>,
) -> (Subject, Vec<ActiveAlert>) {
    let EnvironmentChange { environment, machines_affected, machines_heard, since } = change;
    let place = if environment.is_empty() { String::new() } else { format!(" of {environment}") };
    let counts = format!("{machines_affected} of {machines_heard} machines{place}");
    let annotations = BTreeMap::from([
        ("summary".to_owned(), format!("{counts} have come to sound otherwise at about the same time")),
        (
            "description".to_owned(),
            format!(
                "{counts} sound otherwise since {}: a change of their surroundings, and no fault of each; \
                 their levels are being learnt anew",
                words::time(*since, *since)
            ),
        ),
        ("since".to_owned(), since.to_string()),
    ]);
    // The common name of machines without an environment, as in the messages.
    let name = if environment.is_empty() { "*" } else { environment };
    let labels = ENVIRONMENT.labels(None, name, own);
    let alert = ActiveAlert { labels, annotations, since: *since, until: Some(until) };
    (Subject::Environment(environment.clone()), vec![alert])
}

/// Converts an audit record about muting a machine.
pub(super) fn of_audit(audit: &Audit, own: &BTreeMap<String, String>) -> (Subject, Vec<ActiveAlert>) {
    let machine = audit.machine.as_str();
    let mut alerts = Vec::new();
    if audit.after.muted {
        let annotations = BTreeMap::from([
            ("summary".to_owned(), format!("{machine} is muted")),
            ("by".to_owned(), audit.by.clone()),
            ("since".to_owned(), audit.time.to_string()),
        ]);
        let labels = MUTED.labels(Some(machine), environment_of(machine), own);
        alerts.push(ActiveAlert { labels, annotations, since: audit.time, until: audit.after.muted_until });
    }
    (Subject::Mute(machine.to_owned()), alerts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it stands in the topic, with whatever a test changes.
    fn alert(changes: &serde_json::Value) -> Alert {
        let mut message = serde_json::json!({
            "id": "1", "machine": "plant/hall-2/fan-7", "time": "2026-03-14T09:10:00Z", "state": "alarm",
            "previous_state": "healthy", "since": "2026-03-14T09:00:00Z", "chunk_id": "c", "score": 4.5,
            "threshold": 3.0, "p_value": 1e-6, "explanation": "+9 dB around 2.1–2.6 kHz",
            "bands": [{"hz_low": 2110.0, "hz_high": 2590.0, "share": 0.4}],
            "model": {"id": "m", "version": "v1"}
        });
        for (name, value) in changes.as_object().unwrap() {
            message[name] = value.clone();
        }
        serde_json::from_value(message).unwrap()
    }

    fn said(changes: &serde_json::Value) -> Vec<String> {
        let (_, alerts) = of_machine(&alert(changes), &BTreeMap::new()).unwrap();
        let labels = alerts.iter().map(|alert| &alert.labels);
        labels.map(|labels| format!("{} {}", labels["alertname"], labels["severity"])).collect()
    }

    #[test]
    fn an_alarm_is_told_by_its_machine_and_says_why() {
        let own = BTreeMap::from([("site".to_owned(), "graz".to_owned())]);
        let (_, alerts) = of_machine(&alert(&serde_json::json!({})), &own).unwrap();
        let labels: Vec<(&str, &str)> =
            alerts[0].labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [
            ("alertname", "AuscultMachineAlarm"),
            ("environment", "plant/hall-2"),
            ("kind", "machine"),
            ("machine", "plant/hall-2/fan-7"),
            ("severity", "critical"),
            ("site", "graz"),
            ("state", "alarm"),
        ];
        assert_eq!(labels, expected);
        assert_eq!(alerts[0].annotations["description"], "+9 dB around 2.1–2.6 kHz");
        assert_eq!(alerts[0].annotations["bands"], "2.1–2.6 kHz");
        assert_eq!(alerts[0].annotations["p_value"], "1.00e-6");
    }

    #[test]
    fn every_state_has_its_alerts() {
        let state =
            |state: &str, previous: &str| said(&serde_json::json!({"state": state, "previous_state": previous}));
        assert_eq!(state("warning", "healthy"), ["AuscultMachineWarning warning"]);
        assert_eq!(state("alarm", "warning"), ["AuscultMachineAlarm critical"]);
        assert_eq!(state("acknowledged", "alarm"), ["AuscultMachineAlarm critical", "AuscultMachineAcknowledged info"]);
        assert_eq!(state("silent", "healthy"), ["AuscultMachineSilent warning"]);
        assert_eq!(state("silent", "alarm"), ["AuscultMachineSilent critical"]);
        for quiet in ["learning", "healthy", "maintenance"] {
            assert_eq!(state(quiet, "alarm"), [""; 0]);
        }
    }

    #[test]
    fn sensors_have_alerts_of_their_own_that_leave_the_machine_s_alone() {
        let fault = |channels: &[usize], state: &str| {
            let faults: Vec<_> =
                channels.iter().map(|channel| serde_json::json!({"channel": channel, "flags": ["silent"]})).collect();
            serde_json::json!({"kind": "sensor", "state": state, "sensor_faults": faults})
        };
        assert_eq!(said(&fault(&[1], "alarm")), ["AuscultSensorFault warning"]);
        assert_eq!(said(&fault(&[0, 1], "sensor_fault")), ["AuscultSensorFault critical"]);
        assert_eq!(said(&fault(&[], "healthy")), [""; 0]);
        let (subject, _) = of_machine(&alert(&fault(&[1], "alarm")), &BTreeMap::new()).unwrap();
        assert_eq!(subject, Subject::Sensors("plant/hall-2/fan-7".to_owned()));
    }

    #[test]
    fn sensors_of_vibration_are_channels() {
        let fault = serde_json::json!({
            "kind": "sensor", "state": "alarm", "quantity": "vibration",
            "sensor_faults": [{"channel": 0, "flags": ["stuck"]}, {"channel": 2, "flags": ["silent"]}],
        });
        let (_, alerts) = of_machine(&alert(&fault), &BTreeMap::new()).unwrap();
        assert_eq!(alerts[0].annotations["summary"], "2 channels of plant/hall-2/fan-7 are at fault");
    }

    #[test]
    fn a_setup_that_keeps_a_machine_from_being_judged_warns_and_any_other_note_informs() {
        let noted = |kind: &str, state: &str| {
            let note = serde_json::json!({"kind": kind, "words": "so", "remedy": "do so"});
            serde_json::json!({"kind": "setup", "state": state, "notes": [note]})
        };
        assert_eq!(said(&noted("other_rate", "setup_fault")), ["AuscultSetupFault warning"]);
        assert_eq!(said(&noted("far_quieter", "idle")), ["AuscultSetupFault warning"]);
        assert_eq!(said(&noted("joins", "healthy")), ["AuscultSetupFault info"]);
        assert_eq!(said(&serde_json::json!({"kind": "setup", "state": "healthy"})), [""; 0]);
        let (subject, _) = of_machine(&alert(&noted("joins", "healthy")), &BTreeMap::new()).unwrap();
        assert_eq!(subject, Subject::Setup("plant/hall-2/fan-7".to_owned()));
    }

    #[test]
    fn a_long_explanation_is_cut_between_characters() {
        let shortened = shortened(&"é".repeat(5_000));
        assert_eq!(shortened.chars().count(), LONGEST + 1);
    }
}
