use ndarray::Array2;

use super::recording::{Levels, RecordingPicture};
use super::*;

fn recording(name: &str, level_db: f32) -> Recording {
    Recording {
        name: name.to_owned(),
        sample_rate_hz: 16_000,
        channels: 1,
        duration_s: 2.0,
        levels: Levels { rms_dbfs: f64::from(level_db), peak_dbfs: -1.0, clipped_share: 0.0 },
        measured: None,
        quality: Vec::new(),
        band_levels_db: vec![level_db; 64],
        file_hash: name.bytes().fold(0, |hash, byte| 256 * hash + u64::from(byte)),
        picture: Some(RecordingPicture {
            envelope: vec![(-0.5, 0.5), (0.0, 0.0)],
            log_mel: Array2::from_elem((8, 64), level_db),
        }),
    }
}

fn group(kind: GroupKind, recordings: Vec<Recording>) -> Group {
    Group { kind, recordings, unreadable: Vec::new() }
}

fn normal(count: usize) -> Vec<Recording> {
    (0..count).map(|index| recording(&format!("n{index}.wav"), -40.0)).collect()
}

fn page_of(groups: Vec<Group>) -> String {
    let machines = [Machine { id: "saw".to_owned(), groups, training: Vec::new() }];
    let spec = FeatureSpec::default();
    ExplorationPage { data: Path::new("recordings"), layout: "split folders", spec: &spec, machines: &machines }.html()
}

fn warnings_of(groups: Vec<Group>) -> String {
    warnings(&Machine { id: "saw".to_owned(), groups, training: Vec::new() }).join("\n")
}

#[test]
fn normal_stands_beside_each_fault_with_the_difference_of_every_band() {
    let blade = (0..12).map(|index| recording(&format!("b{index}.wav"), -34.5)).collect();
    let page =
        page_of(vec![group(GroupKind::TrainNormal, normal(60)), group(GroupKind::Fault("blade".to_owned()), blade)]);
    for part in
        ["<h4>normal</h4>", "<h4>blade</h4>", "data:image/png;base64,iVBOR", "+5.5 dB", "Every band", "No warnings"]
    {
        assert_eq!(page.contains(part), part != "No warnings", "{part}");
    }
    assert!(page.contains("no normal clips to test with") && !page.contains("NaN"));
}

#[test]
fn a_machine_that_never_failed_has_a_page_without_differences() {
    let page = page_of(vec![group(GroupKind::TrainNormal, normal(60))]);
    assert!(page.contains("No warnings.") && page.contains("Mean level of each band"));
    assert!(!page.contains("Each fault less normal") && !page.contains("NaN"));
}

#[test]
fn a_machine_of_which_nothing_could_be_read_has_a_page_that_says_why() {
    let unreadable = vec!["x.wav: empty".to_owned()];
    let page = page_of(vec![Group { kind: GroupKind::TrainNormal, recordings: Vec::new(), unreadable }]);
    assert!(page.contains("1 clip cannot be used: x.wav: empty") && page.contains("nothing to compare with"));
}

#[test]
fn silence_is_drawn_and_left_out_of_the_spectra() {
    let mut silent = recording("silent.wav", f32::NEG_INFINITY);
    silent.quality = vec![QualityFlag::Silent];
    let page = page_of(vec![group(GroupKind::TrainNormal, [normal(60), vec![silent]].concat())]);
    assert!(page.contains("1 clip, sensor fault, not learned from: silent: ") && page.contains("(silence to -40.0)"));
    assert!(!page.contains("NaN") && !page.contains("inf"), "no coordinate may be missing");
}

#[test]
fn what_would_spoil_a_model_is_warned_of() {
    let mut odd = normal(60);
    odd[0].quality = vec![QualityFlag::Silent];
    odd[1].quality = vec![QualityFlag::Clipped];
    odd[6].quality = vec![QualityFlag::MainsHum];
    odd[2].sample_rate_hz = 44_100;
    odd[3].channels = 2;
    odd[4].file_hash = odd[5].file_hash;
    let text = warnings_of(vec![group(GroupKind::TrainNormal, odd)]);
    for part in [
        "1 clip, sensor fault, not learned from: silent: ",
        "(n0.wav)",
        "1 clip, sensor fault, not learned from: clipped: ",
        "(n1.wav)",
        "1 clip, note: mains_hum: ",
        "(n6.wav)",
        "16000 Hz (59), 44100 Hz (1)",
        "numbers of channels",
        "n4.wav = n5.wav",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn too_few_clips_are_warned_of_in_the_measure_that_they_are_too_few() {
    let train = |count| group(GroupKind::TrainNormal, normal(count));
    assert!(warnings_of(vec![train(3)]).contains("training needs at least 8"));
    assert!(warnings_of(vec![train(20)]).contains("the threshold is a rough one"));
    assert!(warnings_of(vec![]).contains("no normal clips to train with"));
    let four = group(GroupKind::TestNormal, normal(4));
    let text = warnings_of(vec![train(60), four]);
    assert!(text.contains("25 percentage points") && text.contains("no abnormal clips to test with"), "{text}");
}

#[test]
fn names_of_files_faults_and_machines_cannot_write_into_the_page() {
    let fault = GroupKind::Fault("<img src=x>".to_owned());
    let page = page_of(vec![
        group(GroupKind::TrainNormal, vec![recording("<script>a</script>.wav", -40.0)]),
        group(fault, vec![recording("\"><b>.wav", -30.0)]),
    ]);
    assert!(!page.contains("<script>") && !page.contains("<img") && !page.contains("<b>"));
    assert!(page.contains("&lt;img src=x&gt;"));
}
