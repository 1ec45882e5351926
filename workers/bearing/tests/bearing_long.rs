//! Simulated bearings in recordings of 300 turns, with what machines have besides: looseness, strong unbalance, a speed
//! that is not the stated one.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/bearing_machine.rs"]
mod bearing_machine;

use auscult_bearing::{BearingExam, BearingFinding, BearingOrders, BearingPart};
use bearing_machine::Machine;

/// `stated`: the speed that is stated, as a multiple of the true one.
fn examined(machine: &Machine, geometry: &str, stated: f64) -> BearingFinding {
    let orders = BearingOrders::of_type(geometry).unwrap();
    let exam = BearingExam { orders, shaft_hz: machine.shaft_hz * stated, slip: BearingExam::DEFAULT_SLIP };
    exam.examine(&machine.vibration(), machine.rate_hz).unwrap()
}

fn machine(rate_hz: f64, seed: u64) -> Machine {
    Machine { shaft_modulation: 0.2, tones: 3.0, ..Machine::healthy(rate_hz, 300.0, seed) }
}

/// Unbalance carries the load round, so that an outer race has sidebands one turn away. With a strong defect all of
/// these stand so high that a finer comb fits, too: its lines between are lower, and the rate is right.
#[test]
fn strong_races_leave_the_rate_in_no_doubt() {
    let mut named = Vec::new();
    for (geometry, seed) in [("6205", 1), ("6205", 2), ("6203", 3), ("6203", 4)] {
        let orders = BearingOrders::of_type(geometry).unwrap();
        let outer = Machine { outer_depth: Some(0.8), ..machine(12_000.0, seed) };
        for (part, machine) in [(BearingPart::OuterRace, outer), (BearingPart::InnerRace, machine(12_000.0, seed))] {
            let finding = examined(&machine.damaged(orders, part, 30.0), geometry, 1.0);
            println!("{geometry} {seed} {part:?}: {}", finding.in_words());
            named.push((part, finding.verdict()));
        }
    }
    let right = named.iter().filter(|(part, verdict)| part.as_str() == verdict).count();
    let questioned = named.iter().filter(|(_, verdict)| verdict == "rate in doubt").count();
    assert!(right >= 7 && questioned == 0, "{named:?}");
}

/// The stated speed is often the nominal one. The shaft's own lines tell the true one, and strikes are held against
/// that.
#[test]
fn the_true_speed_is_found_by_the_shafts_lines() {
    let orders = BearingOrders::of_type("6205").unwrap();
    for (seed, stated) in [(11, 1.015), (12, 0.985), (13, 1.012)] {
        for part in [BearingPart::OuterRace, BearingPart::InnerRace] {
            let machine = Machine { looseness: 4.0, ..machine(12_000.0, seed) }.damaged(orders, part, 10.0);
            let finding = examined(&machine, "6205", stated);
            let found_hz = finding.shaft_found_hz.unwrap_or(finding.shaft_hz);
            assert!((found_hz / machine.shaft_hz - 1.0).abs() < 0.001, "{seed}: {found_hz} {}", finding.in_words());
            assert_eq!(finding.defect, Some(part), "{seed}: {}", finding.in_words());
            assert!(finding.in_words().contains("the shaft's lines stand at"), "{}", finding.in_words());
        }
    }
    // A speed that is right stays as it is stated.
    let right = examined(&Machine { looseness: 4.0, ..machine(12_000.0, 14) }, "6205", 1.0);
    assert_eq!(right.shaft_found_hz, None, "{}", right.in_words());
}

/// With 1 % of slip a 6203's inner race would be struck 5.0 times a turn, and its ball strikes 4.0 times: looseness has
/// lines there.
#[test]
fn looseness_is_no_race_of_a_6203() {
    for (rate_hz, seed) in [(10_000.0, 7_012), (12_000.0, 7_028), (20_000.0, 7_060)] {
        let finding = examined(&Machine { looseness: 8.0, ..machine(rate_hz, seed) }, "6203", 0.991);
        assert_eq!(finding.defect, None, "{seed}: {}", finding.in_words());
    }
}
