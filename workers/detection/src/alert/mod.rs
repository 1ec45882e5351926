//! What a scoring worker remembers of a machine, advanced by one chunk or one control message at a time. A pure
//! function of the state before and what came: replaying the records gives the same states, alerts and drift.
//!
//! ```text
//!                       warn_of of warn_window            raise_of of raise_window
//!  learning ──► healthy ──────────────────────► warning ──────────────────────────► alarm ──── acknowledge ───► acknowledged
//!  clear_after     ▲ ▲                             │                                  │ ◄──── unacknowledge ─────    │
//!  chunks          │ └── clear_after normal, stood ┘                                  │                              │
//!                  └──────── clear_after normal in a row, stood for min_alarm_secs ───┴──────────────────────────────┘
//!
//!  any ── maintenance ──► maintenance ── end_maintenance, or `until` ──► learning
//!  any ── nothing for silent_after times the cadence ──► silent ── a chunk ──► the state before
//!  any, of a chunk only: sensor_fault, setup_fault, idle; the state itself stays
//! ```
//!
//! A chunk is anomalous above the threshold and normal again at or below the clear threshold; between them it speaks
//! for neither, so that a score that wavers around the threshold neither raises nor clears. `sensor_fault`,
//! `setup_fault` and `idle` are no states of the machine's own: see `sensors` and `notes`.

mod control;
mod machine;
mod message;
mod observe;
mod policy;
mod silence;
mod surroundings;
mod threshold;

pub use control::{Applied, Asked, ControlError, apply_control, judging};
pub(crate) use machine::forget_evidence;
pub use observe::{Heard, Observation, WatchPolicy, observe_chunk};
pub use policy::AlertPolicy;
pub use silence::fall_silent;
pub(crate) use surroundings::environment_alert;
pub use threshold::HeldThreshold;
