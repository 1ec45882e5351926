//! Topics as kcat reads them: committed records, every byte as it is.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use auscult_schemas::topics::{ALERTS, AUDIT, CHUNKS, DEAD_LETTERS, DRIFT, FEATURES, SCORER_STATE, SCORES};
use auscult_schemas::{Headers, RecordCoordinates};
use bytes::Bytes;

use crate::{Kcat, until};

/// How long new partitions may be without a leader.
const LEADERS: Duration = Duration::from_secs(30);

const READ: [&str; 8] = [CHUNKS, FEATURES, SCORES, ALERTS, DRIFT, AUDIT, SCORER_STATE, DEAD_LETTERS];

/// The end of every partition at one moment: where a run begins.
#[derive(Debug, Clone)]
pub struct Offsets(BTreeMap<(String, i32), i64>);

impl Kcat {
    /// How many committed records a topic has got since.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub fn count_since(&self, topic: &str, since: &Offsets) -> Result<usize> {
        let partitions = self.partitions()?.get(topic).copied().with_context(|| format!("no topic {topic}"))?;
        let mut count = 0;
        for partition in 0..partitions {
            count += self.consume_raw(topic, partition, since.of(topic, partition), ".")?.len();
        }
        Ok(count)
    }
}

impl Offsets {
    /// The ends as they are now.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn now(kcat: &Kcat) -> Result<Self> {
        let mut ends = BTreeMap::new();
        for (topic, partitions) in kcat.partitions()? {
            if READ.contains(&topic.as_str()) {
                for partition in 0..partitions {
                    ends.insert((topic.clone(), partition), 0);
                }
            }
        }
        let asked: Vec<(String, i32)> = ends.keys().cloned().collect();
        // A topic that has only just been made may not have been heard of by its leader.
        let known = until("the topics to have leaders", LEADERS, || Ok(kcat.ends(&asked).ok()))?;
        for (place, end) in known {
            ends.insert(place, end);
        }
        Ok(Self(ends))
    }

    /// The committed records of a topic from here on.
    pub(super) fn records_since(&self, kcat: &Kcat, topic: &str) -> Result<Vec<TopicRecord>> {
        let count = *kcat.partitions()?.get(topic).with_context(|| format!("there is no topic {topic}"))?;
        let mut records = Vec::new();
        for partition in 0..count {
            let raw = kcat.consume_raw(topic, partition, self.of(topic, partition), FORMAT)?;
            records.extend(parse(topic, &raw).with_context(|| format!("reading {topic}/{partition}"))?);
        }
        Ok(records)
    }

    /// Moves behind this record.
    pub(super) fn pass(&mut self, record: &TopicRecord) {
        let RecordCoordinates { topic, partition, offset } = &record.coordinates;
        self.0.insert((topic.clone(), *partition), offset + 1);
    }

    /// Where a partition begins; one that has been added since begins at its first record.
    #[must_use]
    pub fn of(&self, topic: &str, partition: i32) -> i64 {
        self.0.get(&(topic.to_owned(), partition)).copied().unwrap_or(0)
    }
}

/// One committed record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicRecord {
    /// Where it lies.
    pub coordinates: RecordCoordinates,
    /// When it was written, ms since 1970.
    pub timestamp_ms: i64,
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: Option<Bytes>,
    /// Headers.
    pub headers: Headers,
}

/// What a run has written, by topic; a partition's records in their order.
#[derive(Debug, Clone, Default)]
pub struct Topics(pub BTreeMap<String, Vec<TopicRecord>>);

impl Topics {
    /// Reads all topics from these offsets to their ends.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn read(kcat: &Kcat, since: &Offsets) -> Result<Self> {
        let partitions = kcat.partitions()?;
        let read = &|topic: &str| -> Result<Vec<TopicRecord>> {
            let count = *partitions.get(topic).with_context(|| format!("there is no topic {topic}"))?;
            let mut records = Vec::new();
            for partition in 0..count {
                let raw = kcat.consume_raw(topic, partition, since.of(topic, partition), FORMAT)?;
                records.extend(parse(topic, &raw).with_context(|| format!("reading {topic}/{partition}"))?);
            }
            Ok(records)
        };
        let mut topics = BTreeMap::new();
        // Side by side, since kcat mostly waits: for the broker, and to be sure that a partition is at its end.
        std::thread::scope(|scope| -> Result<()> {
            let readers = READ.map(|topic| (topic, scope.spawn(move || read(topic))));
            for (topic, reader) in readers {
                topics.insert(topic.to_owned(), reader.join().expect("reading does not panic")?);
            }
            Ok(())
        })?;
        Ok(Self(topics))
    }

    /// The records of a topic.
    #[must_use]
    pub fn of(&self, topic: &str) -> &[TopicRecord] {
        self.0.get(topic).map_or(&[], Vec::as_slice)
    }
}

/// kcat's format: numbers on a line, headers up to a mark that none of them holds, then key and value in their lengths.
const FORMAT: &str = "%p %o %T %K %S\\n%h\\x1e\\x1f%k%s";
const HEADERS_END: &[u8] = b"\x1e\x1f";

fn parse(topic: &str, mut raw: &[u8]) -> Result<Vec<TopicRecord>> {
    let mut records = Vec::new();
    while !raw.is_empty() {
        let line_end = raw.iter().position(|byte| *byte == b'\n').context("a record without its first line")?;
        let line = std::str::from_utf8(&raw[..line_end])?;
        let numbers: Vec<i64> = line.split(' ').map(str::parse).collect::<Result<_, _>>().context("its first line")?;
        let &[partition, offset, timestamp_ms, key_len, value_len] = numbers.as_slice() else {
            anyhow::bail!("{line:?} has not five numbers");
        };
        raw = &raw[line_end + 1..];
        let headers_end =
            raw.windows(HEADERS_END.len()).position(|window| window == HEADERS_END).context("headers without end")?;
        let headers = parse_headers(&String::from_utf8_lossy(&raw[..headers_end]));
        raw = &raw[headers_end + HEADERS_END.len()..];
        let mut take = |len: i64| -> Result<Option<Bytes>> {
            let Ok(len) = usize::try_from(len) else { return Ok(None) };
            ensure!(raw.len() >= len, "a record is cut short");
            let (taken, rest) = raw.split_at(len);
            raw = rest;
            Ok(Some(Bytes::copy_from_slice(taken)))
        };
        let (key, value) = (take(key_len)?, take(value_len)?);
        let coordinates = RecordCoordinates { topic: topic.to_owned(), partition: i32::try_from(partition)?, offset };
        records.push(TopicRecord { coordinates, timestamp_ms, key, value, headers });
    }
    Ok(records)
}

/// `name=value,name=value`, in which a value may hold commas: a header begins where one of our names does.
fn parse_headers(text: &str) -> Headers {
    const NAMES: [&str; 5] = ["ce_", "auscult_", "content-type=", "traceparent=", "tracestate="];
    let mut headers: Vec<(String, String)> = Vec::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let begins = NAMES.iter().any(|name| part.starts_with(name));
        match (begins.then(|| part.split_once('=')).flatten(), headers.last_mut()) {
            (Some((name, value)), _) => headers.push((name.to_owned(), value.to_owned())),
            (None, Some((_, value))) => {
                value.push(',');
                value.push_str(part);
            }
            (None, None) => {}
        }
    }
    Headers(headers.into_iter().map(|(name, value)| (name, Some(Bytes::from(value)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_of_any_bytes_and_headers_with_commas_are_read_as_they_are() {
        let mut raw =
            b"2 17 1700000000000 3 4\nce_id=a,auscult_dead_letter_detail=one, two=2,content-type=audio/wav\x1e\x1fkey"
                .to_vec();
        raw.extend(b"\n\x1e\x1f\0");
        raw.extend(b"2 18 1700000000001 -1 0\n\x1e\x1f");
        let records = parse("t", &raw).unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!(records[0].key.as_deref(), Some(b"key".as_slice()));
        assert_eq!(records[0].value.as_deref(), Some(b"\n\x1e\x1f\0".as_slice()));
        assert_eq!(records[0].headers.text("auscult_dead_letter_detail").unwrap(), Some("one, two=2"));
        assert_eq!(records[0].headers.text("content-type").unwrap(), Some("audio/wav"));
        assert_eq!((records[1].key.as_deref(), records[1].value.as_deref()), (None, Some(b"".as_slice())));
    }
}
