//! Decisions about many machines the straightforward way: every machine is looked at for every chunk. What
//! `PartitionMachines` keeps in order and counted must come to the same.

use std::collections::BTreeMap;

use auscult_detection::environment::{EnvironmentPolicy, environment_of, start_relearning};
use auscult_detection::silence::MIN_MACHINES;
use auscult_detection::{
    MachineSummary, Observation, ObservedChunk, WatchPolicy, counted_state, fall_silent, observe_chunk,
};
use auscult_schemas::{Alert, EnvironmentChange, MachineId, MachineState, ScorerState};
use jiff::Timestamp;

const TOGETHER: f64 = 4.0;
const GRADUALLY: f64 = 24.0;
const JOINING: f64 = 24.0;
const CONTINUING: f64 = 72.0;
const DRIFTING: f64 = 100.0;
const DRIFTING_SHARE: f64 = 0.8;
const EVIDENCE: u32 = 10;
const RUN_COUNTED: u32 = 3;

pub type Machines = BTreeMap<MachineId, MachineSummary>;
pub type States = BTreeMap<MachineId, ScorerState>;

pub fn machines_of(states: &States) -> Machines {
    states.values().filter_map(|state| Some((state.machine.clone(), MachineSummary::of(state)?))).collect()
}

/// How many machines are counted in each state, and how many of them drift.
pub fn counts(states: &States) -> (Vec<(MachineState, usize)>, usize) {
    let there: Vec<&ScorerState> = states.values().filter(|state| state.retired.is_none()).collect();
    let in_state = |wanted| there.iter().filter(|state| counted_state(state) == wanted).count();
    let counts = MachineState::ALL.map(|state| (state, in_state(state))).to_vec();
    (counts, there.iter().filter(|state| state.drift.episode.is_some()).count())
}

pub struct Outcome {
    pub observation: Observation,
    pub change: Option<EnvironmentChange>,
    pub silent: Vec<Alert>,
    pub others: Vec<ScorerState>,
}

pub fn watch_chunk(states: &States, chunk: &ObservedChunk<'_>, policy: &WatchPolicy) -> Outcome {
    let mut machines = machines_of(states);
    let before = states.get(chunk.machine);
    let mut observation = observe_chunk(before, chunk, policy);
    let listened_s = Some(listened_s(&machines, chunk.machine, chunk.time));
    observation.state.listened_s = listened_s;
    put(&mut machines, &observation.state);

    let (mut others, mut change) = (Vec::<ScorerState>::new(), None);
    if let Some((found, is_new, affected)) = detect(&machines, chunk.machine, chunk.time, &policy.environment) {
        for machine in &affected {
            let Some(mut state) = states.get(machine).cloned() else { continue };
            start_relearning(&mut state, found.since, &policy.environment);
            if machine == chunk.machine {
                observation = observe_chunk(Some(&state), chunk, policy);
                observation.state.listened_s = listened_s;
                put(&mut machines, &observation.state);
            } else {
                put(&mut machines, &state);
                others.push(state);
            }
        }
        change = is_new.then_some(found);
    }

    let mut silent = Vec::new();
    let clock = clock(&machines, None).unwrap_or(chunk.time);
    for machine in fallen_silent(&machines, policy.alert.silent_after) {
        let changed = others.iter().position(|state| state.machine == machine);
        let known = changed.map(|at| others[at].clone()).or_else(|| states.get(&machine).cloned());
        let id = format!("{}/silent/{machine}", chunk.id);
        let fallen = known.and_then(|state| fall_silent(&state, clock, &id, chunk.chunk_id));
        let Some((state, alert)) = fallen else { continue };
        put(&mut machines, &state);
        silent.push(alert);
        match changed {
            Some(at) => others[at] = state,
            None => others.push(state),
        }
    }
    Outcome { observation, change, silent, others }
}

fn put(machines: &mut Machines, state: &ScorerState) {
    match MachineSummary::of(state) {
        Some(summary) => drop(machines.insert(state.machine.clone(), summary)),
        None => drop(machines.remove(&state.machine)),
    }
}

fn clock(machines: &Machines, heard: Option<(&MachineId, Timestamp)>) -> Option<Timestamp> {
    let others = machines
        .iter()
        .filter(|(id, machine)| machine.state != MachineState::Silent && heard.is_none_or(|(heard, _)| heard != *id));
    let mut times: Vec<Timestamp> = others.map(|(_, machine)| machine.last_heard).collect();
    if let Some((machine, time)) = heard {
        times.push(machines.get(machine).map_or(time, |machine| machine.last_heard.max(time)));
    }
    if times.len() < MIN_MACHINES {
        return None;
    }
    times.sort_unstable_by(|a, b| b.cmp(a));
    Some(times[(times.len().div_ceil(4) - 1).max(1)])
}

fn longest_listened_s(machines: &Machines) -> f64 {
    machines.values().map(|machine| machine.listened_s).fold(0.0, f64::max)
}

fn listened_s(machines: &Machines, machine: &MachineId, time: Timestamp) -> f64 {
    let so_far = longest_listened_s(machines);
    let (Some(before), Some(after)) = (clock(machines, None), clock(machines, Some((machine, time)))) else {
        return so_far;
    };
    let longest = median(machines.values().filter_map(|machine| machine.cadence_s).collect()).unwrap_or(0.0);
    so_far + after.duration_since(before).as_secs_f64().clamp(0.0, longest)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn fallen_silent(machines: &Machines, silent_after: u32) -> Vec<MachineId> {
    let Some(clock) = clock(machines, None) else { return Vec::new() };
    let listened_s = longest_listened_s(machines);
    let is_missing = |machine: &MachineSummary| {
        let missed_s = listened_s - machine.listened_s;
        let is_watched = silent_after > 0 && machine.state != MachineState::Silent && !machine.is_maintained(clock);
        is_watched && machine.cadence_s.is_some_and(|cadence| missed_s > f64::from(silent_after) * cadence)
    };
    machines.iter().filter(|(_, machine)| is_missing(machine)).map(|(id, _)| id.clone()).collect()
}

type Found = (EnvironmentChange, bool, Vec<MachineId>);

fn detect(machines: &Machines, machine: &MachineId, time: Timestamp, policy: &EnvironmentPolicy) -> Option<Found> {
    let it = machines.get(machine)?;
    let has_just_drifted = it.drift.is_some_and(|(found, _)| found == time);
    let is_of_interest = it.deviates_since.is_some() || has_just_drifted;
    if policy.min_machines == 0 || !is_of_interest || it.is_relearning || it.is_maintained(time) {
        return None;
    }
    let environment = environment_of(machine);
    let hall: Vec<(&MachineId, &MachineSummary)> = machines
        .iter()
        .filter(|(other, _)| environment_of(other) == environment)
        .filter(|(_, other)| {
            let behind_s = time.duration_since(other.last_heard).as_secs_f64();
            let is_recent = other.cadence_s.is_some_and(|cadence_s| behind_s <= 3.0 * cadence_s);
            is_recent && other.state != MachineState::Silent && !other.is_maintained(time)
        })
        .collect();
    let cadence_s = median(hall.iter().filter_map(|(_, other)| other.cadence_s).collect())?;
    let needed = ((policy.min_share * hall.len() as f64).ceil() as usize).max(policy.min_machines as usize);
    let is_within = |since: Timestamp, cadences: f64| time.duration_since(since).as_secs_f64() <= cadences * cadence_s;
    let marked = |mark| hall.iter().filter(|(_, other)| other.adjusted_since == Some(mark)).count();
    let latest = hall.iter().filter_map(|(_, other)| other.adjusted_since).filter(|mark| marked(*mark) >= needed).max();
    let change = |machines_affected: usize, since| EnvironmentChange {
        environment: environment.to_owned(),
        machines_affected: machines_affected as u32,
        machines_heard: hall.len() as u32,
        since,
    };
    let together = |affected: Vec<(MachineId, Timestamp)>, needed: usize| {
        if affected.len() < needed {
            return None;
        }
        let mut onsets: Vec<Timestamp> = affected.iter().map(|(_, since)| *since).collect();
        onsets.sort_unstable();
        let started = onsets[onsets.len() / 2];
        let goes_on = |mark: &Timestamp| started.duration_since(*mark).as_secs_f64() <= CONTINUING * cadence_s;
        let continued = latest.filter(goes_on);
        let found = change(affected.len(), continued.unwrap_or(started));
        Some((found, continued.is_none(), affected.into_iter().map(|(id, _)| id).collect()))
    };

    let steady = || hall.iter().filter(|(_, other)| !other.is_relearning);
    let mut deviating = Vec::new();
    let mut evidence = 0;
    for (id, other) in steady() {
        let Some(since) = other.deviates_since else { continue };
        if is_within(since, TOGETHER) || (other.run >= 2 && is_within(since, GRADUALLY)) {
            evidence += other.run.min(RUN_COUNTED);
            deviating.push(((*id).clone(), since));
        }
    }
    if evidence >= EVIDENCE
        && let Some(found) = together(deviating, needed)
    {
        return Some(found);
    }
    if has_just_drifted {
        let drifts = steady().filter_map(|(id, other)| Some(((*id).clone(), other.drift?)));
        let lately = drifts.filter(|(_, (found, _))| is_within(*found, DRIFTING));
        let needed = needed.max((DRIFTING_SHARE * hall.len() as f64).ceil() as usize);
        if let Some(found) = together(lately.map(|(id, (_, since))| (id, since)).collect(), needed) {
            return Some(found);
        }
    }
    let mark = latest.filter(|mark| it.adjusted_since != Some(*mark))?;
    let belongs = |since: Timestamp| since.duration_since(mark).as_secs_f64() >= -TOGETHER * cadence_s;
    let deviates = is_within(mark, JOINING) && it.run >= 2 && it.deviates_since.is_some_and(belongs);
    let drifts = has_just_drifted && is_within(mark, DRIFTING);
    (deviates || drifts).then(|| (change(marked(mark) + 1, mark), false, vec![machine.clone()]))
}
