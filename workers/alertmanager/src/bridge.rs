//! The bridge's process and its loop: read, update the state, deliver, commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use auscult_runtime::kafka::{GroupPositions, KafkaAccessError, Positions, ReadFrom, TopicReader};
use auscult_runtime::record::Record;
use auscult_runtime::runner::StopSignal;
use auscult_runtime::telemetry::{Health, HttpServer, Metrics, UnreadyReason, init_logs};
use auscult_schemas::topics::{ALERTS, AUDIT};
use jiff::{SignedDuration, Timestamp};

use super::client::AlertmanagerClient;
use super::config::BridgeConfig;
use super::delivery::AlertDelivery;
use super::metrics::BridgeMetrics;
use super::state::BridgeState;

/// Consumer group of the committed offsets, and name in metrics.
const NAME: &str = "auscult-alertmanager";
const TOPICS: [&str; 2] = [ALERTS, AUDIT];
/// How long the bridge reads before it delivers.
const PAUSE: Duration = Duration::from_millis(200);
/// Maximum number of records read before delivery.
const AT_ONCE: usize = 256;
/// How long the loop may take per round and still count as alive: longer than any call to Kafka or Alertmanager.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long the bridge waits if Kafka cannot be reached.
const KAFKA_WAIT: Duration = Duration::from_secs(2);

/// Runs the bridge until it is stopped.
///
/// # Errors
/// If it cannot start: the port is in use, a topic is missing, or a Kafka property is invalid.
pub fn run(config: &BridgeConfig) -> anyhow::Result<()> {
    let logs = init_logs(&config.log)?;
    let metrics = Arc::new(Metrics::new(config.kafka.instance_id.as_deref().unwrap_or(NAME))?);
    let health = Health::new(PATIENCE);
    let bridge_metrics = BridgeMetrics::register(metrics.registrar())?;
    let server = HttpServer::start(config.http.listen, health.clone(), Arc::clone(&metrics), logs)?;
    tracing::info!(address = %server.address(), url = config.alertmanager.url, "health and metrics are served");
    let stop = listen_for_stop()?;

    let hold_secs = i64::try_from(config.alertmanager.hold_secs).unwrap_or(i64::MAX);
    let delivery = AlertDelivery {
        client: AlertmanagerClient::new(config.alertmanager.clone()).context("cannot start the HTTP client")?,
        endpoints: config.alertmanager.endpoints().map_err(|reason| anyhow!(reason))?,
        hold: SignedDuration::from_secs(hold_secs),
        metrics: bridge_metrics,
        health: health.clone(),
        stop: stop.clone(),
    };
    let group = config.kafka.group_id.as_deref().unwrap_or(NAME);
    let bridge = Bridge { config, delivery, metrics, group };
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

/// The first signal stops the bridge between two steps; the next start repeats what was not committed. A second signal
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
    delivery: AlertDelivery,
    metrics: Arc<Metrics>,
    group: &'a str,
}

impl Bridge<'_> {
    /// Reads the topics from the beginning until stopped, or until their partition count changes and reading must start
    /// again.
    fn follow(&self) -> Result<(), KafkaAccessError> {
        let Self { delivery, .. } = self;
        let resend = Duration::from_secs(self.config.alertmanager.resend_secs);
        let offsets = GroupPositions::new(&self.config.kafka, self.group)?;
        let partitions = offsets.partitions(&TOPICS)?;
        let committed = offsets.committed(&TOPICS)?;
        let mut reader = TopicReader::open(&self.config.kafka, &TOPICS, ReadFrom::Beginning)?;
        delivery.health.clear(UnreadyReason::Starting);
        delivery.health.clear(UnreadyReason::Reconnecting);
        delivery.health.unready(UnreadyReason::Restoring, "reads what is kept of audio.alerts");

        let mut state = BridgeState::new(&self.config.alertmanager);
        let mut reached = committed.clone();
        while !reader.is_at_end() && !delivery.stop.is_given() {
            delivery.health.beat();
            let Some(record) = reader.next(PAUSE)? else { continue };
            let place = (record.coordinates.topic.clone(), record.coordinates.partition);
            let is_new = committed.get(&place).is_some_and(|next| record.coordinates.offset >= *next);
            self.read(&mut state, &record, is_new);
            advance(&mut reached, &record);
        }
        state.enqueue_all();
        tracing::info!(active = state.pending_count(), "what is kept of the alerts has been read");
        delivery.health.clear(UnreadyReason::Restoring);

        let mut is_uncommitted = true;
        let mut repeated = Instant::now();
        while !delivery.stop.is_given() {
            delivery.health.beat();
            state.expire(Timestamp::now());
            delivery.metrics.set_active(state.active());
            let changes = state.changes_to_post();
            if !changes.is_empty() && !delivery.deliver(&changes) {
                return Ok(());
            }
            state.clear_pending();
            // Commit only now, so that the next start posts again what Alertmanager has not accepted.
            if is_uncommitted {
                match offsets.commit(&reached) {
                    Ok(()) => is_uncommitted = false,
                    // They were posted. The next commit includes them.
                    Err(error) => tracing::warn!(%error, "the group's offsets are not committed"),
                }
            }
            let until = Instant::now() + PAUSE;
            for _ in 0..AT_ONCE {
                let Some(record) = reader.next(until.saturating_duration_since(Instant::now()))? else { break };
                self.read(&mut state, &record, true);
                advance(&mut reached, &record);
                is_uncommitted = true;
            }
            if repeated.elapsed() >= resend {
                repeated = Instant::now();
                state.enqueue_all();
                // Kafka deletes the offsets of a group without commits.
                is_uncommitted = true;
                match offsets.partitions(&TOPICS) {
                    Ok(now) if now.iter().any(|(topic, count)| partitions.get(topic) < Some(count)) => {
                        tracing::info!("the topics have got more partitions, which are now read, too");
                        return Ok(());
                    }
                    Ok(_) => {}
                    // Active alerts are still repeated: an outage of Kafka must not resolve them.
                    Err(error) => tracing::warn!(%error, "waiting for the brokers"),
                }
            }
        }
        Ok(())
    }

    fn read(&self, state: &mut BridgeState<'_>, record: &Record, is_new: bool) {
        self.metrics.input_records.inc();
        self.metrics.input_bytes.inc_by(record.bytes() as u64);
        if let Err(reason) = state.read(record, is_new, Timestamp::now()) {
            self.delivery.metrics.unreadable_records.inc();
            tracing::error!(record = %record.coordinates, reason, "a record is no message of ours; it goes on without it");
        }
    }
}

/// Positions never decrease.
fn advance(reached: &mut Positions, record: &Record) {
    let place = (record.coordinates.topic.clone(), record.coordinates.partition);
    let next = record.coordinates.offset + 1;
    let position = reached.entry(place).or_insert(next);
    *position = next.max(*position);
}
