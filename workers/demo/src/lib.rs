//! The demo: a live screen, plain lines without a terminal, and a final summary against the ground truth.
//!
//! ```text
//!  Score (audio.scores) + Truth ──► DemoView ──► draw            ratatui, redrawn a few times per second
//!                          │             └─────► plain lines     one per change of state, and periodic progress
//!                          └──────► Tally ─────► final summary
//! ```
//!
//! [`work`] trains models for the machines of a [`Subject`] and sends its stream through both workers; [`show`]
//! displays the events.

mod plain;
mod screen;
mod show;
mod subject;
mod tally;
mod text;
mod view;
mod work;

pub use plain::{alert_line, progress_line};
pub use screen::draw;
pub use show::{Shown, show};
pub use subject::{DemoMachine, PlannedChunk, Sound, Subject};
pub use tally::{MachineTally, Tally};
pub use view::{AlertLine, DemoView, MachineView, Phase, Truth};
pub use work::{DemoEvent, DemoPlan, work};
