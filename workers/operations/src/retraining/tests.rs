use auscult_schemas::{
    ChunkId, FeatureSpec, FeaturesMetadata, QualityFlag, RecordCoordinates, SensorFault, StageTimings,
};
use jiff::SignedDuration;

use super::*;

fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
}

fn chunk(machine: &str, minutes: i64, faults: Vec<SensorFault>) -> (Envelope, Features) {
    let envelope = Envelope {
        id: ChunkId(format!("{machine}/{minutes:05}")),
        source: "test".to_owned(),
        event_type: Envelope::FEATURES.to_owned(),
        content_type: "application/octet-stream".to_owned(),
        machine: MachineId::new(machine).unwrap(),
        time: at(minutes),
        traceparent: None,
    };
    let features = Features {
        metadata: FeaturesMetadata {
            feature_spec: FeatureSpec::default().hash(),
            chunk: RecordCoordinates { topic: "audio.chunks".to_owned(), partition: 0, offset: minutes },
            duration_s: 1.0,
            source_rate_hz: 16_000,
            quality: Vec::new(),
            sensor_faults: faults,
            levels: None,
            timings: StageTimings::default(),
        },
        channels: 1,
        frames: 2,
        mels: 3,
        values: vec![minutes as f32; 6].into(),
    };
    (envelope, features)
}

fn wanted(clips: usize) -> SampleRequest {
    SampleRequest {
        since: at(100),
        until: at(1_100),
        machines: "works/hall-1/".to_owned(),
        spec: FeatureSpec::default().hash(),
        clips,
        seed: 0,
        channels: None,
        left_out: HashSet::new(),
    }
}

fn gathered(wanted: SampleRequest, chunks: impl Iterator<Item = (Envelope, Features)>) -> ChunkSampler {
    let mut gathered = ChunkSampler::new(wanted);
    for (envelope, features) in chunks {
        if gathered.wants(&envelope) {
            gathered.take(&envelope, &features);
        }
    }
    gathered
}

#[test]
fn an_even_sample_of_the_time_asked_for_is_kept_and_the_same_one_every_time() {
    let chunks = || {
        let of = |machine: &'static str| (0..2_000).map(move |minutes| chunk(machine, minutes, Vec::new()));
        of("works/hall-1/fan-01").chain(of("works/hall-2/fan-01"))
    };
    let machines = gathered(wanted(200), chunks()).into_machines();
    assert_eq!(machines.keys().map(MachineId::as_str).collect::<Vec<_>>(), ["works/hall-1/fan-01"]);
    let sent = machines.values().next().unwrap();
    assert_eq!((sent.heard, sent.unheard, sent.clips.len()), (1_000, 0, 200));
    let minutes: Vec<f32> = sent.clips.iter().map(|clip| clip.channels[0][[0, 0]]).collect();
    assert!(minutes.iter().all(|minutes| (100.0..1_100.0).contains(minutes)));
    // Of 200 even draws 100 are expected in each half, with a standard deviation of 6.3.
    let late = minutes.iter().filter(|minutes| **minutes >= 600.0).count();
    assert!((70..=130).contains(&late), "{late} of 200 in the second half");

    let names = |machines: &BTreeMap<MachineId, MachineSample>| -> Vec<String> {
        machines.values().flat_map(|sent| sent.clips.iter().map(|clip| clip.name.clone())).collect()
    };
    assert_eq!(names(&gathered(wanted(200), chunks()).into_machines()), names(&machines));
    assert_ne!(names(&gathered(SampleRequest { seed: 1, ..wanted(200) }, chunks()).into_machines()), names(&machines));
}

#[test]
fn chunks_that_no_sensor_heard_and_features_of_another_spec_are_counted_and_not_learnt() {
    let stuck = || vec![SensorFault { channel: 0, flags: vec![QualityFlag::Stuck] }];
    let mut chunks: Vec<_> = (100..110).map(|minutes| chunk("works/hall-1/fan-01", minutes, Vec::new())).collect();
    chunks.extend((110..115).map(|minutes| chunk("works/hall-1/fan-01", minutes, stuck())));
    let mut other = chunk("works/hall-1/fan-01", 120, Vec::new());
    other.1.metadata.feature_spec = FeatureSpec { n_mels: 128, ..FeatureSpec::default() }.hash();
    chunks.push(other);
    let gathered = gathered(wanted(50), chunks.into_iter());
    assert_eq!((gathered.of_another_spec, gathered.chunks()), (1, 15));
    let sent = gathered.into_machines().into_values().next().unwrap();
    assert_eq!((sent.heard, sent.unheard, sent.clips.len()), (10, 5, 10));
}

fn alert(machine: &str, minutes: i64, previous_state: MachineState, state: MachineState) -> Alert {
    let text = format!(
        r#"{{"id":"x","kind":"machine","machine":"{machine}","time":"{time}","state":"{}","previous_state":"{}","since":"{time}",
            "chunk_id":"c","threshold":1.0,"bands":[],"model":{{"id":"m","version":"v"}}}}"#,
        state.as_str(),
        previous_state.as_str(),
        time = at(minutes),
    );
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_machine_that_was_in_alarm_at_any_moment_of_the_time_is_named() {
    use MachineState::{Acknowledged, Alarm, Healthy, Silent, Warning};
    let alerts = [
        alert("over-before", 10, Warning, Alarm),
        alert("over-before", 90, Alarm, Healthy),
        alert("over-within", 10, Warning, Alarm),
        alert("over-within", 150, Alarm, Healthy),
        alert("begun-within", 500, Warning, Alarm),
        alert("begun-within", 600, Alarm, Acknowledged),
        alert("begun-within", 700, Acknowledged, Healthy),
        alert("stands-throughout", 10, Warning, Alarm),
        alert("silent-meanwhile", 10, Warning, Alarm),
        alert("silent-meanwhile", 20, Alarm, Silent),
        alert("silent-meanwhile", 500, Silent, Healthy),
        alert("begun-after", 1_100, Warning, Alarm),
        alert("warned-only", 500, Healthy, Warning),
    ];
    let named = machines_in_alarm(alerts.iter(), at(100), at(1_100));
    let named: Vec<&str> = named.iter().map(MachineId::as_str).collect();
    assert_eq!(named, ["begun-within", "over-within", "silent-meanwhile", "stands-throughout"]);
}

#[test]
fn chunks_of_a_machine_at_rest_and_chunks_without_a_chosen_channel_teach_nothing() {
    let chunks = || (100..200).map(|minutes| chunk("works/hall-1/fan-01", minutes, Vec::new()));
    let at_rest = (100..140).map(|offset| RecordCoordinates { topic: "audio.chunks".to_owned(), partition: 0, offset });
    let rested = SampleRequest { left_out: at_rest.collect(), ..wanted(200) };
    let sent = gathered(rested, chunks()).into_machines().into_values().next().unwrap();
    assert_eq!((sent.heard, sent.at_rest, sent.lacking), (60, 40, 0));
    assert!(sent.clips.iter().all(|clip| clip.name.as_str() >= "works/hall-1/fan-01/00140"));

    let second = SampleRequest { channels: Some(vec![1]), ..wanted(200) };
    let sent = gathered(second, chunks()).into_machines().into_values().next().unwrap();
    assert_eq!((sent.heard, sent.lacking), (0, 100));

    let two = chunks().map(|(envelope, features)| (envelope, Features { channels: 2, frames: 1, ..features }));
    let second = SampleRequest { channels: Some(vec![1]), ..wanted(200) };
    let sent = gathered(second, two).into_machines().into_values().next().unwrap();
    assert_eq!((sent.heard, sent.clips[0].numbers.as_slice(), sent.clips[0].channels.len()), (100, &[1][..], 1));
}
