//! What the fault suite stands on: its workers obey the faults and `auscult` does not, and the rotation knows its names.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use auscult_tests::faults::catalogue;
use auscult_tests::faults::mutations::MUTATIONS;
use auscult_tests::{auscult_binary, repository};
use serde::Deserialize;

/// A short demo: both workers on the log in memory, so that chunks are processed.
fn demo(binary: &Path, name: &str, value: &str) -> Result<std::process::Output> {
    let mut command = Command::new(binary);
    command.args(["demo", "--plain", "--rate", "0", "--chunks", "2", "--training-chunks", "20"]).env(name, value);
    command.output().with_context(|| binary.display().to_string())
}

#[test]
fn auscult_ignores_the_faults_that_auscult_with_faults_obeys() -> Result<()> {
    const SIGKILL: i32 = 9;
    let plain = auscult_binary()?;
    let with_faults = plain.with_file_name("auscult-with-faults");
    let killed = demo(&with_faults, "AUSCULT_FAULTS", "process:1:kill")?;
    ensure!(killed.status.signal() == Some(SIGKILL), "auscult-with-faults: {:?}", killed);
    let lives = demo(&plain, "AUSCULT_FAULTS", "process:1:kill")?;
    ensure!(lives.status.success(), "auscult: {lives:?}");
    // What is no mutation is an error only to whom it concerns.
    let unknown = demo(&with_faults, "AUSCULT_MUTATION", "no-such-rule")?;
    ensure!(!unknown.status.success(), "auscult-with-faults: {unknown:?}");
    let lives = demo(&plain, "AUSCULT_MUTATION", "no-such-rule")?;
    ensure!(lives.status.success(), "auscult: {lives:?}");
    Ok(())
}

/// Of `tests/rotation.toml`, what is compared.
#[derive(Deserialize)]
struct Rotation {
    suite: Suites,
}

#[derive(Deserialize)]
struct Suites {
    faults: Suite,
    mutations: Suite,
}

#[derive(Deserialize)]
struct Suite {
    cases: Vec<String>,
}

#[test]
fn the_rotation_has_every_fault_and_every_mutation() -> Result<()> {
    let file = repository().join("tests/rotation.toml");
    let listed: Rotation =
        toml::from_str(&std::fs::read_to_string(&file).with_context(|| file.display().to_string())?)?;
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    let faults = catalogue::all().iter().map(|fault| fault.name.to_owned()).collect();
    assert_eq!(sorted(listed.suite.faults.cases), sorted(faults));
    let mutations = MUTATIONS.iter().map(|mutation| mutation.name.to_owned()).collect();
    assert_eq!(sorted(listed.suite.mutations.cases), sorted(mutations));
    Ok(())
}
