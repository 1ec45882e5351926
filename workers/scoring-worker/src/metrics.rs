//! What a scoring worker counts beside what every worker does.

use auscult_detection::OpenedDevice;
use auscult_schemas::{AlertKind, ControlAction, DriftChart, MachineState, QualityFlag};
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::machine_series::MachineSeries;
use crate::site_counters::SiteCounters;

/// Metrics of scoring.
#[derive(Debug, Clone)]
pub struct ScoringMetrics {
    /// Chunks that were judged anomalous.
    pub anomalous_chunks: IntCounter,
    /// Channels that were left out of a score because their sensor is at fault, by what is wrong with it.
    pub sensor_faults: IntCounterVec,
    /// Chunks without a judgement, because every sensor of theirs is at fault.
    pub unheard_chunks: IntCounter,
    /// Changes of a machine's state, by the new state.
    pub state_changes: IntCounterVec,
    /// Alerts, by the new state and by what they are about.
    pub alerts: IntCounterVec,
    /// Machines of this worker's partitions, by state.
    pub machines: IntGaugeVec,
    /// Machines of this worker's partitions whose sound has drifted.
    pub drifting_machines: IntGauge,
    /// Drifts found, by the chart that found them.
    pub drifts_found: IntCounterVec,
    /// Control messages that were applied, by what they ask for.
    pub control_messages: IntCounterVec,
    /// Changes of an environment, by partition in which they were noticed.
    pub environment_changes: IntCounter,
    /// Machines that have fallen silent, of the partitions that this worker judges.
    pub silent_machines: IntGauge,
    /// Chunks in one forward pass.
    pub forward_chunks: Histogram,
    /// From the time the sound was recorded to its judgement, s.
    pub chunk_age_seconds: Histogram,
    /// By site, line and kind of machine.
    pub site_counters: SiteCounters,
    /// Of single machines, while there are few.
    pub machine_series: MachineSeries,
    /// Models that are loaded.
    pub models: IntGauge,
    /// Model files that are unusable.
    pub unusable_models: IntGauge,
    /// Models that came into service while running.
    pub model_reloads: IntCounter,
    /// Changes of a model file after which it could not be used.
    pub model_reload_failures: IntCounter,
    /// 1 for the device in use.
    pub device: IntGaugeVec,
    /// 1 when `device: auto` found no GPU and took the CPU.
    pub device_fallback: IntGauge,
}

impl ScoringMetrics {
    /// Registers them; series of single machines for at most so many.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn register(registry: &Registry, machine_series_up_to: usize) -> Result<Self, prometheus::Error> {
        let age_buckets = vec![0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0];
        let metrics = Self {
            anomalous_chunks: IntCounter::new("auscult_anomalous_chunks_total", "chunks judged anomalous")?,
            sensor_faults: IntCounterVec::new(
                Opts::new(
                    "auscult_sensor_faults_total",
                    "channels left out of a score because their sensor is at fault, by what is wrong with it",
                ),
                &["flag"],
            )?,
            unheard_chunks: IntCounter::new(
                "auscult_unheard_chunks_total",
                "chunks that were not judged because every sensor of theirs is at fault",
            )?,
            state_changes: IntCounterVec::new(
                Opts::new("auscult_state_changes_total", "changes of a machine's state, by the new state"),
                &["state"],
            )?,
            alerts: IntCounterVec::new(
                Opts::new("auscult_alerts_total", "alerts, by the new state and by what they are about"),
                &["state", "kind"],
            )?,
            machines: IntGaugeVec::new(
                Opts::new("auscult_machines", "machines of this worker's partitions, by state"),
                &["state"],
            )?,
            drifting_machines: IntGauge::new(
                "auscult_drifting_machines",
                "machines of this worker's partitions whose sound has drifted",
            )?,
            drifts_found: IntCounterVec::new(
                Opts::new("auscult_drifts_found_total", "drifts found, by the chart that found them"),
                &["chart"],
            )?,
            control_messages: IntCounterVec::new(
                Opts::new("auscult_control_messages_total", "control messages applied, by what they ask for"),
                &["action"],
            )?,
            environment_changes: IntCounter::new(
                "auscult_environment_changes_total",
                "changes of an environment that many machines share, one a partition that notices it",
            )?,
            silent_machines: IntGauge::new(
                "auscult_silent_machines",
                "machines of which nothing has come for many times their cadence",
            )?,
            forward_chunks: Histogram::with_opts(
                HistogramOpts::new("auscult_forward_chunks", "chunks in one forward pass")
                    .buckets(prometheus::exponential_buckets(1.0, 2.0, 11)?),
            )?,
            chunk_age_seconds: Histogram::with_opts(
                HistogramOpts::new("auscult_chunk_age_seconds", "from the recording of a chunk to its judgement")
                    .buckets(age_buckets),
            )?,
            site_counters: SiteCounters::register(registry)?,
            machine_series: MachineSeries::register(registry, machine_series_up_to)?,
            models: IntGauge::new("auscult_models", "models that are loaded")?,
            unusable_models: IntGauge::new("auscult_unusable_models", "model files that cannot be used")?,
            model_reloads: IntCounter::new(
                "auscult_model_reloads_total",
                "models that came into service while running",
            )?,
            model_reload_failures: IntCounter::new(
                "auscult_model_reload_failures_total",
                "changes of a model file after which it could not be used",
            )?,
            device: IntGaugeVec::new(Opts::new("auscult_device_info", "1 for the device in use"), &["device"])?,
            device_fallback: IntGauge::new(
                "auscult_device_fallback",
                "1 when device auto found no GPU and took the CPU",
            )?,
        };
        registry.register(Box::new(metrics.anomalous_chunks.clone()))?;
        registry.register(Box::new(metrics.sensor_faults.clone()))?;
        registry.register(Box::new(metrics.unheard_chunks.clone()))?;
        registry.register(Box::new(metrics.state_changes.clone()))?;
        registry.register(Box::new(metrics.alerts.clone()))?;
        registry.register(Box::new(metrics.machines.clone()))?;
        registry.register(Box::new(metrics.drifting_machines.clone()))?;
        registry.register(Box::new(metrics.drifts_found.clone()))?;
        registry.register(Box::new(metrics.control_messages.clone()))?;
        registry.register(Box::new(metrics.environment_changes.clone()))?;
        registry.register(Box::new(metrics.silent_machines.clone()))?;
        registry.register(Box::new(metrics.forward_chunks.clone()))?;
        registry.register(Box::new(metrics.chunk_age_seconds.clone()))?;
        registry.register(Box::new(metrics.models.clone()))?;
        registry.register(Box::new(metrics.unusable_models.clone()))?;
        registry.register(Box::new(metrics.model_reloads.clone()))?;
        registry.register(Box::new(metrics.model_reload_failures.clone()))?;
        registry.register(Box::new(metrics.device.clone()))?;
        registry.register(Box::new(metrics.device_fallback.clone()))?;
        for state in MachineState::ALL.into_iter().filter(|state| *state != MachineState::SensorFault) {
            metrics.state_changes.with_label_values(&[state.as_str()]);
            metrics.alerts.with_label_values(&[state.as_str(), AlertKind::Machine.as_str()]);
        }
        metrics.alerts.with_label_values(&[MachineState::SensorFault.as_str(), AlertKind::Sensor.as_str()]);
        for action in ControlAction::NAMES {
            metrics.control_messages.with_label_values(&[action]);
        }
        for chart in DriftChart::ALL {
            metrics.drifts_found.with_label_values(&[chart.as_str()]);
        }
        for flag in QualityFlag::ALL.into_iter().filter(|flag| flag.is_sensor_fault()) {
            metrics.sensor_faults.with_label_values(&[flag.as_str()]);
        }
        Ok(metrics)
    }

    /// The device that was opened, and whether it is a fallback; the warning is logged here, too.
    pub fn set_device(&self, device: &OpenedDevice) {
        self.device.with_label_values(&[device.name.as_str()]).set(1);
        self.device_fallback.set(i64::from(device.fallback.is_some()));
        if let Some(reason) = &device.fallback {
            tracing::warn!(reason, "no GPU: scoring on the CPU");
        } else {
            tracing::info!(device = device.name, "scoring device");
        }
    }
}

#[cfg(test)]
mod tests {
    use auscult_detection::{DeviceChoice, open_device};

    use super::*;

    #[test]
    fn a_fallback_to_the_cpu_is_a_metric_and_the_cpu_asked_for_is_none() {
        let registry = Registry::new();
        let metrics = ScoringMetrics::register(&registry, 10).unwrap();
        let mut device = open_device(DeviceChoice::Cpu).unwrap();
        metrics.set_device(&device);
        assert_eq!(metrics.device_fallback.get(), 0);
        device.fallback = Some("no driver".to_owned());
        metrics.set_device(&device);
        assert_eq!(metrics.device_fallback.get(), 1);
        assert_eq!(metrics.device.with_label_values(&["cpu"]).get(), 1);
    }
}
