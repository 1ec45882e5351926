//! A broker's `server.properties`: what all have in common (tests/kafka/server.properties) and what is its own.

use std::path::Path;

use anyhow::{Context, Result};

use crate::repository;
use crate::secured_listeners::SecuredListeners;

/// Which ports a broker listens on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BrokerPorts {
    /// For clients and the other brokers.
    pub client: u16,
    /// For the Raft quorum.
    pub controller: u16,
    /// A second listener for clients behind a proxy, and the proxy's port, under which it is advertised.
    pub proxied: Option<(u16, u16)>,
}

/// The properties of broker `id` (from 1) in a cluster of `ports.len()`.
pub(crate) fn properties(
    id: usize,
    ports: &[BrokerPorts],
    log_dir: &Path,
    secured: Option<&SecuredListeners>,
) -> Result<String> {
    let common = repository().join("tests/kafka/server.properties");
    let common = std::fs::read_to_string(&common).with_context(|| common.display().to_string())?;
    let own = ports[id - 1];
    let voters: Vec<String> = ports
        .iter()
        .enumerate()
        .map(|(index, ports)| format!("{}@127.0.0.1:{}", index + 1, ports.controller))
        .collect();
    let replicas = ports.len().min(3);
    // One broker of three may be gone; where there is only one, none may.
    let in_sync = if replicas == 3 { 2 } else { 1 };
    Ok(format!(
        "{common}
node.id={id}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}{proxied}{secured}
advertised.listeners=PLAINTEXT://127.0.0.1:{client}{advertised}{secured}
log.dirs={log_dir}
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
{secured_properties}",
        voters = voters.join(","),
        secured = secured.map(SecuredListeners::listeners).unwrap_or_default(),
        secured_properties = secured.map(SecuredListeners::properties).unwrap_or_default(),
        proxied = own.proxied.map(|(port, _)| format!(",PROXIED://127.0.0.1:{port}")).unwrap_or_default(),
        advertised = own.proxied.map(|(_, proxy)| format!(",PROXIED://127.0.0.1:{proxy}")).unwrap_or_default(),
        client = own.client,
        controller = own.controller,
        log_dir = log_dir.display(),
    ))
}
