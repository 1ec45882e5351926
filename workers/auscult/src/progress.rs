//! Progress on standard error: a bar in a terminal, nothing otherwise.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar with this number of steps and a label.
#[must_use]
pub fn bar(steps: u64, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<24} [{bar:32}] {pos}/{len}  {eta} left")
        .expect("the template is well-formed")
        .progress_chars("█▌ ");
    let bar = ProgressBar::new(steps).with_style(style);
    bar.set_message(what.to_owned());
    bar
}

/// A counter without a known total.
#[must_use]
pub fn count(what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<24} {pos}  {per_sec}").expect("the template is well-formed");
    let bar = ProgressBar::no_length().with_style(style);
    bar.set_message(what.to_owned());
    bar
}
