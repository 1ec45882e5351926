//! What the demo shows: a live screen, plain lines where there is no terminal, and a closing summary against the truth.
//!
//! ```text
//!  Score (audio.scores) + Truth ──► DemoView ──► draw            ratatui, redrawn a few times a second
//!                          │             └─────► plain lines     one for each change of state, one now and then
//!                          └──────► Tally ─────► closing summary
//! ```
//!
//! [`work`] learns the machines of a [`Subject`] and sends its stream through both workers; [`show`] shows what that
//! tells.

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
