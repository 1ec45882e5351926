//! One chunk, and what follows from it for its machine and for those beside it.

use auscult_schemas::{Alert, MachineId, ScorerState};

use crate::alert::environment_alert;
use crate::environment::{detect, start_relearning};
use crate::observed_chunk::ObservedChunk;
use crate::partition::PartitionMachines;
use crate::silence::{fallen_silent, listened_s, partition_clock};
use crate::{Observation, WatchPolicy, fall_silent, observe_chunk};

/// What follows from one chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservationOutcome {
    /// For its own machine.
    pub observation: Observation,
    /// That the environment has changed, where that is new.
    pub environment: Option<Alert>,
    /// Of the machines that have fallen silent meanwhile.
    pub silent: Vec<Alert>,
    /// The states of other machines that have changed with it.
    pub others: Vec<ScorerState>,
}

/// Observes a chunk among the machines of its partition; `machines` has them as they were before, and is brought up to
/// date; its `silent_after` is the policy's. `state_of` gives the state of another one of them.
///
/// When it is this chunk that shows that the environment has changed, it is observed once more with its machine's level
/// being learnt anew, so that it raises nothing.
#[must_use]
pub fn watch_chunk(
    machines: &mut PartitionMachines,
    state_of: impl Fn(&MachineId) -> Option<ScorerState>,
    before: Option<&ScorerState>,
    chunk: &ObservedChunk<'_>,
    policy: &WatchPolicy,
) -> ObservationOutcome {
    debug_assert_eq!(machines.silent_after(), policy.alert.silent_after);
    let mut observation = observe_chunk(before, chunk, policy);
    let listened_s = Some(listened_s(machines, chunk.machine, chunk.time));
    observation.state.listened_s = listened_s;
    machines.put(&observation.state);

    let mut others: Vec<ScorerState> = Vec::new();
    let mut environment = None;
    if let Some(affected) = detect(machines, chunk.machine, chunk.time, &policy.environment) {
        let since = affected.change.since;
        for machine in &affected.machines {
            let known = if machine == chunk.machine { before.cloned() } else { state_of(machine) };
            let Some(mut state) = known else { continue };
            start_relearning(&mut state, since, &policy.environment);
            if machine == chunk.machine {
                observation = observe_chunk(Some(&state), chunk, policy);
                observation.state.listened_s = listened_s;
                machines.put(&observation.state);
            } else {
                machines.put(&state);
                others.push(state);
            }
        }
        let report = |change| environment_alert(change, chunk, &observation.state, observation.held.threshold);
        environment = affected.is_new.then(|| report(affected.change));
    }

    let mut silent = Vec::new();
    let clock = partition_clock(machines, None).unwrap_or(chunk.time);
    for machine in fallen_silent(machines) {
        let changed = others.iter().position(|state| state.machine == machine);
        let Some(state) = changed.map(|at| others[at].clone()).or_else(|| state_of(&machine)) else { continue };
        let id = format!("{}/silent/{machine}", chunk.id);
        let Some((state, alert)) = fall_silent(&state, clock, &id, chunk.chunk_id) else { continue };
        machines.put(&state);
        silent.push(alert);
        match changed {
            Some(at) => others[at] = state,
            None => others.push(state),
        }
    }
    ObservationOutcome { observation, environment, silent, others }
}
