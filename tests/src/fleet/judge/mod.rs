//! The truth against what came out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use auscult_schemas::{Alert, AlertKind, MachineState};
use auscult_simulator::fleet::{MachineTruth, Truth};
use jiff::{SignedDuration, Timestamp};

use super::{EnvironmentReport, FailureVerdict, MicrophoneVerdict, Outcome, Promise, ScoreSeen, Shortcoming, Verdict};

/// Reports of partitions that differ by no more than this are of one change; so late may a report be about it.
const ONE_CHANGE: SignedDuration = SignedDuration::from_hours(1);
/// So soon must a dead microphone be named.
const NAMED_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// So long after a gateway came back its machines may still be called silent.
const SILENCE_AFTERMATH: SignedDuration = SignedDuration::from_hours(1);
/// Machine-weeks that may bring one false alarm.
const MACHINE_WEEKS_A_FALSE_ALARM: f64 = 10.0;

/// Judges a run.
#[must_use]
pub fn judge(truth: &Truth, outcome: &Outcome) -> Verdict {
    let mut verdict = Verdict {
        machines: truth.machines.len(),
        machine_weeks: truth.machine_weeks(),
        chunks: truth.chunks,
        scores: outcome.scores.len() as u64,
        anomalous_share: anomalous_shares(truth, &outcome.scores),
        took: outcome.took,
        ..Verdict::default()
    };
    judge_scores(truth, outcome, &mut verdict);
    judge_failures(truth, &outcome.alerts, &mut verdict);
    judge_false_alarms(truth, &outcome.alerts, &mut verdict);
    judge_microphones(truth, &outcome.alerts, &mut verdict);
    judge_environment(truth, &outcome.alerts, &mut verdict);
    judge_silences(truth, &outcome.alerts, &mut verdict);
    verdict
}

impl Verdict {
    fn falls_short(&mut self, promise: Promise, what: String) {
        self.shortcomings.push(Shortcoming { promise, what });
    }
}

fn judge_scores(truth: &Truth, outcome: &Outcome, verdict: &mut Verdict) {
    let mut scored: HashMap<&str, (u64, BTreeSet<&str>)> = HashMap::new();
    for score in &outcome.scores {
        let (count, ids) = scored.entry(&score.machine).or_default();
        *count += 1;
        ids.insert(&score.chunk_id);
    }
    for machine in &truth.machines {
        let (count, different) = scored.remove(machine.id.as_str()).map_or((0, 0), |(n, ids)| (n, ids.len() as u64));
        if (count, different) != (machine.chunks, machine.chunks) {
            let what = format!("{}: {} chunks, {count} scores of {different} chunks", machine.id, machine.chunks);
            verdict.falls_short(Promise::OneScoreAChunk, what);
        }
    }
    for stranger in scored.keys() {
        verdict.falls_short(Promise::OneScoreAChunk, format!("{stranger} is no machine of the fleet"));
    }
    if !outcome.dead_letters.is_empty() {
        let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
        for code in &outcome.dead_letters {
            *codes.entry(code).or_default() += 1;
        }
        verdict.falls_short(Promise::OneScoreAChunk, format!("dead letters: {codes:?}"));
    }
}

/// An alarm that somebody is woken by.
fn is_alarm(alert: &Alert) -> bool {
    alert.kind == AlertKind::Machine && alert.state == MachineState::Alarm && !alert.muted
}

fn is_warning(alert: &Alert) -> bool {
    let is_worse = matches!(alert.previous_state, MachineState::Learning | MachineState::Healthy);
    alert.kind == AlertKind::Machine && alert.state == MachineState::Warning && is_worse && !alert.muted
}

fn of<'a>(alerts: &'a [Alert], machine: &'a MachineTruth) -> impl Iterator<Item = &'a Alert> {
    alerts.iter().filter(|alert| alert.machine.as_str() == machine.id)
}

fn judge_failures(truth: &Truth, alerts: &[Alert], verdict: &mut Verdict) {
    for machine in &truth.machines {
        let Some(failure) = machine.failure else { continue };
        let is_timely = |alert: &&Alert| (failure.onset..failure.failure).contains(&alert.time);
        let first = |wanted: fn(&Alert) -> bool| {
            of(alerts, machine).filter(|alert| wanted(alert)).filter(is_timely).map(|alert| alert.time).min()
        };
        let alarmed = first(is_alarm);
        let noticed = first(|alert| is_alarm(alert) || is_warning(alert));
        if alarmed.is_none() {
            let what = format!("{} failed at {} ({}) without an alarm", machine.id, failure.failure, failure.fault);
            verdict.falls_short(Promise::AlarmBeforeFailure, what);
        }
        verdict.failures.push(FailureVerdict {
            machine: machine.id.clone(),
            fault: failure.fault,
            onset: failure.onset,
            failure: failure.failure,
            noticed,
            alarmed,
        });
    }
    verdict.failures.sort_by_key(|failure| failure.failure);
}

/// An alarm is false when the machine has no fault (yet). That something is new in its hall is no fault of its, and a
/// dead microphone neither.
fn judge_false_alarms(truth: &Truth, alerts: &[Alert], verdict: &mut Verdict) {
    let onsets: HashMap<&str, Option<Timestamp>> =
        truth.machines.iter().map(|m| (m.id.as_str(), m.failure.map(|failure| failure.onset))).collect();
    let is_false = |alert: &&Alert| {
        let onset = onsets.get(alert.machine.as_str()).copied().flatten();
        onset.is_none_or(|onset| alert.time < onset)
    };
    for alert in alerts.iter().filter(|alert| is_alarm(alert)).filter(is_false) {
        let why = alert.explanation.as_deref().unwrap_or("no explanation");
        verdict.false_alarms.push(format!("{} at {}: {why}", alert.machine, alert.time));
    }
    verdict.false_warnings = alerts.iter().filter(|alert| is_warning(alert)).filter(is_false).count();
    let allowed = verdict.machine_weeks / MACHINE_WEEKS_A_FALSE_ALARM;
    if verdict.false_alarms.len() as f64 > allowed {
        let what = format!("{} false alarms, {allowed:.1} at most", verdict.false_alarms.len());
        verdict.falls_short(Promise::FewFalseAlarms, what);
    }
}

fn judge_microphones(truth: &Truth, alerts: &[Alert], verdict: &mut Verdict) {
    for machine in &truth.machines {
        let mut named = of(alerts, machine)
            .filter(|alert| alert.kind == AlertKind::Sensor && !alert.sensor_faults.is_empty())
            .map(|alert| (alert.time, alert.state));
        let Some(dead) = machine.dead_microphone else {
            if let Some((time, _)) = named.next() {
                let what = format!("{} hears well, but was named at {time}", machine.id);
                verdict.falls_short(Promise::DeadMicrophonesNamed, what);
            }
            continue;
        };
        let first = named.find(|(_, state)| *state == MachineState::SensorFault).map(|(time, _)| time);
        let is_timely = first.is_some_and(|time| time >= dead.at && time.duration_since(dead.at) <= NAMED_WITHIN);
        if !is_timely {
            let when = first.map_or("never".to_owned(), |time| time.to_string());
            let what = format!("{}: dead at {}, named {when}", machine.id, dead.at);
            verdict.falls_short(Promise::DeadMicrophonesNamed, what);
        }
        verdict.microphones.push(MicrophoneVerdict {
            machine: machine.id.clone(),
            fault: dead.fault,
            at: dead.at,
            named: first,
        });
    }
    verdict.microphones.sort_by_key(|dead| dead.at);
}

fn judge_environment(truth: &Truth, alerts: &[Alert], verdict: &mut Verdict) {
    verdict.environment = merged(alerts);
    // What is switched off changes the hall as much as what is switched on.
    let happened = truth.environment_changes.iter().flat_map(|change| {
        [Some(change.from), change.until].into_iter().flatten().map(|time| (change.environment.as_str(), time))
    });
    let mut unexplained: Vec<&EnvironmentReport> = verdict.environment.iter().collect();
    let mut findings = Vec::new();
    for (environment, time) in happened {
        let is_of_it = |report: &&EnvironmentReport| {
            report.environment == environment && report.since.duration_since(time).abs() <= ONE_CHANGE
        };
        let reports = unexplained.iter().copied().filter(is_of_it).count();
        unexplained.retain(|report| !is_of_it(report));
        if reports != 1 {
            findings.push(format!("{environment} changed at {time}: reported {reports} times"));
        }
    }
    findings
        .extend(unexplained.iter().map(|report| format!("{} did not change at {}", report.environment, report.since)));
    for what in findings {
        verdict.falls_short(Promise::EnvironmentOnce, what);
    }
}

/// Every partition reports what its own machines hear: what is said of one environment within the hour is one change.
fn merged(alerts: &[Alert]) -> Vec<EnvironmentReport> {
    let mut records: Vec<(&str, Timestamp, Timestamp, u32)> = alerts
        .iter()
        .filter(|alert| alert.kind == AlertKind::Environment)
        .map(|alert| {
            let change = alert.environment.as_ref();
            let since = change.map_or(alert.since, |change| change.since);
            (alert.machine.as_str(), since, alert.time, change.map_or(0, |change| change.machines_affected))
        })
        .collect();
    records.sort_unstable();
    let mut reports: Vec<EnvironmentReport> = Vec::new();
    for (environment, since, reported, machines) in records {
        match reports.last_mut() {
            Some(last) if last.environment == environment && since.duration_since(last.since) <= ONE_CHANGE => {
                last.records += 1;
                last.machines += machines;
                last.reported = last.reported.min(reported);
            }
            _ => reports.push(EnvironmentReport {
                environment: environment.to_owned(),
                since,
                reported,
                records: 1,
                machines,
            }),
        }
    }
    reports
}

fn judge_silences(truth: &Truth, alerts: &[Alert], verdict: &mut Verdict) {
    for alert in alerts {
        let is_silence = alert.kind == AlertKind::Machine && alert.state == MachineState::Silent;
        let id = alert.machine.as_str();
        let is_away = truth.outages.iter().any(|outage| {
            let environment = id.rsplit_once('/').map_or("*", |(environment, _)| environment);
            environment == outage.environment
                && alert.time >= outage.from
                && alert.time.duration_since(outage.until) <= SILENCE_AFTERMATH
        });
        if is_silence && !is_away {
            let what = format!("{id} was called silent at {}", alert.time);
            verdict.falls_short(Promise::NobodySilencedWrongly, what);
        }
    }
}

fn anomalous_shares(truth: &Truth, scores: &[ScoreSeen]) -> [f64; 2] {
    let first_change = truth.environment_changes.iter().map(|change| change.from).min();
    let well: BTreeSet<&str> = truth
        .machines
        .iter()
        .filter(|machine| machine.failure.is_none() && machine.dead_microphone.is_none())
        .map(|machine| machine.id.as_str())
        .collect();
    let mut counts = [(0_u64, 0_u64); 2];
    for score in scores.iter().filter(|score| well.contains(score.machine.as_str())) {
        let (all, anomalous) = &mut counts[usize::from(first_change.is_some_and(|change| score.time >= change))];
        *all += 1;
        *anomalous += u64::from(score.anomalous);
    }
    counts.map(|(all, anomalous)| anomalous as f64 / all.max(1) as f64)
}

#[cfg(test)]
mod doctored;
