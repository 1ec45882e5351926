//! A worker as an operator would run it: the release binary, told what to do by its environment.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{Metrics, Process, auscult_binary, free_ports, get, until};

/// A running worker; killed when dropped.
#[derive(Debug)]
pub struct Worker {
    name: String,
    address: SocketAddr,
    process: Process,
}

impl Worker {
    /// Starts `auscult SUBCOMMAND…` under a name (its instance id and its log's) in a folder, on a free port.
    ///
    /// Of the environment it sees only `PATH`, `HOME` and what is given here, so that nothing on the developer's
    /// machine changes a test. Settings are variables such as `("AUSCULT__KAFKA__DELIVERY", "at_least_once")`.
    ///
    /// # Errors
    /// When the binary is not built or does not start.
    pub fn start(
        name: &str,
        arguments: &[&str],
        brokers: &str,
        settings: &[(&str, &str)],
        folder: &Path,
    ) -> Result<Self> {
        Self::start_program(&auscult_binary()?, name, arguments, brokers, settings, folder)
    }

    /// As [`Worker::start`], of another build of the binary.
    ///
    /// # Errors
    /// As [`Worker::start`].
    pub fn start_program(
        program: &Path,
        name: &str,
        arguments: &[&str],
        brokers: &str,
        settings: &[(&str, &str)],
        folder: &Path,
    ) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_ports(1)?[0]));
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .envs(std::env::vars_os().filter(|(variable, _)| variable == "PATH" || variable == "HOME"))
            .env("RUST_BACKTRACE", "1")
            .env("AUSCULT__KAFKA__BROKERS", brokers)
            .env("AUSCULT__KAFKA__INSTANCE_ID", name)
            .env("AUSCULT__HTTP__LISTEN", address.to_string())
            .envs(settings.iter().copied());
        let process = Process::start(name, &mut command, &folder.join(format!("{name}.log")))?;
        Ok(Self { name: name.to_owned(), address, process })
    }

    /// Waits until `/readyz` says yes.
    ///
    /// # Errors
    /// When the worker ends, or is not ready within `limit`.
    pub fn wait_until_ready(&mut self, limit: Duration) -> Result<()> {
        let mut last = String::new();
        let waited = until(&format!("{} to be ready", self.name), limit, || {
            self.process.ensure_running()?;
            Ok(match get(self.address, "/readyz") {
                Ok((200, _)) => Some(()),
                Ok((_, reason)) => {
                    last = reason;
                    None
                }
                Err(_) => None,
            })
        });
        waited
            .map_err(|error| error.context(format!("/readyz said last: {last:?}; log:\n{}", self.process.log_tail(30))))
    }

    /// Whether `/readyz` says yes at this moment.
    pub fn is_ready(&mut self) -> bool {
        matches!(get(self.address, "/readyz"), Ok((200, _)))
    }

    /// Where `/livez`, `/readyz` and `/metrics` are.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A scrape of `/metrics`.
    ///
    /// # Errors
    /// When the worker does not answer.
    pub fn metrics(&self) -> Result<Metrics> {
        let (status, body) = get(self.address, "/metrics")?;
        ensure!(status == 200, "{}: /metrics answers {status}", self.name);
        Ok(Metrics(body))
    }

    /// The most memory it has had in use, bytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn peak_resident_bytes(&self) -> Result<u64> {
        self.process.peak_resident_bytes()
    }

    /// The process, to kill, pause or terminate it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}
