//! What is wrong with what comes in or with the topics: poison, a queue that is full, more partitions than before.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use auscult_schemas::topics::CHUNKS;

use crate::faults::{Fault, Scene};
use crate::until;

pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "poison, truncated, oversize, wrong schema", poison_share: 0.2, ..Fault::NONE },
    Fault {
        name: "producer queue full",
        settings: &[("AUSCULT__KAFKA__PROPERTIES__QUEUE_BUFFERING_MAX_MESSAGES", "3")],
        ..Fault::NONE
    },
    Fault { name: "partitions added", load_secs: 20.0, drive: grow, ..Fault::NONE },
    Fault { name: "partitions added to the input alone", load_secs: 20.0, drive: grow_the_input_alone, ..Fault::NONE },
    Fault { name: "model swapped and broken", load_secs: 16.0, drive: swap_the_model, ..Fault::NONE },
];

fn grow(scene: &mut Scene<'_>) -> Result<()> {
    scene.pass(Duration::from_secs(4));
    grow_to(scene, two_more(scene)?)
}

fn two_more(scene: &Scene<'_>) -> Result<String> {
    let partitions = scene.cluster.kcat().partitions()?;
    Ok((partitions.get(CHUNKS).context("there is no topic of chunks")? + 2).to_string())
}

fn grow_to(scene: &Scene<'_>, partitions: String) -> Result<()> {
    crate::run_auscult(&scene.cluster.bootstrap(), &["topics", "grow", "--partitions", &partitions])?;
    Ok(())
}

/// The mistake: results have nowhere to go. Workers say so and wait; when the other topics are grown, everything is
/// there.
fn grow_the_input_alone(scene: &mut Scene<'_>) -> Result<()> {
    scene.pass(Duration::from_secs(3));
    let partitions = two_more(scene)?;
    scene
        .cluster
        .tool("org.apache.kafka.tools.TopicCommand", &["--alter", "--topic", CHUNKS, "--partitions", &partitions])?;
    until("a worker to say that a topic is short of partitions", Duration::from_secs(40), || {
        let mut reasons = String::new();
        for name in ["features-0", "features-1"] {
            reasons += &scene.staff.unready_reason(name).unwrap_or_default();
        }
        Ok(reasons.contains("topics").then_some(()))
    })?;
    grow_to(scene, partitions)
}

fn swap_the_model(scene: &mut Scene<'_>) -> Result<()> {
    let model = scene.terms.model.clone();
    let first = std::fs::read(&model)?;
    let second = std::fs::read(&scene.other_model)?;
    ensure!(first != second, "the two models are one");
    for _ in 0..scene.repeats {
        scene.pass(Duration::from_secs(3));
        std::fs::write(&model, &second[..second.len() / 2])?;
        scene.pass(Duration::from_millis(2500));
        std::fs::write(&model, b"no model at all")?;
        scene.pass(Duration::from_millis(2500));
        std::fs::write(&model, &second)?;
        scene.pass(Duration::from_millis(2500));
        std::fs::write(&model, &first)?;
    }
    Ok(())
}
