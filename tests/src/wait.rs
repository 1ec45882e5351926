//! Waiting for something that another process does.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Asks again and again until there is an answer. `what` completes the sentence "timed out waiting for …".
///
/// # Errors
/// When `ask` fails, or there is no answer within `limit`.
pub fn until<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if start.elapsed() > limit {
            bail!("timed out waiting for {what} (after {limit:?})");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
