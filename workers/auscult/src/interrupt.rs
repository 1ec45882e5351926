//! Ctrl-C and SIGTERM as a flag to check between steps.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Exit status of a program ended by a signal: 128 plus the number of SIGINT.
const STATUS_INTERRUPTED: i32 = 130;

/// Handles Ctrl-C: the first one sets the flag and prints `message`, the second one ends the program immediately.
///
/// # Errors
/// If a handler is already set; only one is possible per process.
pub fn listen(message: &'static str) -> anyhow::Result<&'static AtomicBool> {
    let on_signal = move || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(STATUS_INTERRUPTED);
        }
        eprintln!("\n{message}");
    };
    ctrlc::set_handler(on_signal).context("cannot listen for Ctrl-C")?;
    Ok(&INTERRUPTED)
}
