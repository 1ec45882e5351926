//! A broker, topics of one's own, and a member of a group that is driven by hand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use auscult_runtime::config::{GroupProtocol, KafkaConfig};
use auscult_runtime::kafka::{
    GatewayProducer, GatewayRecord, KafkaClients, KafkaConsumer, KafkaProducer, KafkaRestorer, ReadFrom, TopicReader,
    WorkerIdentity, topics,
};
use auscult_runtime::ports::{ConsumerEvent, LogClients, LogConsumer};
use auscult_runtime::record::{OutputRecord, Record};
use auscult_schemas::Headers;
use auscult_schemas::topics::Topic;
use bytes::Bytes;

pub const PARTITIONS: i32 = 4;
pub const SOON: Duration = Duration::from_secs(30);

/// The broker, if there is one.
pub fn broker() -> Option<KafkaConfig> {
    let Ok(brokers) = std::env::var("AUSCULT_TEST_KAFKA") else {
        println!("skipped: AUSCULT_TEST_KAFKA names no broker");
        return None;
    };
    if std::env::var_os("AUSCULT_TEST_LOGS").is_some() {
        let config = auscult_runtime::config::LogConfig::default();
        let _ = auscult_runtime::telemetry::init_logs(&config);
    }
    // Tests run beside many others: a member must not be thrown out because both cores are busy for some seconds.
    Some(KafkaConfig { brokers, session_timeout_ms: 20_000, ..KafkaConfig::default() })
}

pub fn each_protocol(test: impl Fn(KafkaConfig)) {
    let Some(config) = broker() else { return };
    for group_protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
        println!("--- {group_protocol:?}");
        test(KafkaConfig { group_protocol, ..config.clone() });
    }
}

/// Sets the time without a poll after which a member is thrown out, the shortest that librdkafka takes, and tells how
/// long to wait for it.
pub fn thrown_out_after(config: &mut KafkaConfig) -> Duration {
    /// What librdkafka looks for once a second, and its farewell, on busy cores.
    const NOTICED_WITHIN_MS: u64 = 4_000;
    let interval_ms = 6_000_u32;
    config.session_timeout_ms = interval_ms;
    config.properties.insert("max.poll.interval.ms".to_owned(), interval_ms.to_string());
    Duration::from_millis(u64::from(interval_ms) + NOTICED_WITHIN_MS)
}

/// A name that no other test and no earlier run has.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    format!("{name}-{now}-{number}")
}

pub fn make_topic(config: &KafkaConfig, name: &str, partitions: i32, compacted: bool) -> String {
    let name = unique(name);
    // Records of these tests have times of years ago. What retention deletes is deleted half a minute after the broker's
    // start and every five minutes from then on, in the middle of some test.
    const FOR_EVER: i64 = -1;
    let topic = Topic { name: name.clone().leak(), purpose: "a test", compacted, retention_ms: FOR_EVER };
    let created = topics::create(config, &[topic], partitions, 1).unwrap();
    assert_eq!(created, [(name.clone(), topics::Created::Made)]);
    name
}

/// Writes records without a transaction, so that their offsets are dense from 0 on. Values are numbers from `first`.
pub fn write_numbers(config: &KafkaConfig, topic: &str, partition: i32, numbers: std::ops::Range<u64>) {
    let gateway = GatewayProducer::new(config, "test").unwrap();
    for number in numbers {
        let record = GatewayRecord {
            topic: topic.to_owned(),
            partition: Some(partition),
            key: Some(Bytes::from(format!("machine-{partition}"))),
            value: Some(Bytes::from(number.to_string())),
            headers: Headers::default(),
            timestamp_ms: None,
        };
        gateway.send(&record).unwrap();
    }
    gateway.flush(SOON).unwrap();
}

pub fn output(topic: &str, partition: i32, key: &str, value: Option<&str>) -> OutputRecord {
    OutputRecord {
        topic: topic.to_owned(),
        partition,
        key: Some(Bytes::from(key.to_owned())),
        value: value.map(|value| Bytes::from(value.to_owned())),
        headers: Headers(vec![("of".to_owned(), Some(Bytes::from_static(b"a test"))), ("nothing".to_owned(), None)]),
        timestamp_ms: Some(1_700_000_000_123),
        source_offset: None,
    }
}

pub fn number(record: &Record) -> u64 {
    std::str::from_utf8(record.value.as_ref().unwrap()).unwrap().parse().unwrap()
}

pub fn read_all(config: &KafkaConfig, topic: &str) -> Vec<Record> {
    TopicReader::open(config, &[topic], ReadFrom::Beginning).unwrap().read_to_end(SOON).unwrap()
}

/// All records of a topic, once they are this many or more. A commit is answered when it is decided; its markers, and so
/// its records, become visible a little later.
pub fn read_committed(config: &KafkaConfig, topic: &str, count: usize) -> Vec<Record> {
    let deadline = Instant::now() + SOON;
    loop {
        let records = read_all(config, topic);
        if records.len() >= count {
            return records;
        }
        assert!(Instant::now() < deadline, "{} of {count} records are visible", records.len());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A worker's clients in hand.
pub struct Worker {
    pub consumer: KafkaConsumer,
    pub producer: KafkaProducer,
    pub restorer: KafkaRestorer,
}

impl Worker {
    pub fn join(config: &KafkaConfig, group: &str, instance: &str, input: &str) -> Self {
        let identity = WorkerIdentity {
            group_id: group.to_owned(),
            instance_id: instance.to_owned(),
            input_topic: input.to_owned(),
        };
        let clients = KafkaClients::new(config.clone(), identity).connect().unwrap();
        Self { consumer: clients.consumer, producer: clients.producer, restorer: clients.restorer }
    }

    /// The next event but records.
    pub fn group_event(&mut self) -> ConsumerEvent {
        let deadline = Instant::now() + SOON;
        while Instant::now() < deadline {
            match self.consumer.poll(Duration::from_millis(50)) {
                Some(ConsumerEvent::Record(_)) | None => {}
                Some(event) => return event,
            }
        }
        panic!("no event from the group");
    }

    pub fn await_assigned(&mut self) -> Vec<i32> {
        match self.group_event() {
            ConsumerEvent::Assigned(partitions) => partitions,
            other => panic!("expected an assignment, got {other:?}"),
        }
    }

    pub fn await_revoked(&mut self) -> Vec<i32> {
        match self.group_event() {
            ConsumerEvent::Revoked(partitions) => partitions,
            other => panic!("expected a revoke, got {other:?}"),
        }
    }

    /// Exactly this many records.
    pub fn records(&mut self, count: usize) -> Vec<Record> {
        let deadline = Instant::now() + SOON;
        let mut records = Vec::new();
        while records.len() < count {
            assert!(Instant::now() < deadline, "{} of {count} records came", records.len());
            match self.consumer.poll(Duration::from_millis(50)) {
                Some(ConsumerEvent::Record(record)) => records.push(record),
                Some(other) => panic!("expected records, got {other:?}"),
                None => {}
            }
        }
        records
    }

    /// Whatever comes until this holds.
    pub fn events_until(&mut self, mut holds: impl FnMut(&[ConsumerEvent]) -> bool) -> Vec<ConsumerEvent> {
        let deadline = Instant::now() + SOON * 2;
        let mut events = Vec::new();
        while !holds(&events) {
            assert!(Instant::now() < deadline, "only {events:?} came");
            events.extend(self.consumer.poll(Duration::from_millis(20)));
        }
        events
    }

    /// Whatever comes within a time: for what must not come.
    pub fn events_within(&mut self, time: Duration) -> Vec<ConsumerEvent> {
        let deadline = Instant::now() + time;
        let mut events = Vec::new();
        while Instant::now() < deadline {
            events.extend(self.consumer.poll(Duration::from_millis(20)));
        }
        events
    }
}

pub fn positions(pairs: &[(i32, i64)]) -> BTreeMap<i32, i64> {
    pairs.iter().copied().collect()
}

/// A small generator of numbers that look random, so that a failing run can be had again.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: u64) -> u64 {
        // Knuth's MMIX constants.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What comes of trying again while a busy broker refuses for the moment.
pub fn tried_again<T, E: std::fmt::Debug>(mut attempt: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < deadline, "still {error:?}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
