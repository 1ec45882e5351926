//! Ctrl-C and SIGTERM as a flag to look at between steps.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The exit status of a program that a signal ended: 128 and the number of SIGINT.
const STATUS_INTERRUPTED: i32 = 130;

/// Listens for Ctrl-C: the first one sets the flag and says `message`, a second one ends the program at once.
///
/// # Errors
/// When a handler is set already: one command, one listener.
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
