//! What the first build compiles, against the figures in `docs/building.md`: it may not grow by a tenth unnoticed.
//!
//! Seconds differ by machine and by load, so that nothing is timed here. The weight of a crate is the size of its
//! source, times what its optimisation level costs the compiler.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use auscult_tests::repository;

/// How much longer a crate takes than at level 0, as measured on candle-core and on our own crates.
fn cost_of_level(level: i64) -> f64 {
    match level {
        0 => 1.0,
        1 => 1.5,
        _ => 3.0,
    }
}

/// Bindings for all platforms, of which one is compiled: their size says nothing.
const BINDINGS: [&str; 2] = ["libc", "linux-raw-sys"];

#[derive(Debug, Clone, Copy, PartialEq)]
struct BuildSize {
    crates: usize,
    /// kB of source at level 0 that take as long.
    weight_kb: f64,
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo).args(arguments).current_dir(repository()).output().unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Name and version of every crate that `cargo build --release` compiles on this machine.
fn compiled() -> BTreeSet<(String, String)> {
    let arguments =
        ["tree", "--locked", "--package", "auscult", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    cargo(&arguments)
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?.to_owned(), words.next()?.trim_start_matches('v').to_owned()))
        })
        .collect()
}

/// Every package of the workspace's dependency graph with its folder.
fn folders() -> Vec<((String, String), PathBuf)> {
    let metadata: serde_json::Value =
        serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--locked"])).unwrap();
    let text = |package: &serde_json::Value, key: &str| package[key].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let folder = Path::new(&text(package, "manifest_path")).parent().unwrap().to_owned();
            ((text(package, "name"), text(package, "version")), folder)
        })
        .collect()
}

/// Bytes of Rust and C below a crate's folder, without what only its own tests, benches and examples use.
fn source_bytes(folder: &Path) -> u64 {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_dir() && !["tests", "benches", "examples", "target", "src-cpp"].contains(&name.as_str()) {
            bytes += source_bytes(&path);
        } else if kind.is_file() && [".rs", ".c"].iter().any(|end| name.ends_with(end)) {
            bytes += entry.metadata().unwrap().len();
        }
    }
    bytes
}

/// The level at which the release profile compiles a package.
fn level(profile: &toml::Table, package: &str) -> i64 {
    let of_package = profile.get("package").and_then(|packages| packages.get(package));
    of_package.and_then(|settings| settings.get("opt-level")).unwrap_or(&profile["opt-level"]).as_integer().unwrap()
}

fn measured() -> BuildSize {
    let compiled = compiled();
    let manifest: toml::Table = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap().parse().unwrap();
    let profile = manifest["profile"]["release"].as_table().unwrap();
    let mut weights: Vec<(f64, String)> = folders()
        .into_iter()
        .filter(|(package, _)| compiled.contains(package))
        .map(|((name, _), folder)| {
            let bytes = if BINDINGS.contains(&name.as_str()) { 0 } else { source_bytes(&folder) };
            (bytes as f64 / 1e3 * cost_of_level(level(profile, &name)), name)
        })
        .collect();
    assert_eq!(weights.len(), compiled.len());
    weights.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    for (weight, name) in weights.iter().take(25) {
        println!("{weight:9.0} {name}");
    }
    BuildSize { crates: compiled.len(), weight_kb: weights.iter().map(|(weight, _)| weight).sum() }
}

/// The last row of the page's table `crates | weight`.
fn documented() -> BuildSize {
    let page = std::fs::read_to_string(repository().join("docs/building.md")).unwrap();
    let after = page.split_once("| crates | weight, kB |\n|---|---|\n").expect("docs/building.md has the table").1;
    let row: Vec<&str> = after.lines().next().unwrap().trim_matches('|').split('|').map(str::trim).collect();
    BuildSize { crates: row[0].parse().unwrap(), weight_kb: row[1].replace(',', "").parse().unwrap() }
}

#[test]
fn the_first_build_has_not_grown_by_a_tenth() {
    let (now, documented) = (measured(), documented());
    println!("{now:.0?}");
    assert!(
        (now.crates as f64) < 1.1 * documented.crates as f64 && now.weight_kb < 1.1 * documented.weight_kb,
        "the first build compiles {now:.0?}, docs/building.md says {documented:.0?}: leave out what the demo does not \
         need, lower the level of what is on no chunk's path, or measure the build anew and change the page"
    );
}

#[test]
fn a_level_counts() {
    let profile: toml::Table = "opt-level = 1\n[package.hot]\nopt-level = 3\n".parse().unwrap();
    assert_eq!((level(&profile, "hot"), level(&profile, "other")), (3, 1));
    assert!(cost_of_level(3) > cost_of_level(1) && cost_of_level(1) > cost_of_level(0));
}
