//! Finds the partition of a machine's state, whatever partitioner its gateway uses.

use std::time::Duration;

use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::{KafkaAccessError, machine_places, recent_partitions};
use auscult_runtime::machine_places::{MachinePlaces, listed};
use auscult_schemas::topics::{CHUNKS, SCORER_STATE};
use auscult_schemas::{MachineId, printable};

/// Timeout for reading all states.
const READING: Duration = Duration::from_secs(60);
/// Number of newest chunks per partition that are searched for a machine without a state.
const NEWEST: i64 = 5;
/// Maximum number of similar ids that are suggested.
const NAMED: usize = 3;

/// What is known of a machine's partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachinePartitions {
    /// The machine has a state on these partitions, the one with the latest chunk first. There should be only one.
    OfState(Vec<i32>),
    /// It has no state yet, but each of these partitions has a recent chunk of it.
    OfRecentChunks(Vec<i32>),
    /// The machine is unknown; `similar` are ids that are known.
    Unknown {
        /// Number of known machines.
        known: usize,
        /// Ids with almost the same spelling.
        similar: Vec<String>,
    },
}

impl MachinePartitions {
    /// Looks up a machine in `audio.scorer-state`, then among the newest chunks.
    ///
    /// # Errors
    /// If the topics are missing or cannot be read.
    pub fn find(kafka: &KafkaConfig, machine: &MachineId) -> Result<Self, KafkaAccessError> {
        let places = machine_places(kafka, READING)?;
        let judged: Vec<i32> = places.of(machine).iter().map(|place| place.partition).collect();
        if !judged.is_empty() {
            return Ok(Self::OfState(judged));
        }
        let heard = recent_partitions(kafka, machine, NEWEST)?;
        if !heard.is_empty() {
            return Ok(Self::OfRecentChunks(heard));
        }
        Ok(Self::Unknown { known: places.machines().count(), similar: similar(&places, machine) })
    }

    /// The partitions; empty for an unknown machine.
    #[must_use]
    pub fn partitions(&self) -> &[i32] {
        match self {
            Self::OfState(partitions) | Self::OfRecentChunks(partitions) => partitions,
            Self::Unknown { .. } => &[],
        }
    }

    /// The warning for a machine on several partitions.
    #[must_use]
    pub fn warning(&self, machine: &MachineId) -> Option<String> {
        let partitions = self.partitions();
        (partitions.len() > 1).then(|| {
            format!(
                "warning: {} lives on partitions {}: each has a state of its own. `auscult doctor` says which are in use, docs/delivery.md what to do",
                printable(machine.as_str()),
                listed(partitions.iter().copied())
            )
        })
    }
}

/// The message for an unknown machine.
#[must_use]
pub fn unknown_machine(machine: &MachineId, known: usize, similar: &[String]) -> String {
    let machine = printable(machine.as_str());
    let similar = if similar.is_empty() { String::new() } else { format!(" (did you mean {}?)", similar.join(" or ")) };
    format!(
        "{machine} was never heard: {SCORER_STATE} has no state of it ({known} machines have one), nor is one of the newest chunks in {CHUNKS} its{similar}"
    )
}

/// Ids that differ in case, white space or a few letters.
fn similar(places: &MachinePlaces, machine: &MachineId) -> Vec<String> {
    let wanted = machine.as_str().trim().to_lowercase();
    let bound = (wanted.chars().count() / 4).clamp(1, 3);
    let mut found: Vec<(usize, String)> = places
        .machines()
        .map(|known| {
            let name = known.as_str().to_lowercase();
            let is_end = name.ends_with(&format!("/{wanted}"));
            let distance = if is_end { 0 } else { distance(&name, &wanted, bound) };
            (distance, printable(known.as_str()).into_owned())
        })
        .filter(|(distance, _)| *distance <= bound)
        .collect();
    found.sort();
    found.into_iter().take(NAMED).map(|(_, name)| name).collect()
}

/// Levenshtein distance; if it is greater than `bound`, some value above `bound`.
fn distance(a: &str, b: &str, bound: usize) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > bound {
        return bound + 1;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(id: &str) -> MachineId {
        MachineId::new(id).unwrap()
    }

    #[test]
    fn an_id_that_was_mistyped_is_answered_with_those_that_might_have_been_meant() {
        let mut places = MachinePlaces::default();
        for id in ["hall-1/fan-07", "fan-08", "pump-1"] {
            places.note(0, Some(id.as_bytes()), Some(b"{}"));
        }
        assert_eq!(similar(&places, &machine("fan-07")), ["hall-1/fan-07", "fan-08"]);
        assert_eq!(similar(&places, &machine("PUMP-1")), ["pump-1"]);
        assert!(similar(&places, &machine("compressor")).is_empty());
        let words = unknown_machine(&machine("fan-07"), 3, &similar(&places, &machine("fan-07")));
        assert!(words.contains("3 machines") && words.contains("did you mean hall-1/fan-07 or fan-08?"), "{words}");
        assert!(!unknown_machine(&machine("compressor"), 0, &[]).contains("did you mean"));
    }

    #[test]
    fn a_machine_on_two_partitions_is_warned_of() {
        assert_eq!(MachinePartitions::OfState(vec![2]).warning(&machine("fan-1")), None);
        assert!(
            MachinePartitions::OfState(vec![2, 0]).warning(&machine("fan-1")).unwrap().contains("partitions 2 and 0")
        );
        assert_eq!(distance("fan-07", "fan-70", 3), 2);
    }
}
