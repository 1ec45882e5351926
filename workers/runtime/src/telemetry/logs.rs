//! Structured logs, to standard error: standard output belongs to results.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use super::TelemetryError;
use crate::config::{LogConfig, LogFormat, LogLevel};

/// Sends the process's logs to standard error, as the configuration says. Once a process.
///
/// # Errors
/// [`TelemetryError::Logs`] when logs have a destination already.
pub fn init_logs(config: &LogConfig) -> Result<(), TelemetryError> {
    let level = match config.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let registry = tracing_subscriber::registry().with(level);
    let done = match config.format {
        LogFormat::Text => registry.with(fmt::layer().with_writer(std::io::stderr).with_ansi(is_terminal)).try_init(),
        LogFormat::Json => {
            let lines = fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
            registry.with(lines).try_init()
        }
    };
    done.map_err(|error| TelemetryError::Logs(error.to_string()))
}
