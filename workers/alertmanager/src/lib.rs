//! The bridge from `audio.alerts` to Prometheus Alertmanager, whose routes, silences and receivers then decide who is
//! told.
//!
//! ```text
//!   audio.alerts ─┐                 ┌─ alerts: a record as labels, which identify an alert, and annotations
//!   audio.audit ──┴─► bridge ─► state ─ active_alerts: which alerts are active, and what a record changes about it
//!                        │          └─ environment: one change, though every partition reports it
//!                        ▼
//!                     delivery: tries until it is taken ─► client: POST /api/v2/alerts
//!                        │
//!                        ▼
//!                     commit: the group's offsets, only now
//! ```
//!
//! At least once, and harmless if twice: Alertmanager knows an alert by its labels, and the same record always gives
//! the same ones.
//!
//! A change is posted when it is read, and everything that is active once a minute again, each time with an `endsAt`
//! some time ahead (`hold_secs`): Alertmanager forgets what nobody repeats. The topic is the bridge's memory. At its
//! start it reads all that is kept of it, so that it knows what is active, and posts that; the committed offsets tell
//! which changes nobody has posted yet.
//!
//! One bridge reads all partitions, because a change of environment shows in several of them. A second one beside it
//! does no harm, as with a second Prometheus: both post the same.

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
