//! Check of machines: is there a model for each known machine, trained on the current features?

use std::collections::BTreeMap;

use auscult_runtime::kafka::survey::Glimpse;
use auscult_schemas::{FeatureSpecHash, Features, MachineId, ScorerState};
use auscult_scoring_worker::{ModelLookup, Serving};
use jiff::Timestamp;

use super::groups::age;
use super::{Finding, Findings};

const GROUP: &str = "machines";
const CHECK: &str = "models";
/// A machine with chunks within this time must have a model; an older one may have been removed.
const RECENT_MS: i64 = 24 * 60 * 60 * 1000;

/// What is known of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sighting {
    /// When its latest chunk was recorded, ms since the epoch.
    pub heard_ms: Option<i64>,
    /// The spec hash of its latest features.
    pub spec: Option<FeatureSpecHash>,
}

/// All known machines.
#[derive(Debug, Clone, Default)]
pub(super) struct MachineSightings(BTreeMap<MachineId, Sighting>);

impl MachineSightings {
    /// Adds a record of a scoring worker's state; a record without a value is a machine that was removed, such as a
    /// retired one.
    pub fn remembered(&mut self, glimpse: &Glimpse) {
        let Some(machine) = machine(glimpse) else { return };
        let Some(value) = &glimpse.value else {
            self.0.remove(&machine);
            return;
        };
        let state: Option<ScorerState> = serde_json::from_slice(value).ok();
        if state.as_ref().is_some_and(|state| state.retired.is_some()) {
            self.0.remove(&machine);
            return;
        }
        let heard_ms = state.and_then(|state| state.last_heard).map(Timestamp::as_millisecond);
        self.0.entry(machine).or_default().heard_ms = heard_ms.or(glimpse.timestamp_ms);
    }

    /// Adds a recent record: features, or chunks if one worker runs both stages.
    pub fn came(&mut self, glimpse: &Glimpse) {
        let Some(machine) = machine(glimpse) else { return };
        let sighting = self.0.entry(machine).or_default();
        sighting.heard_ms = sighting.heard_ms.max(glimpse.timestamp_ms);
        let features = glimpse.value.as_deref().and_then(|value| Features::decode(value).ok());
        sighting.spec = features.map(|features| features.metadata.feature_spec).or(sighting.spec);
    }
}

fn machine(glimpse: &Glimpse) -> Option<MachineId> {
    MachineId::new(std::str::from_utf8(glimpse.key.as_deref()?).ok()?).ok()
}

/// Checks the models of all known machines.
pub(super) fn judge(sightings: &MachineSightings, models: Option<&ModelLookup>, now_ms: i64) -> Vec<Finding> {
    let mut findings = Findings::of(GROUP);
    let count = sightings.0.len();
    if count == 0 {
        findings.unknown(CHECK, "no machine has been heard yet");
        return findings.list;
    }
    let Some(models) = models else {
        findings.unknown(
            CHECK,
            format!("{count} machines were seen; this configuration names no models: take a scoring worker's, or --models FOLDER"),
        );
        return findings.list;
    };
    let mut missing = Vec::new();
    let mut gone = Vec::new();
    let mut mismatched = Vec::new();
    let (mut by_default, mut compared) = (0, 0);
    for (machine, sighting) in &sightings.0 {
        let silent_ms = sighting.heard_ms.map_or(0, |heard| now_ms - heard);
        match models.find(machine) {
            Err(reason) if silent_ms > RECENT_MS => {
                gone.push(format!("{machine} ({reason}; silent for {})", age(silent_ms / 1000)))
            }
            Err(reason) => missing.push(format!("{machine} ({reason})")),
            Ok(Serving { feature_spec, is_default, model }) => {
                by_default += usize::from(is_default);
                compared += usize::from(sighting.spec.is_some());
                if let Some(spec) = sighting.spec.filter(|spec| *spec != feature_spec) {
                    mismatched.push(format!(
                        "{machine} ({} wants {}, what comes is {})",
                        model.id,
                        short(feature_spec),
                        short(spec)
                    ));
                }
            }
        }
    }
    if !missing.is_empty() {
        findings.wrong(
            CHECK,
            format!("{} of {count} machines have no model: {}", missing.len(), some(&missing)),
            "their chunks go to the dead letters: `auscult train` or `auscult retrain` makes models, MACHINE.safetensors in models.dir each \
             (docs/runbooks/AuscultModelUnusable.md)",
        );
    }
    if !gone.is_empty() {
        findings.warning(
            CHECK,
            format!("{} of {count} machines have no model, and have long been silent: {}", gone.len(), some(&gone)),
            "where they are retired, take their state out of audio.scorer-state (docs/operations/machines.md)",
        );
    }
    if !mismatched.is_empty() {
        findings.wrong(
            "feature specs",
            format!("{} of {count} machines: {}", mismatched.len(), some(&mismatched)),
            "set the feature workers' `features` to the spec of the models, or train anew (docs/runbooks/AuscultModelMismatch.md)",
        );
    }
    let defaults = if by_default > 0 { format!(", {by_default} of them the default one") } else { String::new() };
    findings.ok_if_sound(CHECK, format!("all {count} machines that were seen have a model{defaults}"));
    if compared > 0 {
        let words = format!("the newest features of {compared} machines are what their models were trained on");
        findings.ok_if_sound("feature specs", words);
    }
    findings.list
}

fn short(spec: FeatureSpecHash) -> String {
    spec.to_string().chars().take(8).collect()
}

/// The first few names of many.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

#[cfg(test)]
mod tests {
    use auscult_schemas::{ModelId, ModelRef, Standing};
    use auscult_scoring_worker::ModelsConfig;

    use super::super::Outcome;
    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn glimpse(key: &str, value: Option<&str>, timestamp_ms: i64) -> Glimpse {
        Glimpse {
            partition: 0,
            key: Some(key.to_owned().into()),
            value: value.map(|value| value.to_owned().into()),
            headers: auscult_schemas::Headers::default(),
            timestamp_ms: Some(timestamp_ms),
            is_broker_time: false,
        }
    }

    #[test]
    fn a_machine_without_a_model_is_wrong_while_it_is_heard_and_a_warning_when_it_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        let config = ModelsConfig { dir: Some(folder.path().to_owned()), ..ModelsConfig::default() };
        let lookup = ModelLookup::new(&config);
        let mut seen = MachineSightings::default();
        seen.came(&glimpse("fan-1", None, NOW_MS));
        let found = judge(&seen, Some(&lookup), NOW_MS);
        assert!(found[0].outcome == Outcome::Wrong && found[0].says.contains("fan-1 (there is no fan-1.safetensors)"));
        let found = judge(&seen, Some(&lookup), NOW_MS + 2 * RECENT_MS);
        assert!(found[0].outcome == Outcome::Warning && found[0].says.contains("silent for 2 days"), "{found:?}");
    }

    #[test]
    fn a_model_file_that_is_broken_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("fan-1.safetensors"), b"no package").unwrap();
        let config = ModelsConfig { dir: Some(folder.path().to_owned()), ..ModelsConfig::default() };
        let mut seen = MachineSightings::default();
        seen.came(&glimpse("fan-1", None, NOW_MS));
        let found = judge(&seen, Some(&ModelLookup::new(&config)), NOW_MS);
        assert!(found[0].outcome == Outcome::Wrong && found[0].says.contains("unusable"), "{found:?}");
    }

    #[test]
    fn a_machine_whose_state_was_taken_out_is_forgotten() {
        let mut seen = MachineSightings::default();
        seen.remembered(&glimpse("fan-1", Some("{}"), NOW_MS));
        assert_eq!(seen.0.len(), 1);
        assert_eq!(judge(&seen, None, NOW_MS)[0].outcome, Outcome::Unknown);
        seen.remembered(&glimpse("fan-1", None, NOW_MS));
        assert!(seen.0.is_empty());

        let model = ModelRef { id: ModelId("m".to_owned()), version: "v".to_owned() };
        let mut retired = ScorerState::new(MachineId::new("fan-1").unwrap(), model);
        seen.remembered(&glimpse("fan-1", Some(&serde_json::to_string(&retired).unwrap()), NOW_MS));
        assert_eq!(seen.0.len(), 1);
        retired.retired = Some(Standing { by: "anna".to_owned(), since: Timestamp::UNIX_EPOCH, until: None });
        seen.remembered(&glimpse("fan-1", Some(&serde_json::to_string(&retired).unwrap()), NOW_MS));
        assert!(seen.0.is_empty());
    }
}
