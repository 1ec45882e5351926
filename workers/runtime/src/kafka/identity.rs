//! A worker's identity in Kafka.

use crate::config::KafkaConfig;

/// A worker's identity in Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerIdentity {
    /// The consumer group.
    pub group_id: String,
    /// This worker among the group's.
    pub instance_id: String,
    /// The topic it consumes.
    pub input_topic: String,
}

impl WorkerIdentity {
    /// As configured, or by default the worker's own group, and the host name with the port of its HTTP server: two
    /// workers on one host cannot share it, and a restarted pod has the same again.
    #[must_use]
    pub fn of(config: &KafkaConfig, default_group: &str, input_topic: &str, http_port: u16) -> Self {
        let default_instance = || format!("{}-{http_port}", host_name());
        Self {
            group_id: config.group_id.clone().unwrap_or_else(|| default_group.to_owned()),
            instance_id: config.instance_id.clone().unwrap_or_else(default_instance),
            input_topic: input_topic.to_owned(),
        }
    }

    /// A worker with the same id fences this one, and this one fences an earlier worker with this id.
    #[must_use]
    pub fn transactional_id(&self) -> String {
        format!("{}-{}", self.group_id, self.instance_id)
    }
}

fn host_name() -> String {
    let from_kernel = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = std::env::var("HOSTNAME").ok().or_else(from_kernel).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "worker".to_owned() } else { name.to_owned() }
}
