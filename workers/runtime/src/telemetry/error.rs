//! Errors of telemetry.

use std::net::SocketAddr;

/// An error of telemetry.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The address cannot be listened on.
    #[error("cannot serve health and metrics on {address}: {source}; choose another `http.listen`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The server's thread or its runtime cannot be started.
    #[error("cannot start the thread that serves health and metrics: {0}")]
    Thread(std::io::Error),
    /// A metric is registered twice, or its name is not one.
    #[error("cannot register or write metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// Logs have a destination already.
    #[error("logs have been set up before: {0}")]
    Logs(String),
}
