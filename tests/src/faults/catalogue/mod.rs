//! Every fault, by what it happens to.

mod brokers;
mod content;
mod network;
mod state;
mod workers;

use super::Fault;

/// All faults, in the order of the table.
#[must_use]
pub fn all() -> Vec<Fault> {
    let parts = [workers::FAULTS, brokers::FAULTS, network::FAULTS, content::FAULTS, state::FAULTS];
    parts.into_iter().flatten().copied().collect()
}

/// The fault of this name.
#[must_use]
pub fn named(name: &str) -> Option<Fault> {
    all().into_iter().find(|fault| fault.name == name)
}
