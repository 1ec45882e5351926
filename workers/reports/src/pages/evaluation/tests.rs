use auscult_schemas::ModelId;

use super::*;

fn clip(machine: &str, fault: Option<&str>, file: &str, score: f64) -> JudgedClip {
    JudgedClip {
        path: file.into(),
        machine: machine.to_owned(),
        domain: None,
        is_abnormal: fault.is_some(),
        fault: fault.map(str::to_owned),
        quantity: None,
        score,
        channel_scores: vec![Some(score), Some(score + 0.5)],
    }
}

fn page_of(clips: &[JudgedClip]) -> String {
    let model = ModelRef { id: ModelId("fan-07".into()), version: "0123456789abcdef".into() };
    let data = Path::new("recordings");
    EvaluationPage {
        model: &model,
        threshold: 2.0,
        is_relative: false,
        wanted_false_alarm_rate: 0.001,
        data,
        clips,
        scored: &[],
        official: &[],
    }
    .html()
}

fn clips() -> Vec<JudgedClip> {
    let normal = (0..20).map(|index| clip("fan", None, &format!("n{index}.wav"), 0.5 + 0.1 * f64::from(index)));
    let worn = (0..10).map(|index| clip("fan", Some("worn"), &format!("w{index}.wav"), 1.0 + f64::from(index)));
    let leak = (0..10).map(|index| clip("pump", Some("leak"), &format!("l{index}.wav"), 500.0 + f64::from(index)));
    normal.chain(worn).chain(leak).chain([clip("pump", None, "p.wav", 1.0)]).collect()
}

#[test]
fn the_page_shows_every_section_and_names_model_data_and_threshold() {
    let page = page_of(&clips());
    for part in [
        "fan-07",
        "0123456789abcdef",
        "recordings",
        "2.0000",
        "wanted 0.1 %",
        "95 % interval",
        "<h2>Scores</h2>",
        "Other thresholds",
        "(the model&#39;s)",
        "ROC: AUC",
        "Precision-recall",
        "abnormal as the positive class",
        "normal as the positive class",
        "By fault",
        "worn",
        "leak",
        "By machine",
        "pump",
        "harmonic mean",
        "microphone 1",
        "Clips to listen to",
        "w0.wav",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("NaN"), "no coordinate may be missing");
}

#[test]
fn the_same_clips_give_the_same_page() {
    assert_eq!(page_of(&clips()), page_of(&clips()));
}

#[test]
fn names_of_files_and_faults_cannot_write_into_the_page() {
    let mut clips = clips();
    clips.push(clip("<b>m</b>", Some("<i onload=x>"), "<script>y.wav", 0.1));
    let page = page_of(&clips);
    for raw in ["<b>m", "<i onload", "<script"] {
        assert!(!page.contains(raw), "{raw}");
    }
    assert!(page.contains("&lt;script&gt;y.wav"));
}

#[test]
fn the_clips_to_listen_to_are_those_that_were_judged_wrong_the_worst_first() {
    let clips = [
        clip("fan", None, "quiet.wav", 1.0),
        clip("fan", None, "loud.wav", 3.0),
        clip("fan", None, "louder.wav", 4.0),
        clip("fan", Some("worn"), "found.wav", 5.0),
    ];
    let page = page_of(&clips);
    let list = &page[page.find("Clips to listen to").unwrap()..];
    assert!(list.contains("False alarms, highest score first: 2 of 2") && list.contains("Missed faults: none"));
    assert!(list.find("louder.wav").unwrap() < list.find("loud.wav").unwrap());
    assert!(!list.contains("quiet.wav") && !list.contains("found.wav"));
}

#[test]
fn one_class_alone_has_a_page_without_curves() {
    let clips: Vec<JudgedClip> = clips().into_iter().filter(|clip| !clip.is_abnormal).collect();
    let page = page_of(&clips);
    assert!(page.contains("No curve") && !page.contains("NaN"));
}
