//! Metrics of a scoring worker, in addition to those of every worker.

use auscult_runtime::telemetry::Registrar;
use auscult_schemas::{AlertKind, ControlAction, DriftChart, MachineState, NoteKind, QualityFlag};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::machine_series::MachineSeries;
use crate::site_counters::SiteCounters;

/// Metrics of scoring.
#[derive(Debug, Clone)]
pub struct ScoringMetrics {
    /// Chunks scored as anomalous.
    pub anomalous_chunks: IntCounter,
    /// Channels excluded from a score because of a sensor fault, by kind of fault.
    pub sensor_faults: IntCounterVec,
    /// Notes added to scores, by kind.
    pub notes: IntCounterVec,
    /// Chunks without a score, because all their sensors are faulty.
    pub unheard_chunks: IntCounter,
    /// Changes of a machine's state, by the new state.
    pub state_changes: IntCounterVec,
    /// Alerts, by new state and subject.
    pub alerts: IntCounterVec,
    /// Machines of this worker's partitions, by state.
    pub machines: IntGaugeVec,
    /// Machines of this worker's partitions whose sound has drifted.
    pub drifting_machines: IntGauge,
    /// Drifts found, by the chart that found them.
    pub drifts_found: IntCounterVec,
    /// Applied control messages, by action.
    pub control_messages: IntCounterVec,
    /// Changes of an environment, counted in each partition that detects them.
    pub environment_changes: IntCounter,
    /// Silent machines of this worker's partitions.
    pub silent_machines: IntGauge,
    /// Machines with chunks on two or more partitions, over all partitions.
    pub machines_on_two_partitions: IntGauge,
    /// Chunks in one forward pass.
    pub forward_chunks: Histogram,
    /// From the time of recording to the score, s.
    pub chunk_age_seconds: Histogram,
    /// By site, line and kind of machine.
    pub site_counters: SiteCounters,
    /// Single machines, if there are few.
    pub machine_series: MachineSeries,
    /// Loaded models.
    pub models: IntGauge,
    /// Model files that are unusable.
    pub unusable_models: IntGauge,
    /// Models that came into use while the worker was running.
    pub model_reloads: IntCounter,
    /// Changes of a model file after which it could not be used.
    pub model_reload_failures: IntCounter,
    /// 1 for the device in use.
    pub device: IntGaugeVec,
    /// 1 if `device: auto` found no GPU and uses the CPU.
    pub device_fallback: IntGauge,
}

impl ScoringMetrics {
    /// Registers the metrics, with series of single machines for at most this many.
    ///
    /// # Errors
    /// If a name is already registered.
    pub fn register(make: &Registrar, machine_series_up_to: usize) -> Result<Self, prometheus::Error> {
        let age_buckets = vec![0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0];
        let metrics = Self {
            anomalous_chunks: make.counter("auscult_anomalous_chunks_total", "chunks judged anomalous")?,
            sensor_faults: make.counters(
                "auscult_sensor_faults_total",
                "channels left out of a score because their sensor is at fault, by what is wrong with it",
                &["flag"],
            )?,
            notes: make.counters(
                "auscult_notes_total",
                "notes beside scores about how a chunk was recorded, by what they are about",
                &["kind"],
            )?,
            unheard_chunks: make.counter(
                "auscult_unheard_chunks_total",
                "chunks that were not judged because every sensor of theirs is at fault",
            )?,
            state_changes: make.counters(
                "auscult_state_changes_total",
                "changes of a machine's state, by the new state",
                &["state"],
            )?,
            alerts: make.counters(
                "auscult_alerts_total",
                "alerts, by the new state and by what they are about",
                &["state", "kind"],
            )?,
            machines: make.gauges("auscult_machines", "machines of this worker's partitions, by state", &["state"])?,
            drifting_machines: make
                .gauge("auscult_drifting_machines", "machines of this worker's partitions whose sound has drifted")?,
            drifts_found: make.counters(
                "auscult_drifts_found_total",
                "drifts found, by the chart that found them",
                &["chart"],
            )?,
            control_messages: make.counters(
                "auscult_control_messages_total",
                "control messages applied, by what they ask for",
                &["action"],
            )?,
            environment_changes: make.counter(
                "auscult_environment_changes_total",
                "changes of an environment that many machines share, one a partition that notices it",
            )?,
            silent_machines: make
                .gauge("auscult_silent_machines", "machines of which nothing has come for many times their cadence")?,
            machines_on_two_partitions: make.gauge(
                "auscult_machines_on_two_partitions",
                "machines heard on two partitions or more, of all partitions: as the worker that noticed it last saw it",
            )?,
            forward_chunks: make.histogram(
                "auscult_forward_chunks",
                "chunks in one forward pass",
                prometheus::exponential_buckets(1.0, 2.0, 11)?,
            )?,
            chunk_age_seconds: make.histogram(
                "auscult_chunk_age_seconds",
                "from the recording of a chunk to its judgement",
                age_buckets,
            )?,
            site_counters: SiteCounters::register(make)?,
            machine_series: MachineSeries::register(make, machine_series_up_to)?,
            models: make.gauge("auscult_models", "models that are loaded")?,
            unusable_models: make.gauge("auscult_unusable_models", "model files that cannot be used")?,
            model_reloads: make
                .counter("auscult_model_reloads_total", "models that came into service while running")?,
            model_reload_failures: make.counter(
                "auscult_model_reload_failures_total",
                "changes of a model file after which it could not be used",
            )?,
            device: make.gauges("auscult_device_info", "1 for the device in use", &["device"])?,
            device_fallback: make
                .gauge("auscult_device_fallback", "1 when device auto found no GPU and took the CPU")?,
        };
        for state in MachineState::ALL.into_iter().filter(|state| !state.is_of_chunk()) {
            metrics.state_changes.with_label_values(&[state.as_str()]);
            metrics.alerts.with_label_values(&[state.as_str(), AlertKind::Machine.as_str()]);
        }
        metrics.alerts.with_label_values(&[MachineState::SensorFault.as_str(), AlertKind::Sensor.as_str()]);
        metrics.alerts.with_label_values(&[MachineState::SetupFault.as_str(), AlertKind::Setup.as_str()]);
        for kind in NoteKind::all() {
            metrics.notes.with_label_values(&[kind.as_str()]);
        }
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
}
