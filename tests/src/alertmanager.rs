//! Debian's Prometheus Alertmanager with the configuration of `docs/alertmanager.yml`, and a receiver that notes what
//! it is told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use crate::installation::{program, repository};
use crate::{Process, free_ports, get, until};

/// An alert as Alertmanager shows it or tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerAlert {
    /// What it is told by.
    pub labels: BTreeMap<String, String>,
    /// What it says.
    pub annotations: BTreeMap<String, String>,
    /// Since when.
    pub starts_at: String,
    /// `firing` or `resolved` where it is told of; an object where it is shown.
    #[serde(default)]
    pub status: serde_json::Value,
}

impl AlertmanagerAlert {
    /// `AuscultMachineAlarm fan-7`, without the machine where there is none.
    #[must_use]
    pub fn name(&self) -> String {
        let label = |name: &str| self.labels.get(name).map(String::as_str).unwrap_or_default();
        format!("{} {}", label("alertname"), label("machine")).trim_end().to_owned()
    }
}

/// A running Alertmanager; gone when dropped.
#[derive(Debug)]
pub struct Alertmanager {
    // Before the folder: fields are dropped in order.
    process: Process,
    address: SocketAddr,
    receiver: Receiver,
    /// The user and password it wants, over TLS, in a file of its own.
    web_config: Option<String>,
    folder: TempDir,
}

impl Alertmanager {
    /// Starts one.
    ///
    /// # Errors
    /// When it is not installed, with the command that gets it, or does not start.
    pub fn start() -> Result<Self> {
        Self::start_with(None)
    }

    /// Starts one with this `--web.config.file`: TLS, basic authentication.
    ///
    /// # Errors
    /// As [`Alertmanager::start`].
    pub fn start_with(web_config: Option<String>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("auscult-alertmanager-").tempdir()?;
        let receiver = Receiver::listen()?;
        let sample = std::fs::read_to_string(repository().join("docs/alertmanager.yml"))?;
        let mut config = sample;
        // A test has no half minute. A second is left, so that an alert that holds others back is known before them.
        for (patient, quick) in [
            ("http://tickets.example:8080", format!("http://{}", receiver.address)),
            ("group_wait: 30s", "group_wait: 1s".to_owned()),
            ("group_interval: 5m", "group_interval: 1s".to_owned()),
        ] {
            ensure!(config.contains(patient), "docs/alertmanager.yml has no {patient}");
            config = config.replace(patient, &quick);
        }
        std::fs::write(folder.path().join("alertmanager.yml"), config)?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_ports(1)?[0]));
        let process = launch(address, folder.path(), web_config.as_deref())?;
        let mut alertmanager = Self { process, address, receiver, web_config, folder };
        alertmanager.wait_until_ready()?;
        Ok(alertmanager)
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Starts a killed one again, at its old address. Of alerts it remembers nothing; of what it has told, what it has
    /// written down.
    ///
    /// # Errors
    /// As [`Alertmanager::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.process = launch(self.address, self.folder.path(), self.web_config.as_deref())?;
        self.wait_until_ready()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let (address, is_secured) = (self.address, self.web_config.is_some());
        until("Alertmanager to be ready", Duration::from_secs(30), || {
            self.process.ensure_running()?;
            // Behind TLS it is ready when it listens.
            let is_ready = if is_secured {
                TcpStream::connect(address).is_ok()
            } else {
                get(address, "/-/ready").is_ok_and(|(status, _)| status == 200)
            };
            Ok(is_ready.then_some(()))
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The alerts that stand there, also those that it tells nobody of.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn alerts(&self) -> Result<Vec<AlertmanagerAlert>> {
        let (status, body) = get(self.address, "/api/v2/alerts")?;
        ensure!(status == 200, "/api/v2/alerts answers {status}: {body}");
        serde_json::from_str(&body).with_context(|| body.clone())
    }

    /// Waits until exactly these stand, by [`AlertmanagerAlert::name`].
    ///
    /// # Errors
    /// When they do not within `limit`.
    pub fn wait_for(&self, names: &[&str], limit: Duration) -> Result<Vec<AlertmanagerAlert>> {
        let mut wanted: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        wanted.sort();
        let mut last = Vec::new();
        let waited = until(&format!("alertmanager to have {wanted:?}"), limit, || {
            let alerts = self.alerts()?;
            last = alerts.iter().map(AlertmanagerAlert::name).collect();
            last.sort();
            Ok((last == wanted).then_some(alerts))
        });
        waited.map_err(|error| error.context(format!("it has {last:?}")))
    }

    /// All notifications so far, in order: `on-call firing AuscultMachineAlarm fan-7`. A notification repeats what else
    /// stands of its machine.
    #[must_use]
    pub fn notifications(&self) -> Vec<String> {
        self.receiver.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until this has been told.
    ///
    /// # Errors
    /// When it has not within `limit`.
    pub fn wait_until_told(&self, notification: &str, limit: Duration) -> Result<()> {
        let waited = until(&format!("alertmanager to tell of {notification:?}"), limit, || {
            Ok(self.notifications().iter().any(|told| told == notification).then_some(()))
        });
        waited.map_err(|error| error.context(format!("it told of {:?}", self.notifications())))
    }
}

fn launch(address: SocketAddr, folder: &Path, web_config: Option<&str>) -> Result<Process> {
    let mut command = Command::new(program("prometheus-alertmanager")?);
    command
        .arg(format!("--config.file={}", folder.join("alertmanager.yml").display()))
        .arg(format!("--storage.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--cluster.listen-address=")
        .arg("--log.level=warn");
    if let Some(web_config) = web_config {
        let file = folder.join("web.yml");
        std::fs::write(&file, web_config)?;
        command.arg(format!("--web.config.file={}", file.display()));
    }
    Process::start("alertmanager", &mut command, &folder.join("output.txt"))
}

/// Who Alertmanager tells: a webhook that notes each alert of each notification.
#[derive(Debug)]
struct Receiver {
    address: SocketAddr,
    told: Arc<Mutex<Vec<String>>>,
}

#[derive(Deserialize)]
struct Notification {
    receiver: String,
    alerts: Vec<AlertmanagerAlert>,
}

impl Receiver {
    /// Listens for as long as the test runs.
    fn listen() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let told = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&told);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // What cannot be read was not told; the test that waits for it says so.
                let Ok(notification) = receive(stream) else { continue };
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                for alert in notification.alerts {
                    let status = alert.status.as_str().unwrap_or_default();
                    noted.push(format!("{} {status} {}", notification.receiver, alert.name()));
                }
            }
        });
        Ok(Self { address, told })
    }
}

/// Reads one request and answers it.
fn receive(mut stream: TcpStream) -> Result<Notification> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Ok(serde_json::from_slice(&body)?)
}
