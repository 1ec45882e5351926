//! The topic itself: read to its end, and records sent again with their marks.

use std::time::{Duration, Instant};

use anyhow::ensure;
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::{GatewayProducer, ReadFrom, TopicReader, machine_places};
use auscult_runtime::machine_places::MachinePlaces;
use auscult_runtime::record::Record;
use auscult_schemas::topics::DEAD_LETTERS;
use auscult_schemas::{DeadLetter, MachineId};

use super::{Inventory, mark, replay};

/// Longest that all letters may take to read.
const READING: Duration = Duration::from_secs(600);
/// Longest that a group of records may take to be acknowledged.
const SENDING: Duration = Duration::from_secs(60);
/// How many records are sent before their marks are.
const TOGETHER: usize = 50;

/// What the topic holds at present.
///
/// # Errors
/// When the topic cannot be read to its end.
pub fn read_inventory(kafka: &KafkaConfig) -> anyhow::Result<Inventory> {
    let mut inventory = Inventory::default();
    for_each_record(kafka, |record| {
        inventory.note(record);
        Ok(())
    })?;
    Ok(inventory)
}

/// Every record of the topic up to its present end, in order within each partition.
///
/// # Errors
/// When the topic cannot be read to its end in time, or `take` fails.
pub fn for_each_record(kafka: &KafkaConfig, mut take: impl FnMut(&Record) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut reader = TopicReader::open(kafka, &[DEAD_LETTERS], ReadFrom::Beginning)?;
    let begun = Instant::now();
    while !reader.is_at_end() {
        ensure!(begun.elapsed() < READING, "{DEAD_LETTERS} was not read to its end in {} s", READING.as_secs());
        if let Some(record) = reader.next(Duration::from_millis(200))? {
            take(&record)?;
        }
    }
    Ok(())
}

/// Sends letters' records again, each followed by its mark once the brokers have acknowledged it.
pub struct Replayer<'a> {
    kafka: &'a KafkaConfig,
    producer: GatewayProducer,
    /// Records that were sent and have no mark yet.
    unmarked: Vec<Record>,
    /// The partitions of machines whose letters have no key; read when the first of them comes.
    places: Option<MachinePlaces>,
    /// Called with a line for people.
    on_note: &'a dyn Fn(&str),
}

impl<'a> Replayer<'a> {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// When a property of Kafka's is not understood.
    pub fn new(kafka: &'a KafkaConfig, on_note: &'a dyn Fn(&str)) -> anyhow::Result<Self> {
        let producer = GatewayProducer::new(kafka, "auscult-dead-letters")?;
        Ok(Self { kafka, producer, unmarked: Vec::new(), places: None, on_note })
    }

    /// Sends a letter's record to where it came from.
    ///
    /// # Errors
    /// When the brokers do not take it.
    pub fn send(&mut self, record: &Record, letter: &DeadLetter) -> anyhow::Result<()> {
        let Self { kafka, places, on_note, .. } = self;
        let again = replay(record, letter, |machine| partition_of(machine, places, kafka, *on_note));
        self.producer.send(&again)?;
        // The value has been handed over; a mark needs none.
        self.unmarked.push(Record { value: None, ..record.clone() });
        if self.unmarked.len() >= TOGETHER {
            self.mark_all()?;
        }
        Ok(())
    }

    /// Waits until everything is acknowledged and marked.
    ///
    /// # Errors
    /// When the brokers do not take a record or a mark.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.mark_all()
    }

    /// Marks follow acknowledged records only.
    fn mark_all(&mut self) -> anyhow::Result<()> {
        self.producer.flush(SENDING)?;
        for record in self.unmarked.drain(..) {
            self.producer.send(&mark(&record))?;
        }
        Ok(self.producer.flush(SENDING)?)
    }
}

fn partition_of(
    machine: &MachineId,
    places: &mut Option<MachinePlaces>,
    kafka: &KafkaConfig,
    on_note: &dyn Fn(&str),
) -> Option<i32> {
    let places = places.get_or_insert_with(|| {
        machine_places(kafka, READING).unwrap_or_else(|error| {
            on_note(&format!("note: where machines live cannot be seen ({error}); their ids choose the partition"));
            MachinePlaces::default()
        })
    });
    places.of(machine).first().map(|place| place.partition)
}
