//! Ports for servers that must be told theirs before they start.

use std::net::{TcpListener, UdpSocket};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, ensure};

/// Below those that Linux gives to connections (32768 and up): no client takes a port between its choice and the start
/// of its server.
const FIRST: u16 = 16_384;
const COUNT: u16 = 16_384;

/// As many ports of 127.0.0.1, free and this process's own until it ends: no test that runs beside it is given them.
///
/// # Errors
/// When there are none left.
pub fn free_ports(count: usize) -> Result<Vec<u16>> {
    /// The same port for UDP, which none of the servers uses, is what others see that a port is taken by.
    static HELD: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Each process begins elsewhere.
    let begin = std::process::id().wrapping_mul(97) % u32::from(COUNT);
    let begin = u16::try_from(begin).expect("it is below COUNT");
    let mut ports = Vec::with_capacity(count);
    let mut held = HELD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for _ in 0..COUNT {
        if ports.len() == count {
            break;
        }
        let port = FIRST + begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let Ok(claim) = UdpSocket::bind(("127.0.0.1", port)) else { continue };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            held.push(claim);
            ports.push(port);
        }
    }
    ensure!(ports.len() == count, "of {COUNT} ports from {FIRST} on, {} are free, and {count} are wanted", ports.len());
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice_nor_one_that_another_process_holds() -> Result<()> {
        let mut ports = [free_ports(3)?, free_ports(200)?, free_ports(1)?].concat();
        assert!(ports.iter().all(|port| UdpSocket::bind(("127.0.0.1", *port)).is_err()));
        assert!(ports.iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()));
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 204);
        Ok(())
    }
}
