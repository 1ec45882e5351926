//! A channel's levels: peak, mean, RMS, and how much of it sits at full scale.

use auscult_schemas::QualityFlag;

/// Largest deviation from the mean of a channel that counts as silent: two steps of 16-bit PCM, -84 dB of full scale.
const SILENT_PEAK: f32 = 2.0 / 32_768.0;
/// Variance that counts as silent: an RMS of -70 dB of full scale. A muted microphone is not zeros but the noise of its amplifier and
/// converter, from -100 to -75 dB; the quietest of the public recordings that this was held against has -59 dB.
const SILENT_POWER: f64 = 1e-7;
/// From this magnitude on a sample counts as clipped: full scale less 0.1 %.
const CLIPPED_LEVEL: f32 = 0.999;
/// Share of a channel's samples that must be clipped for the flag: 1 %, a tenth of a second of ten. Less of it is the peaks of a loud machine, which
/// still tell what it does: a fault that makes it loud must not be hushed up as the sensor's.
const CLIPPED_SHARE: f64 = 0.01;
/// Magnitude of a channel's mean from which on it counts as an offset, where it outweighs the signal, too: 10 % of full scale, -20 dB.
/// Accelerometers in good health have 6 %.
const DC_OFFSET: f64 = 0.1;

/// One pass over a channel.
pub(super) struct Levels {
    pub finite: bool,
    min: f32,
    max: f32,
    pub mean: f64,
    /// Mean of the squares, of full scale.
    power: f64,
    clipped: usize,
}

impl Levels {
    /// What the levels of a channel of so many samples deserve.
    pub fn flags(&self, samples: usize) -> Vec<QualityFlag> {
        let mean = self.mean as f32;
        let peak = (self.max - mean).max(mean - self.min);
        let variance = self.power - self.mean * self.mean;
        let findings = [
            (peak <= SILENT_PEAK || variance <= SILENT_POWER, QualityFlag::Silent),
            (self.clipped > 0 && self.clipped as f64 >= CLIPPED_SHARE * samples as f64, QualityFlag::Clipped),
            (self.mean.abs() >= DC_OFFSET && self.mean * self.mean > variance, QualityFlag::DcOffset),
        ];
        findings.into_iter().filter(|(found, _)| *found).map(|(_, flag)| flag).collect()
    }

    /// Blocks of lanes, so that the compiler keeps every sum in vector registers; the mean adds up blocks in f64.
    pub fn measure(samples: &[f32]) -> Self {
        const LANES: usize = 16;
        const BLOCK: usize = 64 * LANES;
        let mut levels =
            Self { finite: true, min: f32::INFINITY, max: f32::NEG_INFINITY, mean: 0.0, power: 0.0, clipped: 0 };
        let (mut total, mut squares) = (0.0_f64, 0.0_f64);
        for block in samples.chunks(BLOCK) {
            let mut min = [f32::INFINITY; LANES];
            let mut max = [f32::NEG_INFINITY; LANES];
            let mut sum = [0.0_f32; LANES];
            let mut square = [0.0_f32; LANES];
            let mut clipped = [0_u32; LANES];
            let mut add = |lane: usize, sample: f32| {
                min[lane] = if sample < min[lane] { sample } else { min[lane] };
                max[lane] = if sample > max[lane] { sample } else { max[lane] };
                sum[lane] += sample;
                square[lane] += sample * sample;
                clipped[lane] += u32::from(sample.abs() >= CLIPPED_LEVEL);
            };
            let (rows, rest) = block.as_chunks::<LANES>();
            for row in rows {
                for (lane, &sample) in row.iter().enumerate() {
                    add(lane, sample);
                }
            }
            for (lane, &sample) in rest.iter().enumerate() {
                add(lane, sample);
            }
            for lane in 0..LANES {
                levels.min = levels.min.min(min[lane]);
                levels.max = levels.max.max(max[lane]);
                levels.clipped += clipped[lane] as usize;
                total += f64::from(sum[lane]);
                squares += f64::from(square[lane]);
            }
            // A NaN or an infinity survives every sum it is part of. A finite sum that overflowed f32 looks the same, so
            // the samples themselves decide.
            levels.finite &= sum.iter().all(|sum| sum.is_finite()) || block.iter().all(|sample| sample.is_finite());
        }
        levels.mean = total / samples.len() as f64;
        levels.power = squares / samples.len() as f64;
        levels
    }
}
