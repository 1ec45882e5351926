//! An OpenTelemetry collector, built of its own parts (`tests/collector`), and the spans that it says it has got.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::installation::program;
use crate::{Process, free_ports, until};

/// A running collector; gone when dropped.
#[derive(Debug)]
pub struct Collector {
    // Before the folder: fields are dropped in order.
    process: Process,
    address: SocketAddr,
    output: PathBuf,
    _folder: TempDir,
}

/// A span as the collector's debug exporter tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// `service.name` of whoever sent it.
    pub service: String,
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits; empty for the root of a trace.
    pub parent_id: String,
    /// 16 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `Producer`, `Consumer` or `Internal`.
    pub kind: String,
    /// `Unset` or `Error`.
    pub status: String,
    /// Its attributes, values as text.
    pub attributes: BTreeMap<String, String>,
}

impl Collector {
    /// Starts one that takes OTLP over HTTP.
    ///
    /// # Errors
    /// When it is not built, with the command that does, or does not start.
    pub fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("auscult-collector-").tempdir()?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_ports(1)?[0]));
        let config = folder.path().join("collector.yaml");
        std::fs::write(
            &config,
            format!(
                "receivers: {{otlp: {{protocols: {{http: {{endpoint: '{address}'}}}}}}}}\n\
                 exporters: {{debug: {{verbosity: detailed}}}}\n\
                 service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}\n"
            ),
        )?;
        let output = folder.path().join("output.txt");
        let mut command = Command::new(program("otel-collector")?);
        command.arg(format!("--config=file:{}", config.display()));
        let mut process = Process::start("otel-collector", &mut command, &output)?;
        until("the collector to listen", Duration::from_secs(30), || {
            process.ensure_running()?;
            Ok(std::net::TcpStream::connect(address).ok())
        })?;
        Ok(Self { process, address, output, _folder: folder })
    }

    /// What `traces.otlp_endpoint` is.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every span that has come so far.
    ///
    /// # Errors
    /// When the collector has ended.
    pub fn spans(&mut self) -> Result<Vec<Span>> {
        self.process.ensure_running()?;
        Ok(spans_of(&std::fs::read_to_string(&self.output)?))
    }
}

fn spans_of(text: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut service = String::new();
    let mut is_resource = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("ResourceSpans #") || line.contains("\tResourceSpans #") {
            is_resource = true;
        } else if line.starts_with("Span #") {
            is_resource = false;
            spans.push(Span { service: service.clone(), ..Span::default() });
        } else if let Some((name, value)) = line.strip_prefix("-> ").and_then(|rest| rest.split_once(": ")) {
            // `Str(kafka)`, `Int(17)`
            let value = value.split_once('(').map_or(value, |(_, rest)| rest.trim_end_matches(')')).to_owned();
            if is_resource && name == "service.name" {
                service = value;
            } else if let Some(span) = spans.last_mut().filter(|_| !is_resource) {
                span.attributes.insert(name.to_owned(), value);
            }
        } else if let (Some(span), Some((name, value))) =
            (spans.last_mut().filter(|_| !is_resource), line.split_once(':'))
        {
            let value = value.trim().to_owned();
            match name.trim() {
                "Trace ID" => span.trace_id = value,
                "Parent ID" => span.parent_id = value,
                "ID" => span.id = value,
                "Name" => span.name = value,
                "Kind" => span.kind = value,
                "Status code" => span.status = value,
                _ => {}
            }
        }
    }
    spans
}
