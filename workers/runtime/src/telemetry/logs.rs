//! Structured logs on standard error, because standard output is for results. The level can be changed while the
//! process runs.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, fmt, reload};

use super::TelemetryError;
use crate::config::{LogConfig, LogFormat, LogLevel};

/// The log filter: the minimum level, optionally different for some modules. Clones share it.
///
/// Its text is `info`, or `info,auscult_runtime::kafka=debug,librdkafka=debug`: a level applies to a module and its
/// submodules.
#[derive(Debug, Clone, Default)]
pub struct LogFilter(Option<Arc<Live>>);

#[derive(Debug)]
struct Live {
    handle: reload::Handle<Targets, Registry>,
    words: Mutex<String>,
}

impl LogFilter {
    /// The current filter; `None` if the process's logs were not set up here.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        self.0.as_ref().map(|live| live.words.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Sets the filter.
    ///
    /// # Errors
    /// What is wrong with the text; then nothing changes.
    pub fn set(&self, words: &str) -> Result<(), String> {
        let targets = targets(words)?;
        let live = self.0.as_ref().ok_or("the logs of this process are not auscult's to change")?;
        live.handle.reload(targets).map_err(|error| error.to_string())?;
        let before =
            std::mem::replace(&mut *live.words.lock().unwrap_or_else(PoisonError::into_inner), words.to_owned());
        // At a level that is written whatever the filter is, short of switching warnings off as well.
        tracing::warn!(before, now = words, "the log level was changed");
        Ok(())
    }
}

/// Reads `LEVEL,PART=LEVEL,…`. Stricter than the library, to which a mistyped level is the name of a part, with
/// everything else silent.
fn targets(words: &str) -> Result<Targets, String> {
    let mut default = None;
    let mut targets = Targets::new();
    for word in words.split(',').map(str::trim) {
        match word.split_once('=') {
            Some((part, level)) if !part.trim().is_empty() => {
                targets = targets.with_target(part.trim(), level_of(level.trim())?);
            }
            Some(_) => return Err(format!("{word:?} names no part before the =")),
            None if default.is_some() => return Err(format!("{words:?} has two levels for everything")),
            None => default = Some(level_of(word)?),
        }
    }
    let default = default.ok_or_else(|| format!("{words:?} has no level for everything else, such as info"))?;
    Ok(targets.with_default(default))
}

fn level_of(word: &str) -> Result<LevelFilter, String> {
    Ok(match word.to_ascii_lowercase().as_str() {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return Err(format!("{word:?} is no level: off, error, warn, info, debug, trace are")),
    })
}

/// Sends the process's logs to standard error, as configured. Call it once per process.
///
/// # Errors
/// [`TelemetryError::Logs`] if logs already have a destination.
pub fn init_logs(config: &LogConfig) -> Result<LogFilter, TelemetryError> {
    let words = match config.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let (filter, handle) = reload::Layer::new(targets(words).map_err(TelemetryError::Logs)?);
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let registry = tracing_subscriber::registry().with(filter);
    let done = match config.format {
        LogFormat::Text => registry.with(fmt::layer().with_writer(std::io::stderr).with_ansi(is_terminal)).try_init(),
        LogFormat::Json => {
            let lines = fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
            registry.with(lines).try_init()
        }
    };
    done.map_err(|error| TelemetryError::Logs(error.to_string()))?;
    Ok(LogFilter(Some(Arc::new(Live { handle, words: Mutex::new(words.to_owned()) }))))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn parts_have_levels_of_their_own() {
        let targets = targets("info, auscult_runtime::kafka=debug,librdkafka=off").unwrap();
        assert!(targets.would_enable("auscult_runtime::kafka::producer", &Level::DEBUG));
        assert!(!targets.would_enable("auscult_runtime::runner", &Level::DEBUG));
        assert!(targets.would_enable("auscult_runtime::runner", &Level::INFO));
        assert!(!targets.would_enable("librdkafka", &Level::ERROR));
    }

    #[test]
    fn what_is_no_filter_is_refused_in_words() {
        for (words, reason) in [
            ("dbug", "is no level"),
            ("", "is no level"),
            ("librdkafka=debug", "no level for everything else"),
            ("info,=debug", "names no part"),
            ("info,debug", "two levels"),
            ("info,librdkafka=loud", "is no level"),
        ] {
            let error = targets(words).unwrap_err();
            assert!(error.contains(reason), "{words}: {error}");
        }
    }

    #[test]
    fn a_process_whose_logs_are_not_ours_says_so() {
        let filter = LogFilter::default();
        assert_eq!(filter.words(), None);
        assert!(filter.set("debug").unwrap_err().contains("not auscult's"));
    }
}
