//! Whether the stated rate can be the one at which the recording was sampled.

use auscult_signal::num_complex::Complex;
use auscult_signal::transform;
use serde::Serialize;

use super::comb::{Comb, Lines};
use super::geometry::BearingPart;
use super::impulses::{ImpulseRate, Impulses};
use super::view::{BearingExam, LONG_TURNS, MIN_TURNS};

/// True rates as multiples of the stated one that happen: channels or decimation forgotten, folders mixed, and 44.1
/// against 48 kHz.
const RATIOS: [f64; 8] = [0.25, 1.0 / 3.0, 0.5, 2.0, 3.0, 4.0, 44.1 / 48.0, 48.0 / 44.1];
/// Those at which a comb here would be each second, third or fourth line of the true one.
const WHOLE_RATIOS: [f64; 3] = [2.0, 3.0, 4.0];
/// A comb at another rate counts from so many standard deviations on …
const CLEAR_SIGMAS: f64 = 5.0;
/// … when it stands out so many times as far as what the stated rate shows …
const CLEARER: f64 = 1.3;
/// … and this share of its lines is visible: of a comb at a third of the true rate only each third line is there.
const SHOWS: f64 = 0.8;
/// No other rate is looked at where this share of the lines is visible at the stated one: each second line of a comb is
/// a comb, too.
const SHOWS_HERE: f64 = 0.66;
/// Lines between are as high as those of the comb, or this much lower: 4.3 dB in nepers.
const AS_HIGH: f64 = -0.5;
/// A comb at another rate explains foreign impulses away when it stands out so many times as far as they do.
const CLEARER_THAN_IMPULSES: f64 = 1.5;
/// The shaft's line is there when it is so high above the spectrum around it, nepers: 16 dB; noise comes to 9.
const VISIBLE: f64 = 1.8;
const HARDLY_VISIBLE: f64 = 1.2;
/// It is sought within this share of where it should be.
const SPEED_TOLERANCE: f64 = 0.004;
/// Lines here are the mains', whatever multiple of the shaft's speed they may be.
const MAINS_HZ: [f64; 4] = [50.0, 60.0, 100.0, 120.0];
/// Turns of which the spectrum is made.
const SEGMENT_TURNS: f64 = 32.0;

/// What the recording says about its rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "rate_check")]
pub enum RateCheck {
    /// The shaft's line, or a part's comb, stands where it should.
    Fits,
    /// Neither is visible, so that a wrong rate or speed would not be noticed.
    NotChecked,
    /// It fits another rate better.
    InDoubt(RateDoubt),
}

/// A rate that fits better than the stated one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RateDoubt {
    /// The rate that fits, Hz.
    pub seems_hz: f64,
    /// Where the shaft's speed stands at the stated rate, Hz.
    pub shaft_stands_at_hz: f64,
}

/// `named`: the comb of the part that is named at the stated rate; `impulses`: those that are clear.
pub(super) fn check(
    exam: &BearingExam,
    samples: &[f32],
    rate_hz: f64,
    named: Option<&Comb>,
    impulses: Option<&Impulses>,
) -> RateCheck {
    match doubt(exam, samples, rate_hz, named, impulses) {
        Some(doubt) => RateCheck::InDoubt(doubt),
        None if named.is_some_and(|comb| shows(comb) >= SHOWS_HERE) => RateCheck::Fits,
        None if shaft_line(samples, rate_hz, exam.shaft_hz) >= VISIBLE => RateCheck::Fits,
        None => RateCheck::NotChecked,
    }
}

/// The rate that fits better, if there is one.
pub(super) fn doubt(
    exam: &BearingExam,
    samples: &[f32],
    rate_hz: f64,
    named: Option<&Comb>,
    impulses: Option<&Impulses>,
) -> Option<RateDoubt> {
    // Few turns do not decide between rates.
    let turns = samples.len() as f64 / rate_hz * exam.shaft_hz;
    let has_turns = |ratio: &f64| turns / ratio >= LONG_TURNS;
    let doubt_at = |ratio: f64| RateDoubt { seems_hz: rate_hz * ratio, shaft_stands_at_hz: exam.shaft_hz / ratio };
    let at_ratio = |ratio: f64| {
        let other = BearingExam { shaft_hz: exam.shaft_hz / ratio, ..*exam }.strongest_comb(samples, rate_hz);
        other.filter(|(comb, _)| shows(comb) >= SHOWS).map(|(comb, lines)| (ratio, comb, lines))
    };
    // The shaft's line where it is stated to be, and none where the other rate would have it, say that the rate is
    // right.
    let is_stated_speed = shows_shaft(samples, rate_hz, exam.shaft_hz);
    let is_refuted =
        |ratio: f64| is_stated_speed && shaft_line(samples, rate_hz, exam.shaft_hz / ratio) < HARDLY_VISIBLE;
    // A race's comb at a part of the rate that is whole has lines between those of the comb here, as high as these; no
    // race puts such lines there. Lines of the cage and of shaft and race together, which also lie there, are lower. A
    // ball strikes one race harder than the other.
    if let Some(named) = named.filter(|comb| comb.part != BearingPart::Ball) {
        let is_finer = |(ratio, comb, lines): &(f64, Comb, Lines)| {
            comb.part == named.part
                && comb.has_lines_between()
                && lines.between_multiples(comb.strikes_hz, *ratio as usize) >= AS_HIGH
        };
        let finer = WHOLE_RATIOS.into_iter().filter(has_turns).filter(|ratio| !is_refuted(*ratio));
        if let Some((ratio, ..)) = finer.filter_map(at_ratio).find(is_finer) {
            return Some(doubt_at(ratio));
        }
        if shows(named) >= SHOWS_HERE {
            return None;
        }
    }
    if named.is_some_and(|comb| shows(comb) >= SHOWS_HERE) || !RATIOS.iter().any(has_turns) {
        return None;
    }
    let is_seen = shaft_line(samples, rate_hz, exam.shaft_hz);
    let here = exam.strongest_comb(samples, rate_hz);
    // A comb at twice the rate or more is each second line or so of one here that has lines between, too.
    let is_of_comb_here = |ratio: f64, comb: &Comb| {
        let multiple = (1.0 / ratio).round();
        ratio < 1.0
            && (ratio * multiple - 1.0).abs() < 1e-6
            && here.as_ref().is_some_and(|(_, lines)| {
                lines.between_multiples(comb.strikes_hz / multiple, multiple as usize) >= AS_HIGH
            })
    };
    // What is only each second or third line of a comb is none.
    let comb_here = here.as_ref().map(|(comb, _)| *comb).filter(Comb::has_lines_between);
    let is_clear_here = comb_here.is_some_and(|comb| shows(&comb) >= SHOWS_HERE);
    let sigmas_here = comb_here.iter().chain(named).map(|comb| comb.sigmas).fold(0.0, f64::max);
    // Impulses that are nobody's at the stated rate must be somebody's at another, or be explained away by a far
    // clearer comb there.
    let explains = |ratio: f64, sigmas: f64| match impulses {
        Some(impulses) if impulses.rate == ImpulseRate::Foreign => {
            impulses.would_be_own(exam.shaft_hz / ratio, exam.slip, &exam.orders)
                || sigmas >= CLEARER_THAN_IMPULSES * impulses.sigmas
        }
        Some(impulses) => impulses.rate.is_own(),
        None => true,
    };
    let others = RATIOS.into_iter().filter(has_turns).filter(|ratio| !is_refuted(*ratio)).filter_map(at_ratio);
    let others = others.filter(|(ratio, comb, _)| explains(*ratio, comb.sigmas) && !is_of_comb_here(*ratio, comb));
    if let Some((ratio, comb, _)) = others.max_by(|one, other| one.1.sigmas.total_cmp(&other.1.sigmas))
        && !is_clear_here
        && comb.sigmas >= CLEAR_SIGMAS
        && comb.sigmas >= CLEARER * sigmas_here
    {
        return Some(doubt_at(ratio));
    }
    if named.is_some() || is_seen >= HARDLY_VISIBLE {
        return None;
    }
    let shows_speed = |ratio: &f64| {
        let shaft_hz = exam.shaft_hz / ratio;
        let is_mains = MAINS_HZ.iter().any(|mains| (shaft_hz / mains - 1.0).abs() < SPEED_TOLERANCE);
        !is_mains && shows_shaft(samples, rate_hz, shaft_hz)
    };
    let mut possible = RATIOS.into_iter().filter(has_turns).filter(|ratio| explains(*ratio, 0.0));
    possible.find(shows_speed).map(doubt_at)
}

/// Whether the shaft's line is visible, and one of its multiples.
fn shows_shaft(samples: &[f32], rate_hz: f64, shaft_hz: f64) -> bool {
    let line = |multiple: f64| shaft_line(samples, rate_hz, multiple * shaft_hz);
    line(1.0) >= VISIBLE && (line(2.0) >= VISIBLE || line(3.0) >= VISIBLE)
}

/// The share of a comb's lines that are visible, if it stands out.
fn shows(comb: &Comb) -> f64 {
    if comb.sigmas >= CLEAR_SIGMAS { comb.visible_lines as f64 / comb.lines as f64 } else { 0.0 }
}

/// Height of the line at the shaft's speed over the median of the spectrum about it, nepers; 0 where there are too few
/// turns.
fn shaft_line(samples: &[f32], rate_hz: f64, shaft_hz: f64) -> f64 {
    line_near(samples, rate_hz, shaft_hz, SPEED_TOLERANCE, SEGMENT_TURNS).map_or(0.0, |(height, _)| height)
}

/// The highest line within a share of `hz`: its height over the median of the spectrum about it, nepers, and where it
/// is, Hz. Of segments of so many periods; None where there are too few.
pub(super) fn line_near(
    samples: &[f32],
    rate_hz: f64,
    hz: f64,
    tolerance: f64,
    segment_periods: f64,
) -> Option<(f64, f64)> {
    let segment = samples.len().min((segment_periods * rate_hz / hz) as usize);
    if (segment as f64) < MIN_TURNS * rate_hz / hz || hz >= rate_hz / 8.0 {
        return None;
    }
    let forward = transform::forward_f64(segment);
    let per_hz = segment as f64 / rate_hz;
    // Two of the frequency to both sides, but for the continuous component.
    let (first, last) = ((0.4 * hz * per_hz) as usize, (2.6 * hz * per_hz) as usize);
    let mut power = vec![0.0; last + 1 - first];
    for part in samples.chunks_exact(segment).take(4) {
        let mean = part.iter().map(|&sample| f64::from(sample)).sum::<f64>() / segment as f64;
        let phase = std::f64::consts::TAU / (segment - 1) as f64;
        let mut values: Vec<Complex<f64>> = part
            .iter()
            .enumerate()
            .map(|(index, &sample)| {
                let window = 0.5 - 0.5 * (phase * index as f64).cos();
                Complex::new((f64::from(sample) - mean) * window, 0.0)
            })
            .collect();
        forward.process(&mut values);
        for (sum, value) in power.iter_mut().zip(&values[first..=last]) {
            *sum += value.norm_sqr();
        }
    }
    let place = hz * per_hz;
    let reach = (tolerance * place).max(1.0);
    let (from, to) = ((place - reach).floor() as usize - first, (place + reach).ceil() as usize - first);
    let highest = (from..=to.min(power.len() - 2)).max_by(|one, other| power[*one].total_cmp(&power[*other]))?;
    // The top of a parabola through the logarithms of three values.
    let logarithm = |index: usize| power[index].max(f64::MIN_POSITIVE).ln();
    let (before, top, after) = (logarithm(highest.max(1) - 1), logarithm(highest), logarithm(highest + 1));
    let bend = before - 2.0 * top + after;
    let beside = if bend < 0.0 { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) } else { 0.0 };
    let line = power[highest];
    let middle = power.len() / 2;
    let (_, &mut median, _) = power.select_nth_unstable_by(middle, f64::total_cmp);
    let height = if median > 0.0 { 0.5 * (line / median).ln() } else { 0.0 };
    Some((height, ((first + highest) as f64 + beside) / per_hz))
}
