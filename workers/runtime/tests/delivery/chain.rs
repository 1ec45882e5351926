//! A processor whose outputs depend on every record of the machine before them, and the serial replay to hold it against.

use std::collections::{BTreeMap, HashMap};

use auscult_runtime::processor::{Memory, Output, Processor, Rejection, StateKey};
use auscult_runtime::record::Record;
use auscult_schemas::{DeadLetterCode, Headers};
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

/// Hash of all that was seen of a machine, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub count: u64,
    pub hash: u64,
}

impl Link {
    fn next(&self, value: &[u8]) -> Self {
        let mut hash = self.hash ^ 0xcbf2_9ce4_8422_2325;
        for byte in value {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Self { count: self.count + 1, hash }
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
    let value = Bytes::from(serde_json::to_vec(&(record.coordinates.offset, next)).expect("numbers"));
    Ok(vec![Output { topic: OUTPUT, key, value, headers: Headers::default() }])
}

/// Reads everything `read_committed` and holds it against a serial replay of the input.
pub fn verify(world: &World) -> Result<(), String> {
    for partition in 0..world.partitions {
        let mut expected = Vec::new();
        let mut refused = 0;
        let mut links: BTreeMap<Bytes, Link> = BTreeMap::new();
        for (offset, input) in world.inputs.get(&partition).into_iter().flatten().enumerate() {
            let (key, value) = (input.key.clone().unwrap_or_default(), input.value.clone().unwrap_or_default());
            if value.is_empty() || value == POISON || value == BOMB || value.len() > 1_000 {
                refused += 1;
                continue;
            }
            let link = links.entry(key.clone()).or_default();
            *link = link.next(&value);
            expected.push((key, (offset as i64, link.clone())));
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
        let dead = world.log.read(auscult_schemas::topics::DEAD_LETTERS, partition, 0, usize::MAX).0.len();
        if dead != refused {
            return Err(format!("partition {partition}: {refused} records to refuse, {dead} dead letters"));
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
