//! Distribution of the scores of normal and abnormal clips, with the threshold.

use super::Figures;
use crate::pages::axis::Axis;
use crate::pages::html::{Html, element};
use crate::pages::plot::{Plot, figure, legend};

const BINS: usize = 40;

pub(super) fn section(figures: &Figures<'_>) -> Html {
    let Figures { normal, abnormal, threshold, .. } = figures;
    let all = normal.iter().chain(abnormal).copied();
    let axis = Axis::scores("score", all.chain([*threshold]));
    let (normal_bins, abnormal_bins) = (count(&axis, normal), count(&axis, abnormal));
    let tallest = normal_bins.iter().chain(&abnormal_bins).copied().max().unwrap_or(0);

    let description = "Histogram of scores: normal clips beside abnormal clips, with the threshold";
    let mut plot = Plot::new(description, axis, Axis::count("clips", tallest));
    for bin in 0..BINS {
        let (left, middle, right) =
            (bin as f64 / BINS as f64, (bin as f64 + 0.5) / BINS as f64, (bin as f64 + 1.0) / BINS as f64);
        if normal_bins[bin] > 0 {
            plot = plot.bar("normal-fill", left, middle, normal_bins[bin] as f64);
        }
        if abnormal_bins[bin] > 0 {
            plot = plot.bar("abnormal-fill", middle, right, abnormal_bins[bin] as f64);
        }
    }
    let svg = plot.vertical("threshold", *threshold, "threshold").svg();
    let names = legend([("normal", "normal (left bar of each pair)"), ("abnormal", "abnormal (right bar)")]);
    let caption = "Clips right of the threshold are called abnormal.";
    Html::all([element("h2").text("Scores").into(), names, figure(svg, caption)])
}

fn count(axis: &Axis, scores: &[f64]) -> [usize; BINS] {
    let mut bins = [0; BINS];
    for score in scores {
        let bin = (axis.place(*score) * BINS as f64) as usize;
        bins[bin.min(BINS - 1)] += 1;
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clip_is_in_one_bin_the_lowest_and_the_highest_too() {
        let scores = [1.0, 2.0, 3.0, 3.0, 5000.0];
        let axis = Axis::scores("score", scores.iter().copied());
        let bins = count(&axis, &scores);
        assert_eq!(bins.iter().sum::<usize>(), scores.len());
    }
}
