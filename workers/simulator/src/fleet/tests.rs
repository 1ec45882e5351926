#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::ops::ControlFlow;

use super::*;

fn short() -> FleetSpec {
    FleetSpec {
        days: 0.25,
        failing: vec![FailureSpec { machine: None, fault: Some(Fault::Leak), onset_h: 1.0, failure_h: 5.0 }],
        dead_microphones: vec![DeadMicrophoneSpec { machine: None, fault: crate::MicrophoneFault::Stuck, at_h: 2.0 }],
        environment: vec![EnvironmentSpec { hall: None, spl_db: 76.0, from_h: 3.0, until_h: Some(4.0) }],
        outages: vec![OutageSpec { hall: None, from_h: 5.0, until_h: 5.5 }],
        ..FleetSpec::default()
    }
}

fn played(spec: FleetSpec) -> Vec<(PlannedChunk, Vec<u8>)> {
    let mut chunks = Vec::new();
    let take = |chunk: FleetChunk| {
        chunks.push((chunk.planned, chunk.wav));
        Ok::<_, std::convert::Infallible>(ControlFlow::Continue(()))
    };
    Fleet::new(spec).unwrap().play(take).unwrap();
    chunks
}

#[test]
fn the_same_seed_plays_the_same_bytes_in_the_same_order_and_another_one_others() {
    let first = played(short());
    assert!(first == played(short()));
    assert!(first != played(FleetSpec { seed: 2, ..short() }));
}

#[test]
fn every_machine_sends_as_often_as_the_truth_says_in_its_own_order_and_gateways_mix_them() {
    let fleet = Fleet::new(short()).unwrap();
    let truth = fleet.truth();
    let chunks = played(short());
    assert_eq!(truth.chunks as usize, chunks.len());
    // Six hours, half an hour of them lost.
    assert!(truth.machines.iter().all(|machine| (65..=67).contains(&machine.chunks)), "{truth:?}");
    for (index, machine) in truth.machines.iter().enumerate() {
        let of_machine: Vec<&PlannedChunk> =
            chunks.iter().map(|(planned, _)| planned).filter(|planned| planned.machine == index).collect();
        assert_eq!(of_machine.len() as u64, machine.chunks);
        assert!(of_machine.is_sorted_by(|a, b| a.number < b.number && a.time < b.time));
    }
    assert!(chunks.iter().map(|(planned, _)| planned.delivered).is_sorted());
    let orders = [0, 1].map(|round| fleet.round(round).iter().map(|planned| planned.machine).collect::<Vec<_>>());
    let week = Fleet::new(FleetSpec::built_in("week").unwrap()).unwrap();
    let of_week = [0, 1].map(|round| week.round(round).iter().map(|planned| planned.machine).collect::<Vec<_>>());
    assert_ne!(of_week[0], of_week[1]);
    assert_eq!(orders[0].len(), orders[1].len());
}

#[test]
fn a_fault_grows_from_nothing_to_plainly_broken_at_the_failure() {
    let fleet = Fleet::new(short()).unwrap();
    let failing = fleet.machines().iter().find(|machine| machine.failure.is_some()).unwrap();
    let severity = |hours: f64| failing.condition(fleet.time(hours)).severity;
    assert_eq!([0.0, 1.0, 3.0, 5.0, 5.9].map(severity), [0.0, 0.0, 0.25, 1.0, 1.0]);
    assert!(severity(1.0 + 1.0 / 12.0) < 0.001, "the first faulty chunk is nearly as good as new");
}

#[test]
fn a_stuck_microphone_gives_one_value_and_a_quiet_one_its_own_noise() {
    let sound = vec![0.1_f32; 400];
    let stuck = crate::Microphone::Dead(crate::MicrophoneFault::Stuck).hears(sound.clone(), 1);
    assert!(stuck.iter().all(|&sample| sample == 0.1));
    let quiet = crate::Microphone::Dead(crate::MicrophoneFault::Quiet).hears(sound, 1);
    let peak = quiet.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    assert!(peak > 0.0 && peak < 2e-4 && quiet[0] != quiet[1], "{peak}");
}

#[test]
fn something_new_is_heard_by_its_hall_from_its_beginning_to_its_end() {
    let mut spec = FleetSpec { halls: 2, ..short() };
    spec.environment[0].hall = Some(2);
    let fleet = Fleet::new(spec).unwrap();
    for machine in fleet.machines() {
        let heard =
            [2.9, 3.1, 3.9, 4.1].map(|hours| fleet.circumstances(machine, fleet.time(hours)).newcomer_spl_db.is_some());
        assert_eq!(heard, if machine.hall == 1 { [false, true, true, false] } else { [false; 4] });
    }
    let change = &fleet.truth().environment_changes[0];
    assert_eq!(change.environment, "works/hall-2");
}

#[test]
fn nobody_has_two_fates_and_load_is_never_the_same_for_long() {
    let fleet = Fleet::new(FleetSpec::built_in("week").unwrap()).unwrap();
    assert_eq!(fleet.machines().len(), 100);
    assert_eq!(fleet.truth().chunks, 201_600);
    let failing = fleet.machines().iter().filter(|machine| machine.failure.is_some()).count();
    let dead = fleet.machines().iter().filter(|machine| machine.dead_microphone.is_some()).count();
    let both = fleet.machines().iter().filter(|m| m.failure.is_some() && m.dead_microphone.is_some()).count();
    assert_eq!((failing, dead, both), (3, 2, 0));
    let loads: Vec<f64> =
        (0..48).map(|hour| fleet.circumstances(&fleet.machines()[0], fleet.time(f64::from(hour))).load).collect();
    let (low, high) = loads.iter().fold((f64::MAX, f64::MIN), |(low, high), &load| (low.min(load), high.max(load)));
    assert!(low < -0.5 && high > 0.5 && loads.iter().all(|load| load.abs() <= 1.0), "{low} to {high}");
}

#[test]
fn training_sound_is_normal_and_covers_the_week_before() {
    let fleet = Fleet::new(short()).unwrap();
    let clips: Vec<Vec<u8>> = (0..4).map(|number| fleet.training_wav(0, number, 4)).collect();
    assert!(clips.windows(2).all(|pair| pair[0] != pair[1]));
    assert_eq!(clips[0].len(), 44 + 2 * 8_000);
}

#[test]
fn a_scenario_reads_from_toml_and_says_what_is_wrong_with_it() {
    let text = "
        seed = 7
        days = 2
        fans = 10
        pumps = 0
        valves = 0
        start = '2026-03-01T06:00:00Z'
        [[failing]]
        machine = 'works/hall-1/fan-03'
        fault = 'blade_damage'
        onset_h = 6
        failure_h = 30
        [[dead_microphones]]
        fault = 'quiet'
        at_h = 12.5
    ";
    let fleet = Fleet::new(FleetSpec::from_toml(text).unwrap()).unwrap();
    assert_eq!(fleet.machines()[2].failure.unwrap().fault, Fault::BladeDamage);
    let week = FleetSpec::built_in("week").unwrap();
    assert_eq!(FleetSpec::from_toml(&toml::to_string(&week).unwrap()).unwrap(), week);

    let refusal = |text: &str| Fleet::new(FleetSpec::from_toml(text).unwrap()).unwrap_err().to_string();
    assert!(FleetSpec::from_toml("fan = 3").unwrap_err().to_string().contains("unknown field `fan`"));
    assert!(refusal("days = -1").contains("days is -1"));
    let nobody = "[[failing]]\nmachine = 'fan-99'\nonset_h = 1\nfailure_h = 2";
    assert!(refusal(nobody).contains("no machine fan-99"));
    let foreign = "[[failing]]\nmachine = 'works/hall-1/fan-01'\nfault = 'leak'\nonset_h = 1\nfailure_h = 2";
    assert!(refusal(foreign).contains("one of a valve"));
    assert!(refusal("[[failing]]\nonset_h = 3\nfailure_h = 2").contains("later"));
}
