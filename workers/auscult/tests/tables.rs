//! `evaluate --table` as somebody meets it who has pooled features already.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use auscult_detection::metrics::roc_auc;
use auscult_detection::{RankPooling, judge_vectors, pool_all};
use auscult_evaluation::tables::Table;
use auscult_features::ChunkExtractor;
use auscult_schemas::FeatureSpec;
use auscult_simulator::{SAMPLE_RATE_HZ, wav_bytes};
use ndarray::{Array2, ArrayView2, Axis};
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

const BANDS: usize = 12;

/// Clips with their labels and levels.
type Rows = Vec<(String, bool, Vec<f64>)>;

/// Levels that rise and fall together, and each a little by itself; a fault lifts one band.
fn rows(seed: u64, normal: usize, abnormal: usize, fault_db: f64) -> Rows {
    let mut rng = SmallRng::seed_from_u64(seed);
    let clip = |index: usize| {
        let is_abnormal = index >= normal;
        let load: f64 = rng.random_range(-3.0..3.0);
        let level = |band: usize| {
            let fault = if is_abnormal && band == 4 { fault_db } else { 0.0 };
            -30.0 - band as f64 + load + rng.random_range(-1.0..1.0) + fault
        };
        (format!("clip_{index:04}.wav"), is_abnormal, (0..BANDS).map(level).collect())
    };
    (0..normal + abnormal).map(clip).collect()
}

fn write_csv(path: &Path, rows: &Rows) {
    let mut writer = csv::Writer::from_path(path).unwrap();
    let bands = (0..rows[0].2.len()).map(|band| format!("band_{band:03}"));
    writer.write_record(["clip".to_owned(), "label".to_owned()].into_iter().chain(bands)).unwrap();
    for (clip, is_abnormal, levels) in rows {
        let label = if *is_abnormal { "abnormal" } else { "normal" };
        let levels = levels.iter().map(f64::to_string);
        writer.write_record([clip.clone(), label.to_owned()].into_iter().chain(levels)).unwrap();
    }
    writer.flush().unwrap();
}

fn write_parquet(path: &Path, rows: &Rows, compression: Compression) {
    let bands = rows[0].2.len();
    let fields: String = (0..bands).map(|band| format!("REQUIRED DOUBLE band_{band:03};")).collect();
    let schema = format!("message table {{ REQUIRED BINARY clip (UTF8); REQUIRED BINARY label (UTF8); {fields} }}");
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, properties).unwrap();
    // Two row groups: a reader that knows only the first would lose half.
    for group in rows.chunks(rows.len().div_ceil(2)) {
        let mut row_group = writer.next_row_group().unwrap();
        let mut place = 0;
        while let Some(mut column) = row_group.next_column().unwrap() {
            let text = |row: &(String, bool, Vec<f64>)| match (place, row.1) {
                (0, _) => ByteArray::from(row.0.as_str()),
                (_, true) => ByteArray::from("abnormal"),
                (_, false) => ByteArray::from("normal"),
            };
            if place < 2 {
                let values: Vec<ByteArray> = group.iter().map(text).collect();
                column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
            } else {
                let values: Vec<f64> = group.iter().map(|row| row.2[place - 2]).collect();
                column.typed::<DoubleType>().write_batch(&values, None, None).unwrap();
            }
            column.close().unwrap();
            place += 1;
        }
        row_group.close().unwrap();
    }
    writer.close().unwrap();
}

fn evaluate(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auscult"));
    command.current_dir(folder).arg("evaluate").args(arguments).output().unwrap()
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = evaluate(folder, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("nothing but JSON is printed")
}

#[test]
fn csv_and_parquet_give_the_same_figures_whatever_the_compression() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(1, 120, 40, 4.0);
    write_csv(&folder.path().join("fan.csv"), &rows);
    let mut from_csv = json(folder.path(), &["--table", "fan.csv"]);
    assert_eq!(from_csv["table"].take(), "fan.csv");
    assert_eq!(
        (&from_csv["n_train"], &from_csv["n_normal"], &from_csv["n_abnormal"]),
        (&80.into(), &40.into(), &40.into())
    );
    assert!(from_csv["auc"].as_f64().unwrap() > 0.98, "{from_csv}");
    assert!(from_csv["auc"].as_f64() >= from_csv["intervals"]["auc"]["low"].as_f64());
    for detector in ["mahalanobis", "gmm", "knn"] {
        let figures = &from_csv["detectors"][detector];
        let fields = ["auc", "pauc", "threshold", "f1", "recall", "false_alarms", "average_precision", "intervals"];
        assert!(fields.iter().all(|field| !figures[field].is_null()), "{detector}: {figures}");
    }
    let zstd = Compression::ZSTD(ZstdLevel::default());
    for (name, compression) in [("plain", Compression::UNCOMPRESSED), ("snappy", Compression::SNAPPY), ("zstd", zstd)] {
        let file = format!("{name}.parquet");
        write_parquet(&folder.path().join(&file), &rows, compression);
        let mut from_parquet = json(folder.path(), &["--table", &file]);
        assert_eq!(from_parquet["table"].take(), file.as_str());
        assert_eq!(from_parquet, from_csv);
    }
}

#[test]
fn another_seed_tests_with_other_clips_and_the_same_one_with_the_same() {
    let folder = tempfile::tempdir().unwrap();
    write_csv(&folder.path().join("fan.csv"), &rows(2, 60, 20, 2.0));
    let of_seed = |seed| json(folder.path(), &["--table", "fan.csv", "--seed", seed]);
    assert_eq!(of_seed("5"), of_seed("5"));
    assert_ne!(of_seed("5")["threshold"], of_seed("6")["threshold"]);
}

#[test]
fn of_several_tables_there_are_the_means() {
    let folder = tempfile::tempdir().unwrap();
    write_csv(&folder.path().join("good.csv"), &rows(3, 80, 20, 9.0));
    write_csv(&folder.path().join("hard.csv"), &rows(4, 80, 20, 0.0));
    let report = json(folder.path(), &["--table", "good.csv", "hard.csv"]);
    let aucs: Vec<f64> =
        report["tables"].as_array().unwrap().iter().map(|table| table["auc"].as_f64().unwrap()).collect();
    assert!(aucs[0] == 1.0 && (0.25..0.75).contains(&aucs[1]), "no fault, nothing to find: {aucs:?}");
    let means = &report["means"];
    assert_eq!(means["machines"], 2);
    assert!((means["arithmetic"]["auc"].as_f64().unwrap() - (1.0 + aucs[1]) / 2.0).abs() < 1e-12);
    assert!((means["harmonic"]["auc"].as_f64().unwrap() - 2.0 / (1.0 + 1.0 / aucs[1])).abs() < 1e-12);
    assert_eq!(&report["means_by_detector"]["fused"], means);
    let text = evaluate(folder.path(), &["--table", "good.csv", "hard.csv"]).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("means over 2 tables") && text.contains("false alarms") && text.contains("knn"), "{text}");
}

#[test]
fn a_table_that_cannot_be_used_is_refused_with_its_name_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| {
        let output = evaluate(folder.path(), arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("bad.csv", "clip,label,band_000\na,normal,1\nb,normal,loud\n");
    assert!(refused(&["--table", "bad.csv"]).contains("bad.csv: row 2 (b), column band_000: \"loud\" is not a number"));
    write("short.csv", "clip,label,band_000\na,normal\n");
    assert!(refused(&["--table", "short.csv"]).contains("row 1 cannot be read"));
    write("few.csv", "clip,label,band_000\na,normal,1\nb,abnormal,2\n");
    assert!(refused(&["--table", "few.csv"]).contains("add 8 normal clips"));
    write("not.parquet", "clip,label,band_000\n");
    assert!(refused(&["--table", "not.parquet"]).contains("no Parquet file"));
    write("table.txt", "");
    assert!(refused(&["--table", "table.txt"]).contains("ends in .csv or .parquet"));
    assert!(refused(&["--table", "missing.csv"]).contains("cannot be opened"));
    assert!(refused(&["model.safetensors", "recordings", "--table", "bad.csv"]).contains("cannot be used with"));
    assert!(refused(&["model.safetensors"]).contains("DATA_DIR"));
    assert!(refused(&["model.safetensors", "recordings", "--seed", "3"]).contains("cannot be used with"));
}

/// Half a second of noise with a hum; a fault adds a whistle at 3 kHz.
fn sound(seed: u64, is_abnormal: bool) -> Vec<u8> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let gain: f32 = rng.random_range(0.5..1.5);
    let sine = |hz: f32, t: usize| (std::f32::consts::TAU * hz * t as f32 / SAMPLE_RATE_HZ as f32).sin();
    let sample = |t: usize| {
        let whistle = if is_abnormal { 0.02 * sine(3000.0, t) } else { 0.0 };
        0.1 * sine(100.0, t) + whistle + gain * rng.random_range(-0.05..0.05_f32)
    };
    wav_bytes(&(0..8000).map(sample).collect::<Vec<_>>(), SAMPLE_RATE_HZ)
}

/// A table of our own features has the figures that the detectors give on these features.
#[test]
fn a_table_of_features_is_judged_as_the_features_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut extractor = ChunkExtractor::new(FeatureSpec::default()).unwrap();
    let rows: Rows = (0..70)
        .map(|index| {
            let is_abnormal = index >= 50;
            let features = extractor.extract("audio/wav", &sound(index, is_abnormal)).unwrap();
            let spectrogram = ArrayView2::from_shape((features.frames, features.mels), &features.values).unwrap();
            let pooled = pool_all(&[RankPooling::MEAN], spectrogram).remove(0);
            (format!("{index}.wav"), is_abnormal, pooled.to_vec())
        })
        .collect();
    let path = folder.path().join("features.csv");
    write_csv(&path, &rows);

    let vectors: Vec<f64> = rows.iter().flat_map(|row| row.2.clone()).collect();
    let vectors = Array2::from_shape_vec((70, 64), vectors).unwrap();
    let table = Table::read(&path).unwrap();
    assert_eq!(table.vectors, vectors, "no digit is lost on the way through the file");
    let split = table.split(3).unwrap();
    let test = [split.test_normal.clone(), split.test_abnormal.clone()].concat();
    let judged =
        judge_vectors(&vectors.select(Axis(0), &split.train), &vectors.select(Axis(0), &test), 0.01, 3).unwrap();
    let report = json(folder.path(), &["--table", "features.csv", "--seed", "3"]);
    for scores in &judged {
        let figures = if scores.detector == "fused" { &report } else { &report["detectors"][scores.detector] };
        let (normal, abnormal) = scores.scores.split_at(20);
        assert_eq!(figures["threshold"], scores.threshold, "{}", scores.detector);
        assert_eq!(figures["auc"], roc_auc(normal, abnormal).unwrap(), "{}", scores.detector);
    }
    assert!(report["auc"].as_f64().unwrap() > 0.95, "{report}");
}
