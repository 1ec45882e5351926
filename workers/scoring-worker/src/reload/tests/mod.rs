mod worker;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use auscult_runtime::processor::Memory;
use auscult_schemas::DeadLetterCode;

pub(crate) use worker::{FRAMES, MELS, level, package, package_of};
use worker::{Worker, version, with_weights};

#[test]
fn a_changed_file_serves_from_the_batch_after_the_look() {
    let (old, new) = (package(1), package(2));
    let mut worker = Worker::with(&[("fan.safetensors", &old)]);
    worker.write("fan.safetensors", &new);
    assert_eq!(worker.judge_one("fan"), Ok(version(&old)), "not looked at yet");
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&new)));
    assert_eq!(worker.counts(), (1, 0, 1, 0));
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&new)));
    assert_eq!(worker.counts(), (1, 0, 1, 0), "nothing happens until the file changes");
}

#[test]
fn a_file_that_is_written_anew_with_the_same_content_is_no_change() {
    let model = package(1);
    let mut worker = Worker::with(&[("fan.safetensors", &model)]);
    worker.write("fan.safetensors", &model);
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&model)));
    assert_eq!(worker.counts(), (0, 0, 1, 0));
}

#[test]
fn a_broken_file_leaves_the_old_model_serving_and_is_told_of_once() {
    let model = package(1);
    let mut worker = Worker::with(&[("fan.safetensors", &model)]);
    worker.write("fan.safetensors", b"no model at all");
    worker.check();
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&model)));
    assert_eq!(worker.counts(), (0, 1, 1, 1));
    worker.write("fan.safetensors", b"no model at all, again");
    worker.check();
    assert_eq!(worker.counts(), (0, 2, 1, 1), "another change of the file");
    worker.write("fan.safetensors", &model);
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&model)));
    assert_eq!(worker.counts(), (0, 2, 1, 0), "what serves is what is in the file again");
}

#[test]
fn a_model_that_judges_noise_with_what_is_no_number_does_not_serve() {
    let model = package(1);
    let mut worker = Worker::with(&[("fan.safetensors", &model)]);
    let harmless = with_weights(&model, 1e-3);
    worker.write("fan.safetensors", &harmless);
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&harmless)));
    worker.write("fan.safetensors", &with_weights(&model, 1e37));
    worker.check();
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&harmless)));
    assert_eq!(worker.counts(), (1, 1, 1, 1));
}

#[test]
fn a_half_written_file_serves_once_it_is_whole_and_not_before() {
    let (old, new) = (package(1), package(2));
    let mut worker = Worker::with(&[("fan.safetensors", &old)]);
    worker.write("fan.safetensors", &new[..new.len() / 2]);
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&old)));
    worker.write("fan.safetensors", &new);
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&new)));
    assert_eq!(worker.counts(), (1, 1, 1, 0));
}

#[test]
fn a_file_that_is_deleted_and_put_there_anew_loses_no_chunk() {
    let (old, new) = (package(1), package(2));
    let mut worker = Worker::with(&[("fan.safetensors", &old)]);
    worker.delete("fan.safetensors");
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&old)), "missing in one look");
    worker.write("fan.new", &new);
    let (from, to) = (worker.folder.path().join("fan.new"), worker.folder.path().join("fan.safetensors"));
    std::fs::rename(from, to).unwrap();
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&new)));
}

#[test]
fn a_file_that_is_missing_in_two_looks_leaves_its_machine_to_the_default_model() {
    let (own, default) = (package(1), package(2));
    let mut worker = Worker::with(&[("fan.safetensors", &own), ("default.model", &default)]);
    worker.delete("fan.safetensors");
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&own)));
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&default)));
    assert_eq!(worker.counts().2, 1);
    worker.write("fan.safetensors", &own);
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&own)), "and it may come back");
}

#[test]
fn without_a_default_the_machine_of_a_file_that_is_gone_is_unknown() {
    let (fan, pump) = (package(1), package(2));
    let mut worker = Worker::with(&[("fan.safetensors", &fan), ("pump.safetensors", &pump)]);
    worker.delete("fan.safetensors");
    worker.check();
    worker.check();
    assert_eq!(worker.judge_one("fan"), Err(DeadLetterCode::UnknownMachine));
    assert_eq!(worker.judge_one("pump"), Ok(version(&pump)));
}

#[test]
fn a_folder_that_cannot_be_read_takes_no_model_away() {
    let model = package(1);
    let mut worker = Worker::with(&[("fan.safetensors", &model)]);
    let (folder, away) = (worker.folder.path().to_owned(), worker.folder.path().with_extension("away"));
    std::fs::rename(&folder, &away).unwrap();
    for _ in 0..3 {
        worker.check();
    }
    assert_eq!(worker.judge_one("fan"), Ok(version(&model)));
    std::fs::rename(&away, &folder).unwrap();
}

#[test]
fn a_machine_whose_file_appears_is_served_from_then_on() {
    let (fan, pump) = (package(1), package(2));
    let mut worker = Worker::with(&[("fan.safetensors", &fan)]);
    assert_eq!(worker.judge_one("pump"), Err(DeadLetterCode::UnknownMachine));
    worker.write("pump.safetensors", &pump[..100]);
    worker.check();
    assert_eq!(worker.judge_one("pump"), Err(DeadLetterCode::ModelUnavailable));
    worker.write("pump.safetensors", &pump);
    worker.check();
    assert_eq!(worker.judge_one("pump"), Ok(version(&pump)));
    assert_eq!(worker.judge_one("fan"), Ok(version(&fan)));
    assert_eq!(worker.counts(), (1, 1, 2, 0));
}

#[test]
fn a_machine_keeps_the_default_model_while_its_own_file_is_half_written() {
    let (own, default) = (package(1), package(2));
    let mut worker = Worker::with(&[("default.model", &default)]);
    worker.write("fan.safetensors", &own[..own.len() / 2]);
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&default)));
    assert_eq!(worker.counts(), (0, 1, 1, 1));
    worker.write("fan.safetensors", &own);
    worker.check();
    assert_eq!(worker.judge_one("fan"), Ok(version(&own)));
}

#[test]
fn a_file_that_was_broken_at_the_start_serves_when_it_is_whole() {
    let (fan, pump) = (package(1), package(2));
    let mut worker = Worker::with(&[("fan.safetensors", &fan), ("pump.safetensors", &pump[..200])]);
    worker.check();
    assert_eq!(worker.judge_one("pump"), Err(DeadLetterCode::ModelUnavailable));
    assert_eq!(worker.counts(), (0, 0, 1, 1), "told of at the start, not again");
    worker.write("pump.safetensors", &pump);
    worker.check();
    assert_eq!(worker.judge_one("pump"), Ok(version(&pump)));
}

#[test]
fn a_batch_that_panics_is_judged_to_its_end_by_the_models_that_it_began_with() {
    let (old, new) = (package(1), package(2));
    let mut worker = Worker::with(&[("fan.safetensors", &old)]);
    let records = worker.records(&["fan", "fan", "fan"]);
    let states = HashMap::new();
    let stage = worker.processor.stage();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _ = stage.score(&records, |_| panic!("a bug in reading"), &mut Memory::over(&states));
    }));
    assert!(panicked.is_err());
    worker.write("fan.safetensors", &new);
    worker.check();
    for record in &records {
        assert_eq!(worker.judge(std::slice::from_ref(record)), [Ok(version(&old))]);
    }
    assert_eq!(worker.judge_one("fan"), Ok(version(&new)));
}

/// The thread itself, files that change all the time, and batches one after the other.
#[test]
fn under_load_no_batch_has_two_versions_and_no_chunk_is_lost() {
    const LOAD: Duration = Duration::from_millis(6_500);
    let models = [package(1), package(2)];
    let versions = [version(&models[0]), version(&models[1])];
    let mut worker = Worker::with(&[("fan.safetensors", &models[0])]);
    worker.processor.stage().follow(&worker.config).unwrap();
    let records = worker.records(&["fan"; 16]);
    let file = worker.folder.path().join("fan.safetensors");
    let vandal = std::thread::spawn(move || {
        let started = Instant::now();
        for turn in 0.. {
            let model = &models[turn % 2];
            match turn % 4 {
                0 => std::fs::write(&file, &model[..model.len() / 2]).unwrap(),
                1 => std::fs::remove_file(&file).unwrap(),
                _ => {}
            }
            std::thread::sleep(Duration::from_millis(70));
            std::fs::write(&file, model).unwrap();
            std::thread::sleep(Duration::from_millis(400));
            if started.elapsed() > LOAD {
                return;
            }
        }
    });
    let (mut batches, mut swaps, mut slowest) = (0, 0, Duration::ZERO);
    let mut serving = versions[0].clone();
    while !vandal.is_finished() {
        let started = Instant::now();
        let judged = worker.judge(&records);
        slowest = slowest.max(started.elapsed());
        let first = judged[0].clone().unwrap();
        assert!(versions.contains(&first) && judged.iter().all(|version| *version == Ok(first.clone())), "{judged:?}");
        swaps += u64::from(first != serving);
        serving = first;
        batches += 1;
    }
    vandal.join().unwrap();
    println!("{batches} batches, {swaps} swaps, slowest batch {slowest:?}");
    assert!(swaps >= 1, "{batches} batches");
    assert_eq!(worker.metrics.model_reloads.get(), swaps);
}
