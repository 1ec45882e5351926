//! To the spec's sample rate, by rubato's synchronous FFT resampler.

use std::borrow::Cow;

use auscult_signal::resampling::RatePair;

use crate::FeatureError;
use crate::clip::check_sample_count;

/// Shortest FFT block on the slower side, samples: with it a tone up to 95 % of the lower Nyquist frequency is kept to
/// 0.1 dB, and images and aliases of anything from 105 % on stay below -80 dB (both are tests).
const BLOCK_SAMPLES: usize = 1024;
/// Rate pairs kept planned. Microphones have one rate or two; the bound is for a sender that tries them all.
const KEPT_RATES: usize = 8;

/// Samples are held within this: rubato's transform in `f32` would overflow near the type's limit, and rubato panics on
/// what comes out then. Its square is where the log-mel holds its powers.
const LARGEST_SAMPLE: f32 = 1e15;

/// Resamples channels to one rate. Plans are kept for the rates met last; output is aligned with the input (no delay),
/// and `round(samples * to / from)` long.
pub struct Resampler {
    rate_hz: u32,
    /// Most recently used last.
    plans: Vec<(u32, RatePair)>,
}

impl Resampler {
    /// A resampler to `rate_hz`.
    #[must_use]
    pub fn new(rate_hz: u32) -> Self {
        Self { rate_hz, plans: Vec::new() }
    }

    /// The rate of what comes out, Hz.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Length of the output for `samples` samples at `from_hz`.
    #[must_use]
    pub fn output_samples(&self, samples: usize, from_hz: u32) -> usize {
        let (samples, from, to) = (samples as u128, u128::from(from_hz), u128::from(self.rate_hz));
        let rounded = (samples * to + from / 2) / from.max(1);
        usize::try_from(rounded).unwrap_or(usize::MAX)
    }

    /// Resamples one channel from `from_hz`; the output replaces what `output` held. Samples are held within ±1e15 (a
    /// NaN counts as 0; a clip with one is refused long before, by [`check`](crate::check)).
    ///
    /// # Errors
    /// [`FeatureError::TooLarge`] when the output would exceed [`MAX_SAMPLES`](crate::MAX_SAMPLES),
    /// [`FeatureError::NoSamples`] when there would be none, [`FeatureError::Rate`] for a rate outside 100 Hz–1 MHz.
    pub fn resample(&mut self, samples: &[f32], from_hz: u32, output: &mut Vec<f32>) -> Result<(), FeatureError> {
        crate::clip::check_format("clip", 1, from_hz)?;
        let wanted = self.output_samples(samples.len(), from_hz);
        check_sample_count(wanted as u64)?;
        output.clear();
        if from_hz == self.rate_hz {
            output.extend_from_slice(samples);
            return Ok(());
        }
        let to_hz = self.rate_hz;
        let plan = self.plan(from_hz)?;
        let is_held = |sample: &f32| sample.abs() <= LARGEST_SAMPLE;
        let held = |sample: &f32| if sample.is_nan() { 0.0 } else { sample.clamp(-LARGEST_SAMPLE, LARGEST_SAMPLE) };
        let samples = match samples.iter().all(is_held) {
            true => Cow::Borrowed(samples),
            false => samples.iter().map(held).collect(),
        };
        plan.resample(&samples, output).map_err(|detail| FeatureError::Resample { from_hz, to_hz, detail })?;
        output.resize(wanted, 0.0);
        Ok(())
    }

    fn plan(&mut self, from_hz: u32) -> Result<&mut RatePair, FeatureError> {
        let plan = match self.plans.iter().position(|(rate, _)| *rate == from_hz) {
            Some(index) => self.plans.remove(index),
            None => (from_hz, plan_blocks(from_hz, self.rate_hz)?),
        };
        if self.plans.len() == KEPT_RATES {
            self.plans.remove(0);
        }
        self.plans.push(plan);
        let (_, plan) = self.plans.last_mut().expect("one was just pushed");
        Ok(plan)
    }
}

/// Blocks are a multiple of the rates' shortest common period; an even one, so that half a block, the delay, is whole.
fn plan_blocks(from_hz: u32, to_hz: u32) -> Result<RatePair, FeatureError> {
    let (from, to) = (from_hz as usize, to_hz as usize);
    let divisor = greatest_common_divisor(from, to);
    let (period_in, period_out) = (from / divisor, to / divisor);
    let periods = BLOCK_SAMPLES.div_ceil(period_in.min(period_out)).next_multiple_of(2);
    RatePair::new(from, to, periods * period_in).map_err(|detail| FeatureError::Resample { from_hz, to_hz, detail })
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
