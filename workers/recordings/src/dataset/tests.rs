use std::path::Path;

use tempfile::TempDir;

use super::{Dataset, DatasetError, Domain, Layout, PassedOverReason};

/// A folder with these (empty) files: recognising a layout opens none of them.
fn tree(files: &[&str]) -> TempDir {
    let root = TempDir::new().unwrap();
    for file in files {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"").unwrap();
    }
    root
}

fn names<'a>(paths: impl IntoIterator<Item = &'a std::path::PathBuf>) -> Vec<String> {
    paths.into_iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn split_folders_give_train_test_and_the_fault_of_each_abnormal_clip() {
    let root = tree(&[
        "saw/train/normal/b.wav",
        "saw/train/normal/a.FLAC",
        "saw/train/normal/notes.txt",
        "saw/train/normal/.hidden.wav",
        "saw/test/normal/c.wav",
        "saw/test/abnormal/blade/far/d.wav",
        "saw/test/abnormal/e.wav",
    ]);
    let found = Dataset::discover(&root.path().join("saw")).unwrap();
    assert_eq!(found.layout(), Layout::Split);
    let [saw] = found.machines.as_slice() else { panic!("one machine, not {:?}", found.machines) };
    assert_eq!(saw.id, "saw");
    assert_eq!(names(&saw.train_normal), ["a.FLAC", "b.wav"]);
    assert_eq!(names(&saw.test_normal), ["c.wav"]);
    assert_eq!(saw.test_abnormal.iter().map(|clip| clip.fault.as_deref()).collect::<Vec<_>>(), [Some("blade"), None]);
    assert_eq!(found.counts(), (2, 1, 2));
}

#[test]
fn a_folder_of_several_split_machines_pools_them_or_gives_the_one_asked_for() {
    let root = tree(&["lathe/train/normal/a.wav", "saw/train/normal/b.wav", "saw/test/normal/c.wav"]);
    let found = Dataset::discover(root.path()).unwrap();
    assert_eq!(found.machines.iter().map(|machine| machine.id.as_str()).collect::<Vec<_>>(), ["lathe", "saw"]);
    assert_eq!(names(&found.training_clips().unwrap()), ["a.wav", "b.wav"]);
    assert_eq!(names(&found.clone().only("saw").unwrap().training_clips().unwrap()), ["b.wav"]);
    let refusal = found.only("drill").unwrap_err().to_string();
    assert!(refusal.contains("drill") && refusal.contains("lathe, saw"), "{refusal}");
}

#[test]
fn mimii_tests_on_as_many_normals_as_abnormals_and_trains_on_the_rest() {
    let root = tree(&[
        "6_dB_fan/fan/id_00/normal/00000000.wav",
        "6_dB_fan/fan/id_00/normal/00000001.wav",
        "6_dB_fan/fan/id_00/normal/00000002.wav",
        "6_dB_fan/fan/id_00/abnormal/00000000.wav",
        "6_dB_fan/fan/id_02/normal/00000000.wav",
    ]);
    for level in ["", "6_dB_fan", "6_dB_fan/fan"] {
        let found = Dataset::discover(&root.path().join(level)).unwrap();
        assert_eq!(found.layout(), Layout::Mimii, "at {level:?}");
        let ids: Vec<&str> = found.machines.iter().map(|machine| machine.id.as_str()).collect();
        assert_eq!(ids, ["fan_id_00", "fan_id_02"], "at {level:?}");
        assert_eq!(names(&found.machines[0].test_normal), ["00000000.wav"]);
        assert_eq!(names(&found.machines[0].train_normal), ["00000001.wav", "00000002.wav"]);
        assert_eq!(found.counts(), (3, 1, 1));
        assert_eq!(found.only("id_02").unwrap().machines[0].id, "fan_id_02");
    }
    let one = Dataset::discover(&root.path().join("6_dB_fan/fan/id_00")).unwrap();
    assert_eq!(one.machines.len(), 1);
    assert_eq!(one.machines[0].id, "fan_id_00");
}

#[test]
fn two_snrs_of_one_mimii_machine_keep_their_names_apart() {
    let root = tree(&["6_dB_fan/fan/id_00/normal/0.wav", "0_dB_fan/fan/id_00/normal/0.wav"]);
    let found = Dataset::discover(root.path()).unwrap();
    let ids: Vec<&str> = found.machines.iter().map(|machine| machine.id.as_str()).collect();
    assert_eq!(ids, ["0_dB_fan_id_00", "6_dB_fan_id_00"]);
    let refusal = found.only("fan_id_00").unwrap_err();
    assert!(matches!(refusal, DatasetError::UnknownMachine { .. }), "two machines end in it: {refusal}");
}

#[test]
fn mimii_with_more_abnormal_than_normal_clips_has_nothing_to_train_with() {
    let root = tree(&["id_00/normal/0.wav", "id_00/abnormal/0.wav", "id_00/abnormal/1.wav"]);
    let found = Dataset::discover(root.path()).unwrap();
    let refusal = found.training_clips().unwrap_err().to_string();
    assert!(refusal.contains("no normal clips to train with") && refusal.contains("id_00"), "{refusal}");
    found.check_testable().unwrap();
}

#[test]
fn dcase_2020_is_grouped_by_machine_id() {
    let root = tree(&[
        "fan/train/normal_id_00_00000000.wav",
        "fan/train/normal_id_02_00000000.wav",
        "fan/test/normal_id_00_00000000.wav",
        "fan/test/anomaly_id_00_00000000.wav",
        "fan/test/id_00_00000007.wav",
    ]);
    for level in ["", "fan"] {
        let found = Dataset::discover(&root.path().join(level)).unwrap();
        assert_eq!(found.layout(), Layout::Dcase);
        let ids: Vec<&str> = found.machines.iter().map(|machine| machine.id.as_str()).collect();
        assert_eq!(ids, ["fan_id_00", "fan_id_02"]);
        assert_eq!(found.counts(), (2, 1, 1), "the unlabelled clip is neither normal nor abnormal");
        assert_eq!(found.unlabelled(), 1);
    }
}

#[test]
fn dcase_2021_and_later_is_grouped_by_section_whatever_the_domain() {
    let root = tree(&[
        "valve/train/section_00_source_train_normal_0000_a.wav",
        "valve/train/section_00_target_train_normal_0000_b.wav",
        "valve/source_test/section_00_source_test_normal_0000.wav",
        "valve/target_test/section_00_target_test_anomaly_0001.wav",
        "valve/test/section_01_source_test_anomaly_0000.wav",
    ]);
    let found = Dataset::discover(&root.path().join("valve")).unwrap();
    assert_eq!(found.layout(), Layout::Dcase);
    let sizes: Vec<_> = found
        .machines
        .iter()
        .map(|m| (m.id.as_str(), m.train_normal.len(), m.test_normal.len(), m.test_abnormal.len()))
        .collect();
    assert_eq!(sizes, [("valve_section_00", 2, 1, 1), ("valve_section_01", 0, 0, 1)]);
}

#[test]
fn dcase_names_inside_split_folders_still_tell_the_machines_apart() {
    let root = tree(&["pump/test/normal/normal_id_00_00000001.wav", "pump/test/abnormal/anomaly_id_04_00000001.wav"]);
    let found = Dataset::discover(&root.path().join("pump")).unwrap();
    let ids: Vec<&str> = found.machines.iter().map(|machine| machine.id.as_str()).collect();
    assert_eq!(ids, ["pump_id_00", "pump_id_04"]);
}

#[test]
fn a_missing_folder_a_file_and_an_empty_folder_are_named_with_the_remedy() {
    let root = tree(&["clip.wav", "empty/.keep"]);
    let missing = Dataset::discover(Path::new("/no/such/folder")).unwrap_err().to_string();
    assert!(missing.contains("/no/such/folder"), "{missing}");
    let file = Dataset::discover(&root.path().join("clip.wav")).unwrap_err();
    assert!(matches!(file, DatasetError::NotAFolder { .. }));
    let empty = Dataset::discover(&root.path().join("empty")).unwrap_err().to_string();
    assert!(empty.contains("it is empty") && empty.contains("train/normal"), "{empty}");
}

#[test]
fn an_unknown_layout_says_what_is_there_and_what_was_looked_for() {
    let root = tree(&["good/a.wav", "bad/b.wav", "c.wav", "d.wav", "e.mp3"]);
    let refusal = Dataset::discover(root.path()).unwrap_err().to_string();
    assert!(refusal.contains("folders bad, good"), "{refusal}");
    assert!(refusal.contains("2 .wav files") && refusal.contains("1 .mp3 file"), "{refusal}");
    assert!(refusal.contains("test/abnormal") && refusal.contains("id_XX/normal"), "{refusal}");
}

#[test]
fn a_folder_with_only_training_clips_cannot_be_tested_on() {
    let root = tree(&["saw/train/normal/a.wav"]);
    let found = Dataset::discover(root.path()).unwrap();
    let refusal = found.check_testable().unwrap_err().to_string();
    assert!(refusal.contains("0 normal and 0 abnormal"), "{refusal}");
}

#[test]
fn machines_of_one_name_in_two_folders_keep_ids_of_their_own() {
    let clip = "train/section_00_source_train_normal_0000_a.wav";
    let root =
        tree(&[&format!("dcase2023/ToyCar/{clip}"), &format!("dcase2024/ToyCar/{clip}"), &format!("hall/pump/{clip}")]);
    let found = Dataset::discover(root.path()).unwrap();
    let ids: Vec<&str> = found.machines.iter().map(|machine| machine.id.as_str()).collect();
    assert_eq!(ids, ["dcase2023_ToyCar_section_00", "dcase2024_ToyCar_section_00", "pump_section_00"]);
    let types: Vec<&str> =
        found.machines.iter().map(|machine| machine.dcase.as_ref().unwrap().machine_type.as_str()).collect();
    assert_eq!(types, ["ToyCar", "ToyCar", "pump"], "what DCASE calls it does not change");
}

#[test]
fn ids_that_differ_in_capitals_or_only_further_up_are_kept_apart_too() {
    let clip = "train/normal_id_00_00000000.wav";
    let root = tree(&[&format!("a/x/fan/{clip}"), &format!("b/x/fan/{clip}"), &format!("c/x/Fan/{clip}")]);
    let found = Dataset::discover(root.path()).unwrap();
    let ids: Vec<&str> = found.machines.iter().map(|machine| machine.id.as_str()).collect();
    assert_eq!(ids, ["a_x_fan_id_00", "b_x_fan_id_00", "c_x_Fan_id_00"]);
}

#[test]
fn folders_whose_paths_read_alike_are_kept_apart_and_those_that_differ_in_capitals_alone_are_refused() {
    let root = tree(&["a_b/train/normal/1.wav", "a/b/train/normal/1.wav"]);
    let found = Dataset::discover(root.path()).unwrap();
    let ids: Vec<&str> = found.machines.iter().map(|machine| machine.id.as_str()).collect();
    assert_eq!(ids, ["a_a_b", "a_b"]);

    let root = tree(&["Fan/train/normal/1.wav", "fan/train/normal/1.wav"]);
    let refusal = Dataset::discover(root.path()).unwrap_err().to_string();
    assert!(refusal.contains("two machines have the id Fan") && refusal.contains("Rename"), "{refusal}");
}

#[test]
fn train_and_test_halves_unpacked_beside_each_other_are_one_machine() {
    let root = tree(&[
        "eval_data_valve_train/valve/train/section_00_source_train_normal_0000_a.wav",
        "eval_data_valve_test/valve/test/section_00_0000.wav",
        "eval_data_pump_test/pump/test/section_00_0000.wav",
    ]);
    let found = Dataset::discover(root.path()).unwrap();
    let sizes: Vec<_> =
        found.machines.iter().map(|m| (m.id.as_str(), m.train_normal.len(), m.unlabelled.len())).collect();
    assert_eq!(sizes, [("pump_section_00", 0, 1), ("valve_section_00", 1, 1)]);
    assert!(found.remarks.iter().any(|remark| remark.contains("eval_data_valve_test/valve")), "{:?}", found.remarks);
}

#[test]
fn halves_of_two_years_are_joined_within_their_year() {
    let train = "train/valve/train/section_00_source_train_normal_0000_a.wav";
    let test = "test/valve/test/section_00_source_test_normal_0000_a.wav";
    let root =
        tree(&[&format!("2023/{train}"), &format!("2023/{test}"), &format!("2024/{train}"), &format!("2024/{test}")]);
    let found = Dataset::discover(root.path()).unwrap();
    let sizes: Vec<_> =
        found.machines.iter().map(|m| (m.id.as_str(), m.train_normal.len(), m.test_normal.len())).collect();
    assert_eq!(sizes, [("2023_train_valve_section_00", 1, 1), ("2024_train_valve_section_00", 1, 1)]);
    for machine in &found.machines {
        let year = machine.id.split('_').next().unwrap();
        assert!(machine.test_normal.iter().all(|path| path.iter().any(|part| part == year)), "{machine:?}");
    }
}

#[test]
fn halves_of_two_noise_levels_in_one_folder_are_joined_within_their_level() {
    let clips = ["0dB", "6dB"].map(|level| {
        [
            format!("dev_{level}_train/fan/train/normal_id_00_00000000.wav"),
            format!("dev_{level}_test/fan/test/normal_id_00_00000001.wav"),
        ]
    });
    let clips: Vec<&str> = clips.iter().flatten().map(String::as_str).collect();
    let root = tree(&clips);
    let found = Dataset::discover(root.path()).unwrap();
    assert_eq!(found.machines.len(), 2, "{:?}", found.machines);
    for machine in &found.machines {
        let level = if machine.id.contains("0dB") { "dev_0dB_test" } else { "dev_6dB_test" };
        assert!(machine.test_normal.iter().all(|path| path.iter().any(|part| part == level)), "{machine:?}");
        assert_eq!((machine.train_normal.len(), machine.test_normal.len()), (1, 1));
    }
}

/// An evaluation set of 2023 with its truth two folders above.
fn evaluation_set(more: &[&str]) -> TempDir {
    let clips = [
        "eval/bandsaw/train/section_00_source_train_normal_0000_a.wav",
        "eval/bandsaw/test/section_00_0000.wav",
        "eval/bandsaw/test/section_00_0001.wav",
        "eval/bandsaw/test/section_00_0002.wav",
    ];
    let root = tree(&[&clips, more].concat());
    for (kind, text) in
        [("data", "section_00_0000.wav,1\nsection_00_0001.wav,0\n"), ("domain", "section_00_0000.wav,1\n")]
    {
        let folder = root.path().join(format!("ground_truth_{kind}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("ground_truth_bandsaw_section_00_test.csv"), text).unwrap();
    }
    root
}

#[test]
fn clips_without_a_label_get_it_from_dcases_ground_truth_and_the_others_are_kept_unlabelled() {
    let root = evaluation_set(&[]);
    for truth in [None, Some(root.path().to_owned()), Some(root.path().join("ground_truth_data"))] {
        let found = Dataset::discover_with(&root.path().join("eval/bandsaw"), truth.as_deref()).unwrap();
        let [bandsaw] = found.machines.as_slice() else { panic!("{:?}", found.machines) };
        assert_eq!(names(bandsaw.test_abnormal.iter().map(|clip| &clip.path)), ["section_00_0000.wav"]);
        assert_eq!(names(&bandsaw.test_normal), ["section_00_0001.wav"]);
        assert_eq!(names(&bandsaw.unlabelled), ["section_00_0002.wav"]);
        assert_eq!(bandsaw.domain_of(&bandsaw.test_abnormal[0].path), Some(Domain::Target));
        assert_eq!(found.unlabelled(), 1);
    }
    let lost = Dataset::discover_with(&root.path().join("eval"), Some(&root.path().join("eval"))).unwrap_err();
    assert!(lost.to_string().contains("ground_truth_data"), "{lost}");
}

#[test]
fn a_line_of_the_truth_that_is_no_label_is_named() {
    let root = evaluation_set(&[]);
    let file = root.path().join("ground_truth_data/ground_truth_bandsaw_section_00_test.csv");
    std::fs::write(&file, "section_00_0000.wav,1\nsection_00_0001.wav,maybe\n").unwrap();
    let refusal = Dataset::discover(&root.path().join("eval")).unwrap_err().to_string();
    assert!(refusal.contains("line 2") && refusal.contains("maybe"), "{refusal}");
}

#[test]
fn renamed_copies_count_once() {
    let copies = [
        "eval/bandsaw/test_rename/section_00_target_test_anomaly_0000_a.wav",
        "eval/bandsaw/test_rename/section_00_source_test_normal_0001_a.wav",
        "eval/bandsaw/test_rename/section_00_source_test_normal_0002_a.wav",
    ];
    let with_truth = evaluation_set(&copies);
    let found = Dataset::discover(&with_truth.path().join("eval")).unwrap();
    assert_eq!(found.counts(), (1, 1, 1), "the truth has two labels, and each clip counts once");
    assert!(
        found.passed_over.iter().any(|files| files.reason == PassedOverReason::OtherName && files.files.len() == 3)
    );

    std::fs::remove_dir_all(with_truth.path().join("ground_truth_data")).unwrap();
    let found = Dataset::discover(&with_truth.path().join("eval")).unwrap();
    assert_eq!(found.counts(), (1, 2, 1));
    assert_eq!(found.unlabelled(), 0, "the unlabelled names are those of the same clips");
}

#[test]
fn the_list_of_2020_gives_labels_by_machine_type() {
    let root = tree(&["fan/test/id_01_00000000.wav", "pump/test/id_01_00000000.wav"]);
    std::fs::write(
        root.path().join("eval_data_list.csv"),
        "fan\nid_01_00000000.wav,normal_id_01_00000000.wav,0\npump\nid_01_00000000.wav,anomaly_id_01_00000000.wav,1\n",
    )
    .unwrap();
    let found = Dataset::discover(root.path()).unwrap();
    let sizes: Vec<_> = found.machines.iter().map(|m| (m.test_normal.len(), m.test_abnormal.len())).collect();
    assert_eq!(sizes, [(1, 0), (0, 1)]);
}

#[test]
fn a_set_without_labels_says_so_and_what_to_do() {
    let root = tree(&["bandsaw/test/section_00_0000.wav", "bandsaw/test/section_00_0001.wav"]);
    let found = Dataset::discover(root.path()).unwrap();
    let refusal = found.check_testable().unwrap_err().to_string();
    assert!(refusal.contains("2 whose names carry no label") && refusal.contains("--truth"), "{refusal}");
}

#[test]
fn every_file_that_is_not_used_is_counted_with_the_reason() {
    let root = tree(&[
        "saw/train/normal/a.wav",
        "saw/train/normal/._a.wav",
        "saw/notes.txt",
        "saw/spare/b.wav",
        "fan/train/section_00_source_train_normal_0000_a.wav",
        "fan/supplemental/section_00_clean_supplemental_0000.wav",
    ]);
    let found = Dataset::discover(root.path()).unwrap();
    let reasons: Vec<(String, PassedOverReason)> = found
        .passed_over
        .iter()
        .map(|files| (files.files[0].file_name().unwrap().to_string_lossy().into_owned(), files.reason))
        .collect();
    let expected = [
        ("section_00_clean_supplemental_0000.wav", PassedOverReason::Supplemental),
        ("notes.txt", PassedOverReason::NotSound),
        ("b.wav", PassedOverReason::Unplaced),
        ("._a.wav", PassedOverReason::Hidden),
    ];
    assert_eq!(reasons, expected.map(|(name, reason)| (name.to_owned(), reason)));
    let line = found.passed_over[2].to_string();
    assert!(line.starts_with("1 file in ") && line.contains("spare (b.wav)"), "{line}");
}
