//! Configuration: a typed struct tree, filled from a YAML file, then the environment, then flags, and judged whole.
//!
//! ```text
//!   defaults ◄── file.yaml ◄── AUSCULT__KAFKA__BROKERS=… ◄── --set kafka.brokers=…      the right one wins
//!                                   │
//!                                   ▼
//!                 T, or every mistake at once, each with its path
//! ```
//!
//! A worker embeds the sections of this module in a struct of its own, derives `Default`, `Deserialize`, `Serialize`
//! and `JsonSchema` (with `#[serde(default)]` and `#[schemars(deny_unknown_fields)]`), implements [`Validate`] and
//! calls [`load`]. Unknown names are found by [`load`] itself, so that all are reported; `serde(deny_unknown_fields)`
//! would stop at the first.

mod kafka;
mod load;
mod problems;
mod secret;
mod sections;
mod security;
mod traces;

pub use kafka::{Compression, Delivery, GroupProtocol, KafkaConfig};
pub use load::{load, schema};
pub use problems::{ConfigError, Problem, Problems, Validate};
pub use secret::Secret;
pub use sections::{BatchConfig, HttpConfig, LimitsConfig, LogConfig, LogFormat, LogLevel, Sections};
pub use security::{SaslConfig, SaslMechanism, SecurityConfig, SecurityProtocol, TlsConfig};
pub use traces::TracesConfig;
