//! Topics, the gateway's producer and the plain reader.

use std::collections::BTreeSet;
use std::time::Duration;

use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::{GatewayProducer, GatewayRecord, KafkaAccessError, ReadFrom, TopicReader, topics};
use auscult_schemas::Headers;
use auscult_schemas::topics::Topic;
use bytes::Bytes;

use crate::support::{SOON, broker, make_topic, number, read_all, unique, write_numbers};

fn topic(name: &str, compacted: bool) -> Topic {
    Topic { name: unique(name).leak(), purpose: "a test", compacted, retention_ms: 3_600_000 }
}

#[test]
fn created_topics_pass_the_check_and_creating_again_changes_nothing() {
    let Some(config) = broker() else { return };
    let wanted = [topic("plain", false), topic("state", true)];
    assert_eq!(topics::check(&config, &wanted).unwrap().len(), 2);
    topics::create(&config, &wanted, 3, 1).unwrap();
    assert_eq!(topics::check(&config, &wanted).unwrap(), []);
    let again = topics::create(&config, &wanted, 9, 1).unwrap();
    assert!(again.iter().all(|(_, created)| *created == topics::Created::Existed), "{again:?}");
    assert_eq!(topics::check(&config, &wanted).unwrap(), []);
}

#[test]
fn every_fault_of_a_topic_is_told_with_its_remedy() {
    let Some(config) = broker() else { return };
    let (plain, state) = (topic("plain", false), topic("state", true));
    topics::create(&config, &[plain], 3, 1).unwrap();
    // The same names, but not as they should be: state not compacted, with fewer partitions.
    topics::create(&config, &[Topic { compacted: false, ..state }], 2, 1).unwrap();
    let problems = topics::check(&config, &[plain, state, topic("missing", false)]).unwrap();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].contains("does not exist"), "{told:?}");
    assert!(told[1].contains("2 partitions") && told[1].contains("--partitions 3"), "{told:?}");
    assert!(told[2].contains("cleanup.policy=compact"), "{told:?}");
}

#[test]
fn a_broker_that_is_not_there_is_an_error_with_its_address() {
    if broker().is_none() {
        return;
    }
    let config = KafkaConfig { brokers: "127.0.0.1:1".to_owned(), ..KafkaConfig::default() };
    let error = TopicReader::open(&config, &["x"], ReadFrom::Beginning).err().unwrap().to_string();
    assert!(error.contains("127.0.0.1:1") && error.contains("kafka.brokers"), "{error}");
}

#[test]
fn a_reader_of_several_topics_ends_when_all_have_ended_and_goes_on_with_what_comes() {
    let Some(config) = broker() else { return };
    let names = [make_topic(&config, "a", 3, false), make_topic(&config, "b", 3, false)];
    write_numbers(&config, &names[0], 2, 0..100);
    write_numbers(&config, &names[1], 2, 0..50);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut reader = TopicReader::open(&config, &names, ReadFrom::Beginning).unwrap();
    assert_eq!(reader.read_to_end(SOON).unwrap().len(), 150);
    let mut late = TopicReader::open(&config, &names, ReadFrom::End).unwrap();
    assert_eq!(late.read_to_end(SOON).unwrap().len(), 0);
    write_numbers(&config, names[1], 0, 7..8);
    assert_eq!(reader.next(SOON).unwrap().as_ref().map(number), Some(7));
    assert_eq!(late.next(SOON).unwrap().as_ref().map(number), Some(7));
    assert!(matches!(
        TopicReader::open(&config, &["no-such-topic"], ReadFrom::End),
        Err(KafkaAccessError::NoSuchTopic(_))
    ));
}

#[test]
fn a_reader_can_begin_at_a_time() {
    let Some(config) = broker() else { return };
    let name = make_topic(&config, "timed", 1, false);
    let gateway = GatewayProducer::new(&config, "test").unwrap();
    for second in 0..10_i64 {
        let record = GatewayRecord {
            topic: name.clone(),
            partition: None,
            key: Some(Bytes::from_static(b"m")),
            value: Some(Bytes::from(second.to_string())),
            headers: Headers::default(),
            timestamp_ms: Some(1_700_000_000_000 + second * 1000),
        };
        gateway.send(&record).unwrap();
    }
    gateway.flush(SOON).unwrap();
    assert_eq!(gateway.delivered(), 10);
    let mut reader = TopicReader::open(&config, &[&name], ReadFrom::TimeMs(1_700_000_006_500)).unwrap();
    let numbers: Vec<u64> = reader.read_to_end(SOON).unwrap().iter().map(number).collect();
    assert_eq!(numbers, [7, 8, 9]);
}

#[test]
fn a_gateway_puts_a_key_where_librdkafka_s_clients_put_it_or_where_it_is_told_to() {
    let Some(config) = broker() else { return };
    // `zlib.crc32(key) % 4`.
    let by_crc32 = [("fan-01", 3), ("pump-07", 0), ("valve-3", 2), ("compressor-A", 1), ("m", 0)];
    check_places(&config, "crc32", by_crc32);
    // `Utils.toPositive(Utils.murmur2(key)) % 4` of kafka-clients 4.3.1.
    let by_murmur2 = [("fan-01", 1), ("pump-07", 2), ("valve-3", 0), ("compressor-A", 2), ("m", 0)];
    let mut like_java = config.clone();
    like_java.properties.insert("partitioner".to_owned(), "murmur2_random".to_owned());
    check_places(&like_java, "murmur2", by_murmur2);
}

fn check_places(config: &KafkaConfig, topic: &str, places: [(&'static str, i32); 5]) {
    let name = make_topic(config, topic, 4, false);
    let gateway = GatewayProducer::new(config, "test").unwrap();
    for (key, _) in places {
        let record = GatewayRecord {
            topic: name.clone(),
            partition: None,
            key: Some(Bytes::from(key)),
            value: Some(Bytes::from_static(b"1")),
            headers: Headers::default(),
            timestamp_ms: None,
        };
        gateway.send(&record).unwrap();
    }
    gateway.flush(SOON).unwrap();
    let found: BTreeSet<(String, i32)> = read_all(config, &name)
        .into_iter()
        .map(|record| (String::from_utf8(record.key.unwrap().to_vec()).unwrap(), record.coordinates.partition))
        .collect();
    let expected = places.into_iter().map(|(key, partition)| (key.to_owned(), partition)).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_not_delivered_is_told() {
    let Some(mut config) = broker() else { return };
    config.properties.insert("message.timeout.ms".to_owned(), "2000".to_owned());
    let gateway = GatewayProducer::new(&config, "test").unwrap();
    let record = GatewayRecord {
        topic: "no-such-topic".to_owned(),
        partition: None,
        key: None,
        value: Some(Bytes::from_static(b"1")),
        headers: Headers::default(),
        timestamp_ms: None,
    };
    gateway.send(&record).unwrap();
    let error = gateway.flush(Duration::from_secs(20)).unwrap_err().to_string();
    assert!(error.contains("no-such-topic"), "{error}");
}
