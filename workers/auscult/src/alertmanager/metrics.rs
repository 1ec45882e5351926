//! What the bridge counts beside what every worker does.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::standing::{PostedAlert, StandingAlerts};
use super::wording::ALERTNAMES;

/// Metrics of the bridge.
#[derive(Debug, Clone)]
pub(super) struct BridgeMetrics {
    /// Requests to Alertmanager, by what came of them.
    posts: IntCounterVec,
    /// Alerts that Alertmanager has taken, by status; each re-sending counts.
    alerts: IntCounterVec,
    /// Alerts that Alertmanager found faulty.
    pub refused_alerts: IntCounter,
    /// Records that are no message of ours.
    pub unreadable_records: IntCounter,
    /// Alerts that stand, by name.
    standing: IntGaugeVec,
    /// When Alertmanager last took everything.
    last_delivery: IntGauge,
}

impl BridgeMetrics {
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
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
            refused_alerts: IntCounter::new(
                "auscult_alertmanager_refused_alerts_total",
                "alerts that Alertmanager found faulty",
            )?,
            unreadable_records: IntCounter::new(
                "auscult_unreadable_records_total",
                "records of audio.alerts and audio.audit that are no message of ours",
            )?,
            standing: IntGaugeVec::new(Opts::new("auscult_standing_alerts", "alerts that stand"), &["alertname"])?,
            last_delivery: IntGauge::new(
                "auscult_alertmanager_last_delivery_timestamp_seconds",
                "when Alertmanager last took everything",
            )?,
        };
        registry.register(Box::new(metrics.posts.clone()))?;
        registry.register(Box::new(metrics.alerts.clone()))?;
        registry.register(Box::new(metrics.refused_alerts.clone()))?;
        registry.register(Box::new(metrics.unreadable_records.clone()))?;
        registry.register(Box::new(metrics.standing.clone()))?;
        registry.register(Box::new(metrics.last_delivery.clone()))?;
        for outcome in ["taken", "refused", "failed"] {
            metrics.posts.with_label_values(&[outcome]);
        }
        for status in ["firing", "resolved"] {
            metrics.alerts.with_label_values(&[status]);
        }
        metrics.set_standing(&StandingAlerts::default());
        Ok(metrics)
    }

    /// A request, and what came of it: `taken`, `refused` or `failed`.
    pub fn add_post(&self, outcome: &'static str) {
        self.posts.with_label_values(&[outcome]).inc();
    }

    /// Alerts that were taken at this time.
    pub fn add_taken(&self, alerts: &[PostedAlert], now: jiff::Timestamp) {
        for alert in alerts {
            let status = if alert.ends_at > now { "firing" } else { "resolved" };
            self.alerts.with_label_values(&[status]).inc();
        }
    }

    /// Everything was taken at this time.
    pub fn set_delivered(&self, now: jiff::Timestamp) {
        self.last_delivery.set(now.as_second());
    }

    /// What stands now.
    pub fn set_standing(&self, alerts: &StandingAlerts) {
        for name in ALERTNAMES {
            let standing = alerts.all().filter(|alert| alert.labels.get("alertname").is_some_and(|own| own == name));
            self.standing.with_label_values(&[name]).set(i64::try_from(standing.count()).unwrap_or(i64::MAX));
        }
    }
}
