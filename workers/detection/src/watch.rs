//! One chunk, and what follows from it for its machine and for those beside it.

use auscult_schemas::{Alert, MachineId, ScorerState};

use crate::alert::environment_alert;
use crate::environment::{detect, hold};
use crate::roster::Roster;
use crate::silence::{fallen_silent, listened_s, partition_clock};
use crate::{Heard, Observation, WatchPolicy, fall_silent, observe_chunk};

/// What follows from one chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// For its own machine.
    pub observation: Observation,
    /// That the environment has changed, where that is new.
    pub environment: Option<Alert>,
    /// Of the machines that have fallen silent meanwhile.
    pub silent: Vec<Alert>,
    /// The states of other machines that have changed with it.
    pub others: Vec<ScorerState>,
}

/// Observes a chunk among the machines of its partition; `roster` lists them as they were before, and is brought up to
/// date. `state_of` gives the state of another one of them.
///
/// When it is this chunk that shows that the environment has changed, it is observed once more with its machine's level
/// being learnt anew, so that it raises nothing.
#[must_use]
pub fn watch_chunk(
    roster: &mut Roster,
    state_of: impl Fn(&MachineId) -> Option<ScorerState>,
    before: Option<&ScorerState>,
    heard: &Heard<'_>,
    policy: &WatchPolicy,
) -> Watched {
    let mut observation = observe_chunk(before, heard, policy);
    let listened_s = Some(listened_s(roster, heard.machine, heard.time));
    observation.state.listened_s = listened_s;
    roster.put(&observation.state);

    let mut others: Vec<ScorerState> = Vec::new();
    let mut environment = None;
    if let Some(affected) = detect(roster, heard.machine, heard.time, &policy.environment) {
        let since = affected.change.since;
        for machine in &affected.machines {
            let known = if machine == heard.machine { before.cloned() } else { state_of(machine) };
            let Some(mut state) = known else { continue };
            hold(&mut state, since, &policy.environment);
            if machine == heard.machine {
                observation = observe_chunk(Some(&state), heard, policy);
                observation.state.listened_s = listened_s;
                roster.put(&observation.state);
            } else {
                roster.put(&state);
                others.push(state);
            }
        }
        let report = |change| environment_alert(change, heard, &observation.state, observation.held.threshold);
        environment = affected.is_new.then(|| report(affected.change));
    }

    let mut silent = Vec::new();
    let clock = partition_clock(roster, None).unwrap_or(heard.time);
    for machine in fallen_silent(roster, policy.alert.silent_after) {
        let changed = others.iter().position(|state| state.machine == machine);
        let Some(state) = changed.map(|at| others[at].clone()).or_else(|| state_of(&machine)) else { continue };
        let id = format!("{}/silent/{machine}", heard.id);
        let Some((state, alert)) = fall_silent(&state, clock, &id, heard.chunk_id) else { continue };
        roster.put(&state);
        silent.push(alert);
        match changed {
            Some(at) => others[at] = state,
            None => others.push(state),
        }
    }
    Watched { observation, environment, silent, others }
}
