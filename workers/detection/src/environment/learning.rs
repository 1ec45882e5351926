//! A machine learns anew what is normal, after its environment has changed.

use auscult_schemas::{AuditAction, DriftMemory, Relearning, ScorerState, ThresholdAdjustment};
use jiff::Timestamp;

use super::EnvironmentPolicy;
use crate::Calibration;
use crate::alert_state::forget_evidence;
use crate::calibration::quantile;

/// Who adjusts thresholds here.
pub(crate) const BY: &str = "environment";
/// The spread of three dozen scores is known to about 15 %, as likely too narrow as too wide, and too narrow costs
/// false alarms: it is taken as so many times as wide.
const WIDER: f64 = 1.3;
/// What has been learnt is the calibration again where its median is within this share of the calibration's spread
/// (half a standard deviation of normal scores), and its own spread is no more than this many times as wide: that is
/// what three dozen scores of the calibration itself may come to.
const UNMOVED: f64 = 0.2;
const STEADY: f64 = 1.2;
/// An adjusted machine whose latest scores, this many, are nearer to the old median than to the new one is back where
/// it was.
const BACK_AFTER: usize = 12;

/// Has a machine learn its level from its next chunks. Nothing is raised meanwhile, and nothing cleared; what speaks
/// for a fault so far was the environment's doing.
pub fn start_relearning(state: &mut ScorerState, since: Timestamp, policy: &EnvironmentPolicy) {
    state.relearning = Some(Relearning { since, scores: Vec::new(), needed: policy.relearn_chunks });
    forget_evidence(&mut state.alert);
    state.deviation = None;
    state.drift = DriftMemory::default();
}

/// Takes one score into account, which is the latest of the recent ones. Gives what has been done where that ends the
/// learning, or where the machine sounds again as it did before the environment changed.
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
    // An offset within the calibration's own spread is no level to come back from.
    if adjustment.offset <= 2.0 * spread(&calibration.scores)
        || !state.recent_scores[latest..].iter().all(|score| is_back(*score))
    {
        return None;
    }
    state.adjustment = None;
    restart(state);
    Some(AuditAction::AdjustThreshold { offset: 0.0, factor: 1.0 })
}

/// How far the median has moved and how many times as wide the spread is, robustly: up to a tenth of the scores may be
/// of the time before, and as many of a fault. Never narrower than the calibration's, which rests on more.
fn moved(mut scores: Vec<f64>, calibration: &Calibration) -> (f64, f64) {
    scores.sort_by(f64::total_cmp);
    let offset = quantile(&scores, 0.5) - quantile(&calibration.scores, 0.5);
    let before = spread(&calibration.scores);
    let factor = if before > 0.0 { (WIDER * spread(&scores) / before).max(1.0) } else { 1.0 };
    (offset, factor)
}

/// The range of ascending scores without the lowest and the highest tenth: twice as exact as the interquartile range.
fn spread(ascending: &[f64]) -> f64 {
    quantile(ascending, 0.9) - quantile(ascending, 0.1)
}

/// What was heard under the old threshold says nothing under the new one.
fn restart(state: &mut ScorerState) {
    state.deviation = None;
    state.drift = DriftMemory::default();
}
