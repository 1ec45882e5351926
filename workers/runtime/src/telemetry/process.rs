//! Process metrics of the operating system, read from `/proc` at each scrape. On systems other than Linux they stay 0.

use prometheus::{Gauge, IntGauge};

use super::{Registrar, TelemetryError};

/// Gauges of the process itself.
#[derive(Debug)]
pub(super) struct ProcessMetrics {
    resident_bytes: IntGauge,
    peak_resident_bytes: IntGauge,
    threads: IntGauge,
    open_fds: IntGauge,
}

impl ProcessMetrics {
    pub(super) fn register(registrar: &Registrar) -> Result<Self, TelemetryError> {
        let gauge = |name: &str, help: &str| registrar.gauge(name, help);
        // Needed by rules: increments before the first scrape are not part of any rate.
        let help = "when the process began, in seconds since the epoch";
        let start_time_seconds = registrar.register(Gauge::new("process_start_time_seconds", help)?)?;
        start_time_seconds.set(jiff::Timestamp::now().as_millisecond() as f64 / 1e3);
        Ok(Self {
            resident_bytes: gauge("process_resident_memory_bytes", "resident memory")?,
            peak_resident_bytes: gauge("process_peak_resident_memory_bytes", "the most memory that was ever resident")?,
            threads: gauge("process_threads", "operating system threads")?,
            open_fds: gauge("process_open_fds", "open files and sockets")?,
        })
    }

    pub(super) fn refresh(&self) {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let number = |name: &str| -> i64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()).and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        // `/proc` says kB and means 1024 bytes.
        self.resident_bytes.set(number("VmRSS:") * 1024);
        self.peak_resident_bytes.set(number("VmHWM:") * 1024);
        self.threads.set(number("Threads:"));
        let open = std::fs::read_dir("/proc/self/fd").map(Iterator::count).unwrap_or(0);
        self.open_fds.set(i64::try_from(open).unwrap_or(i64::MAX));
    }
}
