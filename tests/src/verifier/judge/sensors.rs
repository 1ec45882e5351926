//! Machines whose sensors fail: what the verifier expects of them, and what it finds where a worker does otherwise.

use auscult_schemas::topics::{ALERTS, CHUNKS, FEATURES, SCORER_STATE, SCORES};
use auscult_schemas::{Alert, AlertKind, ChunkId, Envelope, Features, MachineId, MachineState, QualityFlag, Score};
use bytes::Bytes;
use jiff::{Timestamp, ToSpan};

use super::ideal::{push, replay, work};
use super::{TopicRecord, Topics, Verdict, judge};

const SAMPLES: usize = 4_800;

/// Sound of so many microphones, of which some are muted, as `audio/L16`.
fn sound(number: usize, channels: usize, muted: &[usize]) -> Bytes {
    let mut state = number as u32 * 2_654_435_761 + 1;
    let mut bytes = Vec::with_capacity(2 * SAMPLES * channels);
    for index in 0..SAMPLES {
        for channel in 0..channels {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = ((state >> 8) as f32 / 16_777_216.0 - 0.5) * 0.3;
            let tone = (std::f32::consts::TAU * 94.0 * index as f32 / 16_000.0).sin();
            let sample = if muted.contains(&channel) { 0.0 } else { 0.25 * tone + noise };
            bytes.extend(((sample * 32_767.0) as i16).to_be_bytes());
        }
    }
    bytes.into()
}

/// A run of one machine with two microphones; which are muted in which chunk.
fn run(muted: &[&[usize]]) -> Topics {
    let machine = MachineId::new("run-m01").unwrap();
    let mut topics = Topics::default();
    for (number, muted) in muted.iter().enumerate() {
        let envelope = Envelope {
            id: ChunkId(format!("{machine}/{number}")),
            source: "/auscult/load".to_owned(),
            event_type: Envelope::CHUNK.to_owned(),
            time: Timestamp::UNIX_EPOCH + (10 * number as i64).seconds(),
            machine: machine.clone(),
            content_type: "audio/L16;rate=16000;channels=2".to_owned(),
            traceparent: None,
        };
        let key = Some(Bytes::from(machine.as_str().to_owned()));
        push(&mut topics, CHUNKS, 0, key, Some(sound(number, 2, muted)), envelope.headers());
    }
    work(&mut topics);
    topics
}

/// One microphone fails, then the other as well, then both hear again.
fn failing() -> Topics {
    let (well, one, both): (&[usize], &[usize], &[usize]) = (&[], &[1], &[0, 1]);
    run(&[[well; 2].as_slice(), &[one; 4], &[both; 4], &[well; 6]].concat())
}

fn values<T: serde::de::DeserializeOwned>(records: &[TopicRecord]) -> Vec<T> {
    records.iter().map(|record| serde_json::from_slice(record.value.as_deref().unwrap()).unwrap()).collect()
}

fn verdict_of(doctor: impl FnOnce(&mut Topics)) -> Verdict {
    let mut topics = failing();
    doctor(&mut topics);
    judge(&topics, &mut replay())
}

fn alter<T: serde::de::DeserializeOwned + serde::Serialize>(record: &mut TopicRecord, change: impl FnOnce(&mut T)) {
    let mut value: T = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
    change(&mut value);
    record.value = Some(serde_json::to_vec(&value).unwrap().into());
}

#[test]
fn faulty_channels_are_left_out_and_sensors_reported_and_such_a_run_is_clean() {
    let topics = failing();
    let scores: Vec<Score> = values(topics.of(SCORES));
    let judged: Vec<usize> = scores.iter().map(|score| score.channel_scores.len()).collect();
    assert_eq!(judged, [2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2]);
    assert!(scores.iter().all(|score| score.health_index.is_some() == (score.state != MachineState::SensorFault)));
    let alerts: Vec<Alert> = values(topics.of(ALERTS));
    let sensors: Vec<&Alert> = alerts.iter().filter(|alert| alert.kind == AlertKind::Sensor).collect();
    let faulty: Vec<usize> = sensors.iter().map(|alert| alert.sensor_faults.len()).collect();
    assert_eq!(faulty, [1, 2, 0], "{sensors:?}");
    assert_eq!(sensors[1].state, MachineState::SensorFault);
    let verdict = judge(&topics, &mut replay());
    assert!(verdict.is_clean(), "{verdict}");
}

#[test]
fn sensor_faults_that_a_feature_worker_left_out_or_made_up_are_wrong() {
    for made_up in [false, true] {
        let verdict = verdict_of(|topics| {
            // From the features on, this is another run: only what is said of this message is looked at.
            let message = &mut topics.0.get_mut(FEATURES).unwrap()[2];
            let mut features = Features::decode(message.value.as_deref().unwrap()).unwrap();
            if made_up {
                features.metadata.sensor_faults[0].flags = vec![QualityFlag::MainsHum];
            } else {
                features.metadata.sensor_faults.clear();
            }
            message.value = Some(features.encode().unwrap());
        });
        let named = verdict.wrong.iter().any(|finding| finding.0.contains("the sensor faults are not those"));
        assert!(named, "{verdict}");
    }
}

#[test]
fn a_score_of_a_channel_that_is_at_fault_is_wrong() {
    let verdict = verdict_of(|topics| {
        let score = &mut topics.0.get_mut(SCORES).unwrap()[3];
        alter::<Score>(score, |score| score.channel_scores.push(1.0));
    });
    assert_eq!(verdict.wrong.len(), 1, "{verdict}");
}

#[test]
fn a_machine_that_nobody_hears_but_is_called_healthy_is_wrong() {
    let verdict = verdict_of(|topics| {
        let score = &mut topics.0.get_mut(SCORES).unwrap()[7];
        alter::<Score>(score, |score| score.health_index = Some(100.0));
    });
    assert_eq!(verdict.wrong.len(), 1, "{verdict}");
}

#[test]
fn an_explanation_that_its_numbers_do_not_give_is_wrong() {
    let verdict = verdict_of(|topics| {
        let score = &mut topics.0.get_mut(SCORES).unwrap()[7];
        alter::<Score>(score, |score| score.explanation = Some("all is well".to_owned()));
    });
    assert_eq!(verdict.wrong.len(), 1, "{verdict}");
    assert!(verdict.wrong[0].0.contains("explanation"), "{verdict}");
}

#[test]
fn a_sensor_s_alert_that_is_not_there_is_lost_and_one_too_many_doubled() {
    let position = |topics: &Topics| {
        values::<Alert>(topics.of(ALERTS)).iter().position(|alert| alert.kind == AlertKind::Sensor).unwrap()
    };
    let verdict = verdict_of(|topics| {
        let index = position(topics);
        topics.0.get_mut(ALERTS).unwrap().remove(index);
    });
    assert_eq!((verdict.lost.len(), verdict.wrong.len()), (1, 0), "{verdict}");
    let verdict = verdict_of(|topics| {
        let index = position(topics);
        let alerts = topics.0.get_mut(ALERTS).unwrap();
        let again = alerts[index].clone();
        alerts.insert(index + 1, again);
    });
    assert_eq!((verdict.doubled.len(), verdict.wrong.len()), (1, 0), "{verdict}");
}

#[test]
fn sensors_that_the_changelog_forgets_are_a_mismatch() {
    let mut topics = run(&[&[], &[1], &[1], &[1]]);
    let last = topics.0.get_mut(SCORER_STATE).unwrap().last_mut().unwrap();
    alter::<auscult_schemas::ScorerState>(last, |state| state.sensors.clear());
    let verdict = judge(&topics, &mut replay());
    assert_eq!(verdict.state_mismatches.len(), 1, "{verdict}");
}
