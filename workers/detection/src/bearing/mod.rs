//! Which part of a rolling bearing is damaged, from vibration and the shaft's speed: no model, no training.
//!
//! ```text
//!  samples ──► band by band: analytic signal ──► squared envelope ──► its spectrum over its noise floor ──┐
//!  shaft speed, geometry ──► each defect's comb of lines: harmonics, with the sidebands of what modulates it ┴──► BearingFinding
//! ```
//!
//! Each time a ball meets a spalled spot, the bearing rings at its resonances: many kHz, short, and again at every passage.
//! The passages are seen not in the spectrum but in the spectrum of the envelope of a band that holds such a resonance
//! (R. B. Randall and J. Antoni, *Rolling element bearing diagnostics: a tutorial*, Mechanical Systems and Signal
//! Processing 25, 2011). Which band that is differs from machine to machine, so all are tried, and the one counts in which
//! a comb stands out furthest.
//!
//! | module | what it holds |
//! |---|---|
//! | `geometry` | how often per shaft turn each defect strikes |
//! | `envelope` | the spectrum of a band's squared envelope, over its noise floor |
//! | `comb` | how far a defect's lines stand out of it |
//! | `finding` | the comparison, in numbers and words |
//! | `examine` | all of it, for one recording |

mod comb;
mod envelope;
mod examine;
mod finding;
mod geometry;

pub use comb::Comb;
pub use examine::{BearingError, BearingExam, MIN_TURNS};
pub use finding::{BearingFinding, CLEAR_DB};
pub use geometry::{BearingOrders, BearingPart, RollingElements};
