//! What is promised of drift: findings as rare as asked while nothing changes, soon when something does, once each;
//! bounded memory; and a replay that is exact.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/streams.rs"]
mod streams;

use auscult_detection::drift::{DriftSample, DriftStep, listen, pause, relearn, restart};
use auscult_detection::{DriftPolicy, DriftReference, LevelSpread};
use auscult_schemas::{DriftChange, DriftChart, DriftMemory, QualityFlag};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use streams::{Change, Distribution, Stream, mean_and_error};

const BANDS: usize = 4;

/// A machine whose scores and levels are spread evenly, 100 clips of it as the reference.
struct Machine {
    rng: SmallRng,
    scores: Vec<f64>,
    reference: DriftReference,
    policy: DriftPolicy,
    heard: i64,
}

/// What is otherwise than in training.
#[derive(Clone, Copy, Default)]
struct Otherwise {
    score: f64,
    band_2_db: f32,
    all_bands_db: f32,
    is_short: bool,
}

impl Machine {
    fn new(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut scores: Vec<f64> = (0..100).map(|_| rng.random_range(5.0..6.0)).collect();
        scores.sort_by(f64::total_cmp);
        let clips: Vec<Vec<f64>> =
            (0..100).map(|_| (0..BANDS).map(|_| rng.random_range(-41.0..-39.0)).collect()).collect();
        let mean = |band: usize| clips.iter().map(|clip| clip[band]).sum::<f64>() / 100.0;
        let reference = DriftReference {
            mean_band_levels_db: (0..BANDS).map(mean).collect(),
            score_deciles: (51..60).map(|decile| f64::from(decile) / 10.0).collect(),
            spread: LevelSpread::of(&clips),
        };
        // No false finding within a test.
        let policy = DriftPolicy { false_alarm_every_chunks: 10_000_000, ..DriftPolicy::default() };
        Self { rng, scores, reference, policy, heard: 0 }
    }

    fn hear(&mut self, memory: &mut DriftMemory, otherwise: Otherwise) -> Option<DriftStep> {
        self.heard += 1;
        let mut levels: Vec<f32> =
            (0..BANDS).map(|_| self.rng.random_range(-41.0..-39.0_f32) + otherwise.all_bands_db).collect();
        levels[2] += otherwise.band_2_db;
        let sample = DriftSample {
            id: &format!("fan/0/{}/v1", self.heard),
            time: Timestamp::UNIX_EPOCH + self.heard.seconds(),
            score: self.rng.random_range(5.0..6.0) + otherwise.score,
            band_levels_db: &levels,
            quality: if otherwise.is_short { &[QualityFlag::Short] } else { &[] },
        };
        listen(memory, &sample, &self.scores, &self.reference, &self.policy)
    }

    /// All that so many chunks bring.
    fn hear_many(&mut self, memory: &mut DriftMemory, chunks: usize, otherwise: Otherwise) -> Vec<DriftStep> {
        (0..chunks).filter_map(|_| self.hear(memory, otherwise)).collect()
    }
}

fn changes(steps: &[DriftStep]) -> Vec<(DriftChange, DriftChart)> {
    steps.iter().filter_map(|step| Some((step.change?, step.episode?.chart))).collect()
}

#[test]
fn false_findings_are_as_rare_as_asked_whatever_the_scores_distribution() {
    // 300 streams: a standard error of 6 %. The tables of docs/drift.md are of 10000.
    for distribution in Distribution::ALL {
        for clips in [100, 30] {
            let stream = Stream { distribution, clips, wanted: 1_000, bands: 4, ..Stream::default() };
            let lengths: Vec<f64> = (0..300).map(|seed| stream.run(seed).0).collect();
            let (mean, error) = mean_and_error(&lengths);
            let ratio = mean / 1_000.0;
            assert!(
                ratio - 3.0 * error / 1_000.0 < 1.5 && ratio + 3.0 * error / 1_000.0 > 1.0 / 1.5,
                "{distribution:?} {clips}: {ratio}"
            );
            assert!(ratio > 0.75 && ratio < 1.5, "{distribution:?} {clips}: {ratio}");
        }
    }
}

#[test]
fn a_larger_change_is_found_sooner() {
    let delay = |deviations| {
        let change = Some(Change { at: 500, deviations, over: 0 });
        let stream = Stream { distribution: Distribution::Gamma, bands: 2, change, ..Stream::default() };
        let delays: Vec<f64> = (0..60).map(|seed| stream.run(seed).0 - 500.0).filter(|delay| *delay > 0.0).collect();
        mean_and_error(&delays).0
    };
    let (half, one, three) = (delay(0.5), delay(1.0), delay(3.0));
    assert!(three < 12.0 && one < 35.0 && half < 200.0 && three < one && one < half, "{half} {one} {three}");
}

#[test]
fn a_drift_is_reported_once_with_when_it_began_and_once_when_it_is_over() {
    let (mut machine, mut memory) = (Machine::new(1), DriftMemory::default());
    assert_eq!(changes(&machine.hear_many(&mut memory, 1_000, Otherwise::default())), []);
    let steps = machine.hear_many(&mut memory, 600, Otherwise { score: 0.4, ..Otherwise::default() });
    assert_eq!(changes(&steps), [(DriftChange::Began, DriftChart::Ewma)]);
    let episode = memory.episode.unwrap();
    let (since, found) = (episode.since.as_second(), episode.found.as_second());
    assert!((980..=1_010).contains(&since) && found > since && found < 1_050, "since {since}, found {found}");
    assert!(steps.len() > 600 / 50 - 1, "statistics every window: {}", steps.len());

    let steps = machine.hear_many(&mut memory, 1_000, Otherwise::default());
    assert_eq!(changes(&steps), [(DriftChange::Ended, DriftChart::Ewma)]);
    assert!(memory.episode.is_none());
    let before = memory.learnt_scores.iter().sum::<u32>();
    machine.hear(&mut memory, Otherwise::default());
    assert_eq!(memory.learnt_scores.iter().sum::<u32>(), before + 1, "normal sound is learnt again");
}

#[test]
fn nothing_is_learnt_while_drift_stands() {
    let (mut machine, mut memory) = (Machine::new(2), DriftMemory::default());
    machine.hear_many(&mut memory, 500, Otherwise::default());
    let drifted = Otherwise { score: 2.0, ..Otherwise::default() };
    machine.hear_many(&mut memory, 100, drifted);
    assert!(memory.episode.is_some());
    let learnt = (memory.learnt_scores.clone(), memory.learnt_levels.clone(), memory.learnt_flags_of);
    machine.hear_many(&mut memory, 5_000, drifted);
    assert_eq!((memory.learnt_scores.clone(), memory.learnt_levels.clone(), memory.learnt_flags_of), learnt);
    assert!(memory.episode.is_some(), "it does not pass for normal however long it lasts");
}

#[test]
fn a_band_a_level_and_a_quality_rate_are_each_found_by_their_chart() {
    let cases = [
        (Otherwise { band_2_db: 1.0, ..Otherwise::default() }, DriftChart::BandLevel),
        (Otherwise { all_bands_db: 1.0, ..Otherwise::default() }, DriftChart::InputLevel),
        (Otherwise { is_short: true, ..Otherwise::default() }, DriftChart::QualityRate),
    ];
    for (otherwise, chart) in cases {
        let (mut machine, mut memory) = (Machine::new(3), DriftMemory::default());
        machine.hear_many(&mut memory, 500, Otherwise::default());
        let steps = machine.hear_many(&mut memory, 100, otherwise);
        assert_eq!(changes(&steps), [(DriftChange::Began, chart)]);
    }
}

#[test]
fn a_package_without_spreads_learns_levels_from_the_first_window() {
    let (mut machine, mut memory) = (Machine::new(4), DriftMemory::default());
    machine.reference.spread = None;
    // Louder than in training from the start: nobody can say whether that is much.
    let louder = Otherwise { all_bands_db: 0.5, ..Otherwise::default() };
    assert_eq!(changes(&machine.hear_many(&mut memory, 500, louder)), []);
    let steps = machine.hear_many(&mut memory, 100, Otherwise { all_bands_db: 3.0, ..Otherwise::default() });
    assert_eq!(steps[0].change, Some(DriftChange::Began));
}

#[test]
fn a_pause_forgets_the_window_but_not_what_was_learnt() {
    let (mut machine, mut memory) = (Machine::new(5), DriftMemory::default());
    machine.hear_many(&mut memory, 530, Otherwise { score: 0.05, ..Otherwise::default() });
    let learnt = memory.learnt_scores.clone();
    pause(&mut memory);
    assert_eq!(
        (memory.scores.len(), memory.window_start, memory.higher.value, memory.average.value),
        (0, None, 0.0, 0.0)
    );
    assert_eq!(memory.learnt_scores, learnt);
    restart(&mut memory);
    assert_eq!(memory, DriftMemory::default());
    pause(&mut memory);
    assert_eq!(memory, DriftMemory::default());
}

#[test]
fn new_surroundings_give_new_levels_to_expect() {
    let louder = Otherwise { all_bands_db: 4.0, ..Otherwise::default() };
    let (mut machine, mut memory) = (Machine::new(6), DriftMemory::default());
    machine.hear_many(&mut memory, 500, Otherwise::default());
    assert!(!changes(&machine.hear_many(&mut memory, 100, louder)).is_empty());
    relearn(&mut memory);
    assert_eq!(changes(&machine.hear_many(&mut memory, 1_000, louder)), []);
    assert!(!changes(&machine.hear_many(&mut memory, 100, Otherwise::default())).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is heard: no number that is none, no list that grows, and a state that another worker goes on from as
    /// the first would have.
    #[test]
    fn memory_is_bounded_and_survives_the_changelog_at_any_chunk(
        scores in prop::collection::vec(prop_oneof![1e-300..1e300_f64, 4.0..7.0_f64, Just(5.5)], 1..400),
        level in -200.0..200.0_f32,
        window_chunks in 2_u32..60,
        from in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let machine = Machine::new(seed);
        let policy = DriftPolicy { window_chunks, false_alarm_every_chunks: 20 * u64::from(window_chunks) };
        let from = from.index(scores.len());
        let (mut straight, mut restored) = (DriftMemory::default(), DriftMemory::default());
        for (index, score) in scores.iter().enumerate() {
            let id = index.to_string();
            let levels = [level, -level, score.clamp(-300.0, 300.0) as f32, 0.0];
            let sample = DriftSample {
                id: &id,
                time: Timestamp::UNIX_EPOCH + (index as i64).seconds(),
                score: *score,
                band_levels_db: &levels,
                quality: if index % 7 == 0 { &[QualityFlag::Resampled] } else { &[] },
            };
            if index == from {
                restored = serde_json::from_str(&serde_json::to_string(&restored).unwrap()).unwrap();
            }
            let steps = [&mut straight, &mut restored]
                .map(|memory| listen(memory, &sample, &machine.scores, &machine.reference, &policy));
            prop_assert_eq!(&steps[0], &steps[1]);
            prop_assert_eq!(&straight, &restored);
            prop_assert!(serde_json::to_string(&straight).is_ok(), "a number is not finite: {:?}", straight);
            prop_assert!(straight.scores.len() < window_chunks as usize && straight.ranks.len() == straight.scores.len());
            prop_assert!(straight.learnt_scores.len() == 101 && straight.square_sum_db2.len() == BANDS + 1);
            prop_assert!(straight.flagged.len() <= QualityFlag::ALL.len());
        }
    }
}
