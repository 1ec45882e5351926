//! The crate's statistics against scikit-learn and SciPy, and against what they must be by definition.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use auscult_detection::metrics::{Confusion, partial_auc, roc_auc};
use auscult_detection::{Calibration, GammaFit, drift, evaluate};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;
use statrs::distribution::{Continuous, Gamma};

#[derive(Deserialize)]
struct Golden {
    metrics: Vec<MetricCase>,
    gamma_fits: Vec<FitCase>,
    gamma_tails: Vec<TailCase>,
    kolmogorov_smirnov: Vec<KsCase>,
}

#[derive(Deserialize)]
struct MetricCase {
    normal: Vec<f64>,
    abnormal: Vec<f64>,
    auc: f64,
    #[serde(rename = "pauc_0.1")]
    pauc_tenth: f64,
    #[serde(rename = "pauc_0.37")]
    pauc_third: f64,
}

#[derive(Deserialize)]
struct Parameters {
    shape: f64,
    #[serde(default)]
    location: f64,
    scale: f64,
}

#[derive(Deserialize)]
struct FitCase {
    scores: Vec<f64>,
    from_zero: Parameters,
    located: Parameters,
    located_loss: f64,
}

#[derive(Deserialize)]
struct TailCase {
    #[serde(flatten)]
    parameters: Parameters,
    value: f64,
    survival: f64,
}

#[derive(Deserialize)]
struct KsCase {
    first: Vec<f64>,
    second: Vec<f64>,
    statistic: f64,
    p_value: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/statistics.json")).unwrap()
}

fn is_close(got: f64, wanted: f64, relative: f64) -> bool {
    (got - wanted).abs() <= relative * wanted.abs()
}

#[test]
fn auc_and_partial_auc_are_scikit_learns() {
    for case in golden().metrics {
        assert!(is_close(roc_auc(&case.normal, &case.abnormal).unwrap(), case.auc, 1e-12));
        assert!(is_close(partial_auc(&case.normal, &case.abnormal, 0.1).unwrap(), case.pauc_tenth, 1e-12));
        assert!(is_close(partial_auc(&case.normal, &case.abnormal, 0.37).unwrap(), case.pauc_third, 1e-12));
    }
}

#[test]
fn gamma_fits_are_scipys() {
    for case in golden().gamma_fits {
        let fit = GammaFit::from_zero(&case.scores).unwrap();
        assert!(is_close(fit.shape, case.from_zero.shape, 1e-6), "{fit:?}");
        assert!(is_close(fit.scale, case.from_zero.scale, 1e-6), "{fit:?}");

        // Far from the origin the likelihood is nearly flat in the location: no worse than SciPy's best, and with the
        // same tail.
        let fit = GammaFit::located(&case.scores).unwrap();
        let Parameters { shape, location, scale } = case.located;
        let wanted = GammaFit { shape, location, scale };
        assert!(loss(&fit, &case.scores) <= case.located_loss + 1e-6, "{fit:?}");
        for probability in [0.1, 1e-2, 1e-3] {
            let (got, wanted) = (fit.upper_quantile(probability), wanted.upper_quantile(probability));
            assert!(is_close(got, wanted, 2e-3), "{fit:?}: {got} {wanted}");
        }
    }
}

/// The negative log-likelihood, as SciPy's `nnlf` has it.
fn loss(fit: &GammaFit, scores: &[f64]) -> f64 {
    let distribution = Gamma::new(fit.shape, 1.0 / fit.scale).unwrap();
    -scores.iter().map(|score| distribution.ln_pdf(score - fit.location)).sum::<f64>()
}

#[test]
fn gamma_tails_and_quantiles_are_scipys() {
    for TailCase { parameters: Parameters { shape, location, scale }, value, survival } in golden().gamma_tails {
        let fit = GammaFit { shape, location, scale };
        assert!(is_close(fit.survival(value), survival, 1e-6), "{fit:?} {value}: {} {survival}", fit.survival(value));
        assert!((fit.upper_quantile(survival) - value).abs() <= 1e-6 * (value - location), "{fit:?} {survival}");
    }
}

#[test]
fn kolmogorov_smirnov_is_scipys_exact_test() {
    for case in golden().kolmogorov_smirnov {
        let got = drift::kolmogorov_smirnov(&case.first, &case.second);
        assert!(is_close(got.statistic, case.statistic, 1e-12), "{got:?}");
        assert!(is_close(got.p_value, case.p_value, 1e-9), "{got:?} {}", case.p_value);
    }
}

#[test]
fn a_kolmogorov_smirnov_p_value_is_small_but_never_zero() {
    let low: Vec<f64> = (0..1000).map(f64::from).collect();
    let high: Vec<f64> = (2000..3000).map(f64::from).collect();
    let ks = drift::kolmogorov_smirnov(&low, &high);
    assert_eq!(ks.statistic, 1.0);
    assert!(ks.p_value > 0.0 && ks.p_value < 1e-300);
}

#[test]
fn a_skewed_set_of_scores_gets_a_location_and_a_small_one_does_not() {
    let cases = golden().gamma_fits;
    assert!(GammaFit::of(&cases[0].scores).unwrap().location > 5.0, "100 scores of skewness 1.15, from 6 on");
    assert_eq!(GammaFit::of(&cases[0].scores[..8]).unwrap().location, 0.0);
    assert_eq!(GammaFit::of(&cases[3].scores).unwrap().location, 0.0, "60 scores that are nearly normal");
}

#[test]
fn scores_that_allow_no_threshold_are_refused() {
    for scores in [vec![], vec![1.0], vec![2.0; 30], vec![0.0, 1.0, 2.0], vec![1.0, f64::NAN], vec![1.0, f64::INFINITY]]
    {
        assert!(GammaFit::of(&scores).is_err(), "{scores:?}");
    }
}

#[test]
fn psi_is_zero_without_drift_and_large_when_all_scores_leave_the_range() {
    let deciles: Vec<f64> = (1..10).map(f64::from).collect();
    let even: Vec<f64> = (0..50).map(|index| f64::from(index % 10) + 0.5).collect();
    assert!(drift::population_stability_index(&even, &deciles).abs() < 1e-12);
    let gone = drift::population_stability_index(&[99.0; 50], &deciles);
    assert!(gone > 1.5 && gone.is_finite(), "{gone}");
}

#[test]
fn the_reference_methods_published_confusion_matrix_gives_its_published_figures() {
    // 751 of 815 normal and 231 of 295 abnormal clips right: P = R = F1 = 92.1 % with normal positive, 78.3 % with
    // abnormal positive.
    let scores = |low: usize, high: usize| [vec![1.0; low], vec![9.0; high]].concat();
    let evaluation = evaluate(&scores(751, 64), &scores(64, 231), 5.0);
    assert!((evaluation.normal_positive.f1 - 0.9215).abs() < 5e-5);
    assert!((evaluation.normal_positive.precision - 0.9215).abs() < 5e-5);
    assert!((evaluation.abnormal_positive.recall - 0.7831).abs() < 5e-5);
    assert!((evaluation.abnormal_positive.f1 - 0.7831).abs() < 5e-5);
    assert!((evaluation.abnormal_positive.accuracy - 0.8847).abs() < 5e-5);
}

#[test]
fn an_evaluation_without_one_class_has_no_auc() {
    let json = serde_json::to_value(evaluate(&[1.0, 2.0], &[], 1.5)).unwrap();
    assert_eq!(json["auc"], serde_json::Value::Null);
    assert_eq!(json["n_normal"], 2);
    assert_eq!(json["precision"], 0.0);
    assert_eq!(json["normal_positive"]["recall"], 0.5);
}

/// A gamma variate with an integer shape: a sum of exponential ones.
fn gamma_variate(rng: &mut StdRng, shape: u32, location: f64, scale: f64) -> f64 {
    location + scale * (0..shape).map(|_| -rng.random_range(f64::MIN_POSITIVE..1.0_f64).ln()).sum::<f64>()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn auc_counts_pairs(
        normal in prop::collection::vec(0_u8..20, 1..30),
        abnormal in prop::collection::vec(0_u8..20, 1..30),
    ) {
        let normal: Vec<f64> = normal.into_iter().map(f64::from).collect();
        let abnormal: Vec<f64> = abnormal.into_iter().map(f64::from).collect();
        let mut wins = 0.0;
        for high in &abnormal {
            for low in &normal {
                wins += if high > low { 1.0 } else if high == low { 0.5 } else { 0.0 };
            }
        }
        let auc = roc_auc(&normal, &abnormal).unwrap();
        prop_assert!((auc - wins / (normal.len() * abnormal.len()) as f64).abs() < 1e-12);
        prop_assert!((auc + roc_auc(&abnormal, &normal).unwrap() - 1.0).abs() < 1e-12);
        let pauc = partial_auc(&normal, &abnormal, 0.1).unwrap();
        prop_assert!((0.0..=1.0).contains(&pauc));
        let stretched = |scores: &[f64]| scores.iter().map(|score| score.exp()).collect::<Vec<_>>();
        prop_assert_eq!(pauc, partial_auc(&stretched(&normal), &stretched(&abnormal), 0.1).unwrap());
    }

    #[test]
    fn a_confusion_counts_every_clip_once(
        normal in prop::collection::vec(-10.0..10.0_f64, 0..30),
        abnormal in prop::collection::vec(-10.0..10.0_f64, 0..30),
        threshold in -10.0..10.0_f64,
    ) {
        let confusion = Confusion::at_threshold(&normal, &abnormal, threshold);
        prop_assert_eq!(confusion.true_positives + confusion.false_negatives, abnormal.len());
        prop_assert_eq!(confusion.true_negatives + confusion.false_positives, normal.len());
        prop_assert_eq!(confusion.with_normal_positive().with_normal_positive(), confusion);
        for rate in [confusion.precision(), confusion.recall(), confusion.f1(), confusion.accuracy()] {
            prop_assert!((0.0..=1.0).contains(&rate));
        }
    }

    #[test]
    fn p_values_of_normal_scores_are_uniform(seed in any::<u64>(), shape in 2_u32..40, location in 0.0..20.0_f64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut draw = |count: usize| -> Vec<f64> {
            (0..count).map(|_| gamma_variate(&mut rng, shape, location, 0.5)).collect()
        };
        // Three bands, so that the calibration takes the mean itself.
        let band_errors: Vec<Vec<f64>> = draw(400).into_iter().map(|score| vec![score; 3]).collect();
        let calibration = Calibration::fit(&band_errors, 1e-2).unwrap();
        let p_values: Vec<f64> = draw(400).into_iter().map(|score| calibration.p_value(score)).collect();
        let uniform: Vec<f64> = (0..400).map(|index| (f64::from(index) + 0.5) / 400.0).collect();
        // 64 cases: a correct calibration fails one in about 10⁴ runs of the whole test.
        let ks = drift::kolmogorov_smirnov(&p_values, &uniform);
        prop_assert!(ks.p_value > 1e-6, "{ks:?} {:?}", calibration.gamma);
        let above = p_values.iter().filter(|p_value| **p_value < 1e-2).count();
        prop_assert!(above <= 20, "{above} of 400 at a rate of one in a hundred");
    }

    #[test]
    fn p_value_and_health_fall_as_the_score_rises(seed in any::<u64>(), rate in 1e-4..0.3_f64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let band_errors: Vec<Vec<f64>> = (0..60).map(|_| vec![gamma_variate(&mut rng, 5, 3.0, 0.5)]).collect();
        let calibration = Calibration::fit(&band_errors, rate).unwrap();
        let mut before = (1.0, 100.0);
        for step in 0..400 {
            let score = f64::from(step) * 0.25;
            let now = (calibration.p_value(score), calibration.health_index(score));
            prop_assert!(now.0 <= before.0 && now.1 <= before.1);
            prop_assert!(now.0 > 0.0 && now.1 > 0.0);
            before = now;
        }
        prop_assert!((calibration.health_index(calibration.threshold) - 50.0).abs() < 1e-9);
        prop_assert!((calibration.p_value(calibration.threshold) - rate).abs() < 1e-6);
    }

    #[test]
    fn kolmogorov_smirnov_knows_no_first_and_second(
        first in prop::collection::vec(-3.0..3.0_f64, 1..25),
        second in prop::collection::vec(-3.0..3.0_f64, 1..25),
    ) {
        let (a, b) = (drift::kolmogorov_smirnov(&first, &second), drift::kolmogorov_smirnov(&second, &first));
        prop_assert!((a.statistic - b.statistic).abs() < 1e-12);
        prop_assert!((a.p_value - b.p_value).abs() < 1e-9);
        prop_assert!(a.p_value > 0.0 && a.p_value <= 1.0);
    }
}
