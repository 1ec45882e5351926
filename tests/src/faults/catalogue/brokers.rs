//! What happens to brokers: one of three is killed, stopped, lost while it leads or coordinates; all are restarted in
//! turn.
//!
//! A lone broker is not killed here: Kafka itself then tears transactions (docs/delivery.md, "Partitions without any
//! leader").

use std::time::Duration;

use anyhow::Result;
use auscult_schemas::topics::{CHUNKS, FEATURES, SCORES};
use rand::Rng;

use crate::faults::{Fault, Scene};

/// Longer than the transaction timeout of the suite, and than a session.
const LONGER_THAN_A_TRANSACTION: Duration = Duration::from_secs(13);

const THREE: Fault = Fault { brokers: 3, load_secs: 25.0, ..Fault::NONE };

pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "3 brokers: one killed and restarted at once", drive: kill_and_restart, ..THREE },
    Fault { name: "3 brokers: one stopped beyond the transaction", drive: stop_for_long, ..THREE },
    Fault { name: "3 brokers: partition leader lost", drive: lose_a_leader, ..THREE },
    Fault { name: "3 brokers: transaction coordinator lost", drive: lose_the_transaction_coordinator, ..THREE },
    Fault { name: "3 brokers: group coordinator lost", drive: lose_the_group_coordinator, ..THREE },
    Fault { name: "3 brokers: each restarted in turn", load_secs: 35.0, drive: restart_in_turn, ..THREE },
];

/// Before its session has ended: the others learn of it only when it registers anew.
fn kill_and_restart(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.repeats {
        let pause = scene.between(2.0, 4.0);
        scene.pass(pause);
        let broker = scene.rng.random_range(1..=3);
        scene.cluster.kill(broker)?;
        let pause = scene.between(0.1, 3.0);
        scene.pass(pause);
        scene.cluster.restart(broker)?;
    }
    Ok(())
}

fn stop_for_long(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.repeats {
        let pause = scene.between(2.0, 4.0);
        scene.pass(pause);
        let broker = scene.cluster.transaction_coordinator("auscult-scoring-worker-scoring-0")?;
        scene.cluster.broker(broker)?.pause()?;
        scene.pass(LONGER_THAN_A_TRANSACTION);
        scene.cluster.broker(broker)?.resume()?;
    }
    Ok(())
}

fn lose(scene: &mut Scene<'_>, broker: usize) -> Result<()> {
    scene.cluster.kill(broker)?;
    let absence = scene.between(4.0, 7.0);
    scene.pass(absence);
    scene.cluster.restart(broker)
}

fn lose_a_leader(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.repeats {
        let pause = scene.between(2.0, 4.0);
        scene.pass(pause);
        let topic = [CHUNKS, FEATURES, SCORES][scene.rng.random_range(0..3)];
        let partition = scene.rng.random_range(0..4);
        let leader = scene.cluster.leader(topic, partition)?;
        lose(scene, leader)?;
    }
    Ok(())
}

fn lose_the_transaction_coordinator(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.repeats {
        let pause = scene.between(2.0, 4.0);
        scene.pass(pause);
        let id =
            ["auscult-feature-worker-features-0", "auscult-scoring-worker-scoring-1"][scene.rng.random_range(0..2)];
        let coordinator = scene.cluster.transaction_coordinator(id)?;
        lose(scene, coordinator)?;
    }
    Ok(())
}

fn lose_the_group_coordinator(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.repeats {
        let pause = scene.between(2.0, 4.0);
        scene.pass(pause);
        let group = ["auscult-feature-worker", "auscult-scoring-worker"][scene.rng.random_range(0..2)];
        let coordinator = scene.cluster.group_coordinator(group)?;
        lose(scene, coordinator)?;
    }
    Ok(())
}

fn restart_in_turn(scene: &mut Scene<'_>) -> Result<()> {
    for broker in 1..=3 {
        let pause = scene.between(1.0, 3.0);
        scene.pass(pause);
        scene.cluster.kill(broker)?;
        scene.pass(Duration::from_secs(1));
        scene.cluster.restart(broker)?;
        // A roll goes on when the replicas have caught up.
        scene.pass(Duration::from_secs(3));
    }
    Ok(())
}
