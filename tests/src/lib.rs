//! End-to-end and fault suites, and the fixtures they stand on: real parts on loopback, started by the test that needs
//! them and gone with it.
//!
//! ```text
//!   KafkaCluster   1 or 3 brokers from Apache Kafka's own jars     start, kill, restart, pause
//!   Worker         one process of the `auscult` binary              start, ready, metrics, kill, pause, terminate
//!   Kcat           a Kafka client that knows nothing of Auscult     produce, consume what is committed
//!   Prometheus     Debian's, scraping the workers                   a PromQL query
//!   Alertmanager   Debian's, told by the bridge                    what stands, whom it has told of what
//!   Collector      OpenTelemetry's, told by the workers             the spans that came
//!   Plant          the three of them together, with topics and models
//!   Journey        what came out: once a chunk, in order, how fast
//!   SecuredCluster one broker with TLS, SASL and access control lists
//!   TcpProxy       between a worker and a broker                     delay, cut, half close, hold one kind of request
//!   load           twenty machines and some poison, seeded
//!   verifier       a serial replay through the pure crates, against all topics
//!   fleet          a simulated fleet on Kafka, judged against the truth
//!   faults         the fault suite: catalogue, supervisor, table, measurements
//!   documented     command lines as README, docs and --help show them
//!   upgrade        workers of an earlier build replaced by today's, one after another, under load
//! ```
//!
//! `tests/setup.sh` gets what these need; a fixture that misses something says so.

mod alertmanager;
mod collector;
pub mod documented;
pub mod faults;
pub mod fleet;
mod http;
mod installation;
mod journey;
mod kafka_cluster;
mod kafka_properties;
mod kcat;
pub mod load;
mod metrics;
mod plant;
mod ports;
mod process;
mod prometheus;
mod recordings;
mod secured_cluster;
mod secured_listeners;
mod tcp_proxy;
pub mod upgrade;
pub mod verifier;
mod wait;
mod worker;

pub use alertmanager::{Alertmanager, AlertmanagerAlert};
pub use collector::{Collector, Span};
pub use http::get;
pub use installation::{auscult_binary, repository};
pub use journey::{Journey, quantile};
pub use kafka_cluster::{ClusterPlan, KafkaCluster};
pub use kcat::{Kcat, KcatRecord};
pub use metrics::Metrics;
pub use plant::{Plant, run_auscult};
pub use ports::free_ports;
pub use process::Process;
pub use prometheus::{Prometheus, PrometheusSample};
pub use recordings::simulate;
pub use secured_cluster::SecuredCluster;
pub use tcp_proxy::TcpProxy;
pub use wait::until;
pub use worker::Worker;
