//! Events of a scoring worker other than single chunks. Log lines and counters come from the same event.

use auscult_detection::OpenedDevice;
use auscult_schemas::{Alert, Control, EnvironmentChange, MachineId, ModelRef};

use crate::ScoringMetrics;
use crate::library::Owner;

/// An event.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ScoringEvent<'a> {
    /// Models run on this device.
    DeviceOpened(&'a OpenedDevice),
    /// A model came into use while the worker was running.
    ModelServes { file: &'a str, model: &'a ModelRef, owner: &'a Owner },
    /// A changed model file is unusable; the model `serving` stays in use, if there is one.
    ModelUnusable { file: &'a str, reason: &'a str, serving: Option<&'a str> },
    /// A model file was deleted.
    ModelGone(&'a Owner),
    /// A control message was applied.
    Controlled { machine: &'a MachineId, control: &'a Control },
    /// Many machines of one place have changed at the same time.
    EnvironmentChanged(&'a EnvironmentChange),
    /// A machine's sample rate or length differs from its model's training data, or matches it again.
    SetupChanged(&'a Alert),
}

impl ScoringEvent<'_> {
    /// Counts and logs the event.
    pub(crate) fn report(&self, metrics: &ScoringMetrics) {
        self.count(metrics);
        self.log();
    }

    fn count(&self, metrics: &ScoringMetrics) {
        match self {
            Self::DeviceOpened(device) => {
                metrics.device.with_label_values(&[device.name.as_str()]).set(1);
                metrics.device_fallback.set(i64::from(device.fallback.is_some()));
            }
            Self::ModelServes { .. } => metrics.model_reloads.inc(),
            Self::ModelUnusable { .. } => metrics.model_reload_failures.inc(),
            // Exported by `auscult_models`.
            Self::ModelGone(_) => {}
            Self::Controlled { control, .. } => {
                metrics.control_messages.with_label_values(&[control.action.as_str()]).inc();
            }
            Self::EnvironmentChanged(_) => metrics.environment_changes.inc(),
            // Exported by `auscult_alerts_total` and `auscult_notes_total`.
            Self::SetupChanged(_) => {}
        }
    }

    fn log(&self) {
        match self {
            Self::DeviceOpened(device) => match &device.fallback {
                Some(reason) => tracing::warn!(reason, "no GPU: scoring on the CPU"),
                None => tracing::info!(device = device.name, "scoring device"),
            },
            Self::ModelServes { file, model, owner } => {
                let ModelRef { id, version } = model;
                tracing::info!(file, model = %id, version, serves = %owner, "a new model serves from here on");
            }
            Self::ModelUnusable { file, reason, serving: Some(serving) } => {
                tracing::error!(
                    file,
                    reason,
                    serving,
                    "the model file is unusable; the model before it goes on serving"
                );
            }
            Self::ModelUnusable { file, reason, serving: None } => {
                tracing::error!(file, reason, "the model file is unusable, and there is no model before it");
            }
            Self::ModelGone(owner) => tracing::warn!(
                served = %owner,
                "the model file is gone: the default model serves in its place, or without one chunks go to the dead letters"
            ),
            Self::Controlled { machine, control } => {
                let action = control.action.as_str();
                tracing::info!(%machine, action, by = control.by, "a control message is applied");
            }
            Self::EnvironmentChanged(change) => {
                let EnvironmentChange { environment, machines_affected, machines_heard, since } = change;
                tracing::warn!(environment, machines_affected, machines_heard, %since, "an environment has changed");
            }
            Self::SetupChanged(alert) => {
                let (machine, explanation) = (&alert.machine, alert.explanation.as_deref().unwrap_or_default());
                if alert.notes.is_empty() {
                    tracing::info!(%machine, explanation, "the recording setup is as learned again");
                } else {
                    tracing::warn!(%machine, explanation, "the recording setup is not as learned");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use auscult_detection::{DeviceChoice, open_device};
    use auscult_runtime::telemetry::Registrar;

    use super::*;

    #[test]
    fn a_fallback_to_the_cpu_is_a_metric_and_the_cpu_asked_for_is_none() {
        let metrics = ScoringMetrics::register(&Registrar::default(), 10).unwrap();
        let mut device = open_device(DeviceChoice::Cpu).unwrap();
        ScoringEvent::DeviceOpened(&device).report(&metrics);
        assert_eq!(metrics.device_fallback.get(), 0);
        device.fallback = Some("no driver".to_owned());
        ScoringEvent::DeviceOpened(&device).report(&metrics);
        assert_eq!(metrics.device_fallback.get(), 1);
    }
}
