//! The state that a scoring worker keeps of a machine, updated by one chunk or control message at a time. It is a pure
//! function of the previous state and the input: replaying the records gives the same states, alerts and drift.
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
//! A chunk is anomalous above the threshold, and normal again at or below the clear threshold. Between the two it
//! counts as neither, so a score that fluctuates around the threshold neither raises nor clears an alarm.
//! `sensor_fault`, `setup_fault` and `idle` are not states of the machine itself: see `sensors` and `notes`.

mod carry_over;
mod control;
mod environment;
mod judging;
mod message;
mod observe;
mod silence;
mod threshold;

pub use control::{AppliedControl, ControlError, ControlRequest, apply_control};
pub(crate) use environment::environment_alert;
pub use judging::judging;
pub use observe::{Observation, WatchPolicy, observe_chunk};
pub use silence::fall_silent;
pub use threshold::HeldThreshold;
