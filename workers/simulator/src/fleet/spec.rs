//! The specification of a scenario: a TOML file, or a built-in one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Fault, MicrophoneFault};

/// A fleet and its events. Times are hours from its start, `_h`; missing values have defaults, or are drawn with the
/// seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FleetSpec {
    /// Determines everything that is not specified: the same seed gives the same sound, byte for byte.
    pub seed: u64,
    /// Recording time of the first chunk.
    pub start: Timestamp,
    /// Duration, days.
    pub days: f64,
    /// Interval between chunks of a machine, s.
    pub cadence_s: f64,
    /// Length of a chunk, s.
    pub chunk_s: f64,
    /// Fans.
    pub fans: usize,
    /// Pumps.
    pub pumps: usize,
    /// Valves.
    pub valves: usize,
    /// Prefix of machine ids: `works` gives `works/hall-1/fan-01`. If empty, ids have no hall, and all machines share
    /// one hall.
    pub site: String,
    /// Number of halls that the machines are distributed over; each hall is a separate environment.
    pub halls: usize,
    /// Machines with a fault that grows until they fail.
    pub failing: Vec<FailureSpec>,
    /// Microphones that fail.
    pub dead_microphones: Vec<DeadMicrophoneSpec>,
    /// New sound sources that affect all machines of a hall, or of all halls.
    pub environment: Vec<EnvironmentSpec>,
    /// Periods in which a hall's gateway sends nothing; recordings from these periods are lost.
    pub outages: Vec<OutageSpec>,
}

/// A machine that fails.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureSpec {
    /// Its id; by default the seed selects a machine for which the fault is possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The fault; by default the seed selects one that is possible for the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// Start of the fault, with severity 0.
    pub onset_h: f64,
    /// When the machine fails: the severity is 1.
    pub failure_h: f64,
}

/// A microphone that fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadMicrophoneSpec {
    /// Its machine; by default the seed selects one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// How it fails.
    pub fault: MicrophoneFault,
    /// When it fails.
    pub at_h: f64,
}

/// A new sound source in a hall.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentSpec {
    /// The hall, counted from 1; by default all halls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hall: Option<usize>,
    /// Its level at the microphones, dB SPL, with a small variation between them. The hall itself has 66, a fan 78.
    pub spl_db: f64,
    /// When it is switched on.
    pub from_h: f64,
    /// When it is switched off; by default it stays on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_h: Option<f64>,
}

/// An outage of a gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutageSpec {
    /// The hall, counted from 1; by default all halls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hall: Option<usize>,
    /// Its start.
    pub from_h: f64,
    /// Its end.
    pub until_h: f64,
}

impl EnvironmentSpec {
    /// A level that most machines' models detect immediately: ten times the hall's own power.
    pub const USUAL_SPL_DB: f64 = 76.0;
}

impl Default for FleetSpec {
    fn default() -> Self {
        Self {
            seed: 1,
            // A Monday.
            start: "2026-01-05T00:00:00Z".parse().expect("the text is a timestamp"),
            days: 1.0,
            cadence_s: 300.0,
            chunk_s: 0.5,
            fans: 2,
            pumps: 2,
            valves: 2,
            site: "works".to_owned(),
            halls: 1,
            failing: Vec::new(),
            dead_microphones: Vec::new(),
            environment: Vec::new(),
            outages: Vec::new(),
        }
    }
}

impl FleetSpec {
    /// The names of the built-in scenarios.
    pub const BUILT_IN: [&str; 2] = ["demo", "week"];

    /// A built-in scenario.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        match name {
            "demo" => Some(Self::demo()),
            "week" => Some(Self::week()),
            _ => None,
        }
    }

    /// Parses a scenario file.
    ///
    /// # Errors
    /// The syntax error, with line and column.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Twelve machines for two days: one fails, one microphone dies, the hall changes.
    fn demo() -> Self {
        let failure = |fault, onset_h, failure_h| FailureSpec { machine: None, fault: Some(fault), onset_h, failure_h };
        Self {
            days: 2.0,
            fans: 4,
            pumps: 4,
            valves: 4,
            failing: vec![failure(Fault::BearingWear, 8.0, 24.0)],
            dead_microphones: vec![DeadMicrophoneSpec { machine: None, fault: MicrophoneFault::Quiet, at_h: 30.0 }],
            environment: vec![EnvironmentSpec {
                hall: None,
                spl_db: EnvironmentSpec::USUAL_SPL_DB,
                from_h: 36.0,
                until_h: None,
            }],
            ..Self::default()
        }
    }

    /// A hundred machines for a week: three fail, two microphones fail, and the hall's sound changes in between. The
    /// last failure starts after that change: adaptation to the hall must not hide it.
    fn week() -> Self {
        let failure = |fault, onset_h, failure_h| FailureSpec { machine: None, fault: Some(fault), onset_h, failure_h };
        let dead = |fault, at_h| DeadMicrophoneSpec { machine: None, fault, at_h };
        Self {
            days: 7.0,
            fans: 34,
            pumps: 33,
            valves: 33,
            failing: vec![
                failure(Fault::BearingWear, 24.0, 72.0),
                failure(Fault::Cavitation, 60.0, 96.0),
                failure(Fault::Leak, 130.0, 160.0),
            ],
            dead_microphones: vec![dead(MicrophoneFault::Quiet, 40.0), dead(MicrophoneFault::Stuck, 125.0)],
            environment: vec![EnvironmentSpec {
                hall: None,
                spl_db: EnvironmentSpec::USUAL_SPL_DB,
                from_h: 108.0,
                until_h: None,
            }],
            ..Self::default()
        }
    }

    /// Number of machines.
    #[must_use]
    pub fn machines(&self) -> usize {
        self.fans + self.pumps + self.valves
    }
}
