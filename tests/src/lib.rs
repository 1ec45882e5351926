//! End-to-end and fault suites, and the fixtures they stand on: real parts on loopback, started by the test that needs them
//! and gone with it.
//!
//! ```text
//!   KafkaCluster   1 or 3 brokers from Apache Kafka's own jars     start, kill, restart, pause
//!   Worker         one process of the `auscult` binary              start, ready, metrics, kill, pause, terminate
//!   Kcat           a Kafka client that knows nothing of Auscult     produce, consume what is committed
//!   Prometheus     Debian's, scraping the workers                   a PromQL query
//! ```
//!
//! `tests/setup.sh` gets what these need; a fixture that misses something says so.

mod http;
mod installation;
mod kafka_cluster;
mod kafka_properties;
mod kcat;
mod metrics;
mod ports;
mod process;
mod prometheus;
mod wait;
mod worker;

pub use http::get;
pub use installation::{auscult_binary, repository};
pub use kafka_cluster::KafkaCluster;
pub use kcat::{Kcat, KcatRecord};
pub use metrics::Metrics;
pub use ports::free_ports;
pub use process::Process;
pub use prometheus::{Prometheus, PrometheusSample};
pub use wait::until;
pub use worker::Worker;
