//! What the decisions about many machines need to know of each: when it was heard, how often it is, and whether it
//! deviates.

use auscult_schemas::{MachineState, ScorerState};
use jiff::Timestamp;

/// One machine of a partition, as the others' decisions see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MachineSummary {
    /// The latest time at which it was heard.
    pub last_heard: Timestamp,
    /// How far apart its chunks usually are, s; `None` until enough have come to tell.
    pub cadence_s: Option<f64>,
    /// For how long the partition had been listened to when it was heard, s; see [`crate::silence::listened_s`].
    pub listened_s: f64,
    /// Its state.
    pub state: MachineState,
    /// It can fall silent as far as its own state goes.
    pub can_fall_silent: bool,
    /// When the maintenance or the rest ends that a person has asked for; the far future where it has no end.
    pub maintained_until: Option<Timestamp>,
    /// The first chunk of what deviates now, while the latest chunk deviates.
    pub deviates_since: Option<Timestamp>,
    /// Anomalous chunks in a row, up to the latest.
    pub run: u32,
    /// The drift that has been found of it and is not over: when it was found, and since when it is.
    pub drift: Option<(Timestamp, Timestamp)>,
    /// The change of environment that its threshold follows, or is about to.
    pub adjusted_since: Option<Timestamp>,
    /// Its level is being learnt anew.
    pub is_relearning: bool,
}

impl MachineSummary {
    /// Chunks after which a machine's cadence is taken for known.
    const CHUNKS_FOR_CADENCE: u64 = 5;
    /// A machine that was heard so many cadences ago still counts as recently heard.
    pub(super) const RECENT_CADENCES: f64 = 3.0;

    /// As a machine's state has it; `None` of one that has never been heard.
    #[must_use]
    pub fn of(state: &ScorerState) -> Option<Self> {
        let is_alarm = matches!(state.alert.state, MachineState::Alarm | MachineState::Acknowledged);
        let run_since = state.deviation.as_ref().map(|deviation| deviation.since);
        // A normal chunk in between does not make an old alarm a new one.
        let deviates_since = match (run_since, state.alert.since) {
            (Some(run), Some(alarm)) if is_alarm => Some(run.min(alarm)),
            (run, _) => run,
        };
        let relearning = state.relearning.as_ref().map(|relearning| relearning.since);
        let adjusted = state.adjustment.as_ref().map(|adjustment| adjustment.since);
        Some(Self {
            last_heard: state.last_heard?,
            cadence_s: state.cadence_s.filter(|_| state.chunks >= Self::CHUNKS_FOR_CADENCE),
            listened_s: state.listened_s.unwrap_or(0.0),
            state: state.alert.state,
            can_fall_silent: can_fall_silent(state),
            maintained_until: state
                .maintenance
                .iter()
                .chain(&state.idle)
                .map(|asked| asked.until.unwrap_or(Timestamp::MAX))
                .max(),
            deviates_since,
            run: state.alert.recent.trailing_ones(),
            drift: state.drift.episode.map(|episode| (episode.found, episode.since)),
            adjusted_since: relearning.or(adjusted),
            is_relearning: relearning.is_some(),
        })
    }

    /// Whether someone works on it at that time, or it is at rest as a person has said.
    #[must_use]
    pub fn is_maintained(&self, time: Timestamp) -> bool {
        self.maintained_until.is_some_and(|until| until > time)
    }

    /// Whether it counts at that time among the machines of which a share must change together.
    #[must_use]
    pub fn is_recently_heard(&self, time: Timestamp) -> bool {
        let Some(cadence_s) = self.cadence_s else { return false };
        let behind_s = time.duration_since(self.last_heard).as_secs_f64();
        self.state != MachineState::Silent && !self.is_maintained(time) && behind_s <= Self::RECENT_CADENCES * cadence_s
    }
}

/// Whether a machine can fall silent: not one that is silent already, being worked on, or at rest as a person has said.
#[must_use]
pub(crate) fn can_fall_silent(state: &ScorerState) -> bool {
    !matches!(state.alert.state, MachineState::Silent | MachineState::Maintenance) && state.idle.is_none()
}

/// The state under which a machine is counted. One that no sensor hears counts as one with a sensor fault, whatever it
/// was before; one whose sound cannot be compared with what was learned as one with a setup fault, and one at rest as
/// idle, unless nothing comes from it or somebody works on it.
#[must_use]
pub fn counted_state(state: &ScorerState) -> MachineState {
    let at_fault = state.sensors.iter().filter(|sensor| sensor.is_at_fault).count();
    let hears_nothing = at_fault > 0 && state.channels.is_some_and(|channels| at_fault >= channels as usize);
    let is_incomparable = state.setup.iter().any(|known| known.is_reported && known.kind.is_incomparable());
    match state.alert.state {
        _ if hears_nothing => MachineState::SensorFault,
        own @ (MachineState::Silent | MachineState::Maintenance) => own,
        _ if is_incomparable => MachineState::SetupFault,
        _ if state.idle_since.is_some() => MachineState::Idle,
        own => own,
    }
}
