//! Detects time axes: values that rise evenly, with occasional gaps. Determines the step, its uncertainty, and the
//! gaps.
//!
//! Clocks are written with few digits: at 25.6 kHz in milliseconds, 25 values are equal, then one is larger. Therefore
//! steps are checked by the deviation of the values from a straight line, and the uncertainty of the step follows from
//! this deviation over the longest piece.

/// Minimum number of values of an axis.
const MIN_VALUES: usize = 8;
/// Maximum share of gaps; above it, an axis is uneven rather than interrupted.
const MAX_BREAKS: f64 = 0.01;
/// Maximum deviation of values from a straight line, steps.
const MAX_STRAYING: f64 = 2.0;

/// An even axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    /// From one value to the next, in the axis's own unit.
    pub step: f64,
    /// Its relative uncertainty.
    pub uncertainty: f64,
    /// Where further pieces start.
    pub breaks: Vec<usize>,
    /// Values equal to the previous one, if the digits are sufficient to distinguish them.
    pub repeats: usize,
}

/// The result for numbers as a time axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Even(Axis),
    /// Rising, with uneven steps.
    Uneven {
        smallest: f64,
        largest: f64,
    },
    /// Not rising: a signal.
    NoAxis,
}

pub(crate) fn examine(values: &[f64]) -> Shape {
    if values.len() < MIN_VALUES || values.iter().any(|value| !value.is_finite()) {
        return Shape::NoAxis;
    }
    let steps: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let falling = steps.iter().filter(|&&step| step < 0.0).count();
    if falling as f64 > MAX_BREAKS * steps.len() as f64 {
        return Shape::NoAxis;
    }
    let mut sorted = steps.clone();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
    let (smallest, largest) = (sorted[0], sorted[sorted.len() - 1]);
    if largest <= 0.0 {
        return Shape::NoAxis;
    }
    let uneven = Shape::Uneven { smallest, largest };
    let median = at(0.5);
    // With few digits, most steps may be zero: then the distance of values is that of the last digit, and smaller gaps
    // are not detected.
    let spread =
        if median > 0.0 { at(0.95) - at(0.05) } else { sorted.iter().copied().find(|&step| step > 0.0).unwrap_or(0.0) };
    let longest_step = 1.5 * median + spread * 1.01;
    // If few digits make many steps zero, a zero means nothing; otherwise it is a duplicate row.
    let shows_repeats = at(0.05) > 0.5 * median;
    let repeats = steps.iter().filter(|&&step| shows_repeats && step == 0.0).count();
    let is_break = |step: f64| step > longest_step || step < -spread * 1.01 || (shows_repeats && step == 0.0);
    let breaks: Vec<usize> = (1..values.len()).filter(|&index| is_break(steps[index - 1])).collect();
    if breaks.len() as f64 > MAX_BREAKS * steps.len() as f64 {
        return uneven;
    }
    let pieces = pieces(&breaks, values.len());
    let Some(longest) = pieces.iter().max_by_key(|piece| piece.len()) else { return uneven };
    let piece = &values[longest.clone()];
    if piece.len() < MIN_VALUES {
        return uneven;
    }
    let (slope, straying) = line(piece);
    if slope <= 0.0 || straying > MAX_STRAYING * slope + spread {
        return uneven;
    }
    let span = slope * (piece.len() - 1) as f64;
    let last_bit = 2.0 * f64::EPSILON * piece[0].abs().max(piece[piece.len() - 1].abs());
    Shape::Even(Axis { step: slope, uncertainty: 2.0 * (straying + last_bit) / span, breaks, repeats })
}

/// Ranges between breaks.
pub(crate) fn pieces(breaks: &[usize], len: usize) -> Vec<std::ops::Range<usize>> {
    let starts = std::iter::once(0).chain(breaks.iter().copied());
    let ends = breaks.iter().copied().chain(std::iter::once(len));
    starts.zip(ends).filter(|(start, end)| start < end).map(|(start, end)| start..end).collect()
}

/// Slope of the least-squares line, and the greatest deviation of a value from it.
fn line(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let first = values[0];
    let mean = values.iter().map(|value| value - first).sum::<f64>() / count;
    let mut product = 0.0;
    let mut squares = 0.0;
    for (index, value) in values.iter().enumerate() {
        let x = index as f64 - middle;
        product += x * (value - first - mean);
        squares += x * x;
    }
    let slope = product / squares;
    let from_line = |(index, value): (usize, &f64)| (value - first - mean - slope * (index as f64 - middle)).abs();
    (slope, values.iter().enumerate().map(from_line).fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(values: &[f64]) -> Axis {
        match examine(values) {
            Shape::Even(axis) => axis,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn clocks_of_few_digits_are_even() {
        for digits in [3, 4, 5, 6] {
            let unit = 10_f64.powi(digits);
            let values: Vec<f64> =
                (0..25_600).map(|index| (f64::from(index) / 25_600.0 * unit).round() / unit).collect();
            let axis = even(&values);
            assert!(axis.breaks.is_empty(), "{digits} digits: {:?}", axis.breaks.len());
            assert!((1.0 / axis.step / 25_600.0 - 1.0).abs() < axis.uncertainty, "{digits} digits: {axis:?}");
        }
    }

    #[test]
    fn lost_samples_and_a_clock_set_back_are_breaks() {
        let mut values: Vec<f64> = (0..1000).map(|index| f64::from(index) * 1e-3).collect();
        values.drain(500..502);
        for value in &mut values[700..] {
            *value -= 0.5;
        }
        assert_eq!(even(&values).breaks, [500, 700]);
    }

    #[test]
    fn a_signal_is_no_axis_and_events_are_uneven() {
        let sine: Vec<f64> = (0..1000).map(|index| (f64::from(index) * 0.1).sin()).collect();
        assert_eq!(examine(&sine), Shape::NoAxis);
        assert_eq!(examine(&[1.0; 100]), Shape::NoAxis);
        let events: Vec<f64> = (0..1000).map(|index| f64::from(index).powi(2)).collect();
        assert!(matches!(examine(&events), Shape::Uneven { .. }));
    }
}
