//! How far a defect's lines stand out of the envelope spectra.

use serde::Serialize;

use super::envelope::{Band, EnvelopeSpectrum, PADDING};
use super::geometry::{BearingOrders, BearingPart};
use super::noise::{Decoys, LongNoise, spread_in_noise};
use super::search::{DECOY_RANGE, Search};
use super::shaft_lines::HALF_LOBE;

/// What one line may count at least and at most, natural logarithm: one missing line must not hide five that are there,
/// nor one loud line (the mains', a gear's) stand for six.
const LINE_RANGE: (f64, f64) = (-1.0, 3.0);
/// From this height on a line is one to the eye; noise comes there at one place of fifty.
const VISIBLE_LINE: f64 = 1.0;
/// Decibels of a magnitude to the natural logarithm's unit: 20 / ln 10.
const DB_PER_NEPER: f64 = 8.685_889_638_065_035;
/// Lines of one comb come to 1 here, and each second or third of them alone to about 0.
const LINES_BETWEEN: f64 = 0.35;
/// So many combs that no defect has are fitted beside each that one has, spread evenly in logarithm over
/// [`DECOY_RANGE`].
const DECOYS: u32 = 40;

/// Exponent of the power mean over bands: 1 weighs them alike, and the larger it is, the more the highest alone counts.
/// Of 1 to 10, none names more parts of simulated bearings without naming more balls as races.
const BAND_EXPONENT: f64 = 3.0;

/// So many lines of a comb are held against each other where it is asked whether each second to fourth is higher.
const LINES_COMPARED: usize = 12;

/// The top of a line is where nothing beside it is so much higher, nepers: 1.7 dB.
const NEAR_PEAK: f64 = 0.2;
/// A line beside which something is so much higher, nepers, 7 dB, is its flank. Slip smears lines, whose tops are then
/// rugged.
const FAR_HIGHER: f64 = 0.8;

/// The lines of one defect.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comb {
    /// The part that would be damaged.
    pub part: BearingPart,
    /// Strikes a second at which the lines fit best, Hz.
    pub strikes_hz: f64,
    /// By how much that differs from geometry times shaft speed: slip, or a speed that is not quite the stated one, %.
    pub slip_percent: f64,
    /// Mean height of the lines over the noise floor in the band where they stand out furthest, dB. A line counts with
    /// -8.7 to 26 dB.
    pub prominence_db: f64,
    /// How many of the strikes' harmonics were looked at.
    #[serde(skip)]
    pub lines: usize,
    /// Of the strikes' harmonics, how many stand 8.7 dB or more out of the noise in that band.
    pub visible_lines: usize,
    /// Lower edge of that band, Hz.
    pub band_low_hz: f64,
    /// Upper edge of that band, Hz.
    pub band_high_hz: f64,
    /// By how much the comb, over all bands, is higher than combs at places where no defect has one, dB.
    pub excess_db: f64,
    /// The same in standard deviations of what noise and the recording's other lines do.
    pub sigmas: f64,
    /// The excess of the lines that are no multiple of the second, or of the third, whichever is lower, as a share of
    /// that of all lines.
    #[serde(skip)]
    pub share_between: f64,
    /// Of the visible lines, how many have no far higher value within half a main lobe: the others are the flanks of
    /// other lines.
    #[serde(skip)]
    pub(super) lines_of_their_own: usize,
}

impl Comb {
    /// Whether the lines are the part's own, not each second or third line of a comb at twice or three times the rate.
    pub(super) fn has_lines_between(&self) -> bool {
        self.share_between >= LINES_BETWEEN
    }

    /// Whether most of its visible lines are lines, and not the flanks of others that lie beside them.
    pub(super) fn is_of_its_own(&self) -> bool {
        2 * self.lines_of_their_own >= self.visible_lines
    }
}

/// Which lines of a comb are looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Teeth {
    /// The harmonics of the strikes.
    Harmonics,
    /// What lies so many Hz to both sides of them.
    Sidebands(f64),
    /// The pair of sidebands counts as much as the harmonic itself, which tells an inner race from an outer race whose
    /// lines happen to lie close.
    Both(f64),
}

impl Teeth {
    fn of(part: BearingPart, orders: &BearingOrders, shaft_hz: f64) -> Self {
        orders.modulation_of(part).map_or(Self::Harmonics, |order| Self::Both(order * shaft_hz))
    }
}

/// The heights that lines may have, band by band: at every frequency the highest of the three values about it.
#[derive(Clone)]
pub(super) struct Lines {
    pub(super) step_hz: f64,
    pub(super) bands: Vec<(Band, Vec<f64>)>,
    /// The same heights without limits, which lines are compared with one another by.
    unlimited: Vec<Vec<f64>>,
}

impl Lines {
    /// `spectra` must have one step.
    pub fn of(spectra: &[(Band, EnvelopeSpectrum)]) -> Self {
        debug_assert!(spectra.windows(2).all(|pair| pair[0].1.step_hz == pair[1].1.step_hz));
        let highest = |window: &[f64]| window.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // The value at `index` is that of the three whose middle is `index + 1`.
        let unlimited: Vec<Vec<f64>> =
            spectra.iter().map(|(_, spectrum)| spectrum.log_heights.windows(3).map(highest).collect()).collect();
        let limited =
            |heights: &Vec<f64>| heights.iter().map(|height| height.clamp(LINE_RANGE.0, LINE_RANGE.1)).collect();
        let bands = spectra.iter().zip(&unlimited).map(|((band, _), heights)| (*band, limited(heights))).collect();
        Self { step_hz: spectra.first().map_or(1.0, |(_, spectrum)| spectrum.step_hz), bands, unlimited }
    }

    /// The comb of one part, beside its decoys, in a recording of few turns.
    pub fn fit(&self, part: BearingPart, orders: &BearingOrders, search: &Search) -> Comb {
        let expected_hz = orders.strikes_of(part) * search.shaft_hz;
        let teeth = Teeth::of(part, orders, search.shaft_hz);
        let (scale, height) = self.best(expected_hz, teeth, search);
        let decoys = Decoys::of(&self.decoys(expected_hz, teeth, teeth, search));
        let excess = height - decoys.mean;
        let sigmas = excess / spread_in_noise(teeth != Teeth::Harmonics, search.harmonics);
        self.described(part, expected_hz, scale, teeth, search, (decoys.mean, excess, sigmas))
    }

    /// The comb of one part in a recording of many turns, as [`LongNoise`] has it.
    ///
    /// Its decoys are sought in what its own lines leave: they tell how high combs of no defect come in this recording,
    /// with everything else that it holds. An inner race's comb stands out as far as the lower of its lines and their
    /// sidebands does.
    pub fn fit_long(&self, part: BearingPart, orders: &BearingOrders, search: &Search, segments: f64) -> Comb {
        let expected_hz = orders.strikes_of(part) * search.shaft_hz;
        let teeth = Teeth::of(part, orders, search.shaft_hz);
        let (scale, height) = self.best(expected_hz, teeth, search);
        let strikes_hz = scale * expected_hz;
        let rest = if self.is_narrow(strikes_hz) {
            self.without_part(part, strikes_hz, orders, search)
        } else {
            let turns: Vec<f64> = (-3..=3).map(|turns| f64::from(turns) * search.shaft_hz).collect();
            self.without(strikes_hz, &turns, search.harmonics)
        };
        let noise = LongNoise { harmonics: search.harmonics, segments };
        let decoys_of = |counted: Teeth| Decoys::of(&rest.decoys(expected_hz, teeth, counted, search));
        let sigmas = match (part, teeth) {
            (BearingPart::InnerRace, Teeth::Both(away)) => {
                let deviation = |counted: Teeth, usual: (f64, f64)| {
                    let height = self.height(strikes_hz, counted, search.harmonics);
                    noise.deviation(height, decoys_of(counted), usual)
                };
                let lines = deviation(Teeth::Harmonics, LongNoise::INNER_HARMONICS);
                let sidebands = deviation(Teeth::Sidebands(away), LongNoise::INNER_SIDEBANDS);
                (lines.min(sidebands) - LongNoise::LOWER_OF_TWO.0) / LongNoise::LOWER_OF_TWO.1
            }
            (_, Teeth::Harmonics) => noise.deviation(height, decoys_of(teeth), LongNoise::HARMONICS),
            (_, _) => noise.deviation(height, decoys_of(teeth), LongNoise::BALL),
        };
        let mean = decoys_of(teeth).mean;
        self.described(part, expected_hz, scale, teeth, search, (mean, height - mean, sigmas))
    }

    fn described(
        &self,
        part: BearingPart,
        expected_hz: f64,
        scale: f64,
        teeth: Teeth,
        search: &Search,
        (decoys_mean, excess, sigmas): (f64, f64, f64),
    ) -> Comb {
        let strikes_hz = scale * expected_hz;
        let between = |multiple: usize| {
            let harmonics = (1..=search.harmonics).filter(move |harmonic| harmonic % multiple != 0);
            self.height_of(strikes_hz, teeth, harmonics) - decoys_mean
        };
        let of_band = |(band, heights): &(Band, Vec<f64>)| {
            (*band, self.mean_height(heights, strikes_hz, teeth, search.harmonics))
        };
        let of_bands =
            self.bands.iter().zip(&self.unlimited).map(|(band, unlimited)| (of_band(band), &band.1, unlimited));
        let furthest = of_bands.max_by(|((_, one), ..), ((_, other), ..)| one.total_cmp(other));
        let ((band, prominence), heights, unlimited) = furthest.expect("there is at least one band");
        let is_visible = |harmonic: &usize| {
            self.mean_height(heights, *harmonic as f64 * strikes_hz, Teeth::Harmonics, 1) >= VISIBLE_LINE
        };
        Comb {
            part,
            strikes_hz,
            slip_percent: 100.0 * (scale - 1.0),
            prominence_db: DB_PER_NEPER * prominence,
            lines: search.harmonics,
            visible_lines: (1..=search.harmonics).filter(is_visible).count(),
            lines_of_their_own: (1..=search.harmonics)
                .filter(|harmonic| self.is_peak(unlimited, *harmonic as f64 * strikes_hz, FAR_HIGHER))
                .count(),
            band_low_hz: band.low_hz,
            band_high_hz: band.high_hz,
            excess_db: DB_PER_NEPER * excess,
            sigmas,
            share_between: if excess > 0.0 { between(2).min(between(3)) / excess } else { 0.0 },
        }
    }

    /// Heights of combs at all rates from one to another: the rate, Hz, the height, and of how many lines. From one
    /// rate to the next the highest line moves by one value of the spectrum.
    pub fn comb_heights(
        &self,
        lowest_hz: f64,
        highest_hz: f64,
        (fewest, most): (usize, usize),
    ) -> Vec<(f64, f64, usize)> {
        let values = self.bands.iter().map(|(_, heights)| heights.len()).min().unwrap_or(0);
        let top_hz = values as f64 * self.step_hz;
        let mut found = Vec::new();
        let mut hz = lowest_hz;
        while hz <= highest_hz {
            let lines = ((top_hz / hz) as usize).min(most);
            if lines < fewest {
                break;
            }
            found.push((hz, self.height(hz, Teeth::Harmonics, lines), lines));
            hz += self.step_hz / lines as f64;
        }
        found
    }

    /// By how much the lines at multiples of `hz` that are no multiple of `multiple` are higher than those that are,
    /// nepers, where these stand out furthest.
    pub fn between_multiples(&self, hz: f64, multiple: usize) -> f64 {
        let of_band = |heights: &Vec<f64>| {
            let lines = ((heights.len() as f64 * self.step_hz / hz) as usize).min(LINES_COMPARED);
            let line = |harmonic: usize| {
                let nearest = (harmonic as f64 * hz / self.step_hz).round().max(1.0) as usize;
                heights.get(nearest - 1).copied().unwrap_or(LINE_RANGE.0).max(LINE_RANGE.0)
            };
            let mean = |is_counted: &dyn Fn(usize) -> bool| {
                let counted = (1..=lines).filter(|harmonic| is_counted(*harmonic));
                let (sum, count) =
                    counted.fold((0.0, 0.0), |(sum, count), harmonic| (sum + line(harmonic), count + 1.0));
                if count > 0.0 { sum / count } else { LINE_RANGE.0 }
            };
            let on = mean(&|harmonic| harmonic % multiple == 0);
            (on, mean(&|harmonic| harmonic % multiple != 0) - on)
        };
        let bands = self.unlimited.iter().map(of_band);
        bands.max_by(|one, other| one.0.total_cmp(&other.0)).map_or(0.0, |(_, difference)| difference)
    }

    /// Height of the comb of so many lines at multiples of `hz`.
    pub fn comb_height(&self, hz: f64, lines: usize) -> f64 {
        self.height(hz, Teeth::Harmonics, lines)
    }

    /// The rate within `share` of `hz` at which the comb of so many lines is highest, and how high it is there.
    pub fn highest_comb(&self, hz: f64, share: f64, lines: usize) -> (f64, f64) {
        // From one try to the next the highest line moves by half a value of the spectrum.
        let tries = (2.0 * share * hz * lines as f64 / self.step_hz).ceil() as i32;
        let tried = (-tries..=tries).map(|attempt| {
            let tried_hz = hz * (1.0 + share * f64::from(attempt) / f64::from(tries));
            (tried_hz, self.height(tried_hz, Teeth::Harmonics, lines))
        });
        tried.max_by(|(_, one), (_, other)| one.total_cmp(other)).expect("the rate itself is always tried")
    }

    /// The share of the first multiples of `hz` at which a line has its peak, in the band that shows most of them.
    pub fn share_of_peaks(&self, hz: f64, lines: usize) -> f64 {
        let of_band =
            |heights: &Vec<f64>| (1..=lines).filter(|line| self.is_peak(heights, *line as f64 * hz, NEAR_PEAK)).count();
        self.unlimited.iter().map(of_band).max().unwrap_or(0) as f64 / lines as f64
    }

    /// Whether a line is visible there, beside which nothing within half a main lobe is higher by more than so many
    /// nepers.
    fn is_peak(&self, heights: &[f64], hz: f64, higher: f64) -> bool {
        let half_lobe = (HALF_LOBE * PADDING as f64) as usize;
        let nearest = (hz / self.step_hz).round().max(1.0) as usize - 1;
        let around = nearest.saturating_sub(half_lobe)..(nearest + half_lobe + 1).min(heights.len());
        let highest = heights.get(around).unwrap_or(&[]).iter().copied().fold(f64::NEG_INFINITY, f64::max);
        heights.get(nearest).is_some_and(|height| *height >= VISIBLE_LINE && *height >= highest - higher)
    }

    /// The rate within `share` of `hz` at which all lines that the spectrum has room for are highest.
    pub fn refined(&self, hz: f64, share: f64) -> f64 {
        let values = self.bands.iter().map(|(_, heights)| heights.len()).min().unwrap_or(0);
        let lines = ((values as f64 * self.step_hz / hz) as usize).max(1);
        let tries = (share * hz * lines as f64 / self.step_hz).ceil() as i32;
        let tried = (-tries..=tries).map(|attempt| {
            let tried_hz = hz * (1.0 + share * f64::from(attempt) / f64::from(tries));
            (tried_hz, self.height(tried_hz, Teeth::Harmonics, lines))
        });
        tried.max_by(|(_, one), (_, other)| one.total_cmp(other)).map_or(hz, |(hz, _)| hz)
    }

    /// The best height within the slip, and the factor by which the strikes are then others than expected.
    fn best(&self, expected_hz: f64, teeth: Teeth, search: &Search) -> (f64, f64) {
        // From one try to the next the highest harmonic moves by one value of the spectrum.
        let highest_hz = search.harmonics as f64 * expected_hz;
        let tries = (search.slip * highest_hz / self.step_hz).ceil() as i32;
        let scale = |attempt: i32| {
            if tries == 0 { 1.0 } else { 1.0 + search.slip * f64::from(attempt) / f64::from(tries) }
        };
        let heights = (-tries..=tries)
            .map(scale)
            .filter(|scale| !search.is_shafts(expected_hz * scale))
            .map(|scale| (scale, self.height(expected_hz * scale, teeth, search.harmonics)));
        // Where all places are the shaft's, nothing is known of the part.
        heights.max_by(|(_, one), (_, other)| one.total_cmp(other)).unwrap_or((1.0, LINE_RANGE.0))
    }

    /// Heights of `counted` where the same search, for `sought`, finds strikes that no defect of this part has.
    fn decoys(&self, expected_hz: f64, sought: Teeth, counted: Teeth, search: &Search) -> Vec<f64> {
        let (lowest, highest) = (DECOY_RANGE.0.ln(), search.highest_decoy(expected_hz).ln());
        (0..DECOYS)
            .map(|index| (lowest + (highest - lowest) * f64::from(index) / f64::from(DECOYS - 1)).exp())
            .filter(|ratio| (ratio - 1.0).abs() > 2.0 * search.slip.max(SMALLEST_GAP))
            .filter(|ratio| !search.is_all_shafts(expected_hz * ratio))
            .map(|ratio| {
                let (scale, height) = self.best(expected_hz * ratio, sought, search);
                if counted == sought {
                    height
                } else {
                    self.height(expected_hz * ratio * scale, counted, search.harmonics)
                }
            })
            .collect()
    }

    /// Height of a comb over all bands: the geometric mean of its lines in each, and the power mean of the bands. A
    /// resonance in one band is seen, and lines that are in every band count for more than as many that chance puts
    /// into one.
    fn height(&self, strikes_hz: f64, teeth: Teeth, harmonics: usize) -> f64 {
        self.height_of(strikes_hz, teeth, 1..=harmonics)
    }

    /// The same of some harmonics.
    fn height_of(&self, strikes_hz: f64, teeth: Teeth, harmonics: impl Iterator<Item = usize> + Clone) -> f64 {
        let raised = |(_, heights): &(Band, Vec<f64>)| {
            (BAND_EXPONENT * self.mean_of(heights, strikes_hz, teeth, harmonics.clone())).exp()
        };
        let mean = self.bands.iter().map(raised).sum::<f64>() / self.bands.len() as f64;
        mean.ln() / BAND_EXPONENT
    }

    /// Mean over the first harmonics in one band.
    fn mean_height(&self, heights: &[f64], strikes_hz: f64, teeth: Teeth, harmonics: usize) -> f64 {
        self.mean_of(heights, strikes_hz, teeth, 1..=harmonics)
    }

    fn mean_of(&self, heights: &[f64], strikes_hz: f64, teeth: Teeth, harmonics: impl Iterator<Item = usize>) -> f64 {
        let line = |hz: f64| {
            let nearest = (hz / self.step_hz).round().max(1.0) as usize;
            heights.get(nearest - 1).copied().unwrap_or(LINE_RANGE.0)
        };
        let height = |harmonic: usize| {
            let hz = harmonic as f64 * strikes_hz;
            match teeth {
                Teeth::Harmonics => line(hz),
                Teeth::Sidebands(away) => f64::midpoint(line(hz - away), line(hz + away)),
                Teeth::Both(away) => f64::midpoint(line(hz), f64::midpoint(line(hz - away), line(hz + away))),
            }
        };
        let (sum, count) = harmonics.fold((0.0, 0.0), |(sum, count), harmonic| (sum + height(harmonic), count + 1.0));
        sum / count
    }
}

/// A decoy keeps at least so far away from the strikes that it stands beside, as half a share of them, however little
/// slip is allowed for.
const SMALLEST_GAP: f64 = 0.01;
