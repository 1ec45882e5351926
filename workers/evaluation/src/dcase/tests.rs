use super::*;

/// A clip whose name says everything; `score` `None` cannot be read.
fn clip(machine: &str, path: &str, score: f64) -> ScoredClip {
    let dcase = machine.rsplit_once("_section_").or_else(|| machine.rsplit_once("_id_")).map(|(kind, number)| {
        let edition = match (machine.contains("_id_"), path.contains("_test/")) {
            (true, _) => Edition::Y2020,
            (false, true) => Edition::Y2021,
            (false, false) => Edition::Y2022,
        };
        DcaseName { edition, machine_type: kind.to_owned(), number: number.to_owned() }
    });
    ScoredClip {
        path: path.into(),
        machine: machine.to_owned(),
        dcase: dcase.filter(|_| path.contains("section_") || path.contains("id_")),
        domain: Domain::of(path.as_ref()),
        is_abnormal: Some(path.contains("anomaly") || path.contains("abnormal")),
        score: Some(score),
        threshold: 2.2,
        left_out: None,
    }
}

fn text<'a>(files: &'a [CsvFile], name: &str) -> &'a str {
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let at = names.iter().position(|there| *there == name);
    &files[at.unwrap_or_else(|| panic!("no {name} in {names:?}"))].text
}

fn names(files: &[CsvFile]) -> Vec<&str> {
    files.iter().map(|file| file.name.as_str()).collect()
}

#[test]
fn scores_decisions_and_results_are_in_dcases_files() {
    let clips = [
        clip("fan_section_00", "test/section_00_source_test_normal_0000.wav", 1.0),
        clip("fan_section_00", "test/section_00_source_test_anomaly_0000.wav", 3.0),
        clip("fan_section_00", "test/section_00_target_test_normal_0000.wav", 2.5),
        clip("fan_section_00", "test/section_00_target_test_anomaly_0000.wav", 2.0),
    ];
    let files = csv_files(&clips);
    assert_eq!(
        text(&files, "anomaly_score_fan_section_00_test.csv"),
        "section_00_source_test_anomaly_0000.wav,3\nsection_00_source_test_normal_0000.wav,1\n\
         section_00_target_test_anomaly_0000.wav,2\nsection_00_target_test_normal_0000.wav,2.5\n"
    );
    assert_eq!(
        text(&files, "decision_result_fan_section_00_test.csv"),
        "section_00_source_test_anomaly_0000.wav,1\nsection_00_source_test_normal_0000.wav,0\n\
         section_00_target_test_anomaly_0000.wav,0\nsection_00_target_test_normal_0000.wav,1\n"
    );
    let result = text(&files, "result.csv");
    assert!(result.starts_with("machine type,section,AUC,AUC (source),AUC (target),pAUC,"), "{result}");
    // AUC (source): 1.0 against the anomalies of both domains; AUC (target): 2.5 against them.
    assert!(result.contains("\nfan,00,0.75,1,0.5,"), "{result}");
    assert!(result.contains("\nofficial score of 2022 and later,,0."), "{result}");
}

#[test]
fn each_year_has_its_evaluators_file_names() {
    let of_2020 = csv_files(&[clip("fan_id_00", "test/normal_id_00_00000000.wav", 1.0)]);
    assert_eq!(names(&of_2020)[..2], ["anomaly_score_fan_id_00.csv", "decision_result_fan_id_00.csv"]);
    let of_2021 = csv_files(&[
        clip("fan_section_03", "source_test/section_03_source_test_normal_0000.wav", 1.0),
        clip("fan_section_03", "target_test/section_03_target_test_normal_0000.wav", 1.0),
    ]);
    assert_eq!(
        names(&of_2021)[..4],
        [
            "anomaly_score_fan_section_03_source_test.csv",
            "decision_result_fan_section_03_source_test.csv",
            "anomaly_score_fan_section_03_target_test.csv",
            "decision_result_fan_section_03_target_test.csv"
        ]
    );
}

#[test]
fn every_clip_has_a_row_also_one_that_was_not_judged_or_has_no_label() {
    let mut silent = clip("fan_section_00", "test/section_00_source_test_normal_0001.wav", 9.0);
    silent.left_out = Some("silent".to_owned());
    let mut broken = clip("fan_section_00", "test/section_00_source_test_anomaly_0002.wav", 0.0);
    (broken.score, broken.left_out) = (None, Some("empty".to_owned()));
    let mut unlabelled = clip("fan_section_00", "test/section_00_0003.wav", 3.0);
    unlabelled.is_abnormal = None;
    let clips =
        [clip("fan_section_00", "test/section_00_source_test_normal_0000.wav", 1.0), silent, broken, unlabelled];
    let files = csv_files(&clips);
    assert_eq!(
        text(&files, "anomaly_score_fan_section_00_test.csv"),
        "section_00_0003.wav,3\nsection_00_source_test_anomaly_0002.wav,1\nsection_00_source_test_normal_0000.wav,1\n\
         section_00_source_test_normal_0001.wav,9\n"
    );
    assert!(
        text(&files, "decision_result_fan_section_00_test.csv").contains("anomaly_0002.wav,0\n"),
        "what cannot be read is no fault found"
    );
    assert_eq!(
        text(&files, "left_out.csv"),
        "file,machine,why\nsection_00_source_test_anomaly_0002.wav,fan_section_00,empty\n\
         section_00_source_test_normal_0001.wav,fan_section_00,silent\n"
    );
    let all_unlabelled: Vec<ScoredClip> = clips[3..].to_vec();
    assert!(!names(&csv_files(&all_unlabelled)).contains(&"result.csv"), "no labels, no figures");
}

#[test]
fn machines_that_are_not_dcases_have_their_id_for_a_type_and_no_target() {
    let clips = [
        clip("saw", "saw/normal/a.wav", 1.0),
        clip("saw", "saw/abnormal/blade/1.wav", 3.0),
        clip("saw", "saw/abnormal/belt/1.wav", 0.5),
        clip("mill", "mill/normal/a, \"b\".wav", 1.0),
    ];
    let files = csv_files(&clips);
    assert_eq!(
        text(&files, "decision_result_saw_section_00_test.csv"),
        "belt/1.wav,0\nblade/1.wav,1\nnormal/a.wav,0\n",
        "two files of one name are told apart"
    );
    assert_eq!(text(&files, "anomaly_score_mill_section_00_test.csv"), "\"a, \"\"b\"\".wav\",1\n");
    let result = text(&files, "result.csv");
    assert!(result.contains("\nsaw,00,0.5,0.5,,"), "{result}");
    assert!(result.contains("\nmill,00,,,,"), "no abnormal clips, no figures: {result}");
    assert!(!result.contains("official score"), "{result}");
}

#[test]
fn no_two_machines_share_their_files() {
    let clips =
        ["fan", "fan_id_00", "fan_section_00"].map(|machine| clip(machine, &format!("{machine}/normal.wav"), 1.0));
    let files = csv_files(&clips);
    let distinct: BTreeSet<&str> = names(&files).into_iter().collect();
    assert_eq!(distinct.len(), files.len(), "{distinct:?}");
}

#[test]
fn a_number_after_section_or_id_is_the_section() {
    let section = |machine| {
        let DcaseName { machine_type, number, .. } = name_of(machine);
        (machine_type, number)
    };
    assert_eq!(section("ToyCar_section_02"), ("ToyCar".to_owned(), "02".to_owned()));
    assert_eq!(section("6_dB_fan_id_04"), ("6_dB_fan".to_owned(), "04".to_owned()));
    assert_eq!(section("valve_id_x"), ("valve_id_x".to_owned(), "00".to_owned()));
    assert_eq!(section("compressor"), ("compressor".to_owned(), "00".to_owned()));
}
