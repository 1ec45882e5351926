//! What happens to what the log remembers: offsets that are gone, a changelog of nothing but aborted records.

use std::time::Duration;

use anyhow::Result;
use auscult_schemas::topics::FEATURES;

use crate::faults::{Ending, Fault, Role, Scene};

const GRACE: Duration = Duration::from_secs(12);

pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "offsets of the scoring group expired", load_secs: 20.0, drive: expire_offsets, ..Fault::NONE },
    Fault {
        name: "changelog of aborted records and markers",
        load_secs: 20.0,
        // Nothing that these two write is ever committed, until they are killed in their next transaction but one.
        launches: |_, role| match role {
            Role::Features => Vec::new(),
            Role::Scoring => {
                vec!["after-offsets:1+:abort,before-send:40:kill".to_owned(), "after-offsets:*4:abort".to_owned()]
            }
        },
        allows: Ending::is_kill,
        ..Fault::NONE
    },
];

/// Kafka forgets a group's offsets when it has been away for long. The changelog knows them still.
fn expire_offsets(scene: &mut Scene<'_>) -> Result<()> {
    scene.pass(Duration::from_secs(4));
    for name in ["scoring-0", "scoring-1"] {
        scene.staff.dismiss(name, GRACE)?;
    }
    let arguments = ["--delete-offsets", "--group", "auscult-scoring-worker", "--topic", FEATURES];
    scene.cluster.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", &arguments)?;
    for name in ["scoring-0", "scoring-1"] {
        scene.staff.hire(Role::Scoring, name, [])?;
    }
    Ok(())
}
