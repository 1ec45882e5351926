//! What is left of the envelope spectra without the lines of a part, or of impulses.

use super::comb::Lines;
use super::envelope::PADDING;
use super::geometry::{BearingOrders, BearingPart};
use super::search::Search;
use super::shaft_lines::HALF_LOBE;

/// A damaged part has lines beyond the harmonics that are looked at; so many are taken away where it is asked what else
/// there is.
const LINES_OF_A_PART: usize = 12;
/// The lines of a part may take up this share of the spectrum, so that enough of it is left to be compared with.
const MOST_TAKEN_AWAY: f64 = 0.35;
/// From more pairs of sidebands on, the lines are narrow enough that a part's are taken away with all that it
/// modulates.
const SIDES_WHERE_NARROW: usize = 8;

impl Lines {
    /// The same without the lines of a part: its harmonics, and their sidebands, those of the shaft, of what the part's
    /// strikes come and go with, and of the cage, as many as leave most of the spectrum as it is. A recording of many
    /// turns, whose lines are narrow, loses more of them.
    pub fn without_part(&self, part: BearingPart, strikes_hz: f64, orders: &BearingOrders, search: &Search) -> Self {
        let of_part = orders.modulation_of(part).unwrap_or(1.0);
        // The cage turns as fast as the strikes say.
        let slip = strikes_hz / (orders.strikes_of(part) * search.shaft_hz);
        let cage = match part {
            BearingPart::InnerRace => 1.0 - slip * (1.0 - orders.ftf),
            BearingPart::OuterRace | BearingPart::Ball => slip * orders.ftf,
        };
        let always = [0.0, 1.0, 2.0, of_part, 2.0 * of_part];
        let where_narrow = [
            3.0,
            cage,
            1.0 - cage,
            1.0 + cage,
            2.0 * cage,
            2.0 - cage,
            4.0,
            2.0 * (1.0 - cage),
            2.0 + cage,
            5.0,
            3.0 - cage,
            3.0 + cage,
        ];
        let most = self.narrow_sides(strikes_hz).max(always.len());
        let orders_of_sides = always.into_iter().chain(where_narrow).take(most);
        let sides: Vec<f64> =
            orders_of_sides.flat_map(|order| [-order * search.shaft_hz, order * search.shaft_hz]).collect();
        if most == always.len() {
            return self.without(strikes_hz, &sides, LINES_OF_A_PART);
        }
        let values = self.bands.iter().map(|(_, heights)| heights.len()).min().unwrap_or(0);
        let harmonics = ((values as f64 * self.step_hz / strikes_hz) as usize + 1).max(LINES_OF_A_PART);
        self.without(strikes_hz, &sides, harmonics)
    }

    /// Whether lines are so narrow that a part's can be taken away with all that it modulates.
    pub fn is_narrow(&self, strikes_hz: f64) -> bool {
        self.narrow_sides(strikes_hz) > SIDES_WHERE_NARROW
    }

    /// How many pairs of sidebands of every line may be taken away.
    fn narrow_sides(&self, strikes_hz: f64) -> usize {
        let width_hz = 2.0 * HALF_LOBE * PADDING as f64 * self.step_hz;
        (MOST_TAKEN_AWAY * strikes_hz / width_hz) as usize / 2
    }

    /// The same without the lines at multiples of the strikes and so many Hz beside them: each is as high as the median
    /// there.
    pub fn without(&self, strikes_hz: f64, sides: &[f64], harmonics: usize) -> Self {
        let mut rest = self.clone();
        for (_, heights) in &mut rest.bands {
            let median = median_of(heights);
            for harmonic in 1..=harmonics {
                for side in sides {
                    let hz = harmonic as f64 * strikes_hz + side;
                    blank(heights, hz / self.step_hz, median);
                }
            }
        }
        rest
    }

    /// The same without the lines at all multiples of `hz`.
    pub fn without_comb(&self, hz: f64) -> Self {
        let mut rest = self.clone();
        for (_, heights) in &mut rest.bands {
            let median = median_of(heights);
            let top_hz = heights.len() as f64 * self.step_hz;
            for multiple in 1..=(top_hz / hz) as usize {
                blank(heights, multiple as f64 * hz / self.step_hz, median);
            }
        }
        rest
    }
}

fn median_of(heights: &[f64]) -> f64 {
    let mut sorted = heights.to_vec();
    let middle = sorted.len() / 2;
    *sorted.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Lowers a line's main lobe to the median. `place`: in values of the spectrum, the first of which is the second of
/// `heights`.
fn blank(heights: &mut [f64], place: f64, median: f64) {
    let half_lobe = (HALF_LOBE * PADDING as f64) as usize + 1;
    let nearest = place.round().max(1.0) as usize - 1;
    let window = nearest.saturating_sub(half_lobe).min(heights.len())..(nearest + half_lobe + 1).min(heights.len());
    for height in &mut heights[window] {
        *height = height.min(median);
    }
}
