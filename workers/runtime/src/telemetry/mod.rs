//! Observability of a worker: logs, metrics, health.
//!
//! ```text
//!   log thread ──heartbeat──► Health ──► /livez   is the log thread still running?
//!   runner ─────reasons─────► Health ──► /readyz  is there a reason not to be ready?
//!   all threads ─counts─────► Metrics ─► /metrics
//!   runner ─────WorkerEvent─► a log line and a counter, for the same event
//!   operators ──PUT─────────► LogFilter ► /log-level, while the worker runs
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
