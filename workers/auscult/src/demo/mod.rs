//! What the demo shows: a live screen, plain lines where there is no terminal, and a closing summary against the truth.
//!
//! ```text
//!  Score (audio.scores) + Truth ──► DemoView ──► draw            ratatui, redrawn a few times a second
//!                          │             └─────► plain lines     one for each change of state, one now and then
//!                          └──────► Tally ─────► closing summary
//! ```
//!
//! Nothing here reads, scores or waits: whoever runs the demo feeds it what the workers publish.

mod plain;
mod screen;
mod tally;
mod text;
mod view;

pub use plain::{alert_line, progress_line};
pub use screen::draw;
pub use tally::{MachineTally, Tally};
pub use view::{AlertLine, DemoView, MachineView, Phase, Truth};
