//! The page of `auscult explore`: the content of a folder of recordings, before training.
//!
//! ```text
//!  folder ─► measuring ─► recording  one file, measured ─► group  related recordings
//!                                                   ├─► warnings   what to fix first
//!                                                   ├─► pictures   waveforms and spectrograms side by side
//!                                                   └─► spectrum   normal against each fault, band by band
//! ```

pub mod group;
mod measuring;
mod pictures;
pub mod recording;
mod spectrum;
mod warnings;

pub use measuring::measure;
pub use warnings::warnings;

use std::path::Path;

use auscult_detection::explain::band_edges;
use auscult_schemas::{FeatureSpec, QualityFlag, three_digits};

use self::group::{Group, GroupKind, Machine, Spread, tally};
use self::recording::{Levels, Measured, Recording};
use super::html::{Html, element, page};
use super::table::{Row, description_list, table};

/// The content of the page.
#[derive(Debug, Clone, Copy)]
pub struct ExplorationPage<'a> {
    /// The folder of recordings.
    pub data: &'a Path,
    /// Its layout, in words.
    pub layout: &'a str,
    /// The feature spec of the spectra.
    pub spec: &'a FeatureSpec,
    /// Its machines.
    pub machines: &'a [Machine],
}

impl ExplorationPage<'_> {
    /// The page as one self-contained HTML document.
    #[must_use]
    pub fn html(&self) -> String {
        let title = format!("Recordings in {}", self.data.display());
        let mut parts = vec![element("h1").text(&title).into(), self.about()];
        if self.machines.len() > 1 {
            parts.push(overview(self.machines));
        }
        parts.extend(self.machines.iter().map(|machine| self.machine_section(machine)));
        page(&title, &Html::all(parts))
    }

    fn about(&self) -> Html {
        let spec = self.spec;
        let rate = f64::from(spec.sample_rate_hz);
        description_list([
            ("layout", self.layout.to_owned()),
            ("machines", self.machines.len().to_string()),
            (
                "spectra",
                format!(
                    "{} mel bands from {:.0} to {:.0} Hz at {} kHz, window {:.0} ms, hop {:.0} ms",
                    spec.n_mels,
                    spec.f_min_hz,
                    spec.f_max(),
                    rate / 1e3,
                    1e3 * spec.n_fft as f64 / rate,
                    1e3 * spec.hop_length as f64 / rate
                ),
            ),
            (
                "levels",
                match &spec.full_scale {
                    Some(full_scale) => format!(
                        "RMS and peak in {}; spectra in dB re {full_scale}, which is a sample value of 1.0",
                        full_scale.unit
                    ),
                    None => "dB of full scale ±1.0; a sine of full scale has an RMS of -3.0 dBFS".to_owned(),
                },
            ),
        ])
    }

    fn machine_section(&self, machine: &Machine) -> Html {
        let edges = band_edges(self.spec);
        let centres: Vec<f64> = edges.iter().map(|edge| edge.hz_centre).collect();
        Html::all([
            element("h2").text(&machine.id).into(),
            warning_list(&warnings(machine)),
            counts_table(machine),
            levels_table(machine, self.spec),
            pictures::section(machine, &centres, self.spec),
            spectrum::section(machine, &edges, self.spec),
        ])
    }
}

fn overview(machines: &[Machine]) -> Html {
    let rows = machines.iter().map(|machine| -> Row {
        vec![
            machine.id.clone(),
            machine.count(|kind| *kind == GroupKind::TrainNormal).to_string(),
            machine.count(|kind| *kind == GroupKind::TestNormal).to_string(),
            machine.count(GroupKind::is_abnormal).to_string(),
            minutes(machine.recordings()),
            warnings(machine).len().to_string(),
        ]
    });
    table(&["machine", "normal, training", "normal, test", "abnormal", "minutes", "warnings"], rows)
}

fn warning_list(warnings: &[String]) -> Html {
    if warnings.is_empty() {
        return element("p").class("soft").text("No warnings.").into();
    }
    let items = warnings.iter().map(|warning| element("li").text(warning));
    element("div").class("warnings").with("role", "note").child(element("ul").children(items)).into()
}

fn counts_table(machine: &Machine) -> Html {
    let rows = machine.groups.iter().map(|group: &Group| -> Row {
        let of = || group.recordings.iter();
        vec![
            group.kind.name().to_owned(),
            of().count().to_string(),
            spread_or_dash(of().map(|recording| recording.duration_s), 2),
            minutes(of()),
            tally(of().map(|recording| recording.sample_rate_hz), |rate| format!("{rate} Hz")),
            tally(of().map(|recording| recording.channels), |channels| channels.to_string()),
        ]
    });
    table(&["recordings", "clips", "length, s", "minutes", "sample rate", "channels"], rows)
}

/// `dB`, or `dB re 1 m/s²` if the full scale is known.
fn decibel(spec: &FeatureSpec) -> String {
    spec.full_scale.as_ref().map_or_else(|| "dB".to_owned(), |full_scale| format!("dB re {full_scale}"))
}

fn levels_table(machine: &Machine, spec: &FeatureSpec) -> Html {
    let rows = machine.groups.iter().map(|group| -> Row {
        let of = || group.recordings.iter();
        let flagged = |flag| of().filter(|recording| recording.quality.contains(&flag)).count().to_string();
        let clipped = of().map(|recording| recording.levels.clipped_share).sum::<f64>() / of().count().max(1) as f64;
        vec![
            group.kind.name().to_owned(),
            level(of(), spec, |measured| measured.rms, |levels| levels.rms_dbfs),
            level(of(), spec, |measured| measured.peak, |levels| levels.peak_dbfs),
            format!("{:.4} %", 100.0 * clipped),
            flagged(QualityFlag::Clipped),
            flagged(QualityFlag::Silent),
        ]
    });
    let unit = spec.full_scale.as_ref().map_or("dBFS", |full_scale| full_scale.unit.as_str());
    let (rms, peak) = (format!("RMS, {unit}"), format!("peak, {unit}"));
    let head = [
        "levels: median (lowest to highest)",
        rms.as_str(),
        peak.as_str(),
        "samples clipped",
        "clips clipped",
        "clips silent",
    ];
    table(&head, rows)
}

/// A level of some recordings: in the unit of the full scale if known, otherwise in dB of it.
fn level<'a>(
    recordings: impl Iterator<Item = &'a Recording>,
    spec: &FeatureSpec,
    measured: impl Fn(&Measured) -> f64,
    in_db: impl Fn(&Levels) -> f64,
) -> String {
    if spec.full_scale.is_none() {
        return spread_or_dash(recordings.map(|recording| in_db(&recording.levels)), 1);
    }
    let spread = Spread::of(recordings.filter_map(|recording| recording.measured.as_ref().map(&measured)));
    spread.map_or_else(|| "–".to_owned(), |spread| spread.in_words_by(three_digits))
}

fn spread_or_dash(figures: impl Iterator<Item = f64>, decimals: usize) -> String {
    Spread::of(figures).map_or_else(|| "–".to_owned(), |spread| spread.in_words(decimals))
}

fn minutes<'a>(recordings: impl Iterator<Item = &'a Recording>) -> String {
    format!("{:.1}", recordings.map(|recording| recording.duration_s).sum::<f64>() / 60.0)
}

#[cfg(test)]
mod tests;
