//! What a scenario says: as a TOML file, or built in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Fault, MicrophoneFault};

/// A fleet and what happens to it. Times are hours from its start, `_h`; what is left out has its default, or is drawn
/// by the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FleetSpec {
    /// Decides everything that is not said: the same seed gives the same sound, byte for byte.
    pub seed: u64,
    /// When the first chunk is recorded.
    pub start: Timestamp,
    /// How long the fleet is listened to, days.
    pub days: f64,
    /// From one chunk of a machine to its next, s.
    pub cadence_s: f64,
    /// Length of a chunk, s.
    pub chunk_s: f64,
    /// Fans.
    pub fans: usize,
    /// Pumps.
    pub pumps: usize,
    /// Valves.
    pub valves: usize,
    /// What machines' ids begin with: `works` gives `works/hall-1/fan-01`. Empty: ids without a hall, and one hall for
    /// all.
    pub site: String,
    /// Halls that the machines are spread over; each is an environment of its own.
    pub halls: usize,
    /// Machines whose fault grows until they fail.
    pub failing: Vec<FailureSpec>,
    /// Microphones that die.
    pub dead_microphones: Vec<DeadMicrophoneSpec>,
    /// Something new that is heard by all machines of a hall, or of all of them.
    pub environment: Vec<EnvironmentSpec>,
    /// Times in which a hall's gateway sends nothing; what is recorded then is lost.
    pub outages: Vec<OutageSpec>,
}

/// A machine that fails.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureSpec {
    /// Its id; otherwise the seed draws one that can have the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The fault; otherwise the seed draws one that the machine can have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// When the fault begins, from nothing.
    pub onset_h: f64,
    /// When the machine fails: the fault is fully grown.
    pub failure_h: f64,
}

/// A microphone that dies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadMicrophoneSpec {
    /// The machine it listens to; otherwise the seed draws one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// How.
    pub fault: MicrophoneFault,
    /// When.
    pub at_h: f64,
}

/// Something new in a hall.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentSpec {
    /// The hall, by number from 1; otherwise all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hall: Option<usize>,
    /// Its level at the microphones, dB SPL, a little more at some and less at others. The hall itself has 66, a fan
    /// 78.
    pub spl_db: f64,
    /// When it is switched on.
    pub from_h: f64,
    /// When it is switched off; otherwise it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_h: Option<f64>,
}

/// A gateway that is away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutageSpec {
    /// The hall, by number from 1; otherwise all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hall: Option<usize>,
    /// From when.
    pub from_h: f64,
    /// Until when.
    pub until_h: f64,
}

impl EnvironmentSpec {
    /// A level that most machines' models notice at once: ten times the hall's own power.
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

    /// Reads a scenario file.
    ///
    /// # Errors
    /// Where the text is no scenario, with line and column.
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

    /// A hundred machines for a week: three fail, two microphones die, and the hall's sound changes in between. The
    /// last failure begins after that change: whoever has got used to the hall must not have got deaf.
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

    /// How many machines there are.
    #[must_use]
    pub fn machines(&self) -> usize {
        self.fans + self.pumps + self.valves
    }
}
