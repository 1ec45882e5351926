//! The state machine itself: a machine's memory of its latest chunks, and what the next one makes of it. Only times and
//! two verdicts a chunk go in; scores, models and messages are others' business.

use auscult_schemas::{AlertMemory, Classification, MachineState};
use jiff::Timestamp;

use crate::alert_policy::AlertPolicy;

/// What one chunk says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Evidence {
    /// When it was recorded.
    pub time: Timestamp,
    /// Its score is above the threshold.
    pub is_anomalous: bool,
    /// Its score is at or below the clear threshold. Never together with the other.
    pub is_clear: bool,
}

/// Takes one chunk into account.
pub(crate) fn advance(memory: &mut AlertMemory, evidence: Evidence, policy: &AlertPolicy) {
    memory.since.get_or_insert(evidence.time);
    remember(memory, evidence, policy);
    // The chunk itself counts as any other.
    resume(memory, evidence.time);
    let before = memory.state;
    let after = next(memory, evidence.time, policy);
    if after == before {
        return;
    }
    memory.classification = match after {
        MachineState::Warning => Some(Classification::Pointwise),
        MachineState::Alarm => Some(Classification::Persistent),
        _ => None,
    };
    if after == MachineState::Alarm {
        memory.alarmed_at = Some(evidence.time);
    }
    enter(memory, after, evidence.time);
    if after == MachineState::Healthy {
        // What led to the fault that is over must not help to raise the next one.
        forget_deviations(memory);
        memory.alarmed_at = None;
    }
}

/// A silent machine that is heard again goes on where it was.
pub(crate) fn resume(memory: &mut AlertMemory, time: Timestamp) {
    if memory.state == MachineState::Silent {
        let (resumed, decided) = (memory.resumes.take().unwrap_or_default(), memory.decided);
        enter(memory, resumed, time);
        memory.decided = decided;
    }
}

/// The first of the chunks that led to the state that has just been entered.
pub(crate) fn first_evidence(memory: &AlertMemory, policy: &AlertPolicy) -> Option<Timestamp> {
    let window = match memory.state {
        MachineState::Warning => policy.warn_window,
        MachineState::Alarm => policy.raise_window,
        _ => return memory.streak_since,
    };
    let count = anomalous(memory, window) as usize;
    memory.anomalous_at.len().checked_sub(count).and_then(|first| memory.anomalous_at.get(first)).copied()
}

/// Puts the machine into a state.
pub(crate) fn enter(memory: &mut AlertMemory, state: MachineState, time: Timestamp) {
    (memory.state, memory.since, memory.decided) = (state, Some(time), 0);
}

/// Forgets the evidence for and against a fault; the state stays.
pub(crate) fn forget_evidence(memory: &mut AlertMemory) {
    forget_deviations(memory);
    (memory.streak, memory.streak_since) = (0, None);
}

/// Judges the machine anew from its next chunk on.
pub(crate) fn restart(memory: &mut AlertMemory, time: Timestamp) {
    let since = memory.since;
    let state = memory.state;
    *memory = AlertMemory { since: Some(time), ..AlertMemory::default() };
    if state == MachineState::Learning {
        // It has been learning all the while.
        memory.since = since.or(Some(time));
    }
}

fn forget_deviations(memory: &mut AlertMemory) {
    memory.recent = 0;
    memory.anomalous_at.clear();
}

fn remember(memory: &mut AlertMemory, evidence: Evidence, policy: &AlertPolicy) {
    let mask = (1_u32 << policy.window()) - 1;
    memory.recent = (memory.recent << 1 | u32::from(evidence.is_anomalous)) & mask;
    if evidence.is_anomalous {
        memory.anomalous_at.push(evidence.time);
    }
    let surplus = memory.anomalous_at.len().saturating_sub(memory.recent.count_ones() as usize);
    memory.anomalous_at.drain(..surplus);
    if evidence.is_clear {
        memory.streak = memory.streak.saturating_add(1);
        memory.streak_since.get_or_insert(evidence.time);
    } else {
        (memory.streak, memory.streak_since) = (0, None);
    }
}

/// Anomalous ones among so many of the latest chunks.
fn anomalous(memory: &AlertMemory, window: u32) -> u32 {
    let mask = (1_u32 << window.clamp(1, AlertPolicy::MAX_WINDOW)) - 1;
    (memory.recent & mask).count_ones()
}

fn next(memory: &mut AlertMemory, time: Timestamp, policy: &AlertPolicy) -> MachineState {
    use MachineState::{Acknowledged, Alarm, Healthy, Learning, Warning};
    let persists = anomalous(memory, policy.raise_window) >= policy.raise_of.max(1);
    let deviates = anomalous(memory, policy.warn_window) >= policy.warn_of.max(1);
    let is_normal_again = memory.streak >= policy.clear_after.max(1);
    match memory.state {
        Learning => {
            memory.decided += 1;
            let is_learnt = memory.decided >= policy.clear_after;
            match (persists, is_learnt) {
                (true, _) => Alarm,
                (false, false) => Learning,
                (false, true) if deviates => Warning,
                (false, true) => Healthy,
            }
        }
        Healthy | Warning if persists => Alarm,
        Healthy if deviates => Warning,
        Warning if is_normal_again && has_stood(memory.since, time, policy) => Healthy,
        Alarm | Acknowledged if is_normal_again && has_stood(memory.alarmed_at.or(memory.since), time, policy) => {
            Healthy
        }
        // Maintenance, sensors and silence do not end by what a chunk sounds like.
        state => state,
    }
}

/// Whether a state has stood long enough to end. A time far before its beginning counts as well as one far behind: a
/// clock was wrong, then or now, and the alarm must not outlast its correction.
fn has_stood(since: Option<Timestamp>, time: Timestamp, policy: &AlertPolicy) -> bool {
    since.is_none_or(|since| time.duration_since(since).abs().as_secs_f64() >= f64::from(policy.min_alarm_secs))
}
