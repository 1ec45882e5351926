//! Holds the code, the schema files, the AsyncAPI document and the golden messages together.
//!
//! `UPDATE=1 cargo test -p auscult-schemas --test contract` writes the generated files anew; the diff then shows what a
//! change to a type does to the contract.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there and then")]

mod arrow_layout;
mod asyncapi;
mod earlier;
mod envelope;
mod feature_spec;
mod features;
mod golden;
mod json_schemas;
mod samples;
mod wrong_messages;

use std::path::PathBuf;

/// A file of the contract, by its path below `schemas/`.
fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> Vec<u8> {
    std::fs::read(file(path)).unwrap_or_else(|error| panic!("schemas/{path}: {error}"))
}

/// Holds a generated file against the committed one; with `UPDATE=1` writes it.
#[track_caller]
fn assert_committed(path: &str, generated: &[u8]) {
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        let target = file(path);
        std::fs::create_dir_all(target.parent().expect("a file lies in a folder")).unwrap();
        std::fs::write(target, generated).unwrap();
        return;
    }
    let committed = read(path);
    assert!(
        committed == generated,
        "schemas/{path} is not what the code says; run UPDATE=1 cargo test -p auscult-schemas --test contract and read the diff\n--- code says\n{}\n--- file says\n{}",
        String::from_utf8_lossy(generated),
        String::from_utf8_lossy(&committed),
    );
}
