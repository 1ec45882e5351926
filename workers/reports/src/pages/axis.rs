//! The axis of a plot: range, scale and ticks.

use crate::pictures::{label, ticks};

/// Maps values to positions on a plot.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What it shows, with the unit.
    pub name: String,
    /// Positions and labels of ticks.
    pub ticks: Vec<(f64, String)>,
    low: f64,
    high: f64,
    scale: Scale,
}

/// The scale of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Logarithmic,
}

/// Minimum ratio of the highest to the lowest score for a logarithmic axis; a linear one would compress the normal
/// scores.
const LOGARITHMIC_FROM: f64 = 20.0;

impl Axis {
    /// A linear axis over `low..=high`, widened if they are equal.
    pub fn linear(name: impl Into<String>, low: f64, high: f64) -> Self {
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
        let marks = ticks(low, high, 6);
        let step = marks.get(1).map_or(1.0, |second| second - marks[0]);
        let ticks = marks.into_iter().map(|mark| (mark, label(mark, step))).collect();
        Self { name: name.into(), ticks, low, high, scale: Scale::Linear }
    }

    /// Shares from 0 to 1.
    pub fn share(name: impl Into<String>) -> Self {
        Self::linear(name, 0.0, 1.0)
    }

    /// Counts from 0 up to at least `highest`.
    pub fn count(name: impl Into<String>, highest: usize) -> Self {
        Self::linear(name, 0.0, (highest.max(1) as f64 * 1.05).max(1.05)).with_whole_ticks()
    }

    /// An axis for all these scores, with a margin: logarithmic if they are positive and have a wide range.
    pub fn scores(name: impl Into<String>, scores: impl Iterator<Item = f64>) -> Self {
        let finite = scores.filter(|score| score.is_finite());
        let (low, high) =
            finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), score| (low.min(score), high.max(score)));
        if low > high {
            return Self::linear(name, 0.0, 1.0);
        }
        if low <= 0.0 || high < LOGARITHMIC_FROM * low {
            let room = 0.03 * (high - low);
            return Self::linear(name, low - room, high + room);
        }
        let room = (high / low).powf(0.03);
        Self {
            low: low / room,
            high: high * room,
            ticks: decades(low / room, high * room),
            name: name.into(),
            scale: Scale::Logarithmic,
        }
    }

    /// The same axis with these ticks.
    #[must_use]
    pub fn with_ticks(self, ticks: Vec<(f64, String)>) -> Self {
        Self { ticks, ..self }
    }

    fn with_whole_ticks(mut self) -> Self {
        self.ticks.retain(|(mark, _)| mark.fract() == 0.0);
        for (mark, label) in &mut self.ticks {
            *label = format!("{mark:.0}");
        }
        self
    }

    /// The position of a value: 0 at the low end, 1 at the high end. Values outside are moved to the end.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            // The logarithm of 0 is minus infinity: the low end.
            Scale::Logarithmic => (value.max(0.0) / self.low).ln() / (self.high / self.low).ln(),
        };
        share.clamp(0.0, 1.0)
    }

    /// The value at a position: the inverse of [`Axis::place`].
    #[must_use]
    pub fn value(&self, place: f64) -> f64 {
        match self.scale {
            Scale::Linear => self.low + place * (self.high - self.low),
            Scale::Logarithmic => self.low * (self.high / self.low).powf(place),
        }
    }
}

/// 1, 2 and 5 times the powers of ten within the range; only the powers of ten if there would be too many.
fn decades(low: f64, high: f64) -> Vec<(f64, String)> {
    let factors: &[f64] = if high / low < 1e4 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let marks = powers.flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)));
    marks.filter(|mark| (low..=high).contains(mark)).map(|mark| (mark, short(mark))).collect()
}

fn short(mark: f64) -> String {
    if (1e-3..1e5).contains(&mark) { format!("{}", (mark * 1e6).round() / 1e6) } else { format!("{mark:.0e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widely_spread_scores_get_a_logarithmic_axis_and_others_a_linear_one() {
        let wide = Axis::scores("score", [0.5, 3.0, 800.0].into_iter());
        assert!((wide.place(20.0) - 0.5).abs() < 0.01, "the middle of 0.5 and 800 by ratio is 20");
        let narrow = Axis::scores("score", [5.0, 15.0].into_iter());
        assert!((narrow.place(10.0) - 0.5).abs() < 1e-12);
        let negative = Axis::scores("score", [-30.0, 10.0].into_iter());
        assert!((negative.place(-10.0) - 0.5).abs() < 1e-12, "a log-likelihood has no logarithm");
        for axis in [wide, narrow, negative] {
            assert!((axis.place(axis.value(0.3)) - 0.3).abs() < 1e-12);
            assert!(axis.ticks.len() >= 2, "{:?}", axis.ticks);
        }
    }

    #[test]
    fn what_lies_beyond_an_axis_is_drawn_at_its_end() {
        let axis = Axis::scores("score", [1.0, 1000.0].into_iter());
        assert_eq!(axis.place(f64::NEG_INFINITY), 0.0);
        assert_eq!(axis.place(0.0), 0.0);
        assert_eq!(axis.place(1e9), 1.0);
    }

    #[test]
    fn equal_scores_and_no_scores_have_an_axis_too() {
        for scores in [vec![], vec![3.0, 3.0], vec![0.0], vec![f64::NAN]] {
            let axis = Axis::scores("score", scores.iter().copied());
            assert!(axis.place(3.0).is_finite());
        }
    }

    #[test]
    fn counts_have_whole_ticks() {
        assert_eq!(Axis::count("clips", 1).ticks, [(0.0, "0".to_owned()), (1.0, "1".to_owned())]);
        assert!(Axis::count("clips", 3).ticks.iter().all(|(mark, _)| mark.fract() == 0.0));
    }
}
