//! Ports for servers that must be told theirs before they start.

use std::net::TcpListener;

use anyhow::{Context, Result};

/// As many free ports of 127.0.0.1. They are free when this returns; whoever wants one should take it soon.
///
/// # Errors
/// When the machine has none left.
pub fn free_ports(count: usize) -> Result<Vec<u16>> {
    // All are held before the first is let go, so that none is given twice.
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        held.push(TcpListener::bind("127.0.0.1:0").context("binding a free port")?);
    }
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}
