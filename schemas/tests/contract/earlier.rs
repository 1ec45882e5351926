//! Messages as earlier versions wrote them are still read: topics keep theirs for months, the changelog for good.

use auscult_schemas::{Alert, AlertKind, Audit, Drift, JsonMessage, MachineState, Score, ScorerState};

use crate::json_schemas::validator;

const SCORE: &[u8] = br#"{"id":"fan-07/3/1207/9f86d081884c7d65","machine":"fan-07","chunk_id":"0197f3c2-7a40-7e1b-9d55-3a1f0c8e2b11","chunk":{"topic":"audio.chunks","partition":3,"offset":1207},"time":"2026-03-14T06:05:04.25Z","score":18.75,"channel_scores":[19.5,18.0],"p_value":0.0004,"health_index":21.5,"threshold":12.25,"anomalous":true,"state":"alarm","previous_state":"healthy","bands":[{"hz_low":2812.5,"hz_high":3093.75,"share":0.41},{"hz_low":5625.0,"hz_high":6156.25,"share":0.17}],"quality":["clipped"],"sensor_faults":[{"channel":2,"flags":["clipped"]}],"model":{"id":"fan-07","version":"9f86d081884c7d65"},"feature_spec":"a013315b522e7354ec1dd8ae843609c08cd4d7e5cff8ca8a6ef043d96094e0b8","timings":{"decode_s":0.0008,"log_mel_s":0.0061,"forward_s":0.0024,"decide_s":0.0002}}"#;
const ALERT: &[u8] = br#"{"id":"fan-07/3/1207/9f86d081884c7d65","machine":"fan-07","time":"2026-03-14T06:05:04.25Z","state":"alarm","previous_state":"healthy","previous_since":"2026-03-02T00:00:00Z","since":"2026-03-14T06:04:44.25Z","chunk_id":"0197f3c2-7a40-7e1b-9d55-3a1f0c8e2b11","score":18.75,"threshold":12.25,"p_value":0.0004,"bands":[{"hz_low":2812.5,"hz_high":3093.75,"share":0.41},{"hz_low":5625.0,"hz_high":6156.25,"share":0.17}],"model":{"id":"fan-07","version":"9f86d081884c7d65"}}"#;
const STATE: &[u8] = br#"{"version":1,"machine":"fan-07","model":{"id":"fan-07","version":"9f86d081884c7d65"},"chunks":98761,"recent_scores":[3.25,3.5,17.5,18.75],"alert":{"state":"alarm","since":"2026-03-14T06:04:44.25Z","streak":0},"drift":{"window_start":"2026-03-14T06:04:54.25Z","scores":[17.5,18.75],"band_sum_db":[-110.5,-118.25,-121.0,-124.75]}}"#;

fn read<T: JsonMessage>(schema: &str, value: &[u8]) -> T {
    let json = serde_json::from_slice(value).unwrap();
    validator(schema).validate(&json).unwrap_or_else(|error| panic!("{schema}: {error}"));
    let message = T::decode(value).unwrap();
    assert_eq!(serde_json::to_value(&message).unwrap()["id"], json["id"], "{schema}");
    message
}

#[test]
fn a_score_without_levels_times_and_words_is_read() {
    let score: Score = read("score", SCORE);
    assert_eq!((score.health_index, score.bands[0].level_change_db, score.bands[0].since), (Some(21.5), None, None));
    assert_eq!((score.time_course, score.explanation), (None, None));
}

#[test]
fn an_alert_without_a_kind_is_about_the_machine() {
    let alert: Alert = read("alert", ALERT);
    assert_eq!((alert.kind, alert.score, alert.p_value), (AlertKind::Machine, Some(18.75), Some(0.0004)));
    assert!(alert.sensor_faults.is_empty() && alert.explanation.is_none());
}

#[test]
fn a_changelog_record_that_knows_neither_run_nor_sensors_is_read_and_written_as_it_was() {
    let state: ScorerState = read("scorer-state", STATE);
    assert!(state.deviation.is_none() && state.sensors.is_empty());
    assert_eq!(state.encode().unwrap(), STATE);
}

#[test]
fn a_machine_that_earlier_versions_called_unknown_is_learning() {
    let earlier = String::from_utf8(STATE.to_vec()).unwrap().replace(r#""state":"alarm""#, r#""state":"unknown""#);
    assert_eq!(ScorerState::decode(earlier.as_bytes()).unwrap().alert.state, MachineState::Learning);
}

/// Every message that a golden file of the repository's history has held and no longer holds: `earlier/KIND/COMMIT.json`.
fn of_history(kind: &str) -> Vec<(String, Vec<u8>)> {
    let folder = crate::file(&format!("earlier/{kind}"));
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    found.sort();
    assert!(!found.is_empty(), "{} is empty", folder.display());
    found.into_iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect()
}

/// Whether all that was said is said still; what has been added is let pass.
fn holds(now: &serde_json::Value, earlier: &serde_json::Value) -> bool {
    match (now, earlier) {
        (serde_json::Value::Object(now), serde_json::Value::Object(earlier)) => {
            earlier.iter().all(|(name, value)| now.get(name).is_some_and(|now| holds(now, value)))
        }
        _ => now == earlier,
    }
}

fn nothing_is_lost<T: JsonMessage>(kind: &str) {
    for (file, value) in of_history(kind) {
        let message = T::decode(&value).unwrap_or_else(|error| panic!("{file}: {error}"));
        let earlier = serde_json::from_slice(&value).unwrap();
        let now = serde_json::to_value(&message).unwrap();
        assert!(holds(&now, &earlier), "{file} is read as {now}");
        validator(kind).validate(&earlier).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

#[test]
fn states_that_every_earlier_build_has_written_are_read_whole() {
    nothing_is_lost::<ScorerState>("scorer-state");
}

#[test]
fn messages_that_every_earlier_build_has_written_are_read_whole() {
    nothing_is_lost::<Audit>("audit");
    nothing_is_lost::<Alert>("alert");
    nothing_is_lost::<Score>("score");
    nothing_is_lost::<Drift>("drift");
}
