use super::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const STEP_S: f64 = 0.032;

/// A machine whose bands swell with its stroke, each in its own way, beside noise of so many decibels; `gain_db` is of
/// the machine's part in bands 24 to 31.
fn clip(seed: u64, rate_hz: f64, noise_db: f64, gain_db: f64) -> Array2<f32> {
    let mut rng = StdRng::seed_from_u64(seed);
    let start: f64 = rng.random();
    let mut noise = || -(1.0 - rng.random::<f64>()).ln();
    Array2::from_shape_fn((90, 64), |(frame, mel)| {
        let phase = std::f64::consts::TAU * (start + rate_hz * STEP_S * frame as f64);
        let stroke = (1.0 + (phase + 0.05 * mel as f64).cos()).powi(2) + 0.5 * (2.0 * phase).cos() + 0.6;
        let gain = if (24..32).contains(&mel) { 10_f64.powf(gain_db / 10.0) } else { 1.0 };
        let power = gain * stroke * noise() + 10_f64.powf(noise_db / 10.0) * noise();
        (10.0 * power.max(1e-9).log10()) as f32
    })
}

fn learned(clips: &[Array2<f32>]) -> Option<Cycle> {
    let clips: Vec<Vec<ArrayView2<'_, f32>>> = clips.iter().map(|clip| vec![clip.view()]).collect();
    let spectra = Spectra::of(&clips, STEP_S);
    let channels: Vec<_> = clips.iter().flatten().copied().collect();
    Cycle::fit(&channels, &spectra.mean(|_| true), &spectra)
}

fn normal_clips(noise_db: f64) -> Vec<Array2<f32>> {
    (0..30).map(|seed| clip(seed, 2.3, noise_db, 0.0)).collect()
}

#[test]
fn the_rate_of_the_stroke_is_found() {
    let cycle = learned(&normal_clips(0.0)).unwrap();
    assert!((cycle.parameters.rate_hz - 2.3).abs() < 0.03, "{:?}", cycle.parameters);
    assert_eq!(cycle.pooled_len(), 17, "16 bands and the rate");
}

#[test]
fn noise_has_no_cycle() {
    for seed in 0..20 {
        let noise: Vec<Array2<f32>> = (0..12).map(|number| clip(1000 * seed + number, 2.3, 30.0, -300.0)).collect();
        let mut silent = noise.clone();
        silent.iter_mut().for_each(|clip| clip.mapv_inplace(|level| level.min(-1.0) - 40.0));
        assert_eq!(learned(&noise), None, "{seed}");
        assert_eq!(learned(&silent), None, "{seed}");
    }
}

/// Root mean square of what is pooled from clips, in the deviations of normal ones.
fn deviations(cycle: &Cycle, clips: impl Iterator<Item = Array2<f32>>) -> Vec<f64> {
    clips.map(|clip| cycle.pool(clip.view())).map(|pooled| (pooled.dot(&pooled) / pooled.len() as f64).sqrt()).collect()
}

#[test]
fn a_background_never_heard_changes_little_and_a_weaker_band_is_seen_through_it() {
    let cycle = learned(&normal_clips(0.0)).unwrap();
    let foreign = deviations(&cycle, (500..540).map(|seed| clip(seed, 2.3, 6.0, 0.0)));
    let weaker = deviations(&cycle, (600..640).map(|seed| clip(seed, 2.3, 6.0, -12.0)));
    let slower = deviations(&cycle, (700..740).map(|seed| clip(seed, 2.2, 6.0, 0.0)));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    assert!(mean(&foreign) < 1.6, "{}", mean(&foreign));
    let auc = |abnormal: &[f64]| crate::metrics::roc_auc(&foreign, abnormal).unwrap();
    assert!(auc(&weaker) > 0.95 && auc(&slower) > 0.9, "{} {}", auc(&weaker), auc(&slower));
}

#[test]
fn where_in_the_cycle_a_clip_begins_does_not_matter() {
    let cycle = learned(&normal_clips(-20.0)).unwrap();
    let whole = clip(77, 2.3, -20.0, 0.0);
    let later = whole.slice_axis(ndarray::Axis(0), ndarray::Slice::from(5..)).to_owned();
    let [whole, later] = [whole, later].map(|clip| cycle.pool(clip.view()));
    assert!((&whole - &later).iter().all(|apart| apart.abs() < 3.0), "{whole} {later}");
}

#[test]
fn silence_and_a_single_frame_give_finite_numbers() {
    let cycle = learned(&normal_clips(0.0)).unwrap();
    for spectrogram in [Array2::from_elem((90, 64), -156.5), Array2::from_elem((1, 64), -20.0), Array2::zeros((3, 64))]
    {
        assert!(cycle.pool(spectrogram.view()).iter().all(|value| value.is_finite()));
    }
}
