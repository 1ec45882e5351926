//! What the shaft's own lines explain of an envelope spectrum.

use super::envelope::{EnvelopeSpectrum, PADDING};

/// The stated speed may be off by so much, as a share: the shaft's line is sought that far from where it should be.
const SPEED_TOLERANCE: f64 = 0.003;
/// Half the width of a Hann window's main lobe, in values of the spectrum without padding.
pub(super) const HALF_LOBE: f64 = 2.0;

/// Takes from every height what the shaft's lines put there.
///
/// Unbalance, misalignment, gears and the motor's slots modulate vibration once a turn and at multiples of it, on
/// healthy machines, too. A comb one of whose lines lies beside a multiple of the shaft's speed would be fed by it: in
/// recordings of a few turns the two are one line. So the noise that a height stands on is what it was, and the main
/// lobe of the nearest of the shaft's lines, in power.
pub(super) fn explain(spectrum: &mut EnvelopeSpectrum, shaft_hz: f64) {
    let EnvelopeSpectrum { step_hz, log_heights } = spectrum;
    let per_turn = shaft_hz / *step_hz;
    let half_lobe = (HALF_LOBE * PADDING as f64) as usize;
    let mut explained = vec![0.0_f64; log_heights.len()];
    for order in 1.. {
        let place = order as f64 * per_turn;
        let reach = ((SPEED_TOLERANCE * place) as usize).max(1);
        let nearest = place.round() as usize;
        let Some(around) = log_heights.get(nearest.saturating_sub(reach)..=nearest + reach) else { break };
        let line = around.iter().copied().fold(f64::NEG_INFINITY, f64::max).exp();
        let last = (nearest + half_lobe).min(log_heights.len() - 1);
        for (index, sum) in explained.iter_mut().enumerate().take(last + 1).skip(nearest.saturating_sub(half_lobe)) {
            *sum += line * main_lobe((index as f64 - place) / PADDING as f64);
        }
    }
    for (height, explained) in log_heights.iter_mut().zip(explained) {
        *height -= 0.5 * (explained * explained).ln_1p();
    }
}

/// Magnitude of a Hann window's transform so many values from its middle, 1 there: `sinc(x) / (1 - x²)` within the main
/// lobe, and nothing outside it, where side lobes are 31 dB down (F. J. Harris, *On the use of windows for harmonic
/// analysis with the discrete Fourier transform*, Proceedings of the IEEE 66, 1978).
fn main_lobe(away: f64) -> f64 {
    let away = away.abs();
    if away >= HALF_LOBE {
        0.0
    } else if away < 1e-6 {
        1.0
    } else if (away - 1.0).abs() < 1e-6 {
        0.5
    } else {
        let turn = std::f64::consts::PI * away;
        turn.sin() / turn / (1.0 - away * away)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_lobe_is_that_of_a_hann_window() {
        assert!((main_lobe(0.0) - 1.0).abs() < 1e-12);
        assert!((main_lobe(0.5) - 0.848_826).abs() < 1e-6);
        assert!((main_lobe(-1.0) - main_lobe(1.001)).abs() < 1e-3);
        assert_eq!(main_lobe(2.5), 0.0);
    }

    #[test]
    fn a_line_of_the_shaft_goes_and_one_between_stays() {
        let mut spectrum = EnvelopeSpectrum { step_hz: 1.0, log_heights: vec![0.0; 200] };
        for index in 0..16 {
            let away = (index as f64 - 8.0) / PADDING as f64;
            let lobe = main_lobe(away).max(0.05).ln();
            spectrum.log_heights[22 + index] = lobe + 4.0;
            spectrum.log_heights[67 + index] = lobe + 4.0;
        }
        explain(&mut spectrum, 30.0);
        assert!(spectrum.log_heights[30] < 0.1, "{}", spectrum.log_heights[30]);
        assert!(spectrum.log_heights[75] > 3.9, "{}", spectrum.log_heights[75]);
    }
}
