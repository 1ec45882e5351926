//! A processor whose outputs depend on every record of the machine before them, and the serial replay to hold it
//! against.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use auscult_runtime::processor::{Memory, Output, Processor, Rejection, StateKey};
use auscult_runtime::record::Record;
use auscult_schemas::{DeadLetter, DeadLetterCode, Headers};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::world::World;

pub const INPUT: &str = "input";
pub const OUTPUT: &str = "output";
pub const CHANGELOG: &str = "changelog";
pub const GROUP: &str = "group";
/// This value is refused.
pub const POISON: &[u8] = b"poison";
/// This value makes the processor panic.
pub const BOMB: &[u8] = b"bomb";

/// This value can be processed, and what it comes to is larger than the output's topic takes.
pub const HUGE: &[u8] = b"huge";
/// Of a machine that has seen this value, the state is larger than its topic takes.
pub const SWOLLEN: &[u8] = b"swollen";
/// What the topics take, bytes.
pub const LARGEST: usize = 1_900;

/// Hash of all that was seen of a machine, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub count: u64,
    pub hash: u64,
    /// What makes a state too large.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ballast: String,
}

impl Link {
    fn next(&self, value: &[u8]) -> Self {
        let mut hash = self.hash ^ 0xcbf2_9ce4_8422_2325;
        for byte in value {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let ballast = if value == SWOLLEN { "x".repeat(LARGEST) } else { String::new() };
        Self { count: self.count + 1, hash, ballast }
    }
}

/// The processor. It keeps what it last saw of the states, as one would that derives something from them.
#[derive(Default)]
pub struct Chain {
    kept: Option<(u64, HashMap<StateKey, Link>)>,
}

impl Processor for Chain {
    type State = Link;

    fn process(&mut self, records: &[Record], memory: &mut Memory<'_, Link>) -> Vec<Result<Vec<Output>, Rejection>> {
        let seen = |memory: &Memory<'_, Link>| -> HashMap<StateKey, Link> {
            memory.iter().map(|(key, link)| (key.clone(), link.clone())).collect()
        };
        let generation = memory.generation();
        if let Some((_, kept)) = self.kept.take().filter(|(of, _)| *of == generation) {
            // A panic here makes dead letters that the serial replay does not expect.
            assert_eq!(kept, seen(memory), "the states changed behind the processor's back, under one generation");
        }
        for (key, link) in memory.iter() {
            assert_eq!(memory.get(key.0, &key.1), Some(link), "iterated and looked up, a state is the same");
        }
        let results = records.iter().map(|record| link(record, memory)).collect();
        self.kept = Some((generation, seen(memory)));
        results
    }
}

fn link(record: &Record, memory: &mut Memory<'_, Link>) -> Result<Vec<Output>, Rejection> {
    let value = record.value.clone().expect("the runner refuses records without a value");
    let key = record.key.clone().expect("every record here has one");
    if value == POISON {
        return Err(Rejection { code: DeadLetterCode::NotAudio, detail: "poison".to_owned() });
    }
    let partition = record.coordinates.partition;
    let next = memory.get(partition, &key).cloned().unwrap_or_default().next(&value);
    memory.put(partition, key.clone(), next.clone());
    assert!(value != BOMB, "the bomb went off after the state was written");
    let is_huge = value == HUGE;
    let shown = Link { ballast: String::new(), ..next };
    let mut value = serde_json::to_vec(&(record.coordinates.offset, shown)).expect("numbers");
    value.resize(value.len() + if is_huge { LARGEST } else { 0 }, b' ');
    let value = Bytes::from(value);
    Ok(vec![Output { topic: OUTPUT, key, value, headers: Headers::default() }])
}

/// Reads everything `read_committed` and holds it against a serial replay of the input.
pub fn verify(world: &World) -> Result<(), String> {
    for partition in 0..world.partitions {
        let mut expected = Vec::new();
        let mut refused = 0;
        let mut refused_at = BTreeSet::new();
        let mut links: BTreeMap<Bytes, Link> = BTreeMap::new();
        for (offset, input) in world.inputs.get(&partition).into_iter().flatten() {
            let (key, value) = (input.key.clone().unwrap_or_default(), input.value.clone().unwrap_or_default());
            let is_unwritable = value == HUGE || value == SWOLLEN;
            if value.is_empty() || value == POISON || value == BOMB || is_unwritable || value.len() > 1_000 {
                refused += 1;
                refused_at.insert(*offset);
                continue;
            }
            let link = links.entry(key.clone()).or_default();
            *link = link.next(&value);
            expected.push((key, (*offset, link.clone())));
        }
        let found: Vec<(Bytes, (i64, Link))> = world
            .log
            .read(OUTPUT, partition, 0, usize::MAX)
            .0
            .into_iter()
            .map(|record| {
                (record.key.unwrap_or_default(), serde_json::from_slice(&record.value.unwrap_or_default()).unwrap())
            })
            .collect();
        if found != expected {
            return Err(format!("partition {partition}: expected {expected:?}\n   found {found:?}"));
        }
        let dead = world.log.read(auscult_schemas::topics::DEAD_LETTERS, partition, 0, usize::MAX).0;
        let letters: Vec<DeadLetter> = dead.iter().map(|record| DeadLetter::read(&record.headers).unwrap()).collect();
        let dead_at: BTreeSet<i64> = letters.iter().map(|letter| letter.source.offset).collect();
        if dead.len() != refused || dead_at != refused_at {
            return Err(format!("partition {partition}: {refused_at:?} to refuse, dead letters {letters:?}"));
        }
        for (record, letter) in dead.iter().zip(&letters) {
            let is_whole = !letter.value_omitted && letter.value_sha256.is_none();
            let is_reduced =
                record.value.is_none() && letter.value_bytes == Some(1_200) && letter.value_sha256.is_some();
            if !is_whole && !is_reduced {
                return Err(format!("partition {partition}: {letter:?}"));
            }
        }
        let (_, end) = world.log.read(INPUT, partition, 0, usize::MAX);
        let committed = world.log.committed_offset(GROUP, partition).unwrap_or(0);
        if committed != end {
            return Err(format!(
                "partition {partition}: committed up to {committed}, and nothing is left before {end}"
            ));
        }
        let mut kept: HashMap<Bytes, Link> = HashMap::new();
        for record in world.log.read(CHANGELOG, partition, 0, usize::MAX).0 {
            let link = serde_json::from_slice(&record.value.unwrap_or_default()).unwrap();
            kept.insert(record.key.unwrap_or_default(), link);
        }
        if kept != links.clone().into_iter().collect() {
            return Err(format!("partition {partition}: state {kept:?}, a serial replay has {links:?}"));
        }
    }
    Ok(())
}
