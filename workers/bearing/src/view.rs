//! A bearing and its speed, and the ways to look at a recording of it: bands, segments, lines.

use super::comb::{Comb, Lines};
use super::envelope::{Band, EnvelopeAnalyser};
use super::error::BearingError;
use super::geometry::{BearingOrders, BearingPart};
use super::search::Search;
use super::shaft_lines;

/// Fewest turns of the shaft that a recording must hold: with fewer, the lines of the outer race and of the ball, one
/// shaft frequency apart, are not two.
pub const MIN_TURNS: f64 = 5.0;
/// Turns in one segment; a longer recording is cut and its envelope spectra are averaged. Balls slip at random, and
/// over more turns than these the slip smears a line wider than the finer resolution gains.
const SEGMENT_TURNS: f64 = 32.0;
/// Longer segments tell lines apart that lie closer, such as a 6203's outer race from the shaft's third multiple; a
/// recording of [`LONG_SEGMENTS_FROM_TURNS`] is looked at both ways.
const LONG_SEGMENT_TURNS: f64 = 128.0;
const LONG_SEGMENTS_FROM_TURNS: f64 = 192.0;
/// Fewest turns for which an inner race must show its sidebands and a comb must stand out of what else the recording
/// holds: one segment.
pub const LONG_TURNS: f64 = SEGMENT_TURNS;
/// From this rate on, the lowest quarter of the spectrum is looked at in bands of its own, as wide as a recording of a
/// quarter of the rate has.
const NARROW_BANDS_FROM_HZ: f64 = 40_000.0;
/// Harmonics of a comb, where the rate has room for them.
const HARMONICS: usize = 6;
const MIN_HARMONICS: usize = 2;
/// The bands tried: so many, each two parts wide of the eight that the spectrum is cut into, so that every one overlaps
/// the next by half and no resonance lies between two.
const BANDS: u32 = 7;
const PARTS: f64 = 8.0;
/// Below so many turns a second the spectrum holds unbalance, misalignment and the mains, not the ringing of a bearing;
/// the lowest band begins there.
const LOWEST_ORDER: f64 = 16.0;
/// The floor is a median over so many shaft frequencies: wide enough that a comb with its sidebands is a minority in
/// it.
const FLOOR_ORDERS: f64 = 4.0;

/// Turns in which hypotheses about the rate are compared: enough to tell.
const COMPARED_TURNS: f64 = 64.0;

/// A bearing and its speed: what recordings are examined for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BearingExam {
    /// How often each part strikes.
    pub orders: BearingOrders,
    /// Speed of the shaft, Hz.
    pub shaft_hz: f64,
    /// By how much strikes may differ from geometry times speed, as a share: balls slip by 1 to 2 % (Randall and Antoni
    /// 2011).
    pub slip: f64,
}

/// One way to look at a recording: bands of one width, segments of one length.
pub(super) struct View {
    /// Before the shaft's lines are explained away, and after.
    pub(super) lines: Lines,
    pub(super) unexplained: Lines,
    pub(super) search: Search,
    pub(super) resolution_hz: f64,
    /// Segments in the recording, without their overlap.
    segments: f64,
}

impl View {
    pub(super) fn combs(&self, exam: &BearingExam, unexplained: &Lines, is_long: bool) -> [Comb; 3] {
        BearingPart::ALL.map(|part| {
            if is_long {
                unexplained.fit_long(part, &exam.orders, &self.search, self.segments)
            } else {
                unexplained.fit(part, &exam.orders, &self.search)
            }
        })
    }
}

impl BearingExam {
    /// The slip that is allowed for where nobody says otherwise.
    pub const DEFAULT_SLIP: f64 = 0.01;

    /// The strongest comb that a recording shows, in few turns and at one width of bands, and the lines it is made of:
    /// what hypotheses about the rate are compared by. None where it cannot be examined.
    pub(super) fn strongest_comb(&self, samples: &[f32], rate_hz: f64) -> Option<(Comb, Lines)> {
        self.check_turns(samples.len(), rate_hz).ok()?;
        let longest = (COMPARED_TURNS * rate_hz / self.shaft_hz) as usize;
        let samples = &samples[..samples.len().min(longest)];
        let view = self.view(samples, rate_hz, 1.0, SEGMENT_TURNS).ok()?;
        let is_long = samples.len() as f64 / rate_hz * self.shaft_hz >= LONG_TURNS;
        let combs = view.combs(self, &view.unexplained, is_long);
        let strongest = combs.into_iter().max_by(|one, other| one.sigmas.total_cmp(&other.sigmas));
        strongest.map(|comb| (comb, view.unexplained))
    }

    pub(super) fn views(&self, samples: &[f32], rate_hz: f64) -> Result<Vec<View>, BearingError> {
        let turns = samples.len() as f64 / rate_hz * self.shaft_hz;
        let mut lengths = vec![SEGMENT_TURNS];
        if turns >= LONG_SEGMENTS_FROM_TURNS {
            lengths.push(LONG_SEGMENT_TURNS);
        }
        let mut shares = vec![1.0];
        let has_room = self.harmonics_at(rate_hz / 4.0).is_ok_and(|harmonics| harmonics == HARMONICS);
        if turns >= LONG_TURNS && rate_hz >= NARROW_BANDS_FROM_HZ && has_room {
            shares.push(0.25);
        }
        let ways = shares.iter().flat_map(|share| lengths.iter().map(move |length| (*share, *length)));
        ways.map(|(share, length)| self.view(samples, rate_hz, share, length)).collect()
    }

    /// Looks at the lowest `share` of the spectrum in segments of so many turns.
    fn view(&self, samples: &[f32], rate_hz: f64, share: f64, segment_turns: f64) -> Result<View, BearingError> {
        let harmonics = self.harmonics_at(share * rate_hz)?;
        let longest = (segment_turns / self.shaft_hz * rate_hz) as usize;
        let segment = samples.len().min(longest);
        let analyser = EnvelopeAnalyser::new(rate_hz, segment, self.shaft_hz);
        let spectra = analyser.spectra_of(samples);
        let band_width_hz = band_width_hz(share * rate_hz);
        let resolution_hz = 4.0 * rate_hz / segment as f64;
        let search = Search {
            shaft_hz: self.shaft_hz,
            harmonics,
            slip: self.slip,
            band_width_hz,
            lowest_impulses_hz: 1.5 * resolution_hz,
            beside_shaft_hz: Self::beside_shaft_hz(samples.len() as f64 / rate_hz * self.shaft_hz, resolution_hz),
        };
        let floor_hz = FLOOR_ORDERS * self.shaft_hz;
        let top_hz = search.top_hz(self.highest_strikes() * self.shaft_hz) + floor_hz;
        let mut envelopes: Vec<_> = self
            .bands(share * rate_hz)
            .map(|band| (band, analyser.envelope_spectrum(&spectra, band, top_hz, floor_hz)))
            .collect();
        let lines = Lines::of(&envelopes);
        for (_, spectrum) in &mut envelopes {
            shaft_lines::explain(spectrum, self.shaft_hz);
        }
        let unexplained = Lines::of(&envelopes);
        let segments = samples.len() as f64 / segment as f64;
        Ok(View { lines, unexplained, search, resolution_hz, segments })
    }

    /// How close to a multiple of the shaft's speed a part's strikes are not told from it, Hz: half a main lobe.
    /// Shorter recordings would give up parts that lie that close by their geometry, and rely on the shaft's lines
    /// being explained.
    fn beside_shaft_hz(turns: f64, resolution_hz: f64) -> f64 {
        if turns >= LONG_SEGMENTS_FROM_TURNS { resolution_hz / 2.0 } else { 0.0 }
    }

    fn highest_strikes(&self) -> f64 {
        BearingPart::ALL.iter().map(|part| self.orders.strikes_of(*part)).fold(0.0, f64::max)
    }

    pub(super) fn check_turns(&self, samples: usize, rate_hz: f64) -> Result<(), BearingError> {
        let turns = samples as f64 / rate_hz * self.shaft_hz;
        if turns < MIN_TURNS {
            return Err(BearingError::TooShort { turns, fewest_turns: MIN_TURNS, needed_s: MIN_TURNS / self.shaft_hz });
        }
        Ok(())
    }

    pub(super) fn check_bearing(&self) -> Result<(), BearingError> {
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
        Ok(())
    }

    /// How many harmonics the envelope of a band can hold: its spectrum ends at the band's width.
    fn harmonics_at(&self, rate_hz: f64) -> Result<usize, BearingError> {
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
