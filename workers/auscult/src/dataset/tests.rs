use std::path::Path;

use tempfile::TempDir;

use super::{Dataset, DatasetError, Layout};

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
        assert_eq!(found.counts(), (2, 1, 1), "the unlabelled clip is passed over");
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
