//! kcat: the outside world's view of the topics.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::installation::program;

/// kcat, pointed at a cluster.
#[derive(Debug, Clone)]
pub struct Kcat {
    brokers: String,
}

/// A record as kcat saw it. Key and payload are text, lossily decoded where they are none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KcatRecord {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// The record's timestamp, ms since 1970.
    #[serde(rename = "ts")]
    pub timestamp_ms: i64,
    /// Names and values, one after the other.
    #[serde(default, rename = "headers")]
    flat_headers: Vec<Option<String>>,
    /// Key.
    pub key: Option<String>,
    /// Value; `None` of a record that deletes its key.
    pub payload: Option<String>,
}

impl KcatRecord {
    /// The last header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.flat_headers.chunks(2).rev();
        pairs.into_iter().find(|pair| pair[0].as_deref() == Some(name)).and_then(|pair| pair.get(1)?.as_deref())
    }

    /// The value as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<serde_json::Value> {
        let payload = self.payload.as_deref().context("the record has no value")?;
        serde_json::from_str(payload).with_context(|| format!("{}/{}/{}", self.topic, self.partition, self.offset))
    }
}

impl Kcat {
    /// kcat for a cluster at these addresses, `host:port` separated by commas.
    #[must_use]
    pub fn new(brokers: String) -> Self {
        Self { brokers }
    }

    fn command(&self, mode: &str) -> Result<Command> {
        let mut command = Command::new(program("kcat")?);
        command.args([mode, "-q", "-b", &self.brokers, "-X", "broker.address.family=v4"]);
        Ok(command)
    }

    /// How many brokers the cluster's metadata shows.
    ///
    /// # Errors
    /// When no broker answers.
    pub fn brokers(&self) -> Result<usize> {
        Ok(self.listing()?.brokers.len())
    }

    /// Sends one record and waits until every in-sync replica has it.
    ///
    /// # Errors
    /// When it is not accepted.
    pub fn produce(&self, topic: &str, key: Option<&str>, headers: &[(&str, &str)], value: &[u8]) -> Result<()> {
        // As a file: kcat takes a file for one record, and standard input for as many as it has lines.
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), value)?;
        let mut command = self.command("-P")?;
        command.args(["-t", topic, "-X", "acks=all", "-X", "message.max.bytes=8388608"]);
        // Otherwise a topic that does not exist is waited for for 30 s.
        command.args(["-X", "topic.metadata.propagation.max.ms=5000"]);
        for (name, value) in headers {
            command.args(["-H", &format!("{name}={value}")]);
        }
        if value.is_empty() {
            // kcat sends nothing for an empty file, but an empty value for a line that ends after its key.
            let key = key.context("kcat cannot send an empty value without a key")?;
            std::fs::write(file.path(), format!("{key}\u{1f}\n"))?;
            command.args(["-K", "\u{1f}"]).stdin(std::fs::File::open(file.path())?);
        } else {
            command.args(key.iter().flat_map(|key| ["-k", key])).arg(file.path());
        }
        run(&mut command)?;
        Ok(())
    }

    /// All records of a topic that are committed, in order within each partition.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub fn consume(&self, topic: &str) -> Result<Vec<KcatRecord>> {
        self.consume_with(topic, &["-X", "isolation.level=read_committed"])
    }

    /// All records of a topic, those of aborted transactions too.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub fn consume_uncommitted(&self, topic: &str) -> Result<Vec<KcatRecord>> {
        self.consume_with(topic, &["-X", "isolation.level=read_uncommitted"])
    }

    /// How many partitions each topic has.
    ///
    /// # Errors
    /// When no broker answers.
    pub fn partitions(&self) -> Result<BTreeMap<String, i32>> {
        let listing = self.listing()?;
        let counted = listing.topics.into_iter().map(|topic| {
            let count = i32::try_from(topic.partitions.len()).context("more partitions than there can be")?;
            Ok((topic.topic, count))
        });
        counted.collect()
    }

    /// The broker that leads a partition.
    ///
    /// # Errors
    /// When no broker answers, or there is no such partition.
    pub fn leader(&self, topic: &str, partition: i32) -> Result<usize> {
        let listing = self.listing()?;
        let topic = listing.topics.into_iter().find(|listed| listed.topic == topic).context("no such topic")?;
        let found =
            topic.partitions.iter().find(|listed| listed.partition == partition).context("no such partition")?;
        usize::try_from(found.leader).context("the partition has no leader at present")
    }

    fn listing(&self) -> Result<Listing> {
        serde_json::from_str(&run(self.command("-L")?.args(["-J", "-m", "5"]))?).context("reading kcat -L -J")
    }

    /// The offset after the last record or marker of each of these partitions.
    ///
    /// # Errors
    /// When no broker answers.
    pub fn ends(&self, places: &[(String, i32)]) -> Result<BTreeMap<(String, i32), i64>> {
        const LATEST: i32 = -1;
        let mut command = self.command("-Q")?;
        for (topic, partition) in places {
            command.args(["-t", &format!("{topic}:{partition}:{LATEST}")]);
        }
        // topic [partition] offset N
        let output = run(&mut command)?;
        let parsed = output.lines().map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let &[topic, partition, "offset", offset] = words.as_slice() else { bail!("kcat -Q: {line}") };
            let partition = partition.trim_matches(['[', ']']).parse().with_context(|| format!("kcat -Q: {line}"))?;
            Ok(((topic.to_owned(), partition), offset.parse().with_context(|| format!("kcat -Q: {line}"))?))
        });
        parsed.collect()
    }

    /// The committed records of a partition from an offset on, as kcat writes them in this format.
    ///
    /// # Errors
    /// When the partition cannot be read.
    pub fn consume_raw(&self, topic: &str, partition: i32, offset: i64, format: &str) -> Result<Vec<u8>> {
        let (partition, offset) = (partition.to_string(), offset.to_string());
        let mut command = self.command("-C")?;
        command.args(["-t", topic, "-p", &partition, "-o", &offset, "-e", "-f", format]).args([
            "-X",
            "isolation.level=read_committed",
            "-X",
            "fetch.message.max.bytes=8388608",
            "-X",
            "fetch.wait.max.ms=50",
        ]);
        run_raw(&mut command)
    }

    /// Follows a topic: its committed values from the beginning on, a line each, piped, until the process is killed.
    ///
    /// # Errors
    /// When kcat does not start.
    pub fn follow(&self, topic: &str) -> Result<Child> {
        let mut command = self.command("-C")?;
        command.args(["-u", "-t", topic, "-o", "beginning", "-f", "%s\\n", "-X", "isolation.level=read_committed"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().context("running kcat")
    }

    fn consume_with(&self, topic: &str, options: &[&str]) -> Result<Vec<KcatRecord>> {
        let mut command = self.command("-C")?;
        let output = run(command.args(["-t", topic, "-o", "beginning", "-e", "-J"]).args(options))?;
        let parsed = output.lines().map(|line| serde_json::from_str(line).with_context(|| format!("kcat -J: {line}")));
        parsed.collect()
    }
}

#[derive(Deserialize)]
struct Listing {
    brokers: Vec<serde_json::Value>,
    topics: Vec<ListedTopic>,
}

#[derive(Deserialize)]
struct ListedTopic {
    topic: String,
    partitions: Vec<ListedPartition>,
}

#[derive(Deserialize)]
struct ListedPartition {
    partition: i32,
    leader: i32,
}

fn run(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8_lossy(&run_raw(command)?).into_owned())
}

fn run_raw(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("running {command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    Ok(output.stdout)
}
