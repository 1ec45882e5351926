//! Apache Kafka from its own jars, on loopback: one broker in about three seconds, three in about eight.
//!
//! Each broker is its own controller's voter (KRaft, combined mode), so killing one of three leaves a quorum.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::installation::{kafka_class_path, program};
use crate::kafka_properties::{BrokerPorts, properties};
use crate::secured_listeners::SecuredListeners;
use crate::{Kcat, Process, free_ports, repository, until};

/// 16 bytes in base64url. Must not begin with a dash: the formatter would take it for an option.
const CLUSTER_ID: &str = "YXVzY3VsdC10ZXN0cy0wMQ";

const READY_LIMIT: Duration = Duration::from_secs(90);

/// A running cluster; gone, with all it holds, when dropped.
#[derive(Debug)]
pub struct KafkaCluster {
    // Before the folder: fields are dropped in order, and a broker must not lose its folder while it runs.
    brokers: Vec<Broker>,
    class_path: String,
    folder: TempDir,
}

#[derive(Debug)]
struct Broker {
    ports: BrokerPorts,
    properties: PathBuf,
    log: PathBuf,
    /// `None` while it is killed.
    process: Option<Process>,
}

impl KafkaCluster {
    /// Starts a cluster and waits until every broker is known to every client.
    ///
    /// # Errors
    /// When Java, kcat or Kafka's jars are missing, with the command that gets them; when a broker does not start, with
    /// what it wrote last.
    pub fn start(brokers: usize) -> Result<Self> {
        ClusterPlan::new(brokers)?.start()
    }

    fn start_on(ports: &[BrokerPorts], secured: Option<&SecuredListeners>) -> Result<Self> {
        let brokers = ports.len();
        let class_path = kafka_class_path()?;
        program("java")?;
        program("kcat")?;
        let folder = tempfile::Builder::new().prefix("auscult-kafka-").tempdir()?;
        let mut cluster = Self { brokers: Vec::new(), class_path, folder };
        for id in 1..=brokers {
            let home = cluster.folder.path().join(format!("broker-{id}"));
            std::fs::create_dir(&home)?;
            let file = home.join("server.properties");
            std::fs::write(&file, properties(id, ports, &home.join("log"), secured)?)?;
            let log = home.join("output.txt");
            cluster.brokers.push(Broker { ports: ports[id - 1], properties: file, log, process: None });
        }
        cluster.format()?;
        for id in 1..=brokers {
            cluster.spawn(id)?;
        }
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    /// The brokers' addresses, for `kafka.brokers` and `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<String> =
            self.brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.ports.client)).collect();
        addresses.join(",")
    }

    /// The proxies' addresses, for workers that reach the brokers through them.
    #[must_use]
    pub fn proxied_bootstrap(&self) -> String {
        let proxies = self.brokers.iter().filter_map(|broker| broker.ports.proxied);
        let addresses: Vec<String> = proxies.map(|(_, proxy)| format!("127.0.0.1:{proxy}")).collect();
        addresses.join(",")
    }

    /// The broker that leads a partition.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn leader(&self, topic: &str, partition: i32) -> Result<usize> {
        self.kcat().leader(topic, partition)
    }

    /// The broker that coordinates the transactions of this id.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn transaction_coordinator(&self, transactional_id: &str) -> Result<usize> {
        self.leader("__transaction_state", internal_partition(transactional_id))
    }

    /// The broker that coordinates this group.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn group_coordinator(&self, group: &str) -> Result<usize> {
        self.leader("__consumer_offsets", internal_partition(group))
    }

    /// The brokers whose processes run, paused ones among them.
    pub fn running(&mut self) -> Vec<usize> {
        let numbered = (1..).zip(&mut self.brokers);
        let running = numbered.filter_map(|(id, broker)| {
            let ended = broker.process.as_mut()?.ended();
            matches!(ended, Ok(None)).then_some(id)
        });
        running.collect()
    }

    /// A client that knows nothing of Auscult.
    #[must_use]
    pub fn kcat(&self) -> Kcat {
        Kcat::new(self.bootstrap())
    }

    /// SIGKILLs a broker (1 is the first).
    ///
    /// # Errors
    /// When it is not running.
    pub fn kill(&mut self, id: usize) -> Result<()> {
        let mut process = self.broker_mut(id)?.process.take().with_context(|| format!("broker {id} is not running"))?;
        process.kill()
    }

    /// Starts a killed broker again, with all that it held, and waits until the whole cluster is there.
    ///
    /// # Errors
    /// When it runs already, or does not come back.
    pub fn restart(&mut self, id: usize) -> Result<()> {
        ensure!(self.broker_mut(id)?.process.is_none(), "broker {id} is running; kill it first");
        self.spawn(id)?;
        self.wait_until_ready()
    }

    /// A broker's process, to pause it or to ask for its memory.
    ///
    /// # Errors
    /// When it is not running.
    pub fn broker(&mut self, id: usize) -> Result<&mut Process> {
        self.broker_mut(id)?.process.as_mut().with_context(|| format!("broker {id} is not running"))
    }

    /// Makes a topic, for tests of the cluster itself. The system's own topics are made by `auscult topics create`.
    ///
    /// # Errors
    /// What the tool says.
    pub fn create_topic(&self, name: &str, partitions: u32) -> Result<()> {
        let partitions = partitions.to_string();
        let arguments = ["--create", "--topic", name, "--partitions", &partitions];
        self.tool("org.apache.kafka.tools.TopicCommand", &arguments)?;
        Ok(())
    }

    /// Runs one of Kafka's own command line tools against this cluster and returns what it wrote.
    ///
    /// # Errors
    /// When it fails, with what it wrote.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> Result<String> {
        let mut command = self.java();
        command.arg(class).args(["--bootstrap-server", &self.bootstrap()]).args(arguments);
        run(&mut command)
    }

    /// Everything that a reader of committed records could see of a topic, and where it lies on disk: for a person to
    /// read when a test fails.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub fn dump(&self, topic: &str) -> Result<String> {
        let mut text = format!("{topic} (on disk: {})\n", self.folder.path().display());
        for record in self.kcat().consume(topic)? {
            text += &format!("{record:?}\n");
        }
        Ok(text)
    }

    /// Ends the cluster, but leaves what it held and wrote: for a person to read.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        let Self { brokers, folder, .. } = self;
        drop(brokers);
        folder.keep()
    }

    /// Where the cluster keeps its logs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn broker_mut(&mut self, id: usize) -> Result<&mut Broker> {
        let brokers = self.brokers.len();
        id.checked_sub(1)
            .and_then(|index| self.brokers.get_mut(index))
            .with_context(|| format!("there is no broker {id}, only 1 to {brokers}"))
    }

    fn java(&self) -> Command {
        let logging = repository().join("tests/kafka/log4j2.properties");
        let mut command = Command::new("java");
        // What tests/kafka/archive.sh keeps of Kafka's classes.
        let archive = Path::new(&self.class_path).with_file_name("kafka.jsa");
        if archive.is_file() {
            command.arg(format!("-XX:SharedArchiveFile={}", archive.display()));
        }
        command
            .args(["-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg(format!("-Dlog4j2.configurationFile={}", logging.display()))
            .args(["-cp", &self.class_path]);
        command
    }

    /// Formats every broker's storage, side by side: each is a second of Java's own start.
    fn format(&self) -> Result<()> {
        let mut running = Vec::new();
        for broker in &self.brokers {
            let mut command = self.java();
            command.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]).arg(&broker.properties);
            running.push(Process::start("kafka.tools.StorageTool", &mut command, &broker.log)?);
        }
        for mut process in running {
            let status = process.wait(READY_LIMIT)?;
            ensure!(status.success(), "formatting a broker's storage: {status}\n{}", process.log_tail(20));
        }
        Ok(())
    }

    fn spawn(&mut self, id: usize) -> Result<()> {
        let mut command = self.java();
        let broker = self.broker_mut(id)?;
        command.arg("kafka.Kafka").arg(&broker.properties);
        broker.process = Some(Process::start(&format!("broker {id}"), &mut command, &broker.log)?);
        Ok(())
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let kcat = self.kcat();
        let brokers = &mut self.brokers;
        let expected = brokers.iter().filter(|broker| broker.process.is_some()).count();
        until("Kafka to be ready", READY_LIMIT, || {
            for process in brokers.iter_mut().filter_map(|broker| broker.process.as_mut()) {
                process.ensure_running()?;
            }
            // Until a broker listens, kcat fails; that is no error here.
            Ok(kcat.brokers().ok().filter(|known| *known == expected))
        })?;
        Ok(())
    }
}

/// Where Kafka keeps what belongs to a name: Java's `String.hashCode` over the partitions of the internal topic, its
/// sign taken off as by Kafka's `Utils.abs` (and not by masking it, as a producer does with its keys: that is another
/// partition).
fn internal_partition(name: &str) -> i32 {
    /// `offsets.topic.num.partitions` and `transaction.state.log.num.partitions` of `server.properties`.
    const PARTITIONS: i32 = 4;
    let hash = name.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % PARTITIONS
}

/// A cluster that is not started yet: its ports are known, so that proxies can be put before them.
#[derive(Debug)]
pub struct ClusterPlan {
    ports: Vec<BrokerPorts>,
    /// For the listeners behind the proxies.
    spare: Vec<u16>,
    secured: Option<SecuredListeners>,
}

impl ClusterPlan {
    /// A plan of one broker or three.
    ///
    /// # Errors
    /// When there are no ports left.
    pub fn new(brokers: usize) -> Result<Self> {
        ensure!(brokers == 1 || brokers == 3, "a test cluster has one broker or three, not {brokers}");
        let free = free_ports(3 * brokers)?;
        let ports = free.chunks(3).map(|own| BrokerPorts { client: own[0], controller: own[1], proxied: None });
        Ok(Self { ports: ports.collect(), spare: free.chunks(3).map(|own| own[2]).collect(), secured: None })
    }

    /// What the proxies have to connect to, one a broker.
    #[must_use]
    pub fn proxied_ports(&self) -> Vec<u16> {
        self.spare.clone()
    }

    /// Has each broker listen behind its proxy, too.
    pub fn advertise(&mut self, proxies: &[u16]) {
        for ((ports, port), proxy) in self.ports.iter_mut().zip(&self.spare).zip(proxies) {
            ports.proxied = Some((*port, *proxy));
        }
    }

    /// Has the broker listen for clients that prove who they are, too, and turns access control on.
    pub(crate) fn secure(&mut self, listeners: SecuredListeners) {
        self.secured = Some(listeners);
    }

    /// Starts it.
    ///
    /// # Errors
    /// As [`KafkaCluster::start`].
    pub fn start(self) -> Result<KafkaCluster> {
        KafkaCluster::start_on(&self.ports, self.secured.as_ref())
    }
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("running {command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_s_partition_is_the_one_that_java_finds() {
        // Their hash codes: 96354, -647575367, and Integer.MIN_VALUE, which has no absolute value.
        assert_eq!(internal_partition("abc"), 96_354 % 4);
        assert_eq!(internal_partition("auscult"), 647_575_367 % 4);
        assert_eq!(internal_partition("polygenelubricants"), 0);
    }
}
