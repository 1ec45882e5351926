//! What a worker tells of itself: logs, metrics, health.
//!
//! ```text
//!   log thread ──heartbeat──► Health ──► /livez   is the log thread still turning?
//!   runner ─────reasons─────► Health ──► /readyz  is there a reason not to be counted on?
//!   everyone ───counts──────► Metrics ─► /metrics
//! ```

mod error;
mod health;
mod logs;
mod metrics;
mod process;
mod server;

pub use error::TelemetryError;
pub use health::{Health, UnreadyReason};
pub use logs::init_logs;
pub use metrics::{Metrics, RebalanceKind, stage};
pub use server::HttpServer;
