//! Metrics of the bridge, in addition to those of every worker.

use auscult_runtime::telemetry::Registrar;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::active_alerts::{ActiveAlerts, PostedAlert};
use super::alerts::ALERTNAMES;

/// Metrics of the bridge.
#[derive(Debug, Clone)]
pub(super) struct BridgeMetrics {
    /// Requests to Alertmanager, by outcome.
    posts: IntCounterVec,
    /// Alerts that Alertmanager has accepted, by status; repetitions count.
    alerts: IntCounterVec,
    /// Alerts that Alertmanager has rejected.
    pub refused_alerts: IntCounter,
    /// Records that are not valid messages.
    pub unreadable_records: IntCounter,
    /// Active alerts, by name.
    active: IntGaugeVec,
    /// When Alertmanager last accepted everything.
    last_delivery: IntGauge,
}

/// Registers the bridge's metrics, for the inventory of metrics.
///
/// # Errors
/// If one of the names is already registered.
pub fn register_metrics(make: &Registrar) -> Result<(), prometheus::Error> {
    BridgeMetrics::register(make).map(drop)
}

impl BridgeMetrics {
    pub fn register(make: &Registrar) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, label: &str| make.counters(name, help, &[label]);
        let metrics = Self {
            posts: counters(
                "auscult_alertmanager_posts_total",
                "requests to Alertmanager, by what came of them",
                "outcome",
            )?,
            alerts: counters(
                "auscult_alertmanager_alerts_total",
                "alerts that Alertmanager has taken, repetitions among them",
                "status",
            )?,
            refused_alerts: make
                .counter("auscult_alertmanager_refused_alerts_total", "alerts that Alertmanager found faulty")?,
            unreadable_records: make.counter(
                "auscult_unreadable_records_total",
                "records of audio.alerts and audio.audit that are no message of ours",
            )?,
            active: make.gauges("auscult_standing_alerts", "alerts that stand", &["alertname"])?,
            last_delivery: make.gauge(
                "auscult_alertmanager_last_delivery_timestamp_seconds",
                "when Alertmanager last took everything",
            )?,
        };
        for outcome in ["taken", "refused", "failed"] {
            metrics.posts.with_label_values(&[outcome]);
        }
        for status in ["firing", "resolved"] {
            metrics.alerts.with_label_values(&[status]);
        }
        metrics.set_active(&ActiveAlerts::default());
        Ok(metrics)
    }

    /// Counts a request by outcome: `taken`, `refused` or `failed`.
    pub fn add_post(&self, outcome: &'static str) {
        self.posts.with_label_values(&[outcome]).inc();
    }

    /// Counts alerts accepted at this time.
    pub fn add_taken(&self, alerts: &[PostedAlert], now: jiff::Timestamp) {
        for alert in alerts {
            let status = if alert.ends_at > now { "firing" } else { "resolved" };
            self.alerts.with_label_values(&[status]).inc();
        }
    }

    /// Sets the time of the last complete delivery.
    pub fn set_delivered(&self, now: jiff::Timestamp) {
        self.last_delivery.set(now.as_second());
    }

    /// Sets the currently active alerts.
    pub fn set_active(&self, alerts: &ActiveAlerts) {
        for name in ALERTNAMES {
            let active = alerts.all().filter(|alert| alert.labels.get("alertname").is_some_and(|own| own == name));
            self.active.with_label_values(&[name]).set(i64::try_from(active.count()).unwrap_or(i64::MAX));
        }
    }
}
