//! One file a command: its arguments and help, and `run`.

mod arguments;
pub mod evaluate;
pub mod features;
pub mod score;
pub mod train;
