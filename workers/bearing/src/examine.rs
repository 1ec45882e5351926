//! One recording, examined.

use super::comb::Comb;
use super::error::BearingError;
use super::finding::BearingFinding;
use super::geometry::BearingPart;
use super::impulses::{CLEARER_THAN_PART, Found, Impulses, Named};
use super::sensor::live_part;
use super::view::{BearingExam, LONG_TURNS, MIN_TURNS, View};
use super::{rate, speed};

/// Lines so wide at most, as a share of the shaft's speed, are narrow.
const NARROW_LINES: f64 = 0.05;

impl BearingExam {
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
}

/// Of each part the comb that stands out furthest.
fn strongest(views: impl Iterator<Item = [Comb; 3]>) -> Vec<Comb> {
    let stronger = |one: [Comb; 3], other: [Comb; 3]| {
        std::array::from_fn(|part| if other[part].sigmas > one[part].sigmas { other[part] } else { one[part] })
    };
    views.reduce(stronger).map(Vec::from).expect("a recording is looked at in one way at least")
}
