//! AUC, pAUC and average precision against scikit-learn on scores that are hard on a curve.
//! `golden/make_curves_golden.py` made them.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use auscult_detection::MAX_FALSE_POSITIVE_RATE;
use auscult_detection::metrics::{average_precision, partial_auc, roc_auc};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    normal: Vec<f64>,
    abnormal: Vec<f64>,
    auc: f64,
    pauc: f64,
    average_precision: f64,
}

#[test]
fn areas_are_scikit_learns_with_ties_tiny_classes_equal_and_perfect_scores() {
    let golden: Golden = serde_json::from_str(include_str!("../golden/curves.json")).unwrap();
    assert!(golden.cases.len() >= 14);
    for Case { name, normal, abnormal, auc, pauc, average_precision: precision } in golden.cases {
        let figures = [
            ("AUC", roc_auc(&normal, &abnormal), auc),
            ("pAUC", partial_auc(&normal, &abnormal, MAX_FALSE_POSITIVE_RATE), pauc),
            ("average precision", average_precision(&normal, &abnormal), precision),
        ];
        for (figure, got, wanted) in figures {
            let got = got.unwrap();
            assert!((got - wanted).abs() <= 1e-12, "{name}: {figure} {got}, scikit-learn has {wanted}");
        }
    }
}

#[test]
fn scores_that_are_not_numbers_have_no_curve() {
    for (normal, abnormal) in [(&[1.0, f64::NAN][..], &[2.0][..]), (&[1.0], &[f64::NAN]), (&[], &[1.0]), (&[1.0], &[])]
    {
        assert_eq!(roc_auc(normal, abnormal), None);
        assert_eq!(partial_auc(normal, abnormal, MAX_FALSE_POSITIVE_RATE), None);
        assert_eq!(average_precision(normal, abnormal), None);
    }
}
