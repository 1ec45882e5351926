//! The physical value of a sample value of 1.0, in recordings that state it: those of `auscult import` contain the
//! values in their unit.
//!
//! All recordings of a folder are scaled to one full scale, that of most recordings, which becomes the feature spec's.
//! Those in another unit of the same quantity are scaled when they are read; recordings of another quantity are
//! rejected. `import.json` says the full scale of recordings that have lost their comment.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::bail;
use auscult_features::{full_scales, is_float};
use auscult_schemas::{FeatureSpec, FullScale, Quantity};

use crate::import::Origin;

/// A larger chunk is not a comment.
const LARGEST_COMMENT: u32 = 64 * 1024;
/// Maximum number of recordings listed by name; the others are counted.
const NAMED: usize = 3;

/// Sets a spec's full scale and quantity from the recordings; returns notes, one line each. If the spec already has a
/// full scale, it is kept, and recordings are scaled to it.
///
/// # Errors
/// If recordings have different quantities, or another one than the spec.
pub fn by_recordings(spec: &mut FeatureSpec, paths: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut counts: Vec<(FullScale, usize)> = Vec::new();
    let (mut unsaid, mut mixed): (Vec<&Path>, Vec<&Path>) = (Vec::new(), Vec::new());
    for path in paths {
        let said = of_file(path);
        let Some(first) = said.first() else {
            unsaid.push(path);
            continue;
        };
        if said.iter().any(|other| other.relative_to(first).is_none()) {
            mixed.push(path);
            continue;
        }
        match counts.iter_mut().find(|(known, _)| known == first) {
            Some((_, count)) => *count += 1,
            None => counts.push((first.clone(), 1)),
        }
    }
    if !mixed.is_empty() {
        return Ok(vec![format!(
            "channels of different quantities in {} of {} recordings: samples are taken as they are, and levels have no unit; `auscult import --per-channel` writes \
             each channel as a recording of its own. They are {}",
            mixed.len(),
            paths.len(),
            named(&mixed)
        )]);
    }
    let is_given = spec.full_scale.is_some();
    // The first of several equally frequent ones.
    let most = counts.iter().rev().max_by_key(|(_, count)| *count).map(|(full_scale, _)| full_scale.clone());
    let Some(full_scale) = spec.full_scale.clone().or(most) else { return Ok(Vec::new()) };
    refuse_other_quantities(&full_scale, &counts)?;
    let mut lines = quantity_of(spec, &full_scale)?;
    let said: usize = counts.iter().map(|(_, count)| count).sum();
    if !is_given {
        lines.push(format!(
            "full scale: a sample value of 1.0 is {full_scale}, by what {said} of {} recordings say",
            paths.len()
        ));
    }
    for (other, count) in counts.iter().filter(|(other, _)| *other != full_scale) {
        let factor = other.relative_to(&full_scale).expect("other quantities were refused above");
        lines.push(format!("scaled: {count} recordings of full scale {other}, times {factor:.6}"));
    }
    if said > 0 && !unsaid.is_empty() {
        lines.push(format!(
            "{} of {} recordings do not say their unit: 1.0 is taken for {full_scale} in them; if it is not, import them with --unit and --scale. They are {}",
            unsaid.len(),
            paths.len(),
            named(&unsaid)
        ));
    }
    spec.full_scale = Some(full_scale);
    Ok(lines)
}

fn refuse_other_quantities(full_scale: &FullScale, counts: &[(FullScale, usize)]) -> anyhow::Result<()> {
    let is_other = |(other, _): &&(FullScale, usize)| other.relative_to(full_scale).is_none();
    let Some((other, _)) = counts.iter().find(is_other) else { return Ok(()) };
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    counts.iter().for_each(|(one, count)| *tally.entry(one.unit.as_str()).or_default() += count);
    let tally: Vec<String> = tally.into_iter().map(|(unit, count)| format!("{count} in {unit}")).collect();
    bail!(
        "recordings of different quantities: {}; {} cannot be converted into {}. Keep those of one sensor in the folder, or import them again with the right --unit",
        tally.join(", "),
        other.unit,
        full_scale.unit
    )
}

/// A spec without a quantity gets that of the unit, which determines wording and checks.
fn quantity_of(spec: &mut FeatureSpec, full_scale: &FullScale) -> anyhow::Result<Vec<String>> {
    let Some(quantity) = full_scale.unit.quantity() else { return Ok(Vec::new()) };
    let preset = match quantity {
        Quantity::Sound => "sound",
        Quantity::Vibration => "vibration",
        Quantity::Current => "current",
        Quantity::Pressure => "pressure",
    };
    match spec.quantity {
        Some(given) if given == quantity => Ok(Vec::new()),
        Some(_) => bail!(
            "the recordings are in {}, which is a unit of {}, not of what --preset says: give --preset {preset}, or import them with the right --unit",
            full_scale.unit,
            full_scale.unit.measures().unwrap_or("another quantity")
        ),
        None => {
            spec.quantity = Some(quantity);
            Ok(vec![format!("quantity: {preset}, by the unit {}", full_scale.unit)])
        }
    }
}

fn named(paths: &[&Path]) -> String {
    let shown: Vec<String> = paths.iter().take(NAMED).map(|path| path.display().to_string()).collect();
    match paths.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The full scale of each channel of a file. Empty for an unreadable file; the error is reported when its samples are
/// read.
fn of_file(path: &Path) -> Vec<FullScale> {
    let Ok(head) = head(path) else { return Vec::new() };
    let said = full_scales(&head);
    if !said.is_empty() || !is_float(&head) {
        return said;
    }
    Origin::of(path).map(|origin| origin.full_scale()).unwrap_or_default()
}

/// A WAV file's format and comments without its samples.
fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut head = vec![0; 12];
    file.read_exact(&mut head)?;
    let is_big_endian = head.starts_with(b"RIFX");
    let mut chunk = [0; 8];
    while file.read_exact(&mut chunk).is_ok() {
        let size: [u8; 4] = chunk[4..].try_into().expect("four of eight bytes");
        let size = if is_big_endian { u32::from_be_bytes(size) } else { u32::from_le_bytes(size) };
        let padded = u64::from(size) + u64::from(size % 2);
        if (chunk.starts_with(b"fmt ") || chunk.starts_with(b"LIST")) && size <= LARGEST_COMMENT {
            head.extend(chunk);
            let begin = head.len();
            (&mut file).take(padded).read_to_end(&mut head)?;
            head.resize(begin + padded as usize, 0);
        } else {
            file.seek(SeekFrom::Current(padded as i64))?;
        }
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use auscult_import::{Channel, Rate, Recording, wav_bytes};

    use super::*;

    fn write(folder: &Path, name: &str, units: &[Option<&str>]) -> PathBuf {
        let channel =
            |unit: &Option<&str>| Channel { name: "a".into(), unit: unit.map(str::to_owned), samples: vec![0.5; 64] };
        let rate = Rate { hz: 25_600.0, from: "--rate".into() };
        let recording =
            Recording { name: String::new(), rate, rpm: None, channels: units.iter().map(channel).collect() };
        let units: Vec<&str> = units.iter().map(|unit| unit.unwrap_or("unknown")).collect();
        let comment = format!("unit {}; rate 25600 Hz by --rate; from a.csv: a", units.join(", "));
        let path = folder.join(name);
        std::fs::write(&path, wav_bytes(&recording, &comment).unwrap()).unwrap();
        path
    }

    #[test]
    fn a_folder_gets_the_full_scale_of_most_and_others_of_its_quantity_are_scaled_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, unit: Option<&str>| write(folder.path(), name, &[unit]);
        let paths =
            [file("a.wav", Some("g")), file("b.wav", Some("m/s2")), file("c.wav", Some("m/s²")), file("d.wav", None)];
        let mut spec = FeatureSpec::default();
        let lines = by_recordings(&mut spec, &paths).unwrap().join("\n");
        assert_eq!((spec.full_scale, spec.quantity), (Some(FullScale::one("m/s²")), Some(Quantity::Vibration)));
        for part in [
            "1.0 is 1 m/s²",
            "3 of 4",
            "1 recordings of full scale 1 g, times 9.806650",
            "d.wav",
            "quantity: vibration",
        ] {
            assert!(lines.contains(part), "{part}: {lines}");
        }
        let mut given = FeatureSpec { full_scale: Some(FullScale::one("g")), ..FeatureSpec::default() };
        by_recordings(&mut given, &paths).unwrap();
        assert_eq!(given.full_scale, Some(FullScale::one("g")), "what is given stays");
    }

    #[test]
    fn another_quantity_is_refused_with_both_and_recordings_that_say_nothing_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let acceleration = write(folder.path(), "a.wav", &[Some("g")]);
        let current = write(folder.path(), "b.wav", &[Some("A")]);
        let refusal =
            by_recordings(&mut FeatureSpec::default(), &[acceleration.clone(), current]).unwrap_err().to_string();
        assert!(refusal.contains("1 in A, 1 in g") && refusal.contains("--unit"), "{refusal}");
        let mut wrong = FeatureSpec { quantity: Some(Quantity::Current), ..FeatureSpec::default() };
        let refusal = by_recordings(&mut wrong, &[acceleration]).unwrap_err().to_string();
        assert!(refusal.contains("--preset vibration"), "{refusal}");
        let mut spec = FeatureSpec::default();
        let both = write(folder.path(), "c.wav", &[Some("g"), Some("A")]);
        assert!(by_recordings(&mut spec, &[both]).unwrap()[0].contains("--per-channel"));
        let silent = write(folder.path(), "d.wav", &[None]);
        assert!(by_recordings(&mut spec, &[silent, folder.path().join("missing.wav")]).unwrap().is_empty());
        assert_eq!(spec, FeatureSpec::default());
    }
}
