//! The command on folders of small files.

use std::path::Path;

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: ImportArgs,
}

fn import(line: &[&str]) -> anyhow::Result<()> {
    let words = std::iter::once("import").chain(line.iter().copied());
    run(&Line::try_parse_from(words)?.args)
}

fn decode(path: &Path) -> auscult_features::Clip {
    auscult_features::decode("audio/wav", &std::fs::read(path).unwrap()).unwrap()
}

/// Rows of one column, the first of which is `first`.
fn column(first: f32, rows: usize) -> String {
    (0..rows).map(|row| format!("{:.3}\n", if row == 0 { first } else { (row as f32 * 0.7).sin() })).collect()
}

#[test]
fn a_folder_keeps_its_folders_and_values_keep_their_unit() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir_all(data.join("train/normal")).unwrap();
    std::fs::write(data.join("train/normal/a.csv"), column(64.5, 400)).unwrap();
    std::fs::write(data.join("train/normal/a.txt"), column(0.25, 400)).unwrap();
    std::fs::write(data.join("notes.pdf"), b"no table").unwrap();
    let out = folder.path().join("out");
    let line =
        [data.to_str().unwrap(), "--out", out.to_str().unwrap(), "--rate", "25600", "--unit", "g", "--scale", "2"];
    import(&line).unwrap();
    let clip = decode(&out.join("train/normal/a_csv.wav"));
    assert_eq!((clip.sample_rate_hz, clip.channels[0][0], clip.samples()), (25_600, 129.0, 400));
    assert_eq!(decode(&out.join("train/normal/a_txt.wav")).channels[0][0], 0.5);
    let bytes = std::fs::read(out.join("train/normal/a_csv.wav")).unwrap();
    assert!(bytes.windows(6).any(|window| window == b"unit g"));
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(out.join("import.json")).unwrap()).unwrap();
    assert_eq!(manifest["recordings"][0]["rate_from"], "--rate");
    assert_eq!(manifest["recordings"][0]["channels"][0]["unit"], "g");

    let again = import(&line).unwrap_err().to_string();
    assert!(again.contains("2 of 2 files"), "nothing is replaced without a word: {again}");
    import(&[&line[..], &["--overwrite"]].concat()).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(out.join("import.json")).unwrap()).unwrap();
    assert_eq!(manifest["recordings"].as_array().unwrap().len(), 2, "each recording once");
}

#[test]
fn a_life_is_joined_in_the_order_of_numbers_and_a_bad_snapshot_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let machine = folder.path().join("lives/B7");
    std::fs::create_dir_all(&machine).unwrap();
    for number in [1, 2, 9, 10, 11] {
        std::fs::write(machine.join(format!("acc_{number}.csv")), column(number as f32, 256)).unwrap();
    }
    std::fs::write(machine.join("acc_3.csv"), "not a number\n").unwrap();
    std::fs::write(machine.join("acc_4.csv"), column(4.0, 100)).unwrap();
    let out = folder.path().join("out");
    let lives = folder.path().join("lives");
    let error =
        import(&[lives.to_str().unwrap(), "--out", out.to_str().unwrap(), "--life", "--rate", "25600"]).unwrap_err();
    assert!(error.to_string().contains("2 of 7 files"), "{error}");
    let clip = decode(&out.join("B7.wav"));
    let firsts: Vec<f32> = clip.channels[0].iter().copied().step_by(256).collect();
    assert_eq!(firsts, [1.0, 2.0, 9.0, 10.0, 11.0]);
}

#[test]
fn a_flat_folder_becomes_a_data_set_that_train_takes() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("healthy");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("a.csv"), column(0.5, 400)).unwrap();
    let out = folder.path().join("motor");
    let line = [data.to_str().unwrap(), "--out", out.to_str().unwrap(), "--rate", "25600", "--as"];
    import(&[&line[..], &["train/normal"]].concat()).unwrap();
    assert!(out.join("train/normal/a.wav").is_file());
    let refused = import(&[&line[..], &["../elsewhere"]].concat()).unwrap_err().to_string();
    assert!(refused.contains("no folder below --out"), "{refused}");
}

#[test]
fn long_recordings_are_cut_and_channels_parted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let rows: String =
        (0..1050).map(|row| format!("{:.2};{:.2}\n", (row as f32 * 0.3).sin(), row as f32 * 0.0 - 1.5)).collect();
    std::fs::write(&path, rows).unwrap();
    let out = folder.path().join("out");
    let line = [
        path.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--rate",
        "1000",
        "--chunk-secs",
        "0.1",
        "--per-channel",
    ];
    import(&line).unwrap();
    let mut names: Vec<String> =
        std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names.len(), 21, "ten pieces of each channel, and the manifest: {names:?}");
    assert_eq!(decode(&out.join("a_2_10.wav")).channels, [vec![-1.5; 100]]);
    let none = import(&[path.to_str().unwrap(), "--out", out.to_str().unwrap()]).unwrap_err().to_string();
    assert!(none.contains("1 of 1 files"), "no rate, no recording: {none}");
}
