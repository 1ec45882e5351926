//! Pictures of recordings: the waveform above the log-mel spectrogram, with one time axis; normal beside each kind of
//! fault.

use std::path::Path;

use auscult_detection::words;
use auscult_schemas::{FeatureSpec, three_digits};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::group::{Machine, decimal};
use super::recording::{Measured, Recording, RecordingPicture};
use crate::pages::html::{Element, Html, element};
use crate::pictures::{draw_cells, row_of, ticks};

/// Range of the colours below the maximum of a machine's pictures, dB.
const DEPTH_DB: f32 = 80.0;

/// Size of a picture in its own units.
const WIDTH: f64 = 300.0;
const LEFT: f64 = 30.0;
const WAVE_HEIGHT: f64 = 44.0;
const CELLS_TOP: f64 = 50.0;
const CELLS_HEIGHT: f64 = 120.0;
const HEIGHT: f64 = CELLS_TOP + CELLS_HEIGHT + 28.0;
const PLOT_WIDTH: f64 = WIDTH - LEFT - 12.0;

/// Maximum columns of a spectrogram: more would be narrower than a pixel, and would enlarge the file.
const MOST_COLUMNS: usize = 320;

const MARKS_HZ: [f64; 5] = [250.0, 1_000.0, 4_000.0, 8_000.0, 16_000.0];

/// A column for the normal recordings and one for each kind of fault.
pub(super) fn section(machine: &Machine, band_centres_hz: &[f64], spec: &FeatureSpec) -> Html {
    let shown = || machine.recordings().filter_map(|recording| recording.picture.as_ref());
    let range = Range::of(shown());
    let mut columns: Vec<(&str, Vec<Element>)> = Vec::new();
    for group in &machine.groups {
        let name = if group.kind.is_abnormal() { group.kind.name() } else { "normal" };
        let draw = |recording: &Recording| {
            let picture = recording.picture.as_ref()?;
            Some(clip_figure(recording, picture, &range, band_centres_hz, group.kind.is_abnormal()))
        };
        let figures = group.recordings.iter().filter_map(draw);
        // Both normal groups share one column; each fault has its own.
        match columns.last_mut().filter(|_| !group.kind.is_abnormal()) {
            Some((_, normal)) => normal.extend(figures),
            None => columns.push((name, figures.collect())),
        }
    }
    columns.retain(|(_, figures)| !figures.is_empty());
    let columns =
        columns.into_iter().map(|(name, figures)| element("div").child(element("h4").text(name)).children(figures));
    let channels = machine.recordings().map(|recording| recording.channels).max().unwrap_or(0);
    let which = match words::sensor(spec.quantity) {
        sensor if channels > 1 => format!(" Of several {sensor}s the first is shown."),
        _ => String::new(),
    };
    let note = format!(
        "Waveform (each to its own peak) above log-mel spectrogram. All spectrograms of this machine share their colours: black is {:.0} \
         {decibel} or less, light yellow {:.0} {decibel}.{which}",
        range.low_db,
        range.high_db,
        decibel = super::decibel(spec)
    );
    Html::all([
        element("h3").text("Recordings side by side").into(),
        element("p").class("soft").text(note).into(),
        element("div").class("columns").children(columns).into(),
    ])
}

/// The range of the colours, the same for all pictures of a machine.
struct Range {
    low_db: f32,
    high_db: f32,
}

impl Range {
    fn of<'a>(pictures: impl Iterator<Item = &'a RecordingPicture>) -> Self {
        let levels = pictures.flat_map(|picture| picture.log_mel.iter().copied()).filter(|level| level.is_finite());
        let (low, high) =
            levels.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), level| (low.min(level), high.max(level)));
        if low > high {
            return Self { low_db: -DEPTH_DB, high_db: 0.0 };
        }
        // Adding 0 converts minus zero to zero, so that no minus sign is shown.
        let high_db = (high / 5.0).ceil() * 5.0 + 0.0;
        let low_db = ((low / 5.0).floor() * 5.0).clamp(high_db - DEPTH_DB, high_db - 5.0);
        Self { low_db, high_db }
    }
}

fn clip_figure(
    recording: &Recording,
    picture: &RecordingPicture,
    range: &Range,
    band_centres_hz: &[f64],
    is_abnormal: bool,
) -> Element {
    let description = format!("Waveform and log-mel spectrogram of {}", recording.name);
    let svg = element("svg").class("plot").with("viewBox", format!("0 0 {WIDTH} {HEIGHT}")).with("role", "img");
    let svg = svg
        .with("aria-label", description)
        .child(waveform(&picture.envelope, if is_abnormal { "wave-abnormal" } else { "wave" }))
        .child(cells(picture, range))
        .children(time_axis(recording.duration_s))
        .children(frequency_axis(band_centres_hz));
    let file = Path::new(&recording.name).file_name().unwrap_or_default().to_string_lossy();
    let name = element("div").class("name").with("title", &recording.name).text(file);
    let levels = match &recording.measured {
        Some(Measured { rms, peak, unit }) => {
            format!("RMS {}, peak {} {unit}", three_digits(*rms), three_digits(*peak))
        }
        None => format!(
            "RMS {}, peak {} dBFS",
            decimal(recording.levels.rms_dbfs, 1),
            decimal(recording.levels.peak_dbfs, 1)
        ),
    };
    let figures = format!("{:.2} s, {levels}", recording.duration_s);
    element("figure").child(svg).child(element("figcaption").child(name).text(figures))
}

fn waveform(envelope: &[(f32, f32)], class: &'static str) -> Element {
    let peak = envelope.iter().map(|(low, high)| low.abs().max(high.abs())).fold(f32::MIN_POSITIVE, f32::max);
    let x_of = |part: usize| LEFT + PLOT_WIDTH * part as f64 / envelope.len().saturating_sub(1).max(1) as f64;
    // Half a unit to either side, so that silence is a visible line.
    let y_of = |sample: f32, room: f64| WAVE_HEIGHT * 0.5 * (1.0 - f64::from(sample / peak)) + room + 2.0;
    let upper = envelope.iter().enumerate().map(|(part, (_, high))| (x_of(part), y_of(*high, -0.5)));
    let lower = envelope.iter().enumerate().rev().map(|(part, (low, _))| (x_of(part), y_of(*low, 0.5)));
    let points = upper.chain(lower).map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ");
    element("polygon").class(class).with("points", points)
}

fn cells(picture: &RecordingPicture, range: &Range) -> Element {
    let canvas = draw_cells(picture.log_mel.view(), range.low_db, range.high_db, MOST_COLUMNS);
    let png = canvas.png().expect("memory takes what is written to it");
    element("image")
        .with("href", format!("data:image/png;base64,{}", STANDARD.encode(png)))
        .with("x", LEFT)
        .with("y", CELLS_TOP)
        .with("width", PLOT_WIDTH)
        .with("height", CELLS_HEIGHT)
        .with("preserveAspectRatio", "none")
}

fn time_axis(duration_s: f64) -> Vec<Element> {
    let bottom = CELLS_TOP + CELLS_HEIGHT;
    let mut marks = Vec::new();
    for mark in ticks(0.0, duration_s, 5) {
        let x = LEFT + PLOT_WIDTH * mark / duration_s.max(f64::MIN_POSITIVE);
        marks.push(
            element("text")
                .with("x", format!("{x:.1}"))
                .with("y", bottom + 13.0)
                .with("text-anchor", "middle")
                .text(format!("{}", (mark * 1e3).round() / 1e3)),
        );
    }
    let name = element("text").class("soft").with("x", LEFT + PLOT_WIDTH / 2.0).with("y", bottom + 26.0);
    marks.push(name.with("text-anchor", "middle").text("s"));
    marks
}

fn frequency_axis(band_centres_hz: &[f64]) -> Vec<Element> {
    let bands = band_centres_hz.len().max(1) as f64;
    let place = |hz: f64| Some((hz, row_of(hz, band_centres_hz)?));
    let mark = |(hz, row): (f64, f64)| {
        let y = CELLS_TOP + CELLS_HEIGHT * (1.0 - (row + 0.5) / bands) + 4.0;
        let label = if hz < 1000.0 { format!("{hz:.0}") } else { format!("{:.0}k", hz / 1000.0) };
        element("text").with("x", LEFT - 4.0).with("y", format!("{y:.1}")).with("text-anchor", "end").text(label)
    };
    MARKS_HZ.into_iter().filter_map(place).map(mark).collect()
}
