//! Bearings that were simulated.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/bearing_machine.rs"]
mod bearing_machine;

use auscult_bearing::{
    BearingError, BearingExam, BearingOrders, BearingPart, ImpulseRate, RateCheck, RollingElements, SensorFault,
};
use bearing_machine::Machine;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const RATE_HZ: f64 = 25_600.0;
const SHAFT_HZ: f64 = 24.7;

fn exam(shaft_hz: f64) -> BearingExam {
    BearingExam { orders: BearingOrders::of_type("6205").unwrap(), shaft_hz, slip: BearingExam::DEFAULT_SLIP }
}

fn noise(rng: &mut StdRng) -> f64 {
    // Twelve uniform numbers: near enough to a normal distribution of variance 1.
    (0..12).map(|_| rng.random_range(-0.5..0.5)).sum()
}

/// A spalled bearing after Randall and Antoni (2011): strikes with random slip, each ringing at a resonance, as loud as
/// the load is where the spot just is; in white noise, with the shaft's own unbalance.
fn spalled(part: BearingPart, seconds: f64, strength: f64, seed: u64) -> Vec<f32> {
    spalled_as(&BearingOrders::of_type("6205").unwrap(), part, seconds, strength, seed)
}

fn spalled_as(orders: &BearingOrders, part: BearingPart, seconds: f64, strength: f64, seed: u64) -> Vec<f32> {
    const RESONANCE_HZ: f64 = 4_300.0;
    const DECAY_S: f64 = 0.001;
    let mut rng = StdRng::seed_from_u64(seed);
    let samples = (seconds * RATE_HZ) as usize;
    let mut signal: Vec<f64> = (0..samples)
        .map(|index| {
            let turn = std::f64::consts::TAU * SHAFT_HZ * index as f64 / RATE_HZ;
            2.0 * turn.sin() + noise(&mut rng)
        })
        .collect();
    let slow_slip = rng.random_range(-0.006..0.006);
    let period = (1.0 + slow_slip) / (orders.strikes_of(part) * SHAFT_HZ);
    let phase = rng.random_range(0.0..std::f64::consts::TAU);
    let mut at = rng.random_range(0.0..period);
    while at < seconds {
        let load = match orders.modulation_of(part) {
            None => 1.0,
            Some(order) => 0.5 + 0.5 * (std::f64::consts::TAU * order * SHAFT_HZ * at + phase).cos(),
        };
        let first = (at * RATE_HZ).ceil() as usize;
        let end = samples.min(first + (8.0 * DECAY_S * RATE_HZ) as usize);
        for (index, sample) in signal.iter_mut().enumerate().take(end).skip(first) {
            let since = index as f64 / RATE_HZ - at;
            let ringing = (std::f64::consts::TAU * RESONANCE_HZ * since).sin() * (-since / DECAY_S).exp();
            *sample += strength * load * ringing;
        }
        at += period * (1.0 + 0.01 * noise(&mut rng));
    }
    signal.iter().map(|sample| (0.02 * sample) as f32).collect()
}

fn white_noise(samples: usize, seed: u64) -> Vec<f32> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..samples).map(|_| (0.1 * noise(&mut rng)) as f32).collect()
}

#[test]
fn a_spall_is_found_where_it_is() {
    for part in BearingPart::ALL {
        for seed in 0..5 {
            let finding = exam(SHAFT_HZ).examine(&spalled(part, 2.0, 4.0, seed), RATE_HZ).unwrap();
            assert_eq!(finding.defect, Some(part), "seed {seed}: {finding:#?}");
            let comb = finding.leading();
            assert!(
                comb.slip_percent.abs() <= 1.0 && comb.band_low_hz < 4_300.0 && comb.band_high_hz > 4_300.0,
                "{comb:?}"
            );
        }
    }
}

#[test]
fn a_quarter_of_a_second_is_enough_for_a_strong_spall() {
    for part in [BearingPart::OuterRace, BearingPart::InnerRace] {
        let named = (0..10)
            .filter(|seed| {
                let finding = exam(SHAFT_HZ).examine(&spalled(part, 0.25, 8.0, *seed), RATE_HZ).unwrap();
                println!("{part:?}, seed {seed}: {}: {}", finding.verdict(), finding.in_words());
                finding.defect == Some(part)
            })
            .count();
        assert!(named >= 9, "{part:?}: {named} of 10");
    }
}

#[test]
fn a_speed_that_is_one_percent_off_is_found_with_it() {
    let finding = exam(SHAFT_HZ * 0.993).examine(&spalled(BearingPart::OuterRace, 2.0, 6.0, 3), RATE_HZ).unwrap();
    assert_eq!(finding.defect, Some(BearingPart::OuterRace));
}

#[test]
fn a_spall_is_found_with_no_slip_and_with_the_most() {
    for slip in [0.0, 0.05] {
        let exam = BearingExam { slip, ..exam(SHAFT_HZ) };
        let named = (0..5)
            .filter(|seed| {
                let samples = spalled(BearingPart::OuterRace, 0.5, 8.0, *seed);
                exam.examine(&samples, RATE_HZ).unwrap().defect == Some(BearingPart::OuterRace)
            })
            .count();
        assert!(named >= 4, "slip {slip}: {named} of 5");
    }
}

#[test]
fn noise_and_unbalance_are_no_defect() {
    let exam = exam(SHAFT_HZ);
    let named = |samples: &dyn Fn(u64) -> Vec<f32>, recordings: u64| {
        (0..recordings).filter(|seed| exam.examine(&samples(*seed), RATE_HZ).unwrap().defect.is_some()).count()
    };
    let short = named(&|seed| white_noise((7.5 / SHAFT_HZ * RATE_HZ) as usize, seed), 100);
    let long = named(&|seed| white_noise((64.0 / SHAFT_HZ * RATE_HZ) as usize, seed), 15);
    let unbalanced = named(&|seed| spalled(BearingPart::Ball, 2.0, 0.0, seed), 10);
    println!("named in noise: {short} of 100 short, {long} of 15 long, {unbalanced} of 10 unbalanced");
    assert!(short <= 4 && long <= 1 && unbalanced <= 1, "{short} {long} {unbalanced}");
}

/// Noise that a healthy machine modulates at its shaft's speed and at multiples of it: unbalance, a gear, the motor's
/// slots.
fn modulated_by_the_shaft(seconds: f64, seed: u64) -> Vec<f32> {
    let mut rng = StdRng::seed_from_u64(seed);
    let phases: Vec<f64> = (0..12).map(|_| rng.random_range(0.0..std::f64::consts::TAU)).collect();
    (0..(seconds * RATE_HZ) as usize)
        .map(|index| {
            let turn = std::f64::consts::TAU * SHAFT_HZ * index as f64 / RATE_HZ;
            let load: f64 =
                phases.iter().enumerate().map(|(order, phase)| (turn * (order + 1) as f64 + phase).cos()).sum();
            (0.1 * (1.0 + 0.2 * load) * noise(&mut rng)) as f32
        })
        .collect()
}

/// The 6203's outer race is struck 3.05 times a turn, and 4.95 times its inner race: beside the shaft's third and fifth
/// multiple.
#[test]
fn the_lines_of_the_shaft_are_no_defect() {
    let orders = BearingOrders::of_type("6203").unwrap();
    let exam = BearingExam { orders, ..exam(SHAFT_HZ) };
    for (turns, recordings) in [(7.5, 40), (60.0, 10)] {
        let named = (0..recordings)
            .filter(|seed| {
                let samples = modulated_by_the_shaft(turns / SHAFT_HZ, *seed);
                exam.examine(&samples, RATE_HZ).unwrap().defect.is_some()
            })
            .count();
        println!("named beside the shaft's lines: {named} of {recordings} of {turns} turns");
        assert!(named as u64 <= recordings / 20, "{turns} turns: {named} of {recordings}");
    }
}

#[test]
fn noise_reaches_a_stated_chance_as_often_as_is_stated() {
    // Sixteen rollers at 6.4 kHz leave room for three harmonics.
    let rollers = RollingElements { count: 16, diameter_mm: 8.4, pitch_diameter_mm: 71.5, contact_angle_deg: 15.17 };
    let rollers = BearingExam { orders: BearingOrders::of(&rollers), ..exam(SHAFT_HZ) };
    for (exam, rate_hz, expected_harmonics) in [(exam(SHAFT_HZ), RATE_HZ, 6), (rollers, 6_400.0, 3)] {
        let samples = (7.5 / SHAFT_HZ * rate_hz) as usize;
        let findings: Vec<_> =
            (0..200).map(|seed| exam.examine(&white_noise(samples, 1_000 + seed), rate_hz).unwrap()).collect();
        assert!(findings.iter().all(|finding| finding.harmonics == expected_harmonics), "{}", findings[0].harmonics);
        let reached = |chance: f64| findings.iter().filter(|finding| finding.chance_if_healthy <= chance).count();
        let (tenth, hundredth) = (reached(0.1), reached(0.01));
        println!("{rate_hz} Hz: a tenth in {tenth} of 200, a hundredth in {hundredth} of 200");
        assert!((6..=36).contains(&tenth) && hundredth <= 6, "{tenth} {hundredth}");
    }
}

/// A cut cable and a converter that stands still are no healthy bearing.
#[test]
fn a_dead_sensor_is_not_examined() {
    for value in [0.0, 0.3, 0.5] {
        let refusal = exam(SHAFT_HZ).examine(&vec![value; 76_800], RATE_HZ).unwrap_err();
        assert!(matches!(refusal, BearingError::Sensor(SensorFault::Constant(_))), "{refusal}");
        assert!(refusal.to_string().starts_with("not examined: every sample is "), "{refusal}");
    }
}

#[test]
fn loudness_changes_nothing() {
    let quiet = spalled(BearingPart::InnerRace, 1.0, 6.0, 1);
    let loud: Vec<f32> = quiet.iter().map(|sample| sample * 1024.0).collect();
    let strengths = |samples: &[f32]| -> Vec<f64> {
        exam(SHAFT_HZ).examine(samples, RATE_HZ).unwrap().combs.iter().map(|comb| comb.prominence_db).collect()
    };
    for (quiet, loud) in strengths(&quiet).into_iter().zip(strengths(&loud)) {
        assert!((quiet - loud).abs() < 1e-6, "{quiet} {loud}");
    }
}

#[test]
fn what_cannot_be_examined_is_refused_with_what_would_do() {
    let samples = white_noise(25_600, 0);
    let exam = exam(SHAFT_HZ);
    let refusal = |exam: BearingExam, samples: &[f32], rate_hz: f64| exam.examine(samples, rate_hz).unwrap_err();
    assert!(matches!(refusal(exam, &samples[..5_000], RATE_HZ), BearingError::TooShort { .. }));
    assert!(refusal(exam, &samples[..5_000], RATE_HZ).to_string().contains("0.20 s"));
    assert!(matches!(refusal(exam, &samples, 2_000.0), BearingError::RateTooLow { .. }));
    assert!(matches!(refusal(BearingExam { shaft_hz: 0.0, ..exam }, &samples, RATE_HZ), BearingError::Speed(_)));
    assert!(matches!(refusal(BearingExam { slip: 0.2, ..exam }, &samples, RATE_HZ), BearingError::Slip(_)));
    let swapped = BearingOrders { bpfo: exam.orders.bpfi, bpfi: exam.orders.bpfo, ..exam.orders };
    assert!(matches!(refusal(BearingExam { orders: swapped, ..exam }, &samples, RATE_HZ), BearingError::Orders { .. }));
    let mut broken = samples.clone();
    broken[77] = f32::NAN;
    assert_eq!(refusal(exam, &broken, RATE_HZ), BearingError::NonFinite);
    let needed_hz = match refusal(exam, &samples, 2_000.0) {
        BearingError::RateTooLow { needed_hz, .. } => needed_hz,
        other => panic!("{other}"),
    };
    assert!(exam.examine(&samples, needed_hz.ceil() + 1.0).is_ok());
}

#[test]
fn a_long_recording_names_each_part_and_nothing_in_noise() {
    for part in BearingPart::ALL {
        for seed in 0..2 {
            let finding = exam(SHAFT_HZ).examine(&spalled(part, 2.5, 4.0, seed), RATE_HZ).unwrap();
            assert_eq!(finding.defect, Some(part), "seed {seed}: {finding:#?}");
        }
    }
    for turns in [35.0, 60.0] {
        let samples = (turns / SHAFT_HZ * RATE_HZ) as usize;
        let named = (0..20)
            .filter(|&seed| {
                exam(SHAFT_HZ).examine(&white_noise(samples, 5_000 + seed), RATE_HZ).unwrap().defect.is_some()
            })
            .count();
        println!("named in {turns} turns of noise: {named} of 20");
        assert!(named <= 1, "{turns} turns: {named} of 20");
    }
}

/// Strikes at the inner race's rate that are equally strong all the way round have its lines without their sidebands:
/// the load does not come and go, so the spot does not turn with the shaft.
#[test]
fn the_lines_of_an_inner_race_without_sidebands_are_none() {
    let orders = BearingOrders::of_type("6205").unwrap();
    // A spot that stays in the load and is struck as often as this bearing's inner race would be.
    let of_inner = BearingOrders { bpfo: orders.bpfi, bpfi: orders.bpfi + 1.0, ..orders };
    for seed in 0..3 {
        let samples = spalled_as(&of_inner, BearingPart::OuterRace, 2.5, 6.0, seed);
        let unmodulated = exam(SHAFT_HZ).examine(&samples, RATE_HZ).unwrap();
        assert_ne!(unmodulated.defect, Some(BearingPart::InnerRace), "seed {seed}: {unmodulated:#?}");
        let loaded = spalled(BearingPart::InnerRace, 2.5, 6.0, seed);
        let modulated = exam(SHAFT_HZ).examine(&loaded, RATE_HZ).unwrap();
        assert_eq!(modulated.defect, Some(BearingPart::InnerRace), "seed {seed}: {modulated:#?}");
    }
}

/// A click each tenth of a second and the like, on healthy noise: nothing of the bearing's, and said so.
#[test]
fn impulses_at_a_rate_of_their_own_are_no_defect() {
    let exam = exam(1797.0 / 60.0);
    for (hz, height, rate) in [
        (10.0, 0.9, ImpulseRate::Foreign),
        (10.0, 0.3, ImpulseRate::Foreign),
        (7.3, 0.9, ImpulseRate::Foreign),
        (33.3, 0.3, ImpulseRate::Foreign),
        (50.0, 0.3, ImpulseRate::Mains),
        (100.0, 0.3, ImpulseRate::Mains),
    ] {
        let mut samples: Vec<f32> = white_noise(76_800, 2).iter().map(|sample| 0.3 * sample).collect();
        for click in 0.. {
            let at = (f64::from(click) * RATE_HZ / hz) as usize;
            let Some(sample) = samples.get_mut(at) else { break };
            *sample = height;
        }
        let finding = exam.examine(&samples, RATE_HZ).unwrap();
        assert_eq!((finding.defect, &finding.candidates[..]), (None, &[][..]), "{hz} Hz: {finding:#?}");
        let impulses = finding.impulses.unwrap();
        assert!((impulses.hz / hz - 1.0).abs() < 0.002 && impulses.rate == rate, "{hz} Hz: {impulses:?}");
        assert!(finding.verdict().contains(&format!("impulses at {:.1} Hz", impulses.hz)), "{}", finding.verdict());
    }
}

#[test]
fn clicks_too_rare_for_lines_are_no_defect() {
    for (seconds, period) in [(3.0, 25_600), (0.25, 2_560)] {
        let mut samples = white_noise((seconds * RATE_HZ) as usize, 2);
        samples.iter_mut().step_by(period).for_each(|sample| *sample = 3.0);
        let finding = exam(1797.0 / 60.0).examine(&samples, RATE_HZ).unwrap();
        assert_eq!(finding.defect, None, "{finding:#?}");
    }
}

/// Sampled at 12 kHz; the header says something else.
#[test]
fn a_wrong_rate_is_questioned_and_nothing_named() {
    let orders = BearingOrders::of_type("6205").unwrap();
    let machine = Machine { shaft_modulation: 0.0, tones: 0.0, ..Machine::healthy(12_000.0, 150.0, 5) };
    let samples = machine.damaged(orders, BearingPart::InnerRace, 9.0).vibration();
    let exam = exam(1797.0 / 60.0);
    assert_eq!(exam.examine(&samples, 12_000.0).unwrap().defect, Some(BearingPart::InnerRace));
    for header_hz in [48_000.0, 36_000.0, 24_000.0] {
        let finding = exam.examine(&samples, header_hz).unwrap();
        assert_eq!(finding.defect, None, "{header_hz}: {}", finding.in_words());
        let RateCheck::InDoubt(doubt) = finding.rate else { panic!("{header_hz}: {finding:#?}") };
        assert!((doubt.seems_hz - 12_000.0).abs() < 1.0, "{header_hz}: {doubt:?}");
        assert!(finding.in_words().starts_with("is the rate right?"), "{}", finding.in_words());
    }
    for header_hz in [6_000.0, 3_000.0] {
        let refusal = exam.examine(&samples, header_hz).unwrap_err();
        assert!(matches!(refusal, BearingError::RateInDoubt { .. }), "{header_hz}: {refusal}");
    }
}

/// At half the true rate each line of a race's comb is there, and lines between them that no race has.
#[test]
fn a_race_at_half_its_rate_is_not_named() {
    for (part, seed) in [(BearingPart::OuterRace, 3), (BearingPart::InnerRace, 4)] {
        let samples = spalled(part, 4.0, 6.0, seed);
        assert_eq!(exam(SHAFT_HZ).examine(&samples, RATE_HZ).unwrap().defect, Some(part));
        let finding = exam(SHAFT_HZ).examine(&samples, RATE_HZ / 2.0).unwrap();
        assert_eq!(finding.defect, None, "{part:?}: {}", finding.in_words());
        let RateCheck::InDoubt(doubt) = finding.rate else { panic!("{part:?}: {finding:#?}") };
        assert!((doubt.seems_hz - RATE_HZ).abs() < 1.0, "{part:?}: {doubt:?}");
    }
}

/// Motors put tones into their vibration, two of which beat at their distance. None of that is a bearing's.
#[test]
fn a_machine_with_tones_and_looseness_has_no_defect() {
    let mut named = 0;
    for seed in 0..5 {
        for geometry in ["6205", "6203"] {
            let machine = Machine { shaft_modulation: 0.3, tones: 4.0, ..Machine::healthy(12_000.0, 60.0, seed) };
            let orders = BearingOrders::of_type(geometry).unwrap();
            let exam = BearingExam { orders, ..exam(machine.shaft_hz) };
            named += usize::from(exam.examine(&machine.vibration(), 12_000.0).unwrap().defect.is_some());
        }
    }
    assert_eq!(named, 0, "of 10");
}

/// Drive end and fan end of a test bench, as simulated: races by their name or not at all.
#[test]
fn races_of_two_bearings_are_named_rightly_or_not_at_all() {
    let (mut right, mut wrong) = (0, 0);
    for seed in 0..5 {
        for geometry in ["6205", "6203"] {
            let orders = BearingOrders::of_type(geometry).unwrap();
            for part in [BearingPart::OuterRace, BearingPart::InnerRace] {
                let machine = Machine { shaft_modulation: 0.2, ..Machine::healthy(12_000.0, 60.0, 40 + seed) };
                let exam = BearingExam { orders, ..exam(machine.shaft_hz) };
                let finding = exam.examine(&machine.damaged(orders, part, 4.0).vibration(), 12_000.0).unwrap();
                right += usize::from(finding.defect == Some(part));
                wrong += usize::from(finding.defect.is_some_and(|named| named != part));
            }
        }
    }
    println!("races: {right} of 20 right, {wrong} wrong");
    assert!(right >= 18 && wrong == 0, "{right} {wrong}");
}
