//! One recording, examined.

use super::comb::{Lines, Search};
use super::envelope::{Band, EnvelopeAnalyser};
use super::shaft_lines;
use super::{BearingFinding, BearingOrders, BearingPart};

/// Fewest turns of the shaft that a recording must hold: with fewer, the lines of the outer race and of the ball, one shaft
/// frequency apart, are not two.
pub const MIN_TURNS: f64 = 5.0;
/// Turns in one segment; a longer recording is cut and its envelope spectra are averaged. Balls slip at random, and over more turns
/// than these the slip smears a line wider than the finer resolution gains.
const SEGMENT_TURNS: f64 = 32.0;
/// Fewest turns that [`BearingExam::examine_joined`] judges: one segment.
pub const JOINED_TURNS: f64 = SEGMENT_TURNS;
/// Harmonics of a comb, where the rate has room for them.
const HARMONICS: usize = 6;
const MIN_HARMONICS: usize = 2;
/// The bands tried: so many, each two parts wide of the eight that the spectrum is cut into, so that every one overlaps the next
/// by half and no resonance lies between two.
const BANDS: u32 = 7;
const PARTS: f64 = 8.0;
/// Below so many turns a second the spectrum holds unbalance, misalignment and the mains, not the ringing of a bearing; the lowest band
/// begins there.
const LOWEST_ORDER: f64 = 16.0;
/// The floor is a median over so many shaft frequencies: wide enough that a comb with its sidebands is a minority in it.
const FLOOR_ORDERS: f64 = 4.0;

/// Why a recording cannot be examined.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BearingError {
    /// The geometry is none that a bearing has.
    #[error(
        "BPFO {bpfo}, BPFI {bpfi}, BSF {bsf} and FTF {ftf} per turn are no bearing's: all must be positive, FTF below 1, BPFI above BPFO; \
         state them as multiples of the shaft's speed, not in Hz"
    )]
    Orders {
        /// Balls passing a point of the outer race, per turn.
        bpfo: f64,
        /// Balls passing a point of the inner race, per turn.
        bpfi: f64,
        /// Turns of a ball, per turn.
        bsf: f64,
        /// Turns of the cage, per turn.
        ftf: f64,
    },
    /// The speed is none.
    #[error("a shaft speed of {0} Hz cannot be: state the speed while the recording was made")]
    Speed(f64),
    /// The slip is none.
    #[error("a slip of {0} cannot be: state a share from 0 to 0.05")]
    Slip(f64),
    /// Too short.
    #[error(
        "the recording holds {turns:.1} turns of the shaft and {fewest_turns} are needed: record for {needed_s:.2} s or longer"
    )]
    TooShort {
        /// Turns that it holds.
        turns: f64,
        /// Turns that are needed.
        fewest_turns: f64,
        /// Seconds that it should have.
        needed_s: f64,
    },
    /// The rate leaves no band in which an envelope could show the strikes.
    #[error(
        "at {rate_hz} samples a second no band is wide enough for strikes at {strikes_hz:.0} Hz: record at {needed_hz:.0} Hz or faster"
    )]
    RateTooLow {
        /// Rate of the recording, Hz.
        rate_hz: f64,
        /// Highest strike frequency, Hz.
        strikes_hz: f64,
        /// Lowest rate that would do, Hz.
        needed_hz: f64,
    },
    /// A sample is NaN or infinite.
    #[error("a sample is not a finite number: check the recorder's float conversion")]
    NonFinite,
}

/// A bearing and its speed: what recordings are examined for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BearingExam {
    /// How often each part strikes.
    pub orders: BearingOrders,
    /// Speed of the shaft, Hz.
    pub shaft_hz: f64,
    /// By how much strikes may differ from geometry times speed, as a share: balls slip by 1 to 2 % (Randall and Antoni 2011).
    pub slip: f64,
}

/// What a recording shows before any part is held against it.
struct Observed {
    lines: Lines,
    search: Search,
    resolution_hz: f64,
    turns: f64,
}

impl BearingExam {
    /// The slip that is allowed for where nobody says otherwise.
    pub const DEFAULT_SLIP: f64 = 0.01;

    /// Examines one channel of vibration, `[samples]` in any unit, at `rate_hz` samples a second.
    ///
    /// # Errors
    /// [`BearingError`] naming what cannot be and what would do.
    pub fn examine(&self, samples: &[f32], rate_hz: f64) -> Result<BearingFinding, BearingError> {
        let Observed { lines, search, resolution_hz, turns } = self.observe(samples, rate_hz, MIN_TURNS)?;
        let combs = BearingPart::ALL.map(|part| lines.fit(part, &self.orders, &search)).to_vec();
        Ok(BearingFinding::new(combs, self.shaft_hz, search.harmonics, resolution_hz, turns))
    }

    /// Examines one channel that was recorded for [`JOINED_TURNS`] turns or longer, as a monitor hears it that listens all the time.
    ///
    /// Two things differ from [`examine`](Self::examine): deviations are those of noise in sixty turns, and the inner race is held against
    /// what is its own. A spot on it is carried through the load once a turn, so its lines have sidebands one turn away; that of an
    /// outer race stays in the load and has none (Randall and Antoni 2011, section 2). Its comb stands out as far as the lower of the
    /// two does, the lines alone or the sidebands alone: either without the other is no inner race.
    ///
    /// # Errors
    /// As [`examine`](Self::examine).
    pub fn examine_joined(&self, samples: &[f32], rate_hz: f64) -> Result<BearingFinding, BearingError> {
        let Observed { lines, search, resolution_hz, turns } = self.observe(samples, rate_hz, JOINED_TURNS)?;
        let combs = BearingPart::ALL.map(|part| lines.fit_joined(part, &self.orders, &search, turns)).to_vec();
        Ok(BearingFinding::new(combs, self.shaft_hz, search.harmonics, resolution_hz, turns))
    }

    fn observe(&self, samples: &[f32], rate_hz: f64, fewest_turns: f64) -> Result<Observed, BearingError> {
        let harmonics = self.harmonics_at(rate_hz)?;
        let turns = samples.len() as f64 / rate_hz * self.shaft_hz;
        if turns < fewest_turns {
            return Err(BearingError::TooShort { turns, fewest_turns, needed_s: fewest_turns / self.shaft_hz });
        }
        if !samples.iter().all(|sample| sample.is_finite()) {
            return Err(BearingError::NonFinite);
        }
        let longest = (SEGMENT_TURNS / self.shaft_hz * rate_hz) as usize;
        let segment = samples.len().min(longest);
        let analyser = EnvelopeAnalyser::new(rate_hz, segment);
        let spectra = analyser.spectra_of(samples);
        let band_width_hz = band_width_hz(rate_hz);
        let search = Search { shaft_hz: self.shaft_hz, harmonics, slip: self.slip, band_width_hz };
        let floor_hz = FLOOR_ORDERS * self.shaft_hz;
        let top_hz = search.top_hz(self.highest_strikes() * self.shaft_hz) + floor_hz;
        let spectra: Vec<_> = self
            .bands(rate_hz)
            .map(|band| {
                let mut spectrum = analyser.envelope_spectrum(&spectra, band, top_hz, floor_hz);
                shaft_lines::explain(&mut spectrum, self.shaft_hz);
                (band, spectrum)
            })
            .collect();
        let lines = Lines::of(&spectra);
        Ok(Observed { lines, search, resolution_hz: 4.0 * rate_hz / segment as f64, turns })
    }

    fn highest_strikes(&self) -> f64 {
        BearingPart::ALL.iter().map(|part| self.orders.strikes_of(*part)).fold(0.0, f64::max)
    }

    /// How many harmonics the envelope of a band can hold: its spectrum ends at the band's width.
    fn harmonics_at(&self, rate_hz: f64) -> Result<usize, BearingError> {
        let BearingOrders { bpfo, bpfi, bsf, ftf } = self.orders;
        if !self.orders.are_sound() {
            return Err(BearingError::Orders { bpfo, bpfi, bsf, ftf });
        }
        if !(self.shaft_hz.is_finite() && self.shaft_hz > 0.0) {
            return Err(BearingError::Speed(self.shaft_hz));
        }
        if !(0.0..=0.05).contains(&self.slip) {
            return Err(BearingError::Slip(self.slip));
        }
        let band_width_hz = band_width_hz(rate_hz);
        let strikes_hz = self.highest_strikes() * self.shaft_hz;
        let harmonics = (band_width_hz / strikes_hz) as usize;
        if harmonics < MIN_HARMONICS || LOWEST_ORDER * self.shaft_hz >= band_width_hz / 2.0 {
            let for_strikes = MIN_HARMONICS as f64 * strikes_hz * PARTS;
            let for_lowest = 2.0 * LOWEST_ORDER * self.shaft_hz * PARTS;
            return Err(BearingError::RateTooLow { rate_hz, strikes_hz, needed_hz: for_strikes.max(for_lowest) });
        }
        Ok(harmonics.min(HARMONICS))
    }

    fn bands(&self, rate_hz: f64) -> impl Iterator<Item = Band> {
        let part_hz = rate_hz / 2.0 / PARTS;
        let lowest_hz = LOWEST_ORDER * self.shaft_hz;
        (0..BANDS).map(move |first| Band {
            low_hz: (f64::from(first) * part_hz).max(lowest_hz),
            high_hz: f64::from(first + 2) * part_hz,
        })
    }
}

/// Width of every band but the lowest, Hz.
fn band_width_hz(rate_hz: f64) -> f64 {
    2.0 / PARTS * rate_hz / 2.0
}
