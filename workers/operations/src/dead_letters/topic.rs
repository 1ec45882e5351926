//! Reads the topic to its end, and replays records with their markers.

use std::time::{Duration, Instant};

use anyhow::ensure;
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::{GatewayProducer, ReadFrom, TopicReader, machine_places};
use auscult_runtime::machine_places::MachinePlaces;
use auscult_runtime::record::Record;
use auscult_schemas::topics::DEAD_LETTERS;
use auscult_schemas::{DeadLetter, MachineId};

use super::{Inventory, mark, replay};

/// Timeout for reading all dead letters.
const READING: Duration = Duration::from_secs(600);
/// Timeout for the acknowledgement of a group of records.
const SENDING: Duration = Duration::from_secs(60);
/// Number of records sent before their markers.
const TOGETHER: usize = 50;

/// The current contents of the topic.
///
/// # Errors
/// If the topic cannot be read to its end.
pub fn read_inventory(kafka: &KafkaConfig) -> anyhow::Result<Inventory> {
    let mut inventory = Inventory::default();
    for_each_record(kafka, |record| {
        inventory.note(record);
        Ok(())
    })?;
    Ok(inventory)
}

/// Reads every record up to the current end of the topic, in order within each partition.
///
/// # Errors
/// If the topic cannot be read to its end in time, or `take` fails.
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

/// Replays the records of dead letters, and writes a marker for each once the brokers have acknowledged it.
pub struct Replayer<'a> {
    kafka: &'a KafkaConfig,
    producer: GatewayProducer,
    /// Records that were sent and have no marker yet.
    unmarked: Vec<Record>,
    /// The partitions of machines whose dead letters have no key; read when first needed.
    places: Option<MachinePlaces>,
    /// Called with each line of output.
    on_note: &'a dyn Fn(&str),
}

impl<'a> Replayer<'a> {
    /// Creates a replayer; nothing is sent yet.
    ///
    /// # Errors
    /// If a Kafka property is invalid.
    pub fn new(kafka: &'a KafkaConfig, on_note: &'a dyn Fn(&str)) -> anyhow::Result<Self> {
        let producer = GatewayProducer::new(kafka, "auscult-dead-letters")?;
        Ok(Self { kafka, producer, unmarked: Vec::new(), places: None, on_note })
    }

    /// Sends a dead letter's record to its original topic.
    ///
    /// # Errors
    /// If the brokers reject it.
    pub fn send(&mut self, record: &Record, letter: &DeadLetter) -> anyhow::Result<()> {
        let Self { kafka, places, on_note, .. } = self;
        let again = replay(record, letter, |machine| partition_of(machine, places, kafka, *on_note));
        self.producer.send(&again)?;
        // The value has been sent; the marker does not need it.
        self.unmarked.push(Record { value: None, ..record.clone() });
        if self.unmarked.len() >= TOGETHER {
            self.mark_all()?;
        }
        Ok(())
    }

    /// Waits until everything is acknowledged and marked.
    ///
    /// # Errors
    /// If the brokers reject a record or a marker.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.mark_all()
    }

    /// Markers are written for acknowledged records only.
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
