//! Held against what each year's own evaluator printed for the same scores (Python 3.12, scikit-learn 1.7 or later; run
//! on 2026-11-30).

use super::*;

/// Forty clips: the formula that the evaluators' input was made with.
fn clips(machine: u64, section: u64) -> Vec<LabelledScore> {
    let clip = |index: u64| {
        let is_abnormal = index % 2 == 1;
        let domain = if (index / 2) % 4 == 3 { Domain::Target } else { Domain::Source };
        let drawn = (index * 7_919 + section * 104_729 + machine * 15_485_863) % 1_000;
        let of_fault = if is_abnormal { 0.35 } else { 0.0 };
        let of_domain = if domain == Domain::Target { 0.1 } else { 0.0 };
        let score = drawn as f64 / 1_000.0 + of_fault + of_domain;
        LabelledScore { score, is_alarm: score > 0.8, is_abnormal, domain }
    };
    (0..40).map(clip).collect()
}

fn official(edition: Edition) -> Official {
    let mut sections = Vec::new();
    for (machine, machine_type) in [(0, "fan"), (1, "pump")] {
        for section in 0..2 {
            let number = format!("{section:02}");
            let name = DcaseName { edition, machine_type: machine_type.to_owned(), number: number.clone() };
            let figures = SectionFigures::of(&clips(machine, section), Some(edition));
            let id = format!("{machine_type}_{number}");
            sections
                .push((name, Section { machine: id, machine_type: machine_type.to_owned(), section: number, figures }));
        }
    }
    let [only] = Official::all(sections).try_into().unwrap();
    only
}

fn assert_close(ours: Option<f64>, theirs: f64) {
    let ours = ours.expect("there is such a figure");
    assert!((ours - theirs).abs() < 1e-12, "{ours} instead of {theirs}");
}

#[test]
fn of_2020_auc_and_pauc_of_all_clips_are_averaged() {
    let official = official(Edition::Y2020);
    let fan_00 = official.sections[0].figures;
    assert_close(fan_00.auc.all, 0.81);
    assert_close(fan_00.pauc.all, 0.684_210_526_315_789_5);
    assert_eq!(fan_00.auc.source, None, "2020 has no domains");
    // The means of the types' averages that the evaluator prints.
    let (auc, pauc) = ((0.77 + 0.763_75) / 2.0, (0.664_473_684_210_526_3 + 0.677_631_578_947_368_4) / 2.0);
    assert_close(official.official_score, (auc + pauc) / 2.0);
}

#[test]
fn of_2021_each_domain_stands_alone() {
    let official = official(Edition::Y2021);
    let fan_01 = official.sections[1].figures;
    assert_close(fan_01.auc.source, 0.728_888_888_888_888_9);
    assert_close(fan_01.auc.target, 0.68);
    assert_close(fan_01.pauc.source, 0.684_210_526_315_789_5);
    assert_close(fan_01.pauc.target, 0.578_947_368_421_052_7);
    assert_close(fan_01.f1.source, 0.615_384_615_384_615_3);
    assert_close(official.official_score, 0.692_869_645_567_417_7);
}

#[test]
fn from_2022_on_each_domains_normal_clips_stand_against_the_anomalies_of_both() {
    let official = official(Edition::Y2022);
    let pump_00 = official.sections[2].figures;
    assert_close(pump_00.auc.all, 0.757_5);
    assert_close(pump_00.auc.source, 0.763_333_333_333_333_3);
    assert_close(pump_00.auc.target, 0.74);
    assert_close(pump_00.pauc.all, 0.710_526_315_789_473_7);
    assert_eq!(pump_00.pauc.source, None);
    assert_close(pump_00.precision.target, 0.6);
    assert_close(pump_00.f1.source, 0.689_655_172_413_793);
    assert_close(official.official_score, 0.717_592_033_570_171_9);
}

#[test]
fn without_clips_of_both_domains_there_is_no_official_score() {
    let only_source: Vec<LabelledScore> =
        clips(0, 0).into_iter().filter(|clip| clip.domain == Domain::Source).collect();
    let figures = SectionFigures::of(&only_source, Some(Edition::Y2022));
    let name = DcaseName { edition: Edition::Y2022, machine_type: "fan".into(), number: "00".into() };
    let section = Section { machine: "fan".into(), machine_type: "fan".into(), section: "00".into(), figures };
    let official = Official::all(vec![(name, section)]);
    assert_eq!(official[0].official_score, None);
    assert!(official[0].sections[0].figures.auc.source.is_some());
}
