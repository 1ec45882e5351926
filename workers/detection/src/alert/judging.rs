//! The scoring settings of a machine, for audit records.

use auscult_schemas::{Judging, ScorerState, Standing};

use super::HeldThreshold;
use crate::Manifest;
use crate::alert_policy::AlertPolicy;

/// The scoring settings of a machine in the format of an audit record.
#[must_use]
pub fn judging(state: &ScorerState, manifest: &Manifest, policy: &AlertPolicy) -> Judging {
    let held = HeldThreshold::of(&manifest.calibration, state, policy);
    let until = |standing: &Option<Standing>| standing.as_ref().and_then(|standing| standing.until);
    Judging {
        state: state.alert.state,
        threshold: held.threshold,
        threshold_by: held.by,
        muted: state.mute.is_some(),
        muted_until: until(&state.mute),
        maintenance_until: until(&state.maintenance),
        idle: state.idle.is_some(),
        idle_until: until(&state.idle),
    }
}
