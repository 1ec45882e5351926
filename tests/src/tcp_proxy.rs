//! A loopback proxy between a client and a broker, which a test can slow down, cut, half close, or tell to hold one
//! kind of Kafka request back.
//!
//! ```text
//!   client ──► requests, framed (length, API key) ──► held? late? ──► broker
//!   client ◄── answers ◄── delayed, throttled, swallowed ◄── broker
//! ```

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

/// A running proxy; it and its connections end when it is dropped.
#[derive(Debug)]
pub struct TcpProxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    rules: Mutex<Rules>,
    connections: Mutex<HashMap<u64, [TcpStream; 2]>>,
    held: AtomicU64,
    closed: AtomicU64,
    is_over: AtomicBool,
}

#[derive(Debug, Clone, Default)]
struct Rules {
    delay: Duration,
    bytes_per_s: Option<u32>,
    is_cut: bool,
    /// Nothing passes, and nobody is told.
    is_stalled: bool,
    /// Answers are taken from the broker and given to nobody.
    is_half_closed: bool,
    holds: Vec<Hold>,
}

#[derive(Debug, Clone, Copy)]
struct Hold {
    api_key: i16,
    time: Duration,
    drops_client: bool,
}

impl TcpProxy {
    /// A proxy to this port of 127.0.0.1, where nobody needs to listen yet.
    ///
    /// # Errors
    /// When no port is left.
    pub fn start(target: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("binding the proxy's port")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        std::thread::Builder::new().name("proxy".to_owned()).spawn(move || accept(&listener, target, &accepting))?;
        Ok(Self { port, shared })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Requests that were held back so far.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.shared.held.load(Ordering::SeqCst)
    }

    /// Connections that the proxy has closed or not let in so far.
    #[must_use]
    pub fn closed(&self) -> u64 {
        self.shared.closed.load(Ordering::SeqCst)
    }

    /// Each request and each piece of an answer comes so much later, and what is behind it waits.
    pub fn delay(&self, time: Duration) {
        self.shared.rules().delay = time;
    }

    /// No more than so many bytes a second and direction.
    pub fn throttle(&self, bytes_per_s: Option<u32>) {
        self.shared.rules().bytes_per_s = bytes_per_s;
    }

    /// Nothing passes in either direction until [`TcpProxy::restore`], and then everything does. Connections stay open,
    /// new ones too.
    pub fn stall(&self) {
        self.shared.rules().is_stalled = true;
    }

    /// Closes every connection; the next ones are sound.
    pub fn drop_connections(&self) {
        for (_, streams) in self.shared.connections().drain() {
            close(&streams);
            self.shared.closed.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Closes every connection, and new ones at once, until [`TcpProxy::restore`].
    pub fn cut(&self) {
        self.shared.rules().is_cut = true;
        self.drop_connections();
    }

    /// Requests reach the broker, its answers nobody, until [`TcpProxy::restore`].
    pub fn half_close(&self) {
        self.shared.rules().is_half_closed = true;
    }

    /// Holds requests with this API key back for so long. With `drops_client` the client's connection is closed at
    /// once, so that it asks again over another, while the held request still reaches the broker when its time has
    /// come.
    pub fn hold_requests(&self, api_key: i16, time: Duration, drops_client: bool) {
        let mut rules = self.shared.rules();
        rules.holds.retain(|hold| hold.api_key != api_key);
        rules.holds.push(Hold { api_key, time, drops_client });
    }

    /// Requests with this API key that come from now on are not held; those that are, stay held.
    pub fn release_api(&self, api_key: i16) {
        self.shared.rules().holds.retain(|hold| hold.api_key != api_key);
    }

    /// Everything passes again. Connections that have lost answers are closed, for they are of no use.
    pub fn restore(&self) {
        let had_lost_answers = {
            let mut rules = self.shared.rules();
            let had = rules.is_half_closed;
            *rules = Rules::default();
            had
        };
        if had_lost_answers {
            self.drop_connections();
        }
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.drop_connections();
        // Wakes the accepting thread, so that it sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<u64, [TcpStream; 2]>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets so many bytes wait for as long as they must.
    fn pace(&self, rules: &Rules, bytes: usize) {
        let mut wait = rules.delay;
        if let Some(bytes_per_s) = rules.bytes_per_s {
            wait += Duration::from_secs_f64(bytes as f64 / f64::from(bytes_per_s));
        }
        std::thread::sleep(wait);
        while self.rules().is_stalled && !self.is_over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn close(streams: &[TcpStream; 2]) {
    for stream in streams {
        // It may be closed already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn accept(listener: &TcpListener, target: u16, shared: &Arc<Shared>) {
    for (number, client) in (0_u64..).zip(listener.incoming()) {
        if shared.is_over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        if shared.rules().is_cut {
            shared.closed.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        // Nobody listens there yet: to the client it is a connection that is closed.
        let Ok(broker) = TcpStream::connect(("127.0.0.1", target)) else { continue };
        let _ = client.set_nodelay(true);
        let _ = broker.set_nodelay(true);
        let _ = serve(number, client, broker, shared);
    }
}

fn serve(number: u64, client: TcpStream, broker: TcpStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    let (requests_in, requests_out) = (client.try_clone()?, broker.try_clone()?);
    let (answers_in, answers_out) = (broker.try_clone()?, client.try_clone()?);
    shared.connections().insert(number, [client, broker]);
    // A cut that came since the connection was let in has not seen it in the list.
    if shared.rules().is_cut {
        shared.closed.fetch_add(1, Ordering::SeqCst);
        end(number, shared);
    }
    let up = Arc::clone(shared);
    std::thread::spawn(move || {
        if !forward_requests(requests_in, requests_out, number, &up) {
            end(number, &up);
        }
    });
    let down = Arc::clone(shared);
    std::thread::spawn(move || {
        forward_answers(answers_in, answers_out, &down);
        end(number, &down);
    });
    Ok(())
}

fn end(number: u64, shared: &Shared) {
    if let Some(streams) = shared.connections().remove(&number) {
        close(&streams);
    }
}

/// Request by request, since some are held. Gives whether the broker's side must stay open for one that is.
fn forward_requests(mut client: TcpStream, mut broker: TcpStream, number: u64, shared: &Arc<Shared>) -> bool {
    loop {
        let mut length = [0; 4];
        if client.read_exact(&mut length).is_err() {
            return false;
        }
        let mut request = length.to_vec();
        request.resize(4 + u32::from_be_bytes(length) as usize, 0);
        if client.read_exact(&mut request[4..]).is_err() {
            return false;
        }
        let api_key = request.get(4..6).map_or(-1, |key| i16::from_be_bytes([key[0], key[1]]));
        let rules = shared.rules().clone();
        if let Some(hold) = rules.holds.iter().find(|hold| hold.api_key == api_key) {
            shared.held.fetch_add(1, Ordering::SeqCst);
            if hold.drops_client {
                // The connection is out of the list before its client's side is closed, so that nobody closes the
                // broker's.
                shared.connections().remove(&number);
                let _ = client.shutdown(Shutdown::Both);
                std::thread::sleep(hold.time);
                let _ = broker.write_all(&request);
                // Time for the broker to read it: a connection that is reset takes along what was not read.
                std::thread::sleep(Duration::from_secs(2));
                let _ = broker.shutdown(Shutdown::Both);
                return true;
            }
            std::thread::sleep(hold.time);
        }
        shared.pace(&rules, request.len());
        if broker.write_all(&request).is_err() {
            return false;
        }
    }
}

fn forward_answers(mut broker: TcpStream, mut client: TcpStream, shared: &Shared) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(count @ 1..) = broker.read(&mut buffer) else { return };
        let rules = shared.rules().clone();
        if rules.is_half_closed {
            continue;
        }
        shared.pace(&rules, count);
        if client.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}
