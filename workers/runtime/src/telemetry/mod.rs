//! What a worker tells of itself: logs, metrics, health.
//!
//! ```text
//!   log thread ──heartbeat──► Health ──► /livez   is the log thread still turning?
//!   runner ─────reasons─────► Health ──► /readyz  is there a reason not to be counted on?
//!   everyone ───counts──────► Metrics ─► /metrics
//!   runner ─────WorkerEvent─► a line in the log and a count, of one and the same thing
//!   people ─────PUT─────────► LogFilter ► /log-level, while the worker runs
//! ```

mod error;
mod event;
mod health;
mod logs;
mod metrics;
mod process;
mod registrar;
mod server;

pub use error::TelemetryError;
pub use event::WorkerEvent;
pub use health::{Health, UnreadyReason};
pub use logs::{LogFilter, init_logs};
pub use metrics::{Metrics, RebalanceKind, stage};
pub use registrar::{Kind, MetricDescription, Registrar};
pub use server::HttpServer;
