//! Which part of a rolling bearing is damaged, from vibration and the shaft's speed: no model, no training.
//!
//! ```text
//!  samples ──► band by band: analytic signal ──► squared envelope ──► its spectrum over its noise floor and the shaft's lines ──┐
//!  shaft speed, geometry ──► each defect's comb of lines, harmonics and sidebands, beside combs of no defect ──────────────────────┴──► BearingFinding
//! ```
//!
//! Each time a ball meets a spalled spot, the bearing rings at its resonances: many kHz, short, and again at every
//! passage. The passages are seen not in the spectrum but in the spectrum of the envelope of a band that holds such a
//! resonance (R. B. Randall and J. Antoni, *Rolling element bearing diagnostics: a tutorial*, Mechanical Systems and
//! Signal Processing 25, 2011). Which band that is differs from machine to machine, so all are tried, and every band
//! counts by how far a comb stands out there. What the shaft's own lines explain does not count, and a comb must be
//! higher than combs of the same make at places where no defect has one, by more than noise would make it.
//!
//! | module | what it holds |
//! |---|---|
//! | `geometry` | how often per shaft turn each defect strikes |
//! | `sensor` | whether there is a vibration at all |
//! | `envelope` | the spectrum of a band's squared envelope, over its noise floor |
//! | `shaft_lines` | what of that is the shaft's own |
//! | `speed` | at which speed the shaft really turns |
//! | `comb` | how far a defect's lines stand out of it |
//! | `search` | where combs are sought |
//! | `left` | what is left without a part's lines |
//! | `noise` | how far combs scatter where there is no defect |
//! | `impulses` | impulses at a rate that is not the bearing's |
//! | `rate` | whether the stated rate can be right |
//! | `consecutive` | whether recordings follow on one another, to be judged as one |
//! | `view` | a bearing and its speed; the bands and segments in which a recording is looked at |
//! | `finding` | the comparison, in numbers and words |
//! | `error` | why a recording cannot be examined |
//! | `examine` | all of it, for one recording |

mod comb;
mod consecutive;
mod envelope;
mod error;
mod examine;
mod finding;
mod geometry;
mod impulses;
mod left;
mod noise;
mod rate;
mod search;
mod sensor;
mod shaft_lines;
mod speed;
mod view;

pub use comb::Comb;
pub use consecutive::follows_on;
pub use error::BearingError;
pub use finding::{BearingFinding, CLEAR_CHANCE, CLEAR_CHANCE_LONG};
pub use geometry::{BearingOrders, BearingPart, RollingElements};
pub use impulses::{ImpulseRate, Impulses};
pub use rate::{RateCheck, RateDoubt};
pub use sensor::{SensorFault, SensorNote};
pub use view::{BearingExam, LONG_TURNS, MIN_TURNS};
