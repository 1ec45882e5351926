//! One recording, examined.

use super::comb::{Comb, Lines};
use super::envelope::{Band, EnvelopeAnalyser};
use super::impulses::{CLEARER_THAN_PART, Found, Impulses, Named};
use super::search::Search;
use super::sensor::{SensorFault, live_part};
use super::{BearingFinding, BearingOrders, BearingPart, shaft_lines};
use super::{rate, speed};

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

/// Lines so wide at most, as a share of the shaft's speed, are narrow.
const NARROW_LINES: f64 = 0.05;

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
    /// The rate that the file states leaves no band, and the recording fits another.
    #[error(
        "is the rate of {rate_hz} Hz right? What the recording shows fits {seems_hz:.0} Hz: state the rate at which it was sampled"
    )]
    RateInDoubt {
        /// Rate that is stated, Hz.
        rate_hz: f64,
        /// Rate that fits, Hz.
        seems_hz: f64,
    },
    /// There is no vibration in it.
    #[error("not examined: {0}")]
    Sensor(#[from] SensorFault),
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
    /// By how much strikes may differ from geometry times speed, as a share: balls slip by 1 to 2 % (Randall and Antoni
    /// 2011).
    pub slip: f64,
}

/// One way to look at a recording: bands of one width, segments of one length.
struct View {
    /// Before the shaft's lines are explained away, and after.
    lines: Lines,
    unexplained: Lines,
    search: Search,
    resolution_hz: f64,
    /// Segments in the recording, without their overlap.
    segments: f64,
}

impl View {
    fn combs(&self, exam: &BearingExam, unexplained: &Lines, is_long: bool) -> [Comb; 3] {
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

    /// Examines one channel of vibration, `[samples]` in any unit, at `rate_hz` samples a second.
    ///
    /// From [`LONG_TURNS`] turns on a comb must stand out of what else the recording holds, not of noise alone, and the
    /// inner race is held against what is its own. A spot on it is carried through the load once a turn, so its lines
    /// have sidebands one turn away; that of an outer race stays in the load and has none (Randall and Antoni 2011,
    /// section 2). Its comb stands out as far as the lower of the two does, the lines alone or the sidebands alone:
    /// either without the other is no inner race. Fewer turns do not resolve the two.
    ///
    /// # Errors
    /// [`BearingError`] naming what cannot be and what would do.
    pub fn examine(&self, samples: &[f32], rate_hz: f64) -> Result<BearingFinding, BearingError> {
        self.examine_at(samples, rate_hz, false)
    }

    /// The same; where the speed was corrected by the shaft's lines, it is not corrected again.
    fn examine_at(&self, samples: &[f32], rate_hz: f64, is_corrected: bool) -> Result<BearingFinding, BearingError> {
        if !samples.iter().all(|sample| sample.is_finite()) {
            return Err(BearingError::NonFinite);
        }
        self.check_bearing()?;
        self.check_turns(samples.len(), rate_hz)?;
        let (live, notes) = live_part(samples, rate_hz, self.shaft_hz, MIN_TURNS)?;
        let views = match self.views(live, rate_hz) {
            Err(too_low @ BearingError::RateTooLow { .. }) => {
                return Err(match rate::doubt(self, live, rate_hz, None, None) {
                    Some(doubt) => BearingError::RateInDoubt { rate_hz, seems_hz: doubt.seems_hz },
                    None => too_low,
                });
            }
            views => views?,
        };
        let turns = live.len() as f64 / rate_hz * self.shaft_hz;
        let is_long = turns >= LONG_TURNS;
        let finest = views.iter().min_by(|one, other| one.resolution_hz.total_cmp(&other.resolution_hz));
        let found_hz = finest.filter(|_| is_long && !is_corrected).and_then(|view| {
            let by_lines = speed::found(&view.lines, &view.search);
            by_lines.or_else(|| speed::by_tones(live, rate_hz, self.shaft_hz))
        });
        if let Some(shaft_hz) = found_hz {
            let mut finding = Self { shaft_hz, ..*self }.examine_at(samples, rate_hz, true)?;
            finding.shaft_found_hz = Some(shaft_hz);
            finding.shaft_hz = self.shaft_hz;
            return Ok(finding);
        }
        let combs = strongest(views.iter().map(|view| view.combs(self, &view.unexplained, is_long)));
        let mut finding = BearingFinding::new(combs, views.len(), self.shaft_hz, turns);
        finding.harmonics = views[0].search.harmonics;
        finding.resolution_hz = views.iter().map(|view| view.resolution_hz).fold(f64::INFINITY, f64::min);
        finding.sensor_notes = notes;
        if is_long {
            self.explain_rivals(&views, &mut finding);
        }
        self.hear_impulses(&views, is_long, &mut finding);
        let rate_check = rate::check(self, live, rate_hz, finding.clear_comb(), finding.impulses.as_ref());
        finding.take_rate(rate_check);
        Ok(finding)
    }

    /// Where two parts stand out, names the one whose lines are what the other is made of: without the lines of the
    /// damaged part the other part shows nothing, and without those of the other the damaged one still does.
    fn explain_rivals(&self, views: &[View], finding: &mut BearingFinding) {
        if finding.candidates.len() < 2 {
            return;
        }
        let comb_of =
            |part: BearingPart| *finding.combs.iter().find(|comb| comb.part == part).expect("each part has a comb");
        let is_left_without = |part: BearingPart, other: BearingPart| {
            let other = comb_of(other);
            let rests = views.iter().map(|view| {
                let rest = view.unexplained.without_part(other.part, other.strikes_hz, &self.orders, &view.search);
                view.combs(self, &rest, true)
            });
            let combs = strongest(rests);
            let sigmas = combs.iter().find(|comb| comb.part == part).map_or(0.0, |comb| comb.sigmas);
            finding.is_clear(sigmas, views.len())
        };
        let candidates = &finding.candidates;
        let is_left = |part: &BearingPart| {
            candidates.iter().filter(|other| *other != part).all(|other| is_left_without(*part, *other))
        };
        let left: Vec<BearingPart> = candidates.iter().copied().filter(is_left).collect();
        if let [named] = left[..] {
            finding.name(named);
        }
    }

    /// Looks for impulses at a rate of their own, and takes back what they explain.
    fn hear_impulses(&self, views: &[View], is_long: bool, finding: &mut BearingFinding) {
        let leading = *finding.leading();
        let is_named = finding.defect.is_some() || !finding.candidates.is_empty();
        let find = |view: &View| {
            let named = is_named.then(|| {
                let rest = view.lines.without_part(leading.part, leading.strikes_hz, &self.orders, &view.search);
                // Where the shaft's lines are narrow, they can go with the part's, and enough is left.
                let is_narrow = view.resolution_hz < NARROW_LINES * self.shaft_hz;
                let rest = if is_narrow { rest.without_comb(self.shaft_hz) } else { rest };
                Named { strikes_hz: leading.strikes_hz, rest }
            });
            Impulses::find(&view.lines, &view.search, &self.orders, named.as_ref())
        };
        let clearest =
            views.iter().filter_map(find).max_by(|one, other| one.impulses.sigmas.total_cmp(&other.impulses.sigmas));
        let Some(Found { impulses, of_named, is_named_part }) = clearest else { return };
        if !impulses.rate.is_own() && is_named_part {
            return;
        }
        if !impulses.rate.is_own() && impulses.sigmas > CLEARER_THAN_PART * of_named {
            let without = |view: &View| {
                let rest = view.unexplained.without_comb(impulses.hz);
                view.combs(self, &rest, is_long)
            };
            let rest =
                BearingFinding::new(strongest(views.iter().map(without)), views.len(), self.shaft_hz, finding.turns);
            if rest.defect != finding.defect {
                finding.defect = None;
                finding.candidates.clear();
            }
        }
        finding.impulses = Some(impulses);
    }

    /// The strongest comb that a recording shows, in few turns and at one width of bands, and the lines it is made of:
    /// what hypotheses about the rate are compared by. None where it cannot be examined.
    pub(super) fn strongest_comb(&self, samples: &[f32], rate_hz: f64) -> Option<(Comb, Lines)> {
        self.check_turns(samples.len(), rate_hz).ok()?;
        let longest = (rate::TURNS * rate_hz / self.shaft_hz) as usize;
        let samples = &samples[..samples.len().min(longest)];
        let view = self.view(samples, rate_hz, 1.0, SEGMENT_TURNS).ok()?;
        let is_long = samples.len() as f64 / rate_hz * self.shaft_hz >= LONG_TURNS;
        let combs = view.combs(self, &view.unexplained, is_long);
        let strongest = combs.into_iter().max_by(|one, other| one.sigmas.total_cmp(&other.sigmas));
        strongest.map(|comb| (comb, view.unexplained))
    }

    fn views(&self, samples: &[f32], rate_hz: f64) -> Result<Vec<View>, BearingError> {
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

    fn check_turns(&self, samples: usize, rate_hz: f64) -> Result<(), BearingError> {
        let turns = samples as f64 / rate_hz * self.shaft_hz;
        if turns < MIN_TURNS {
            return Err(BearingError::TooShort { turns, fewest_turns: MIN_TURNS, needed_s: MIN_TURNS / self.shaft_hz });
        }
        Ok(())
    }

    fn check_bearing(&self) -> Result<(), BearingError> {
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

/// Of each part the comb that stands out furthest.
fn strongest(views: impl Iterator<Item = [Comb; 3]>) -> Vec<Comb> {
    let stronger = |one: [Comb; 3], other: [Comb; 3]| {
        std::array::from_fn(|part| if other[part].sigmas > one[part].sigmas { other[part] } else { one[part] })
    };
    views.reduce(stronger).map(Vec::from).expect("a recording is looked at in one way at least")
}
