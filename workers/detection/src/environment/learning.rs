//! A machine relearns its normal scores after a change of its environment.

use auscult_schemas::{AuditAction, DriftMemory, Relearning, ScorerState, ThresholdAdjustment};
use jiff::Timestamp;

use super::EnvironmentPolicy;
use crate::Calibration;
use crate::alert_state::forget_evidence;
use crate::calibration::quantile;

/// The author of these threshold changes.
pub(crate) const BY: &str = "environment";
/// Factor on the estimated spread. The spread of three dozen scores has an error of about 15 % in both directions, and
/// a spread that is too narrow causes false alarms.
const WIDER: f64 = 1.3;
/// The new scores equal the calibration if their median is within this share of the calibration's spread (half a
/// standard deviation of normal scores), and their spread is at most this many times as wide. Three dozen scores of the
/// calibration itself may deviate by this much.
const UNMOVED: f64 = 0.2;
const STEADY: f64 = 1.2;
/// An adjusted machine has returned to its old level if this many latest scores are closer to the old median than to
/// the new one.
const BACK_AFTER: usize = 12;

/// Starts relearning a machine's level from its next chunks. Meanwhile no alarm is raised or cleared; the evidence so
/// far is attributed to the environment.
pub fn start_relearning(state: &mut ScorerState, since: Timestamp, policy: &EnvironmentPolicy) {
    state.relearning = Some(Relearning { since, scores: Vec::new(), needed: policy.relearn_chunks });
    forget_evidence(&mut state.alert);
    state.deviation = None;
    state.drift = DriftMemory::default();
}

/// Adds one score, the latest of the recent ones. Returns an audit record if relearning ends, or if the machine sounds
/// as it did before the environment changed.
pub fn learn(state: &mut ScorerState, score: f64, calibration: &Calibration) -> Option<AuditAction> {
    if let Some(mut relearning) = state.relearning.take() {
        relearning.scores.push(score);
        if (relearning.scores.len() as u64) < u64::from(relearning.needed) {
            state.relearning = Some(relearning);
            return None;
        }
        let (offset, factor) = moved(relearning.scores, calibration);
        if offset.abs() <= UNMOVED * spread(&calibration.scores) && factor <= WIDER * STEADY {
            state.adjustment = None;
            restart(state);
            return Some(AuditAction::AdjustThreshold { offset: 0.0, factor: 1.0 });
        }
        state.adjustment = Some(ThresholdAdjustment { offset, factor, by: BY.to_owned(), since: relearning.since });
        restart(state);
        return Some(AuditAction::AdjustThreshold { offset, factor });
    }
    let adjustment = state.adjustment.as_ref()?;
    let latest = state.recent_scores.len().checked_sub(BACK_AFTER)?;
    let normal = quantile(&calibration.scores, 0.5);
    let is_back = |score: f64| score <= normal + adjustment.offset / 2.0;
    // An offset within the calibration's own spread is too small to detect a return.
    if adjustment.offset <= 2.0 * spread(&calibration.scores)
        || !state.recent_scores[latest..].iter().all(|score| is_back(*score))
    {
        return None;
    }
    state.adjustment = None;
    restart(state);
    Some(AuditAction::AdjustThreshold { offset: 0.0, factor: 1.0 })
}

/// The shift of the median and the ratio of the spreads, both robust: up to a tenth of the scores may be from before
/// the change, and another tenth from a fault. The spread is never narrower than the calibration's, which has more
/// data.
fn moved(mut scores: Vec<f64>, calibration: &Calibration) -> (f64, f64) {
    scores.sort_by(f64::total_cmp);
    let offset = quantile(&scores, 0.5) - quantile(&calibration.scores, 0.5);
    let before = spread(&calibration.scores);
    let factor = if before > 0.0 { (WIDER * spread(&scores) / before).max(1.0) } else { 1.0 };
    (offset, factor)
}

/// The range of ascending scores without the lowest and highest tenth: twice as precise as the interquartile range.
fn spread(ascending: &[f64]) -> f64 {
    quantile(ascending, 0.9) - quantile(ascending, 0.1)
}

/// Evidence under the old threshold does not apply to the new one.
fn restart(state: &mut ScorerState) {
    state.deviation = None;
    state.drift = DriftMemory::default();
}
