//! The bridge from `audio.alerts` to Prometheus Alertmanager, whose routes, silences and receivers define who is
//! notified.
//!
//! ```text
//!   audio.alerts ─┐                 ┌─ alerts: a record as labels, which identify an alert, and annotations
//!   audio.audit ──┴─► bridge ─► state ─ active_alerts: the active alerts, and how a record changes them
//!                        │          └─ environment: merges the reports of all partitions into one change
//!                        ▼
//!                     delivery: retries until accepted ─► client: POST /api/v2/alerts
//!                        │
//!                        ▼
//!                     commit: the group's offsets, after delivery
//! ```
//!
//! Delivery is at least once. Duplicates are harmless: Alertmanager identifies an alert by its labels, and the same
//! record always gives the same labels.
//!
//! A change is posted when it is read. All active alerts are posted again once a minute, each time with an `endsAt` in
//! the future (`hold_secs`), because Alertmanager drops alerts that are not repeated. The topic is the bridge's
//! storage. At start, the bridge reads all retained records to restore the active alerts, and posts them; the committed
//! offsets show which changes have not been posted yet.
//!
//! One bridge reads all partitions, because an environment change appears in several of them. A second bridge is
//! harmless, as with a second Prometheus: both post the same alerts.

mod active_alerts;
mod alerts;
mod bridge;
mod client;
mod config;
mod delivery;
mod environment;
mod metrics;
mod state;

pub use bridge::run;
pub use config::{AlertmanagerConfig, BridgeConfig};
pub use metrics::register_metrics;
