//! `docs/metrics.md` says what the code exposes, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod inventory;

use std::path::Path;

#[test]
fn the_inventory_of_metrics_is_that_of_the_code() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let text = inventory::markdown().unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap();
    let differing = written.lines().zip(text.lines()).find(|(written, made)| written != made);
    assert!(
        written == text,
        "docs/metrics.md is not what the code exposes: write it anew with UPDATE=1; first difference, file and code: {differing:#?}"
    );
}
