//! Mean log-mel spectra: the level of normal sound and of each fault in each band, and the difference in dB.

use auscult_detection::explain::BandEdges;
use auscult_schemas::{FeatureSpec, QualityFlag};

use super::group::{GroupKind, Machine};
use super::recording::Recording;
use crate::pages::axis::Axis;
use crate::pages::html::{Html, element};
use crate::pages::plot::{Plot, figure, legend};
use crate::pages::table::{Row, table};
use crate::pictures::row_of;

/// Style sheet classes for faults; a seventh fault has the class of the first.
const FAULT_CLASSES: [&str; 6] = ["fault-0", "fault-1", "fault-2", "fault-3", "fault-4", "fault-5"];

/// Limits of the shaded area, as shares of normal recordings.
const SPREAD_SHARES: (f64, f64) = (0.05, 0.95);

/// Number of bands listed in the table of each fault.
const NAMED_BANDS: usize = 3;

const MARKS_HZ: [f64; 9] = [250.0, 500.0, 1_000.0, 2_000.0, 3_000.0, 4_000.0, 8_000.0, 16_000.0, 32_000.0];

/// The mean spectrum of some recordings.
struct Spectrum<'a> {
    name: &'a str,
    class: &'static str,
    /// dB, `[mels]`.
    levels_db: Vec<f64>,
}

pub(super) fn section(machine: &Machine, edges: &[BandEdges], spec: &FeatureSpec) -> Html {
    let normal: Vec<&Recording> = sounding(machine, |kind| !kind.is_abnormal());
    let heading = element("h3").text("Mean log-mel spectrum").into();
    let Some(normal_mean) = mean(&normal) else {
        let none = element("p").class("soft").text("No normal recording with sound in it: nothing to compare with.");
        return Html::all([heading, none.into()]);
    };
    let faults: Vec<Spectrum<'_>> = machine
        .groups
        .iter()
        .filter(|group| group.kind.is_abnormal())
        .zip(FAULT_CLASSES.into_iter().cycle())
        .filter_map(|(group, class)| {
            let levels_db = mean(&sounding(machine, |kind| *kind == group.kind))?;
            Some(Spectrum { name: group.kind.name(), class, levels_db })
        })
        .collect();

    let spread = spread(&normal);
    let mut plots = vec![levels_figure(edges, &normal_mean, &spread, &faults, spec)];
    if !faults.is_empty() {
        plots.push(difference_figure(edges, &normal_mean, &spread, &faults));
    }
    let names = faults.iter().map(|fault| (fault.class, fault.name));
    let names = legend([("normal", "normal")].into_iter().chain(names));
    let mut parts = vec![heading, names, element("div").class("row").children(plots).into()];
    if !faults.is_empty() {
        parts.push(strongest_table(edges, &normal_mean, &faults));
        parts.push(all_bands_table(edges, &normal_mean, &faults));
    }
    Html::all(parts)
}

fn levels_figure(
    edges: &[BandEdges],
    normal: &[f64],
    spread: &[(f64, f64)],
    faults: &[Spectrum<'_>],
    spec: &FeatureSpec,
) -> Html {
    let all = faults.iter().flat_map(|fault| &fault.levels_db).chain(normal).copied();
    let (low, high) = ends(all.chain(spread.iter().flat_map(|(low, high)| [*low, *high])));
    let mut plot = Plot::new(
        "Mean level by mel band",
        frequency_axis(edges),
        Axis::linear(format!("mean level, {}", super::decibel(spec)), low - 1.0, high + 1.0),
    )
    .band("spread", &banded(spread))
    .line("normal", by_band(normal));
    for fault in faults {
        plot = plot.line(fault.class, by_band(&fault.levels_db));
    }
    figure(
        plot.svg(),
        "Mean level of each band. Shaded: the middle 90 % of normal recordings. Silent recordings are left out.",
    )
}

fn difference_figure(edges: &[BandEdges], normal: &[f64], spread: &[(f64, f64)], faults: &[Spectrum<'_>]) -> Html {
    let around: Vec<(f64, f64)> =
        spread.iter().zip(normal).map(|((low, high), mean)| (low - mean, high - mean)).collect();
    let all = faults.iter().flat_map(|fault| differences(&fault.levels_db, normal));
    let (low, high) = ends(all.chain(around.iter().flat_map(|(low, high)| [*low, *high])));
    let axis = Axis::linear("difference from normal, dB", low - 0.5, high + 0.5);
    let mut plot = Plot::new("Difference of each fault from normal by mel band", frequency_axis(edges), axis)
        .band("spread", &banded(&around))
        .horizontal("zero", 0.0);
    for fault in faults {
        plot = plot.line(fault.class, by_band(&differences(&fault.levels_db, normal)));
    }
    let caption = "Each fault less normal. A line within the shaded band is within what normal recordings differ from each other.";
    figure(plot.svg(), caption)
}

/// The greatest differences of each fault.
fn strongest_table(edges: &[BandEdges], normal: &[f64], faults: &[Spectrum<'_>]) -> Html {
    let rows = faults.iter().map(|fault| -> Row {
        let differences = differences(&fault.levels_db, normal);
        let mut bands: Vec<usize> = (0..differences.len()).collect();
        bands.sort_by(|a, b| differences[*b].abs().total_cmp(&differences[*a].abs()));
        let words = bands.iter().take(NAMED_BANDS).map(|band| {
            format!("{:+.1} dB at {:.0}–{:.0} Hz", differences[*band], edges[*band].hz_low, edges[*band].hz_high)
        });
        let square_mean =
            differences.iter().map(|difference| difference * difference).sum::<f64>() / differences.len() as f64;
        vec![fault.name.to_owned(), format!("{:.1} dB", square_mean.sqrt()), words.collect::<Vec<_>>().join("; ")]
    });
    table(&["fault", "over all bands (root mean square)", "strongest"], rows)
}

/// The values of every band, collapsed.
fn all_bands_table(edges: &[BandEdges], normal: &[f64], faults: &[Spectrum<'_>]) -> Html {
    let head = ["band", "normal, dB"].into_iter().chain(faults.iter().map(|fault| fault.name)).collect::<Vec<_>>();
    let rows = edges.iter().enumerate().map(|(band, edge)| -> Row {
        let mut row = vec![format!("{:.0}–{:.0} Hz", edge.hz_low, edge.hz_high), format!("{:.1}", normal[band])];
        row.extend(faults.iter().map(|fault| format!("{:+.1}", fault.levels_db[band] - normal[band])));
        row
    });
    let summary = element("summary").text("Every band: the normal level, and each fault's difference from it, dB");
    element("details").child(summary).child(table(&head, rows)).into()
}

fn sounding(machine: &Machine, is_wanted: impl Fn(&GroupKind) -> bool) -> Vec<&Recording> {
    let groups = machine.groups.iter().filter(|group| is_wanted(&group.kind));
    let recordings = groups.flat_map(|group| &group.recordings);
    recordings.filter(|recording| !recording.quality.contains(&QualityFlag::Silent)).collect()
}

/// Mean over recordings of each band's level, dB; `None` of no recordings.
fn mean(recordings: &[&Recording]) -> Option<Vec<f64>> {
    let bands = recordings.first()?.band_levels_db.len();
    let of_band = |band: usize| recordings.iter().map(move |recording| f64::from(recording.band_levels_db[band]));
    Some((0..bands).map(|band| of_band(band).sum::<f64>() / recordings.len() as f64).collect())
}

/// The range of levels of the middle 90 % of recordings, in each band.
fn spread(recordings: &[&Recording]) -> Vec<(f64, f64)> {
    let bands = recordings.first().map_or(0, |recording| recording.band_levels_db.len());
    let of_band = |band: usize| {
        let mut levels: Vec<f64> =
            recordings.iter().map(|recording| f64::from(recording.band_levels_db[band])).collect();
        levels.sort_by(f64::total_cmp);
        let at = |share: f64| levels[((levels.len() - 1) as f64 * share).round() as usize];
        (at(SPREAD_SHARES.0), at(SPREAD_SHARES.1))
    };
    (0..bands).map(of_band).collect()
}

fn differences(levels: &[f64], normal: &[f64]) -> Vec<f64> {
    levels.iter().zip(normal).map(|(level, normal)| level - normal).collect()
}

fn by_band(levels: &[f64]) -> Vec<(f64, f64)> {
    levels.iter().enumerate().map(|(band, level)| (band as f64, *level)).collect()
}

fn banded(spread: &[(f64, f64)]) -> Vec<(f64, f64, f64)> {
    spread.iter().enumerate().map(|(band, (low, high))| (band as f64, *low, *high)).collect()
}

fn ends(figures: impl Iterator<Item = f64>) -> (f64, f64) {
    figures.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), figure| (low.min(figure), high.max(figure)))
}

/// Mel bands at equal steps, as in the model's input, labelled with their frequencies.
fn frequency_axis(edges: &[BandEdges]) -> Axis {
    let centres: Vec<f64> = edges.iter().map(|edge| edge.hz_centre).collect();
    let mark = |hz: f64| {
        let label = if hz < 1000.0 { format!("{hz:.0}") } else { format!("{:.0}k", hz / 1000.0) };
        Some((row_of(hz, &centres)?, label))
    };
    let axis = Axis::linear("frequency, Hz (mel scale)", -0.5, edges.len() as f64 - 0.5);
    axis.with_ticks(MARKS_HZ.into_iter().filter_map(mark).collect())
}
