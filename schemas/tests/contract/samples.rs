//! One message of each kind, as its producer would send it.

use auscult_schemas::{
    Alert, AlertKind, AlertMemory, Audit, AuditAction, BandMemory, ChartMemory, ChartReading, ChunkId, Classification,
    Control, ControlAction, DeadLetter, DeadLetterCode, DeviatingBand, DeviationMemory, Drift, DriftChange, DriftChart,
    DriftEpisode, DriftMemory, Envelope, EnvironmentChange, FeatureSpec, Features, FeaturesMetadata, Headers,
    JsonMessage, Judging, Label, LevelMemory, MachineId, MachineState, MeasuredLevels, ModelAssignment, ModelId,
    ModelRef, Note, NoteKind, QualityFlag, QualityRate, Quantity, RecordCoordinates, Relearning, Score, ScorerState,
    SensorFault, SensorMemory, SetupMemory, SetupNote, StageTimings, Standing, ThresholdAdjustment, ThresholdEdit,
    TimeCourse, Unit, Verdict, topics,
};
use bytes::Bytes;

/// A record as it lies on a topic.
pub struct Sample {
    /// Folder below `golden/`.
    pub folder: &'static str,
    pub topic: &'static str,
    pub key: &'static str,
    pub headers: Headers,
    /// How the value's file is called.
    pub value_file: &'static str,
    pub value: Bytes,
}

const MACHINE: &str = "fan-07";
const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// Every golden message.
pub fn all() -> Vec<Sample> {
    let sound = Bytes::from(wav());
    let mut plain = Headers::default();
    plain.push("content-type", "audio/wav");
    let mut dead = envelope(Envelope::CHUNK, "audio/wav").headers();
    dead_letter().append_to(&mut dead);
    vec![
        sample("chunk-wav", topics::CHUNKS, chunk_headers("audio/wav"), "value.wav", sound.clone()),
        sample("chunk-plain", topics::CHUNKS, plain, "value.wav", sound.clone()),
        sample(
            "chunk-l16",
            topics::CHUNKS,
            chunk_headers("audio/L16;rate=16000;channels=2"),
            "value.l16",
            Bytes::from(samples().iter().flat_map(|sample| sample.to_be_bytes()).collect::<Vec<u8>>()),
        ),
        sample(
            "features",
            topics::FEATURES,
            envelope(Envelope::FEATURES, Envelope::ARROW_STREAM).headers(),
            "value.arrows",
            features().encode().unwrap(),
        ),
        json("score", topics::SCORES, &score()),
        json("alert", topics::ALERTS, &alert()),
        json("alert-sensor", topics::ALERTS, &sensor_alert()),
        json("alert-environment", topics::ALERTS, &environment_alert()),
        json("alert-setup", topics::ALERTS, &setup_alert()),
        control_record("control", topics::CHUNKS, &control(set_threshold())),
        control_record("control-acknowledge", topics::FEATURES, &control(ControlAction::Acknowledge)),
        json("audit", topics::AUDIT, &audit()),
        json("drift", topics::DRIFT, &drift()),
        json("label", topics::LABELS, &label()),
        json("scorer-state", topics::SCORER_STATE, &scorer_state()),
        json("model", topics::MODELS, &model_assignment()),
        sample("dead-letter", topics::DEAD_LETTERS, dead, "value.wav", sound.slice(..50)),
    ]
}

fn sample(
    folder: &'static str,
    topic: &'static str,
    headers: Headers,
    value_file: &'static str,
    value: Bytes,
) -> Sample {
    Sample { folder, topic, key: MACHINE, headers, value_file, value }
}

fn json<T: JsonMessage>(folder: &'static str, topic: &'static str, message: &T) -> Sample {
    let event_type = T::EVENT_TYPE.expect("a message of its own");
    sample(folder, topic, envelope(event_type, Envelope::JSON).headers(), "value.json", message.encode().unwrap())
}

/// A control message says by its content type that it is one.
fn control_record(folder: &'static str, topic: &'static str, message: &Control) -> Sample {
    let headers = envelope(Envelope::CONTROL, Envelope::CONTROL_JSON).headers();
    sample(folder, topic, headers, "value.json", message.encode().unwrap())
}

pub fn machine() -> MachineId {
    MachineId::new(MACHINE).unwrap()
}

pub fn coordinates() -> RecordCoordinates {
    RecordCoordinates { topic: topics::CHUNKS.to_owned(), partition: 3, offset: 1207 }
}

pub fn envelope(event_type: &str, content_type: &str) -> Envelope {
    Envelope {
        id: ChunkId("0197f3c2-7a40-7e1b-9d55-3a1f0c8e2b11".to_owned()),
        source: "/plant/hall-2/gateway-1".to_owned(),
        event_type: event_type.to_owned(),
        time: "2026-03-14T06:05:04.25Z".parse().unwrap(),
        machine: machine(),
        content_type: content_type.to_owned(),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
    }
}

fn chunk_headers(content_type: &str) -> Headers {
    envelope(Envelope::CHUNK, content_type).headers()
}

/// Sixteen samples of two channels.
fn samples() -> [i16; 32] {
    std::array::from_fn(|index| (index as i16 - 16) * 512)
}

/// The same as a WAV of 16 kHz, 16 bit, two channels.
fn wav() -> Vec<u8> {
    let data: Vec<u8> = samples().iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + data.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    wav.extend(1_u16.to_le_bytes()); // PCM
    wav.extend(2_u16.to_le_bytes()); // channels
    wav.extend(16_000_u32.to_le_bytes()); // frames a second
    wav.extend(64_000_u32.to_le_bytes()); // bytes a second
    wav.extend(4_u16.to_le_bytes()); // bytes a frame
    wav.extend(16_u16.to_le_bytes()); // bits a sample
    wav.extend(b"data");
    wav.extend((data.len() as u32).to_le_bytes());
    wav.extend(data);
    wav
}

pub fn timings() -> StageTimings {
    StageTimings {
        decode_s: Some(0.0008),
        resample_s: None,
        log_mel_s: Some(0.0061),
        forward_s: Some(0.0024),
        decide_s: Some(0.0002),
    }
}

/// Two channels of three frames of four mel bands.
pub fn features() -> Features {
    let values: Vec<f32> = (0..24).map(|index| index as f32 * 0.5 - 60.0).collect();
    Features { metadata: features_metadata(), channels: 2, frames: 3, mels: 4, values: values.into() }
}

pub fn features_metadata() -> FeaturesMetadata {
    FeaturesMetadata {
        feature_spec: FeatureSpec::default().hash(),
        chunk: coordinates(),
        duration_s: 10.0,
        source_rate_hz: 48_000,
        quality: vec![QualityFlag::Resampled],
        sensor_faults: Vec::new(),
        levels: None,
        timings: StageTimings { resample_s: Some(0.0019), forward_s: None, decide_s: None, ..timings() },
    }
}

fn bands() -> Vec<DeviatingBand> {
    vec![
        DeviatingBand {
            hz_low: 2812.5,
            hz_high: 3093.75,
            share: 0.41,
            level_change_db: Some(8.75),
            since: Some("2026-03-14T06:04:44.25Z".parse().unwrap()),
        },
        DeviatingBand {
            hz_low: 5625.0,
            hz_high: 6156.25,
            share: 0.17,
            level_change_db: Some(-6.25),
            since: Some("2026-03-14T06:04:54.25Z".parse().unwrap()),
        },
    ]
}

const EXPLANATION: &str = "+9 dB around 2.8–3.1 kHz, since 06:04 UTC; −6 dB around 5.6–6.2 kHz, since 06:04 UTC";

pub fn model() -> ModelRef {
    ModelRef { id: ModelId("fan-07".to_owned()), version: SHA256[..16].to_owned() }
}

pub fn score() -> Score {
    Score {
        id: Score::deterministic_id(&machine(), &coordinates(), &model()),
        machine: machine(),
        chunk_id: ChunkId("0197f3c2-7a40-7e1b-9d55-3a1f0c8e2b11".to_owned()),
        chunk: coordinates(),
        time: "2026-03-14T06:05:04.25Z".parse().unwrap(),
        score: 18.75,
        channel_scores: vec![19.5, 18.0],
        p_value: 0.0004,
        health_index: Some(21.5),
        threshold: 12.25,
        threshold_by: Some("night shift".to_owned()),
        anomalous: true,
        state: MachineState::Alarm,
        previous_state: MachineState::Healthy,
        bands: bands(),
        time_course: Some(TimeCourse { slice_s: 2.5, shares: vec![0.0625, 0.75, 0.125, 0.0625] }),
        explanation: Some(format!(
            "{EXPLANATION}; most of it between 2.5 and 5.0 s of the clip; left out: channel 3, at fault since 05:00 UTC"
        )),
        quality: vec![QualityFlag::Clipped],
        sensor_faults: vec![SensorFault { channel: 2, flags: vec![QualityFlag::Clipped] }],
        sensor_faults_since: Some("2026-03-14T05:00:04.25Z".parse().unwrap()),
        notes: vec![note()],
        quantity: Some(Quantity::Vibration),
        levels: Some(MeasuredLevels { unit: Unit::new("m/s²"), channels: vec![0, 2, 3], rms: vec![4.25, 4.0, 50.0] }),
        model: model(),
        feature_spec: FeatureSpec::default().hash(),
        timings: timings(),
    }
}

pub fn alert() -> Alert {
    let score = score();
    Alert {
        id: score.id,
        kind: AlertKind::Machine,
        machine: score.machine,
        time: score.time,
        state: score.state,
        previous_state: score.previous_state,
        previous_since: Some("2026-03-02T00:00:00Z".parse().unwrap()),
        previous_seconds: Some(1_058_704.25),
        classification: Some(Classification::Persistent),
        muted: true,
        by: None,
        environment: None,
        since: "2026-03-14T06:04:44.25Z".parse().unwrap(),
        chunk_id: score.chunk_id,
        score: Some(score.score),
        threshold: score.threshold,
        p_value: Some(score.p_value),
        bands: score.bands,
        sensor_faults: Vec::new(),
        sensors_well_again: Vec::new(),
        notes: Vec::new(),
        quantity: None,
        explanation: Some(EXPLANATION.to_owned()),
        model: score.model,
    }
}

pub fn sensor_alert() -> Alert {
    Alert {
        id: format!("{}/sensor", alert().id),
        kind: AlertKind::Sensor,
        state: MachineState::Alarm,
        previous_state: MachineState::Alarm,
        previous_since: None,
        previous_seconds: None,
        classification: None,
        muted: false,
        score: None,
        p_value: None,
        bands: Vec::new(),
        sensor_faults: score().sensor_faults,
        sensors_well_again: vec![1],
        explanation: Some("microphone 2 hears again; at fault: microphone 3: clipped".to_owned()),
        ..alert()
    }
}

fn note() -> Note {
    Note {
        kind: NoteKind::Setup(SetupNote::Shorter),
        words: "chunks of 0.56 s, learned with 2.8 s".to_owned(),
        remedy: "send chunks of 2.8 s, or train the model with clips of 0.56 s".to_owned(),
    }
}

pub fn setup_alert() -> Alert {
    Alert {
        id: format!("{}/setup", alert().id),
        kind: AlertKind::Setup,
        state: MachineState::SetupFault,
        sensor_faults: Vec::new(),
        sensors_well_again: Vec::new(),
        notes: vec![note()],
        quantity: Some(Quantity::Vibration),
        explanation: Some(
            "chunks of 0.56 s, learned with 2.8 s, since 06:04 UTC: send chunks of 2.8 s, or train the model with clips of \
             0.56 s; until then the machine is not judged"
                .to_owned(),
        ),
        ..sensor_alert()
    }
}

pub fn environment_alert() -> Alert {
    Alert {
        id: format!("{}/environment", alert().id),
        kind: AlertKind::Environment,
        machine: MachineId::new("plant/hall-2").unwrap(),
        state: MachineState::Warning,
        previous_state: MachineState::Healthy,
        previous_since: None,
        previous_seconds: None,
        classification: None,
        muted: false,
        environment: Some(EnvironmentChange {
            environment: "plant/hall-2".to_owned(),
            machines_affected: 11,
            machines_heard: 12,
            since: "2026-03-14T06:04:44.25Z".parse().unwrap(),
        }),
        score: None,
        p_value: None,
        bands: Vec::new(),
        explanation: Some("11 of 12 machines of plant/hall-2 sound otherwise, since 06:04 UTC".to_owned()),
        ..alert()
    }
}

pub fn set_threshold() -> ControlAction {
    ControlAction::SetThreshold { threshold: Some(14.5), factor: None }
}

pub fn control(action: ControlAction) -> Control {
    Control {
        machine: machine(),
        id: Some("shift-book-4711".to_owned()),
        by: "night shift".to_owned(),
        at: Some("2026-03-14T06:04:58Z".parse().unwrap()),
        action,
    }
}

pub fn audit() -> Audit {
    let before = Judging {
        state: MachineState::Alarm,
        threshold: 12.25,
        threshold_by: None,
        muted: true,
        muted_until: Some("2026-03-14T14:00:00Z".parse().unwrap()),
        maintenance_until: None,
        idle: true,
        idle_until: Some("2026-03-14T14:00:00Z".parse().unwrap()),
    };
    Audit {
        id: "fan-07/3/1208/control".to_owned(),
        machine: machine(),
        time: "2026-03-14T06:04:58Z".parse().unwrap(),
        by: "night shift".to_owned(),
        control_id: Some("shift-book-4711".to_owned()),
        action: AuditAction::Control(set_threshold()),
        after: Judging { threshold: 14.5, threshold_by: Some("night shift".to_owned()), ..before.clone() },
        before,
        model: Some(model()),
    }
}

fn standing() -> Standing {
    Standing {
        by: "night shift".to_owned(),
        since: "2026-03-14T06:00:00Z".parse().unwrap(),
        until: Some("2026-03-14T14:00:00Z".parse().unwrap()),
    }
}

pub fn drift() -> Drift {
    Drift {
        id: score().id,
        machine: machine(),
        window_start: "2026-03-14T05:05:04.25Z".parse().unwrap(),
        window_end: "2026-03-14T06:05:04.25Z".parse().unwrap(),
        chunks: 360,
        score_psi: 0.08,
        score_ks: 0.06,
        score_ks_p_value: 0.14,
        level_shift_db: -0.7,
        max_band_shift_db: 2.4,
        max_band_shift_hz: 2953.125,
        charts: vec![
            ChartReading { chart: DriftChart::PageHinkley, value: 17.25, limit: 16.5 },
            ChartReading { chart: DriftChart::Ewma, value: 0.25, limit: 0.375 },
        ],
        quality: vec![QualityRate { flag: QualityFlag::Clipped, share: 0.25, usual_share: Some(0.0625) }],
        drifting: true,
        change: Some(DriftChange::Began),
        found_by: Some(DriftChart::PageHinkley),
        since: Some("2026-03-14T05:45:04.25Z".parse().unwrap()),
        explanation: Some(
            "Drift found, since about 2026-03-14 05:45:04 UTC: the scores run higher than before.".to_owned(),
        ),
        model: model(),
    }
}

pub fn label() -> Label {
    Label {
        machine: machine(),
        chunk_id: ChunkId("0197f3c2-7a40-7e1b-9d55-3a1f0c8e2b11".to_owned()),
        alert_id: Some(alert().id),
        verdict: Verdict::Confirmed,
        fault: Some("bearing".to_owned()),
        author: "night shift".to_owned(),
        labelled_at: "2026-03-14T08:30:00Z".parse().unwrap(),
        note: Some("grease dried out, exchanged".to_owned()),
    }
}

pub fn scorer_state() -> ScorerState {
    ScorerState {
        version: ScorerState::VERSION,
        machine: machine(),
        model: model(),
        chunks: 98_761,
        recent_scores: vec![3.25, 3.5, 17.5, 18.75],
        alert: AlertMemory {
            state: MachineState::Alarm,
            since: Some("2026-03-14T06:04:44.25Z".parse().unwrap()),
            streak: 0,
            streak_since: None,
            recent: 0b11,
            anomalous_at: vec!["2026-03-14T06:04:54.25Z".parse().unwrap(), "2026-03-14T06:05:04.25Z".parse().unwrap()],
            decided: 2,
            resumes: Some(MachineState::Healthy),
            classification: Some(Classification::Persistent),
            alarmed_at: Some("2026-03-14T06:04:44.25Z".parse().unwrap()),
        },
        drift: DriftMemory {
            window_start: Some("2026-03-14T06:04:54.25Z".parse().unwrap()),
            scores: vec![17.5, 18.75],
            band_sum_db: vec![-110.5, -118.25, -121.0, -124.75],
            square_sum_db2: vec![1.5, 0.5, 2.25, 0.75, 0.25],
            ranks: vec![9_950, 9_985],
            flagged: vec![0, 1, 0, 0, 0, 0, 0, 0, 0],
            learnt_scores: vec![12, 9, 14],
            learnt_levels: Some(LevelMemory {
                chunks: 135,
                mean_db: vec![-55.25, -59.125, -60.5, -62.375, -59.3125],
                square_sum_db2: vec![130.5, 98.25, 120.0, 77.5, 45.25],
                within_sum_db2: vec![30.5, 28.25, 20.0, 17.5, 5.25],
                within_freedom: 34,
            }),
            learnt_flags: vec![0, 3, 0, 0, 0, 0, 0, 0, 0],
            learnt_flags_of: 35,
            higher: ChartMemory { value: 17.25, since: Some("2026-03-14T05:45:04.25Z".parse().unwrap()) },
            lower: ChartMemory::default(),
            average: ChartMemory { value: 0.25, since: Some("2026-03-14T05:50:04.25Z".parse().unwrap()) },
            episode: Some(DriftEpisode {
                chart: DriftChart::PageHinkley,
                since: "2026-03-14T05:45:04.25Z".parse().unwrap(),
                found: "2026-03-14T06:04:44.25Z".parse().unwrap(),
                quiet_windows: 1,
            }),
        },
        deviation: Some(DeviationMemory {
            since: "2026-03-14T06:04:44.25Z".parse().unwrap(),
            bands: vec![BandMemory {
                hz_low: 2812.5,
                hz_high: 3093.75,
                since: "2026-03-14T06:04:44.25Z".parse().unwrap(),
            }],
        }),
        sensors: vec![SensorMemory {
            channel: 2,
            is_at_fault: true,
            flags: vec![QualityFlag::Clipped],
            since: Some("2026-03-14T05:00:04.25Z".parse().unwrap()),
            streak: 1,
            streak_since: Some("2026-03-14T06:05:04.25Z".parse().unwrap()),
        }],
        setup: vec![SetupMemory {
            kind: note().kind,
            words: note().words,
            remedy: note().remedy,
            is_reported: true,
            since: Some("2026-03-14T05:00:04.25Z".parse().unwrap()),
            streak: 1,
            streak_since: Some("2026-03-14T06:05:04.25Z".parse().unwrap()),
        }],
        idle_since: Some("2026-03-14T06:04:44.25Z".parse().unwrap()),
        channels: Some(3),
        last_heard: Some("2026-03-14T06:05:04.25Z".parse().unwrap()),
        cadence_s: Some(10.0),
        listened_s: Some(86_400.5),
        held_threshold: Some(14.5),
        threshold: Some(ThresholdEdit {
            threshold: Some(14.5),
            factor: None,
            by: "night shift".to_owned(),
            since: "2026-03-14T06:00:00Z".parse().unwrap(),
        }),
        adjustment: Some(ThresholdAdjustment {
            offset: 1.5,
            factor: 1.25,
            by: "environment".to_owned(),
            since: "2026-03-13T18:00:00Z".parse().unwrap(),
        }),
        relearning: Some(Relearning {
            since: "2026-03-14T06:00:00Z".parse().unwrap(),
            scores: vec![4.5, 4.25],
            needed: 24,
        }),
        mute: Some(standing()),
        maintenance: Some(standing()),
        idle: Some(standing()),
        acknowledged: Some(Standing { until: None, ..standing() }),
        retired: None,
    }
}

pub fn model_assignment() -> ModelAssignment {
    ModelAssignment {
        machine: machine(),
        model: model(),
        location: "fan-07/9f86d081884c7d65.safetensors".to_owned(),
        sha256: SHA256.to_owned(),
        feature_spec: FeatureSpec::default().hash(),
        promoted_at: "2026-03-01T12:00:00Z".parse().unwrap(),
        promoted_by: "maintenance".to_owned(),
    }
}

pub fn dead_letter() -> DeadLetter {
    DeadLetter {
        code: DeadLetterCode::Truncated,
        detail: "the WAV header says 64 bytes of sound, 6 are there; have the gateway send whole files".to_owned(),
        source: coordinates(),
        worker: "feature-worker-0".to_owned(),
        time: "2026-03-14T06:05:05Z".parse().unwrap(),
        value_omitted: false,
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        timestamp_ms: Some(1_773_468_304_250),
        value_bytes: None,
        value_sha256: None,
        omitted: None,
    }
}
