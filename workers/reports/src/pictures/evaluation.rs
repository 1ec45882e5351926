//! Draws how a model's scores separate normal from abnormal: a histogram with the threshold, and the ROC curve.

use embedded_graphics::pixelcolor::Rgb888;

use super::axis::{label, ticks};
use super::canvas::{Anchor, Canvas, FAINT, GREY, INK, shortened};

/// What to draw.
#[derive(Debug, Clone)]
pub struct ScorePicture<'a> {
    /// Scores of normal test clips.
    pub normal: &'a [f64],
    /// Scores of abnormal test clips.
    pub abnormal: &'a [f64],
    /// Scores above it are anomalous; positive.
    pub threshold: f64,
    /// Area under the ROC curve.
    pub auc: f64,
    /// First line: which model on which data.
    pub title: &'a str,
    /// Second line.
    pub subtitle: &'a str,
}

const NORMAL: Rgb888 = Rgb888::new(38, 120, 178);
const ABNORMAL: Rgb888 = Rgb888::new(214, 96, 32);

const WIDTH: i32 = 1120;
const HEIGHT: i32 = 520;
const TOP: i32 = 84;
const PLOT_HEIGHT: i32 = 360;
const HISTOGRAM_LEFT: i32 = 64;
const HISTOGRAM_WIDTH: i32 = 560;
const ROC_LEFT: i32 = 720;
const ROC_WIDTH: i32 = PLOT_HEIGHT;
const BINS: usize = 40;

/// Draws the picture. The histogram's axis is score / threshold on a logarithmic scale: 1 is the threshold.
#[must_use]
pub fn draw_scores(picture: &ScorePicture<'_>) -> Canvas {
    let mut canvas = Canvas::new(WIDTH as u32, HEIGHT as u32);
    canvas.title(16, 22, &shortened(picture.title, 118));
    canvas.text(16, 44, Anchor::Left, GREY, &shortened(picture.subtitle, 150));
    draw_histogram(&mut canvas, picture);
    draw_roc(&mut canvas, picture);
    canvas
}

fn draw_histogram(canvas: &mut Canvas, picture: &ScorePicture<'_>) {
    let ratio = |score: &f64| (score / picture.threshold).max(1e-3).log10();
    let ratios = picture.normal.iter().chain(picture.abnormal).map(ratio);
    let (low, high) = ratios.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let (low, high) = (low - 0.05, high + 0.05);
    let bin_of = |score: &f64| (((ratio(score) - low) / (high - low) * BINS as f64) as usize).min(BINS - 1);
    let count = |scores: &[f64]| {
        let mut bins = [0_u32; BINS];
        scores.iter().for_each(|score| bins[bin_of(score)] += 1);
        bins
    };
    let (normal, abnormal) = (count(picture.normal), count(picture.abnormal));
    let tallest = normal.iter().chain(&abnormal).copied().max().unwrap_or(1).max(1);

    for mark in ticks(0.0, f64::from(tallest), 6) {
        let y = TOP + PLOT_HEIGHT - (mark / f64::from(tallest) * f64::from(PLOT_HEIGHT - 8)).round() as i32;
        canvas.line((HISTOGRAM_LEFT, y), (HISTOGRAM_LEFT + HISTOGRAM_WIDTH, y), FAINT, 1);
        canvas.text(HISTOGRAM_LEFT - 8, y, Anchor::Right, INK, &label(mark, 1.0));
    }
    let bin_width = HISTOGRAM_WIDTH / BINS as i32;
    let bar = |canvas: &mut Canvas, bin: usize, count: u32, part: i32, color: Rgb888| {
        let height = (f64::from(count) / f64::from(tallest) * f64::from(PLOT_HEIGHT - 8)).round() as i32;
        let half = bin_width / 2;
        canvas.fill(
            HISTOGRAM_LEFT + bin as i32 * bin_width + part * half,
            TOP + PLOT_HEIGHT - height,
            half - 1,
            height,
            color,
        );
    };
    for bin in 0..BINS {
        bar(canvas, bin, normal[bin], 0, NORMAL);
        bar(canvas, bin, abnormal[bin], 1, ABNORMAL);
    }
    canvas.frame(HISTOGRAM_LEFT - 1, TOP - 1, HISTOGRAM_WIDTH + 2, PLOT_HEIGHT + 2, INK);

    let x_of = |value: f64| HISTOGRAM_LEFT + ((value - low) / (high - low) * f64::from(HISTOGRAM_WIDTH)).round() as i32;
    let mut free_from = 0;
    for mark in [
        0.01, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 50.0, 100.0,
        1000.0,
    ] {
        let at = f64::log10(mark);
        let x = x_of(at);
        if (low..=high).contains(&at) && x >= free_from {
            canvas.line((x, TOP + PLOT_HEIGHT), (x, TOP + PLOT_HEIGHT + 5), INK, 1);
            canvas.text(x, TOP + PLOT_HEIGHT + 14, Anchor::Centre, INK, &format!("{mark}"));
            free_from = x + 36;
        }
    }
    let threshold_x = x_of(0.0);
    canvas.line((threshold_x, TOP), (threshold_x, TOP + PLOT_HEIGHT), INK, 2);
    canvas.text(threshold_x + 6, TOP + 10, Anchor::Left, INK, "threshold");
    canvas.text(HISTOGRAM_LEFT + HISTOGRAM_WIDTH / 2, TOP + PLOT_HEIGHT + 36, Anchor::Centre, INK, "score / threshold");
    canvas.text(HISTOGRAM_LEFT, TOP - 14, Anchor::Right, INK, "clips");

    // Labelled beside the plot, in the left-to-right order of the bars: not distinguished by colour alone.
    for (index, (color, name, scores)) in
        [(NORMAL, "normal (left bars)", picture.normal), (ABNORMAL, "abnormal (right bars)", picture.abnormal)]
            .into_iter()
            .enumerate()
    {
        let x = HISTOGRAM_LEFT + 90 + index as i32 * 220;
        canvas.fill(x, TOP - 20, 12, 12, color);
        canvas.text(x + 18, TOP - 14, Anchor::Left, INK, &format!("{} {name}", scores.len()));
    }
}

fn draw_roc(canvas: &mut Canvas, picture: &ScorePicture<'_>) {
    let x_of = |rate: f64| ROC_LEFT + (rate * f64::from(ROC_WIDTH)).round() as i32;
    let y_of = |rate: f64| TOP + PLOT_HEIGHT - (rate * f64::from(PLOT_HEIGHT)).round() as i32;
    for mark in [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] {
        canvas.line((x_of(mark), TOP), (x_of(mark), TOP + PLOT_HEIGHT), FAINT, 1);
        canvas.line((ROC_LEFT, y_of(mark)), (ROC_LEFT + ROC_WIDTH, y_of(mark)), FAINT, 1);
        canvas.text(x_of(mark), TOP + PLOT_HEIGHT + 14, Anchor::Centre, INK, &label(mark, 0.1));
        canvas.text(ROC_LEFT - 8, y_of(mark), Anchor::Right, INK, &label(mark, 0.1));
    }
    canvas.line((x_of(0.0), y_of(0.0)), (x_of(1.0), y_of(1.0)), GREY, 1);
    canvas.frame(ROC_LEFT - 1, TOP - 1, ROC_WIDTH + 2, PLOT_HEIGHT + 2, INK);
    let points = roc(picture.normal, picture.abnormal);
    for pair in points.windows(2) {
        let at = |(false_rate, true_rate): (f64, f64)| (x_of(false_rate), y_of(true_rate));
        canvas.line(at(pair[0]), at(pair[1]), ABNORMAL, 2);
    }
    let above = |scores: &[f64]| {
        scores.iter().filter(|score| **score > picture.threshold).count() as f64 / scores.len().max(1) as f64
    };
    let (x, y) = (x_of(above(picture.normal)), y_of(above(picture.abnormal)));
    canvas.fill(x - 4, y - 4, 9, 9, INK);
    // Below the point and inside the plot.
    let (text_x, anchor) =
        if x > ROC_LEFT + ROC_WIDTH - 120 { (x - 10, Anchor::Right) } else { (x + 10, Anchor::Left) };
    canvas.text(text_x, (y + 14).min(TOP + PLOT_HEIGHT - 10), anchor, INK, "at the threshold");

    canvas.text(
        ROC_LEFT + ROC_WIDTH / 2,
        TOP + PLOT_HEIGHT + 36,
        Anchor::Centre,
        INK,
        "false alarms among normal clips",
    );
    canvas.text(ROC_LEFT - 30, TOP - 14, Anchor::Left, INK, "faults found among abnormal clips");
    canvas.text(
        ROC_LEFT + ROC_WIDTH - 12,
        TOP + PLOT_HEIGHT - 60,
        Anchor::Right,
        INK,
        &format!("AUC {:.4}", picture.auc),
    );
}

/// The ROC curve's corners, from (0, 0) to (1, 1): false and true positive rate as the threshold falls.
fn roc(normal: &[f64], abnormal: &[f64]) -> Vec<(f64, f64)> {
    let mut scores: Vec<(f64, bool)> =
        normal.iter().map(|score| (*score, false)).chain(abnormal.iter().map(|score| (*score, true))).collect();
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut points = vec![(0.0, 0.0)];
    let (mut false_positives, mut true_positives) = (0_u32, 0_u32);
    for (index, (score, is_abnormal)) in scores.iter().enumerate() {
        if *is_abnormal {
            true_positives += 1
        } else {
            false_positives += 1
        }
        // Equal scores pass the threshold together.
        if scores.get(index + 1).is_none_or(|next| next.0 < *score) {
            points.push((
                f64::from(false_positives) / normal.len().max(1) as f64,
                f64::from(true_positives) / abnormal.len().max(1) as f64,
            ));
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roc_curve_goes_from_nothing_to_everything_and_ties_go_together() {
        assert_eq!(roc(&[1.0, 2.0], &[3.0, 4.0]), [(0.0, 0.0), (0.0, 0.5), (0.0, 1.0), (0.5, 1.0), (1.0, 1.0)]);
        assert_eq!(roc(&[1.0], &[1.0]), [(0.0, 0.0), (1.0, 1.0)]);
    }

    #[test]
    fn bars_stand_on_their_side_of_the_threshold() {
        let picture = ScorePicture {
            normal: &[0.5; 10],
            abnormal: &[2.0; 10],
            threshold: 1.0,
            auc: 1.0,
            title: "t",
            subtitle: "s",
        };
        let canvas = draw_scores(&picture);
        let columns_of = |color: Rgb888| {
            let rgb = [color.r(), color.g(), color.b()];
            let plot = HISTOGRAM_LEFT as u32..(HISTOGRAM_LEFT + HISTOGRAM_WIDTH) as u32;
            plot.filter(|x| canvas.pixel(*x, (TOP + PLOT_HEIGHT - 20) as u32) == Some(rgb)).collect::<Vec<_>>()
        };
        let middle = (HISTOGRAM_LEFT + HISTOGRAM_WIDTH / 2) as u32;
        let (blue, orange) = (columns_of(NORMAL), columns_of(ABNORMAL));
        assert!(!blue.is_empty() && blue.iter().all(|x| *x < middle), "{blue:?}");
        assert!(!orange.is_empty() && orange.iter().all(|x| *x > middle), "{orange:?}");
    }

    use embedded_graphics::pixelcolor::RgbColor;
}
