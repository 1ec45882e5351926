//! The bridge's process and its loop: read, keep the books, deliver, commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use auscult_runtime::kafka::{GroupPositions, KafkaAccessError, Positions, ReadFrom, TopicReader};
use auscult_runtime::record::Record;
use auscult_runtime::runner::StopSignal;
use auscult_runtime::telemetry::{Health, HttpServer, Metrics, UnreadyReason, init_logs};
use auscult_schemas::topics::{ALERTS, AUDIT};
use auscult_schemas::{Alert, AlertKind, Audit, AuditAction, ControlAction};
use jiff::{SignedDuration, Timestamp};

use super::client::AlertmanagerClient;
use super::config::{AlertmanagerConfig, BridgeConfig};
use super::courier::Courier;
use super::environment::EnvironmentReports;
use super::metrics::BridgeMetrics;
use super::standing::{Change, Labels, Standing, StandingAlerts, Subject};
use super::wording;

/// The group whose offsets say how far the bridge has got, and its name in metrics.
const NAME: &str = "auscult-alertmanager";
const TOPICS: [&str; 2] = [ALERTS, AUDIT];
/// For how long it reads before it delivers what there is.
const PAUSE: Duration = Duration::from_millis(200);
/// How many records it reads at most before it delivers.
const AT_ONCE: usize = 256;
/// How long the loop may be silent and count as alive: longer than any call to Kafka or Alertmanager.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long it waits when Kafka cannot be reached.
const KAFKA_WAIT: Duration = Duration::from_secs(2);

/// Runs the bridge until it is told to stop.
///
/// # Errors
/// When it cannot start: the port is taken, a topic is missing, a property of Kafka's is not understood.
pub fn run(config: &BridgeConfig) -> anyhow::Result<()> {
    let logs = init_logs(&config.log)?;
    let metrics = Arc::new(Metrics::new(config.kafka.instance_id.as_deref().unwrap_or(NAME))?);
    let health = Health::new(PATIENCE);
    let bridge_metrics = BridgeMetrics::register(metrics.registrar())?;
    let server = HttpServer::start(config.http.listen, health.clone(), Arc::clone(&metrics), logs)?;
    tracing::info!(address = %server.address(), url = config.alertmanager.url, "health and metrics are served");
    let stop = listen_for_stop()?;

    let hold_secs = i64::try_from(config.alertmanager.hold_secs).unwrap_or(i64::MAX);
    let courier = Courier {
        client: AlertmanagerClient::new(config.alertmanager.clone()).context("cannot start the HTTP client")?,
        endpoints: config.alertmanager.endpoints().map_err(|reason| anyhow!(reason))?,
        hold: SignedDuration::from_secs(hold_secs),
        metrics: bridge_metrics,
        health: health.clone(),
        stop: stop.clone(),
    };
    let group = config.kafka.group_id.as_deref().unwrap_or(NAME);
    let bridge = Bridge { config, courier, metrics, group };
    while !stop.is_given() {
        match bridge.follow() {
            Ok(()) => {}
            Err(error @ (KafkaAccessError::Client(_) | KafkaAccessError::NoSuchTopic(_))) => bail!(error),
            Err(error) => {
                tracing::warn!(%error, "waiting for the brokers");
                health.unready(UnreadyReason::Reconnecting, error.to_string());
                let _ = stop.wait(KAFKA_WAIT);
            }
        }
    }
    health.unready(UnreadyReason::Draining, "");
    server.stop();
    Ok(())
}

/// The first signal stops the bridge between two steps; what is not committed then is done by the next one. A second
/// ends the process.
fn listen_for_stop() -> anyhow::Result<StopSignal> {
    const STATUS_SECOND_SIGNAL: i32 = 130;
    let stop = StopSignal::new();
    let given = stop.clone();
    let on_signal = move || {
        if given.is_given() {
            std::process::exit(STATUS_SECOND_SIGNAL);
        }
        given.give();
    };
    ctrlc::set_handler(on_signal).context("cannot listen for SIGTERM")?;
    Ok(stop)
}

struct Bridge<'a> {
    config: &'a BridgeConfig,
    courier: Courier,
    metrics: Arc<Metrics>,
    group: &'a str,
}

impl Bridge<'_> {
    /// Follows the topics from their beginning until told to stop, or until they have been given more partitions and
    /// are to be followed anew.
    fn follow(&self) -> Result<(), KafkaAccessError> {
        let Self { courier, .. } = self;
        let resend = Duration::from_secs(self.config.alertmanager.resend_secs);
        let offsets = GroupPositions::new(&self.config.kafka, self.group)?;
        let partitions = offsets.partitions(&TOPICS)?;
        let committed = offsets.committed(&TOPICS)?;
        let mut reader = TopicReader::open(&self.config.kafka, &TOPICS, ReadFrom::Beginning)?;
        courier.health.clear(UnreadyReason::Starting);
        courier.health.clear(UnreadyReason::Reconnecting);
        courier.health.unready(UnreadyReason::Restoring, "reads what is kept of audio.alerts");

        let mut books = Books::new(&self.config.alertmanager);
        let mut reached = committed.clone();
        while !reader.is_at_end() && !courier.stop.is_given() {
            courier.health.beat();
            let Some(record) = reader.next(PAUSE)? else { continue };
            let place = (record.coordinates.topic.clone(), record.coordinates.partition);
            let is_new = committed.get(&place).is_some_and(|next| record.coordinates.offset >= *next);
            self.read(&mut books, &record, is_new);
            advance(&mut reached, &record);
        }
        books.note_all();
        tracing::info!(standing = books.pending.len(), "what is kept of the alerts has been read");
        courier.health.clear(UnreadyReason::Restoring);

        let mut is_uncommitted = true;
        let mut repeated = Instant::now();
        while !courier.stop.is_given() {
            courier.health.beat();
            books.standing.expire(Timestamp::now());
            courier.metrics.set_standing(&books.standing);
            if !books.deliver(courier) {
                return Ok(());
            }
            // Only now: whoever comes next posts again what Alertmanager has not taken.
            if is_uncommitted {
                match offsets.commit(&reached) {
                    Ok(()) => is_uncommitted = false,
                    // They were posted. The next commit covers these, too.
                    Err(error) => tracing::warn!(%error, "the group's offsets are not committed"),
                }
            }
            let until = Instant::now() + PAUSE;
            for _ in 0..AT_ONCE {
                let Some(record) = reader.next(until.saturating_duration_since(Instant::now()))? else { break };
                self.read(&mut books, &record, true);
                advance(&mut reached, &record);
                is_uncommitted = true;
            }
            if repeated.elapsed() >= resend {
                repeated = Instant::now();
                books.note_all();
                // Kafka forgets the offsets of a group that nobody commits for.
                is_uncommitted = true;
                match offsets.partitions(&TOPICS) {
                    Ok(now) if now.iter().any(|(topic, count)| partitions.get(topic) < Some(count)) => {
                        tracing::info!("the topics have got more partitions, which are now read, too");
                        return Ok(());
                    }
                    Ok(_) => {}
                    // What stands is repeated all the same: that Kafka is away must resolve nothing.
                    Err(error) => tracing::warn!(%error, "waiting for the brokers"),
                }
            }
        }
        Ok(())
    }

    fn read(&self, books: &mut Books<'_>, record: &Record, is_new: bool) {
        self.metrics.input_records.inc();
        self.metrics.input_bytes.inc_by(record.bytes() as u64);
        if let Err(reason) = books.read(record, is_new, Timestamp::now()) {
            self.courier.metrics.unreadable_records.inc();
            tracing::error!(record = %record.coordinates, reason, "a record is no message of ours; it goes on without it");
        }
    }
}

/// Positions never go back.
fn advance(reached: &mut Positions, record: &Record) {
    let place = (record.coordinates.topic.clone(), record.coordinates.partition);
    let next = record.coordinates.offset + 1;
    let position = reached.entry(place).or_insert(next);
    *position = next.max(*position);
}

/// What stands, and what of it Alertmanager is still to be told.
struct Books<'a> {
    labels: &'a Labels,
    /// How long a change of environment is shown.
    environment_shown: SignedDuration,
    environments: BTreeMap<String, EnvironmentReports>,
    standing: StandingAlerts,
    /// The latest change of each alert.
    pending: BTreeMap<Labels, Change>,
    /// When a machine was retired last.
    retired: BTreeMap<String, Timestamp>,
    /// Of when the latest word on a machine's sensors or recording setup is.
    beside_told: BTreeMap<Subject, Timestamp>,
}

impl<'a> Books<'a> {
    fn new(config: &'a AlertmanagerConfig) -> Self {
        let shown_secs = i64::try_from(config.environment_secs).unwrap_or(i64::MAX);
        Self {
            labels: &config.labels,
            environment_shown: SignedDuration::from_secs(shown_secs),
            environments: BTreeMap::new(),
            standing: StandingAlerts::default(),
            pending: BTreeMap::new(),
            retired: BTreeMap::new(),
            beside_told: BTreeMap::new(),
        }
    }

    /// Takes a record in; where it is new, what it changes is to be delivered.
    fn read(&mut self, record: &Record, is_new: bool, now: Timestamp) -> Result<(), String> {
        let value = record.value.as_deref().unwrap_or_default();
        let unreadable = |error: serde_json::Error| error.to_string();
        let mut changes = Vec::new();
        let (said, at) = if record.coordinates.topic == AUDIT {
            let audit: Audit = serde_json::from_slice(value).map_err(unreadable)?;
            if audit.action == AuditAction::Control(ControlAction::Retire) {
                changes = self.retire(audit.machine.as_str(), audit.time);
            }
            (Some(wording::of_audit(&audit, self.labels)), audit.time)
        } else {
            let alert: Alert = serde_json::from_slice(value).map_err(unreadable)?;
            let machine = alert.machine.as_str();
            let beside = match alert.kind {
                AlertKind::Sensor => Some(Subject::Sensors(machine.to_owned())),
                AlertKind::Setup => Some(Subject::Setup(machine.to_owned())),
                AlertKind::Machine | AlertKind::Environment => None,
            };
            if let Some(subject) = beside {
                if self.retired.get(machine).is_some_and(|retired| *retired >= alert.time) {
                    return Ok(());
                }
                self.beside_told.insert(subject, alert.time);
            }
            let said = match alert.kind {
                AlertKind::Environment => self.environment(&alert, record, now)?,
                AlertKind::Machine | AlertKind::Sensor | AlertKind::Setup => wording::of_machine(&alert, self.labels),
            };
            (said, alert.time)
        };
        let Some((subject, alerts)) = said else { return Ok(()) };
        changes.extend(self.standing.replace(&subject, alerts, at));
        if is_new {
            self.pending.extend(changes.into_iter().map(|change| (change.alert.labels.clone(), change)));
        }
        Ok(())
    }

    /// Whatever its sensors and its recording setup were is over. The two topics are read in no order between them:
    /// what is of before and read later does not begin anew, what is of later goes on.
    fn retire(&mut self, machine: &str, at: Timestamp) -> Vec<Change> {
        let latest = self.retired.entry(machine.to_owned()).or_insert(at);
        *latest = (*latest).max(at);
        let mut changes = Vec::new();
        for subject in [Subject::Sensors(machine.to_owned()), Subject::Setup(machine.to_owned())] {
            if self.beside_told.get(&subject).is_none_or(|told| *told <= at) {
                changes.extend(self.standing.replace(&subject, Vec::new(), at));
            }
        }
        changes
    }

    fn environment(
        &mut self,
        alert: &Alert,
        record: &Record,
        now: Timestamp,
    ) -> Result<Option<(Subject, Vec<Standing>)>, String> {
        let report = alert.environment.clone().ok_or("an environment's alert does not say what has changed")?;
        // When it was written, so that a bridge that is started again shows it no longer than the one before.
        let written = record.timestamp_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(now);
        let reports = self.environments.entry(report.environment.clone()).or_default();
        let merged = reports.add(record.coordinates.partition, report, written.min(now));
        Ok(merged.map(|(change, latest)| {
            let until = latest.saturating_add(self.environment_shown).unwrap_or(Timestamp::MAX);
            wording::of_environment(&change, until, self.labels)
        }))
    }

    /// Everything that stands is to be posted, once more. Where an alert has just changed, its change says it all.
    fn note_all(&mut self) {
        for alert in self.standing.all() {
            let change = Change { alert: alert.clone(), ended: None };
            self.pending.entry(alert.labels.clone()).or_insert(change);
        }
    }

    /// Of each machine that is to be told of, also what holds its alerts back: an Alertmanager that was started anew
    /// since knows of no mute.
    fn note_what_holds_back(&mut self) {
        let machines: BTreeSet<String> =
            self.pending.values().filter_map(|change| change.alert.labels.get("machine").cloned()).collect();
        for machine in machines {
            for alert in self.standing.holding_back(&machine) {
                let change = Change { alert: alert.clone(), ended: None };
                self.pending.entry(alert.labels.clone()).or_insert(change);
            }
        }
    }

    /// Delivers what is to be delivered. `false`: told to stop before it was.
    fn deliver(&mut self, courier: &Courier) -> bool {
        self.note_what_holds_back();
        let changes: Vec<Change> = self.pending.values().cloned().collect();
        let is_delivered = changes.is_empty() || courier.deliver(&changes);
        if is_delivered {
            self.pending.clear();
        }
        is_delivered
    }
}

#[cfg(test)]
mod tests {
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

    fn state(machine: &str, state: &str, time: &str) -> serde_json::Value {
        serde_json::json!({
            "id": "1", "machine": machine, "time": at(time).to_string(), "state": state, "previous_state": "healthy",
            "since": at(time).to_string(), "chunk_id": "c", "score": 4.5, "threshold": 3.0, "p_value": 1e-6, "bands": [],
            "model": {"id": "m", "version": "v1"}
        })
    }

    fn environment(machine: &str, affected: u32) -> serde_json::Value {
        let mut message = state(machine, "healthy", "09:10:00");
        message["kind"] = "environment".into();
        message["environment"] = serde_json::json!({
            "environment": machine, "machines_affected": affected, "machines_heard": affected + 1, "since": at("09:00:00").to_string()
        });
        message
    }

    fn pending(books: &Books<'_>) -> Vec<String> {
        let named = books.pending.values().map(|change| {
            let what = if change.ended.is_some() { "ended" } else { "stands" };
            format!("{} {what}", change.alert.labels["alertname"])
        });
        named.collect()
    }

    #[test]
    fn what_was_delivered_before_a_restart_is_known_and_only_what_stands_is_posted() {
        let config = AlertmanagerConfig::default();
        let mut books = Books::new(&config);
        let now = at("10:00:00");
        books.read(&record(ALERTS, 0, 0, &state("fan-1", "alarm", "08:00:00")), false, now).unwrap();
        books.read(&record(ALERTS, 0, 1, &state("fan-2", "warning", "08:30:00")), false, now).unwrap();
        books.read(&record(ALERTS, 0, 2, &state("fan-2", "healthy", "08:40:00")), false, now).unwrap();
        assert_eq!(pending(&books), [""; 0]);
        // This one nobody has posted yet, so that it must be told of, though nothing stands any more.
        books.read(&record(ALERTS, 0, 3, &state("fan-1", "healthy", "09:00:00")), true, now).unwrap();
        books.note_all();
        assert_eq!(pending(&books), ["AuscultMachineAlarm ended"]);
    }

    #[test]
    fn two_partitions_that_report_one_change_of_environment_make_one_alert() {
        let config = AlertmanagerConfig::default();
        let mut books = Books::new(&config);
        let now = at("09:11:00");
        books.read(&record(ALERTS, 0, 0, &environment("plant/hall-2", 5)), true, now).unwrap();
        books.read(&record(ALERTS, 1, 0, &environment("plant/hall-2", 7)), true, now).unwrap();
        assert_eq!(pending(&books), ["AuscultEnvironmentChanged stands"]);
        let alert = &books.pending.values().next().unwrap().alert;
        assert!(alert.annotations["summary"].starts_with("12 of 14 machines"), "{:?}", alert.annotations);
    }

    fn sensor(machine: &str, time: &str) -> serde_json::Value {
        let mut message = state(machine, "healthy", time);
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
        let standing = |records: &[(&str, &serde_json::Value)]| {
            let mut books = Books::new(&config);
            for (topic, value) in records {
                books.read(&record(topic, 0, 0, value), true, at("10:00:00")).unwrap();
            }
            books.standing.all().count()
        };
        assert_eq!(standing(&[(ALERTS, &before)]), 1);
        assert_eq!(standing(&[(ALERTS, &before), (AUDIT, &retired)]), 0);
        assert_eq!(standing(&[(AUDIT, &retired), (ALERTS, &before)]), 0);
        // It is back, with the microphone that it had.
        assert_eq!(standing(&[(ALERTS, &before), (AUDIT, &retired), (ALERTS, &after)]), 1);
        assert_eq!(standing(&[(ALERTS, &before), (ALERTS, &after), (AUDIT, &retired)]), 1);
    }

    #[test]
    fn a_record_that_is_no_message_of_ours_changes_nothing() {
        let config = AlertmanagerConfig::default();
        let mut books = Books::new(&config);
        for poison in [serde_json::json!({"machine": "fan-1"}), serde_json::json!("Dear Sir or Madam")] {
            for topic in TOPICS {
                books.read(&record(topic, 0, 0, &poison), true, at("09:00:00")).unwrap_err();
            }
        }
        assert_eq!(pending(&books), [""; 0]);
    }
}
