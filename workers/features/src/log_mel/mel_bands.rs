//! Slaney's mel bands: triangles of unit area, kept as runs of weights.
//!
//! Source: librosa `filters.mel` (`htk=False`, `norm="slaney"`), after M. Slaney, Auditory Toolbox, 1998.

use auscult_schemas::FeatureSpec;
use pulp::Simd;

/// Each band's run is padded with zeros to a multiple of this: the widest vector register that the loop is compiled
/// for.
const LANES: usize = 8;

/// The bands as one run of weights each: at 16 kHz, 1024 and 64 bands they hold 3 % of the matrix.
pub(super) struct MelBands {
    runs: Vec<Run>,
    /// All runs one after the other, each padded.
    weights: Vec<f32>,
    padded_bins: usize,
}

/// Where one band's weights lie.
struct Run {
    first_bin: usize,
    /// Weights with their padding.
    len: usize,
}

impl MelBands {
    pub(super) fn slaney(spec: &FeatureSpec) -> Self {
        let bins = spec.n_fft / 2 + 1;
        let edges = band_edges_hz(spec);
        let bin_hz = |bin: usize| bin as f64 * f64::from(spec.sample_rate_hz) / spec.n_fft as f64;
        let mut runs = Vec::with_capacity(spec.n_mels);
        let mut weights = Vec::new();
        let mut padded_bins = bins;
        for band in edges.windows(3) {
            let [low, centre, high] = [band[0], band[1], band[2]];
            let norm = 2.0 / (high - low);
            let weight = |bin: usize| {
                let hz = bin_hz(bin);
                let rising = (hz - low) / (centre - low);
                let falling = (high - hz) / (high - centre);
                (rising.min(falling).max(0.0) as f32) * norm as f32
            };
            let mut inside = (0..bins).filter(|&bin| weight(bin) > 0.0);
            // A band so narrow that no bin falls into it is an empty run: always at the floor, as in librosa.
            let first_bin = inside.next().unwrap_or(0);
            let end_bin = inside.next_back().unwrap_or(first_bin) + 1;
            let run: Vec<f32> = (first_bin..end_bin).map(weight).collect();
            let len = run.len().next_multiple_of(LANES);
            weights.extend(run.iter().copied().chain(std::iter::repeat_n(0.0, len - run.len())));
            padded_bins = padded_bins.max(first_bin + len);
            runs.push(Run { first_bin, len });
        }
        Self { runs, weights, padded_bins }
    }

    /// Length that a power spectrum must be padded to with zeros.
    pub(super) fn padded_bins(&self) -> usize {
        self.padded_bins
    }

    /// Sums a power spectrum into bands: `[padded_bins]` to `[mels]`.
    #[inline(always)]
    pub(super) fn sum<S: Simd>(&self, simd: S, power: &[f32], out: &mut [f32]) {
        let mut weights = self.weights.as_slice();
        for (run, out) in self.runs.iter().zip(out) {
            let (run_weights, rest) = weights.split_at(run.len);
            weights = rest;
            let (run_weights, _) = S::as_simd_f32s(run_weights);
            let (run_power, _) = S::as_simd_f32s(&power[run.first_bin..run.first_bin + run.len]);
            let mut sums = simd.splat_f32s(0.0);
            for (&weights, &power) in run_weights.iter().zip(run_power) {
                sums = simd.mul_add_e_f32s(weights, power, sums);
            }
            *out = simd.reduce_sum_f32s(sums);
        }
    }
}

/// `n_mels + 2` frequencies, evenly spaced in mel: every band's lower edge, centre and upper edge overlap its
/// neighbours'.
fn band_edges_hz(spec: &FeatureSpec) -> Vec<f64> {
    let low = hz_to_mel(f64::from(spec.f_min_hz));
    let high = hz_to_mel(f64::from(spec.f_max()));
    let step = (high - low) / (spec.n_mels + 1) as f64;
    (0..spec.n_mels + 2).map(|index| mel_to_hz(low + step * index as f64)).collect()
}

/// Hz in one mel, below the break.
const LINEAR_HZ: f64 = 200.0 / 3.0;
/// Linear below, logarithmic above, Hz.
const BREAK_HZ: f64 = 1000.0;
const BREAK_MEL: f64 = BREAK_HZ / LINEAR_HZ;

/// ln of the ratio of two frequencies one mel apart, above the break.
fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn hz_to_mel(hz: f64) -> f64 {
    if hz < BREAK_HZ { hz / LINEAR_HZ } else { BREAK_MEL + (hz / BREAK_HZ).ln() / log_step() }
}

fn mel_to_hz(mel: f64) -> f64 {
    if mel < BREAK_MEL { mel * LINEAR_HZ } else { BREAK_HZ * ((mel - BREAK_MEL) * log_step()).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mel_and_hertz_are_each_other_s_inverse() {
        for hz in [0.0, 10.0, 999.9, 1000.0, 1000.1, 7_999.0, 22_050.0, 96_000.0] {
            assert!((mel_to_hz(hz_to_mel(hz)) - hz).abs() < 1e-9 * hz.max(1.0), "{hz}");
        }
        assert!((hz_to_mel(1000.0) - 15.0).abs() < 1e-12);
        assert!((hz_to_mel(6400.0) - 42.0).abs() < 1e-12);
    }

    #[test]
    fn runs_hold_what_the_full_triangles_hold() {
        let spec = FeatureSpec::default();
        let bands = MelBands::slaney(&spec);
        let edges = band_edges_hz(&spec);
        let bins = spec.n_fft / 2 + 1;
        for bin in 0..bins {
            let mut power = vec![0.0; bands.padded_bins()];
            power[bin] = 1.0;
            let mut out = vec![0.0; spec.n_mels];
            bands.sum(pulp::Scalar, &power, &mut out);
            let hz = bin as f64 * 16_000.0 / 1024.0;
            for (band, &found) in out.iter().enumerate() {
                let [low, centre, high] = [edges[band], edges[band + 1], edges[band + 2]];
                let triangle = ((hz - low) / (centre - low)).min((high - hz) / (high - centre)).max(0.0);
                let expected = triangle * 2.0 / (high - low);
                assert!(
                    (f64::from(found) - expected).abs() < 1e-8,
                    "bin {bin}, band {band}: {found} is not {expected}"
                );
            }
        }
    }

    #[test]
    fn bands_too_narrow_for_any_bin_stay_empty() {
        let spec = FeatureSpec { n_fft: 64, hop_length: 32, n_mels: 200, ..FeatureSpec::default() };
        let bands = MelBands::slaney(&spec);
        let mut out = vec![f32::NAN; 200];
        bands.sum(pulp::Scalar, &vec![1.0; bands.padded_bins()], &mut out);
        assert!(out.iter().all(|value| value.is_finite()));
        assert!(out.contains(&0.0));
    }
}
