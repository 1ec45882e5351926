//! The ground truth of a fleet, for evaluating detection.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Fleet;
use crate::{Fault, MachineKind, MicrophoneFault};

/// The ground truth of a scenario, as written by `auscult simulate --truth`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The seed.
    pub seed: u64,
    /// Recording time of the first chunk.
    pub start: Timestamp,
    /// End of the scenario.
    pub end: Timestamp,
    /// Interval between chunks of a machine, s.
    pub cadence_s: f64,
    /// Total number of chunks.
    pub chunks: u64,
    /// Every machine.
    pub machines: Vec<MachineTruth>,
    /// New sound sources in the halls, with times.
    pub environment_changes: Vec<EnvironmentTruth>,
    /// Gateway outages.
    pub outages: Vec<OutageTruth>,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MachineTruth {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: MachineKind,
    /// Number of its chunks.
    pub chunks: u64,
    /// Its failure; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureTruth>,
    /// The failure of its microphone; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_microphone: Option<MicrophoneTruth>,
}

/// A failure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FailureTruth {
    /// The fault.
    pub fault: Fault,
    /// Start of the fault, with severity 0.
    pub onset: Timestamp,
    /// When the machine fails.
    pub failure: Timestamp,
}

/// A failed microphone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MicrophoneTruth {
    /// How it has failed.
    pub fault: MicrophoneFault,
    /// When it failed.
    pub at: Timestamp,
}

/// A new sound source in a hall.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentTruth {
    /// The environment in the machines' ids: the part before the last `/`; `*` if ids have none.
    pub environment: String,
    /// Its start.
    pub from: Timestamp,
    /// Its end; absent if it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// An outage of a gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutageTruth {
    /// The environment of the gateway.
    pub environment: String,
    /// Its start.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
}

impl Fleet {
    /// The ground truth of the fleet.
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

    /// The environments of a hall, or of all halls.
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
    /// Total duration over all machines, weeks.
    #[must_use]
    pub fn machine_weeks(&self) -> f64 {
        let weeks = self.end.duration_since(self.start).as_secs_f64() / (7.0 * 86_400.0);
        self.machines.len() as f64 * weeks
    }
}
