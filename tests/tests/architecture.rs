//! `docs/architecture.md` against the crates' manifests: every crate in its layer, every arrow downwards and as listed.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use auscult_tests::repository;

/// A crate's manifest, as far as this page says anything of it. Our own crates are named as on the page.
#[derive(Debug, Default)]
struct Manifest {
    ours: BTreeSet<String>,
    ours_in_tests: BTreeSet<String>,
    others: BTreeSet<String>,
}

fn page() -> String {
    std::fs::read_to_string(repository().join("docs/architecture.md")).unwrap()
}

/// `auscult-reports` is `reports`; other people's crates have no such name.
fn short_name(package: &str) -> Option<&str> {
    if package == "auscult" { Some(package) } else { package.strip_prefix("auscult-") }
}

fn read_toml(path: &Path) -> toml::Table {
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

fn manifests() -> BTreeMap<String, Manifest> {
    let root = read_toml(&repository().join("Cargo.toml"));
    let members = root["workspace"]["members"].as_array().unwrap();
    let read = |member: &toml::Value| {
        let table = read_toml(&repository().join(member.as_str().unwrap()).join("Cargo.toml"));
        let names = |section: &str| -> Vec<String> {
            table
                .get(section)
                .and_then(toml::Value::as_table)
                .into_iter()
                .flat_map(|table| table.keys().cloned())
                .collect()
        };
        let mut manifest = Manifest::default();
        for name in names("dependencies") {
            match short_name(&name) {
                Some(short) => manifest.ours.insert(short.to_owned()),
                None => manifest.others.insert(name),
            };
        }
        let of_tests = names("dev-dependencies");
        manifest.ours_in_tests = of_tests.iter().filter_map(|name| short_name(name)).map(str::to_owned).collect();
        (short_name(table["package"]["name"].as_str().unwrap()).unwrap().to_owned(), manifest)
    };
    members.iter().map(read).collect()
}

/// The lines of the block that follows a heading.
fn block(page: &str, heading: &str) -> Vec<String> {
    let after = page.split_once(&format!("\n## {heading}\n")).unwrap().1;
    let text = after.split_once("```text\n").unwrap().1.split_once("```").unwrap().0;
    text.lines().map(str::to_owned).collect()
}

/// The rows of the first table whose head begins with this.
fn table(page: &str, head: &str) -> Vec<Vec<String>> {
    let lines = page.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Each crate's layer, from ` 2   features   detection … comment`.
fn layers(page: &str, crates: &BTreeMap<String, Manifest>) -> BTreeMap<String, u32> {
    let mut layers = BTreeMap::new();
    for line in block(page, "Layers") {
        let (number, names) = line.trim().split_once(' ').unwrap();
        // What is set off by more than the names is a comment.
        for name in names.split("   ").map(str::trim).filter(|name| crates.contains_key(*name)) {
            assert_eq!(layers.insert(name.to_owned(), number.parse().unwrap()), None, "{name} has two layers");
        }
    }
    layers
}

#[test]
fn every_crate_has_its_layer_and_every_arrow_points_downwards() {
    let (page, crates) = (page(), manifests());
    let layers = layers(&page, &crates);
    let layer_of =
        |name: &str| *layers.get(name).unwrap_or_else(|| panic!("docs/architecture.md has no layer of {name}"));
    for (name, manifest) in &crates {
        let layer = layer_of(name);
        for known in &manifest.ours {
            let below = layer_of(known);
            assert!(below < layer, "{name} (layer {layer}) knows {known} (layer {below})");
        }
        for known in &manifest.ours_in_tests {
            let below = layer_of(known);
            assert!(below <= layer, "tests of {name} (layer {layer}) use {known} (layer {below})");
        }
    }
}

#[test]
fn the_arrows_are_those_of_the_manifests() {
    let (page, crates) = (page(), manifests());
    let mut listed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in block(&page, "Arrows") {
        let known = if line.starts_with("  ") {
            line.as_str()
        } else {
            let (name, known) = line.split_once("─►").unwrap_or((&line, ""));
            name.trim().clone_into(&mut current);
            known
        };
        listed.entry(current.clone()).or_default().extend(known.split_whitespace().map(str::to_owned));
    }
    for (name, manifest) in &crates {
        assert_eq!(
            listed.remove(name).as_ref(),
            Some(&manifest.ours),
            "arrows of {name}: on the page, in its manifest"
        );
    }
    assert!(listed.is_empty(), "there are no such crates: {:?}", listed.keys());
}

#[test]
fn every_crate_is_described_and_what_it_must_not_know_it_does_not() {
    let (page, crates) = (page(), manifests());
    let rows = table(&page, "| crate | what it holds");
    let described: BTreeMap<&str, &str> =
        rows.iter().map(|row| (row[0].trim_start_matches('[').split(']').next().unwrap(), row[2].as_str())).collect();
    assert_eq!(described.keys().copied().collect::<BTreeSet<_>>(), crates.keys().map(String::as_str).collect());
    for (name, unknown) in described {
        if unknown.split(", ").any(|what| what == "Kafka") {
            assert!(!reaches(&crates, name, "runtime"), "{name} must not know Kafka, and depends on runtime");
        }
    }
}

/// Whether a crate depends on another, itself or through others.
fn reaches(crates: &BTreeMap<String, Manifest>, from: &str, to: &str) -> bool {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        next.extend(crates[name].ours.iter().map(String::as_str).filter(|known| seen.insert(known)));
    }
    seen.contains(to)
}

#[test]
fn heavy_dependencies_are_of_the_one_crate_that_needs_them() {
    let (page, crates) = (page(), manifests());
    let users = |dependency: &str| -> Vec<&str> {
        let uses = |(_, manifest): &(&String, &Manifest)| manifest.others.contains(dependency);
        crates.iter().filter(uses).map(|(name, _)| name.as_str()).collect()
    };
    let rows = table(&page, "| dependency | crate |");
    assert!(!rows.is_empty());
    for row in rows {
        assert_eq!(users(&row[0]), [row[1].as_str()], "crates that depend on {}", row[0]);
    }
    assert_eq!(users("clap"), ["auscult", "tests"]);
}

#[test]
fn every_file_that_the_page_names_is_there() {
    let page = page();
    let links = page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    for link in links {
        assert!(repository().join("docs").join(link).exists(), "{link} is not there");
    }
}
