use super::*;

fn level_db(samples: &[f32]) -> f64 {
    let power = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / samples.len() as f64;
    10.0 * power.log10()
}

#[test]
fn the_same_chunk_is_the_same_sound_in_any_order() {
    for kind in MachineKind::ALL {
        let machine = Machine::new(kind, "m", 7);
        let fifth = machine.chunk(5, Condition::NORMAL);
        let _ = machine.chunk(6, Condition::NORMAL);
        assert_eq!(machine.chunk(5, Condition::NORMAL), fifth, "{kind}");
        assert_ne!(machine.chunk(6, Condition::NORMAL), fifth, "{kind}: chunks differ");
        assert_ne!(Machine::new(kind, "m", 8).chunk(5, Condition::NORMAL), fifth, "{kind}: seeds differ");
        assert_ne!(Machine::new(kind, "n", 7).chunk(5, Condition::NORMAL), fifth, "{kind}: machines differ");
    }
}

#[test]
fn chunks_have_the_length_asked_for_and_stay_well_within_full_scale() {
    for kind in MachineKind::ALL {
        let faults = kind.faults().iter().map(|&fault| Condition::faulty(fault, 1.0));
        for condition in faults.chain([Condition::NORMAL]) {
            let chunk = Machine::new(kind, "m", 1).with_chunk_seconds(3.5).chunk(0, condition);
            assert_eq!(chunk.len(), 56_000);
            let peak = chunk.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
            assert!(peak < 0.7, "{kind} {condition:?} peaks at {peak}");
            let level = level_db(&chunk);
            assert!((-55.0..-25.0).contains(&level), "{kind} {condition:?} at {level:.1} dBFS");
        }
    }
}

#[test]
fn normal_sound_varies_from_chunk_to_chunk_but_not_wildly() {
    for kind in MachineKind::ALL {
        let machine = Machine::new(kind, "m", 3);
        let levels: Vec<f64> = (0..40).map(|index| level_db(&machine.chunk(index, Condition::NORMAL))).collect();
        let (low, high) = levels.iter().fold((f64::MAX, f64::MIN), |(low, high), &db| (low.min(db), high.max(db)));
        assert!((0.5..8.0).contains(&(high - low)), "{kind}: from {low:.1} to {high:.1} dBFS");
    }
}

#[test]
fn a_fault_without_severity_is_normal_sound_and_one_with_it_is_not() {
    for kind in MachineKind::ALL {
        let machine = Machine::new(kind, "m", 2);
        let normal = machine.chunk(9, Condition::NORMAL);
        for &fault in kind.faults() {
            assert_eq!(machine.chunk(9, Condition::faulty(fault, 0.0)), normal, "{fault}");
            assert_ne!(machine.chunk(9, Condition::faulty(fault, 0.1)), normal, "{fault}");
        }
    }
}

#[test]
fn a_fault_sets_in_at_its_chunk_and_grows_to_full_severity() {
    let machine = Machine::new(MachineKind::Pump, "p", 1);
    let plan = MachinePlan { machine, onset: Some(Onset { fault: Fault::Cavitation, at_chunk: 4, growth_chunks: 3 }) };
    let severities: Vec<f64> = (0..9).map(|chunk| plan.condition(chunk).severity).collect();
    assert_eq!(severities, [0.0, 0.0, 0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0]);
    assert!(!plan.condition(3).is_faulty() && plan.condition(4).is_faulty());
}

#[test]
fn the_stream_hands_out_every_machine_in_every_round_and_never_training_sound() {
    let scenario = Scenario::demo(1, 2);
    let stream: Vec<(usize, u64)> = scenario.stream().map(|chunk| (chunk.machine, chunk.index)).collect();
    let expected: Vec<(usize, u64)> = (0..2).flat_map(|index| (0..6).map(move |machine| (machine, index))).collect();
    assert_eq!(stream, expected);
    assert_ne!(scenario.training_chunk(1, 0), scenario.stream_chunk(1, 0).samples);
}

#[test]
#[should_panic(expected = "cavitation is no fault of a fan")]
fn a_fan_cannot_cavitate() {
    let _ = Machine::new(MachineKind::Fan, "f", 1).chunk(0, Condition::faulty(Fault::Cavitation, 1.0));
}

#[test]
fn a_wav_has_its_header_and_every_sample() {
    let bytes = wav_bytes(&[0.0, 0.5, -1.0, 2.0], 16_000);
    assert_eq!(bytes.len(), 44 + 8);
    assert_eq!(&bytes[..4], b"RIFF");
    assert_eq!(u32::from_le_bytes(bytes[4..8].try_into().unwrap()), 44);
    assert_eq!(u32::from_le_bytes(bytes[24..28].try_into().unwrap()), 16_000);
    assert_eq!(&bytes[44..], [0, 0, 0, 0x40, 0, 0x80, 0xff, 0x7f]);
}
