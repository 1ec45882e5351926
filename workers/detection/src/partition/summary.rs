//! The data of a machine used by decisions about many machines: its latest chunk, its cadence, and whether it deviates.

use auscult_schemas::{MachineState, ScorerState};
use jiff::Timestamp;

/// One machine of a partition, as seen by decisions about all machines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MachineSummary {
    /// The time of its latest chunk.
    pub last_heard: Timestamp,
    /// Its usual interval between chunks, s; `None` until enough chunks have arrived.
    pub cadence_s: Option<f64>,
    /// How long the partition had been observed at its latest chunk, s; see [`crate::silence::listened_s`].
    pub listened_s: f64,
    /// Its state.
    pub state: MachineState,
    /// Whether its own state allows it to become silent.
    pub can_fall_silent: bool,
    /// End of the maintenance or idle time set by an operator; in the far future if it has no end.
    pub maintained_until: Option<Timestamp>,
    /// The first chunk of the current deviation, while the latest chunk deviates.
    pub deviates_since: Option<Timestamp>,
    /// Number of consecutive anomalous chunks up to the latest.
    pub run: u32,
    /// Its active drift: when it was found, and when it started.
    pub drift: Option<(Timestamp, Timestamp)>,
    /// The change of environment that its threshold follows or will follow.
    pub adjusted_since: Option<Timestamp>,
    /// Whether its level is being relearned.
    pub is_relearning: bool,
}

impl MachineSummary {
    /// Number of chunks after which a machine's cadence is known.
    const CHUNKS_FOR_CADENCE: u64 = 5;
    /// A machine whose latest chunk is at most this many cadences old counts as recent.
    pub(super) const RECENT_CADENCES: f64 = 3.0;

    /// From a machine's state; `None` for a machine without chunks.
    #[must_use]
    pub fn of(state: &ScorerState) -> Option<Self> {
        let is_alarm = matches!(state.alert.state, MachineState::Alarm | MachineState::Acknowledged);
        let run_since = state.deviation.as_ref().map(|deviation| deviation.since);
        // A normal chunk in between does not restart an old alarm.
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

    /// Whether it is in maintenance at that time, or set idle by an operator.
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

/// Whether a machine can become silent: not if it is already silent, in maintenance, or set idle by an operator.
#[must_use]
pub(crate) fn can_fall_silent(state: &ScorerState) -> bool {
    !matches!(state.alert.state, MachineState::Silent | MachineState::Maintenance) && state.idle.is_none()
}

/// The state under which a machine is counted. A machine without a working sensor counts as sensor fault, whatever its
/// state was before; one that is not comparable with the training data as setup fault, and one at rest as idle, unless
/// it is silent or in maintenance.
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
