//! The verifier against workers that do as they should, and against a result that somebody has written once more.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use auscult_schemas::topics::SCORES;
use auscult_tests::load::{CONTROL_SHARE, Load, LoadSpec, train_model};
use auscult_tests::verifier::{Offsets, Topics, Verifier};
use auscult_tests::{Plant, Worker};

const MAX_CHUNK_BYTES: usize = 131_072;

#[test]
fn a_run_without_faults_is_clean_and_a_score_written_once_more_is_named() -> Result<()> {
    let plant = Plant::with_topics(4)?;
    let model = plant.models().join("all.safetensors");
    train_model(&model, 0)?;
    let (brokers, kcat) = (plant.cluster.bootstrap(), plant.cluster.kcat());
    let settings = [("AUSCULT__LIMITS__MAX_CHUNK_BYTES", "131072")];
    let scoring = ["scoring-worker", "--default-model", &model.display().to_string(), "--device", "cpu"];
    let mut workers = [
        Worker::start("features", &["feature-worker"], &brokers, &settings, plant.folder())?,
        Worker::start("scoring", &scoring, &brokers, &settings, plant.folder())?,
    ];
    for worker in &mut workers {
        worker.wait_until_ready(Duration::from_secs(60))?;
    }

    let since = Offsets::now(&kcat)?;
    let load = Load::plan(&LoadSpec {
        seed: 6,
        machines: 20,
        chunks: 600,
        rate_per_s: 100.0,
        prefix: "plant".to_owned(),
        poison_share: 0.1,
        control_share: CONTROL_SHARE,
    });
    load.send(&brokers, &AtomicBool::new(false))?;
    let verifier = Verifier::new(kcat.clone(), &[model], MAX_CHUNK_BYTES);
    let workers = std::cell::RefCell::new(workers);
    verifier.await_settled(&since, load.len(), Duration::from_secs(60), || {
        workers.borrow_mut().iter_mut().try_for_each(|worker| worker.process().ensure_running())
    })?;
    let begun = Instant::now();
    let verdict = verifier.verify(&since)?;
    let took = begun.elapsed();
    println!("{verdict}; read and judged in {:.2} s", took.as_secs_f64());
    assert!(verdict.is_clean(), "{verdict}");
    // 2,000 take a second on two busy cores.
    assert!(took < Duration::from_secs(5), "{took:?} for 600 records");
    assert_eq!((verdict.chunks, verdict.results), (600, 600));

    let topics = Topics::read(&kcat, &since)?;
    let score = &topics.of(SCORES)[17];
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<(String, String)> = score
        .headers
        .0
        .iter()
        .map(|(name, value)| (name.clone(), text(value.as_deref().unwrap_or_default())))
        .collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let key = text(score.key.as_deref().context("a score has a key")?);
    kcat.produce(SCORES, Some(&key), &headers, score.value.as_deref().unwrap_or_default())?;
    let verdict = verifier.verify(&since)?;
    assert_eq!(verdict.doubled.len(), 1, "{verdict}");
    assert!(verdict.doubled[0].0.contains(&key), "{verdict}");
    let others = [&verdict.lost, &verdict.reordered, &verdict.wrong, &verdict.state_mismatches];
    assert!(others.iter().all(|findings| findings.is_empty()), "{verdict}");
    Ok(())
}
