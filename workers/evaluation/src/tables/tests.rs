use super::*;

fn raw(columns: &[&str], rows: &[&[&str]]) -> RawTable {
    let cell = |text: &&str| if text.is_empty() { Cell::Missing } else { Cell::Text((*text).to_owned()) };
    RawTable {
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        rows: rows.iter().map(|row| row.iter().map(cell).collect()).collect(),
    }
}

const COLUMNS: [&str; 5] = ["band_001", "clip", "machine", "band_000", "label"];

fn check(columns: &[&str], rows: &[&[&str]]) -> Result<Table, String> {
    Table::check(Path::new("fan.csv"), &raw(columns, rows)).map_err(|error| format!("{error:#}"))
}

#[test]
fn columns_come_in_any_order_bands_by_their_number_and_others_are_not_looked_at() {
    let table = check(&COLUMNS, &[&["-2.5", "a", "", "-1", "normal"], &["3e1", "b", "x", "4", " abnormal"]]).unwrap();
    assert_eq!(table.clips, ["a", "b"]);
    assert_eq!(table.is_abnormal, [false, true]);
    assert_eq!(table.vectors, ndarray::array![[-1.0, -2.5], [4.0, 30.0]]);
}

#[test]
fn what_is_wrong_is_named_with_row_and_column() {
    let good: &[&str] = &["-2.5", "a.wav", "", "-1", "normal"];
    let cases: [(&[&str], &str); 8] = [
        (&["x", "b.wav", "", "1", "normal"], "row 2 (b.wav), column band_001: \"x\" is not a number"),
        (&["1", "b.wav", "", "", "normal"], "row 2 (b.wav), column band_000: an empty cell is not a number"),
        (&["1", "b.wav", "", "NaN", "normal"], "row 2 (b.wav), column band_000: NaN is not finite"),
        (&["-inf", "b.wav", "", "1", "normal"], "row 2 (b.wav), column band_001: -inf is not finite"),
        (&["1", "b.wav", "", "1", "anomaly"], "row 2 (b.wav), column label: \"anomaly\" is no label"),
        (&["1", "b.wav", "", "1", ""], "row 2 (b.wav), column label: an empty cell is no label"),
        (&["1", "a.wav", "", "1", "normal"], "row 2, column clip: a.wav is in row 1 already"),
        (&["1", "", "", "1", "normal"], "row 2, column clip: no name"),
    ];
    for (bad, reason) in cases {
        let error = check(&COLUMNS, &[good, bad]).unwrap_err();
        assert!(error.contains(reason), "{error}; expected {reason}");
    }
}

#[test]
fn a_clips_name_may_recur_under_the_other_label() {
    let rows: [&[&str]; 2] = [&["1", "00000000.wav", "", "2", "normal"], &["3", "00000000.wav", "", "4", "abnormal"]];
    assert_eq!(check(&COLUMNS, &rows).unwrap().is_abnormal, [false, true]);
}

#[test]
fn missing_double_and_unnumbered_columns_are_named() {
    let cases: [(&[&str], &str); 7] = [
        (&["label", "band_000"], "column clip is missing"),
        (&["clip", "band_000"], "column label is missing"),
        (&["clip", "label"], "no columns band_000"),
        (&["clip", "label", "band_x", "band_"], "no columns band_000"),
        (&["clip", "label", "band_000", "band_002"], "column band_001 is missing, but band_002 is there"),
        (&["clip", "label", "band_000", "band_0"], "band 0 has two columns"),
        (&["clip", "label", "band_000", "label"], "column label is there twice"),
    ];
    for (columns, reason) in cases {
        let error = check(columns, &[]).unwrap_err();
        assert!(error.contains(reason), "{error}; expected {reason}");
    }
}

fn table(normal: usize, abnormal: usize) -> Table {
    let count = normal + abnormal;
    Table {
        path: PathBuf::from("fan.csv"),
        clips: (0..count).map(|clip| clip.to_string()).collect(),
        // Abnormal ones lie among the others.
        is_abnormal: (0..count).map(|clip| clip % 2 == 1 && clip / 2 < abnormal).collect(),
        vectors: Array2::zeros((count, 3)),
    }
}

#[test]
fn as_many_normal_clips_are_tested_with_as_abnormal_ones_and_no_clip_is_used_twice() {
    let table = table(40, 15);
    let split = table.split(7).unwrap();
    assert_eq!((split.train.len(), split.test_normal.len(), split.test_abnormal.len()), (25, 15, 15));
    let mut all: Vec<usize> = [&split.train[..], &split.test_normal, &split.test_abnormal].concat();
    all.sort_unstable();
    assert_eq!(all, (0..55).collect::<Vec<_>>());
    assert!(split.test_abnormal.iter().all(|row| table.is_abnormal[*row]));
    assert!(split.train.iter().chain(&split.test_normal).all(|row| !table.is_abnormal[*row]));
    assert_eq!(table.split(7).unwrap(), split, "the same seed, the same clips");
    assert_ne!(table.split(8).unwrap(), split);
}

#[test]
fn too_few_clips_of_a_class_are_refused_with_what_to_add() {
    assert!(table(40, 0).split(1).unwrap_err().to_string().contains("no abnormal clip"));
    let error = table(20, 15).split(1).unwrap_err().to_string();
    assert!(error.contains("add 3 normal clips"), "{error}");
    assert!(table(23, 15).split(1).is_ok());
}
