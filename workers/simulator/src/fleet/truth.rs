//! What is true of a fleet, for whoever judges what was made of its sound.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Fleet;
use crate::{Fault, MachineKind, MicrophoneFault};

/// The truth about a scenario, as `auscult simulate --truth` writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// What decided.
    pub seed: u64,
    /// When the first chunk is recorded.
    pub start: Timestamp,
    /// When it is over.
    pub end: Timestamp,
    /// From one chunk of a machine to its next, s.
    pub cadence_s: f64,
    /// Chunks in all.
    pub chunks: u64,
    /// Every machine.
    pub machines: Vec<MachineTruth>,
    /// What was new in the halls, and when.
    pub environment_changes: Vec<EnvironmentTruth>,
    /// When gateways were away.
    pub outages: Vec<OutageTruth>,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MachineTruth {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: MachineKind,
    /// Chunks that it sends.
    pub chunks: u64,
    /// How it fails; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureTruth>,
    /// How its microphone dies; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_microphone: Option<MicrophoneTruth>,
}

/// A failure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FailureTruth {
    /// The fault.
    pub fault: Fault,
    /// When it begins, from nothing.
    pub onset: Timestamp,
    /// When the machine fails.
    pub failure: Timestamp,
}

/// A dead microphone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MicrophoneTruth {
    /// How.
    pub fault: MicrophoneFault,
    /// Since when.
    pub at: Timestamp,
}

/// Something new in a hall.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentTruth {
    /// The environment, as machines' ids name it: the part before the last `/`; `*` where ids have none.
    pub environment: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when; absent where it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A gateway that was away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutageTruth {
    /// The environment whose gateway it is.
    pub environment: String,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

impl Fleet {
    /// What is true of it.
    #[must_use]
    pub fn truth(&self) -> Truth {
        let mut chunks = vec![0_u64; self.machines.len()];
        for planned in (0..self.rounds()).flat_map(|number| self.round(number)) {
            chunks[planned.machine] += 1;
        }
        let machines = self.machines.iter().zip(&chunks).map(|(fleet_machine, &chunks)| MachineTruth {
            id: fleet_machine.machine.id().to_owned(),
            kind: fleet_machine.machine.kind(),
            chunks,
            failure: fleet_machine.failure.map(|failure| FailureTruth {
                fault: failure.fault,
                onset: failure.onset,
                failure: failure.failure,
            }),
            dead_microphone: fleet_machine
                .dead_microphone
                .map(|dead| MicrophoneTruth { fault: dead.fault, at: dead.at }),
        });
        let spec = &self.spec;
        let changes = spec.environment.iter().flat_map(|change| {
            self.environments(change.hall).into_iter().map(|environment| EnvironmentTruth {
                environment,
                from: self.time(change.from_h),
                until: change.until_h.map(|until_h| self.time(until_h)),
            })
        });
        let outages = spec.outages.iter().flat_map(|outage| {
            self.environments(outage.hall).into_iter().map(|environment| OutageTruth {
                environment,
                from: self.time(outage.from_h),
                until: self.time(outage.until_h),
            })
        });
        Truth {
            seed: spec.seed,
            start: spec.start,
            end: self.end(),
            cadence_s: spec.cadence_s,
            chunks: chunks.iter().sum(),
            machines: machines.collect(),
            environment_changes: changes.collect(),
            outages: outages.collect(),
        }
    }

    /// The environments of a hall, or of all.
    fn environments(&self, hall: Option<usize>) -> Vec<String> {
        let site = &self.spec.site;
        if site.is_empty() {
            return vec!["*".to_owned()];
        }
        let halls = hall.map_or(1..=self.spec.halls, |hall| hall..=hall);
        halls.map(|hall| format!("{site}/hall-{hall}")).collect()
    }
}

impl Truth {
    /// How long all machines together were listened to, weeks.
    #[must_use]
    pub fn machine_weeks(&self) -> f64 {
        let weeks = self.end.duration_since(self.start).as_secs_f64() / (7.0 * 86_400.0);
        self.machines.len() as f64 * weeks
    }
}
