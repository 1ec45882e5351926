//! Exports spans to the collector: OTLP as protobuf over HTTP, in batches, on the library's own thread.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::{Request, Response};
use opentelemetry::KeyValue;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanProcessor};

use super::TraceError;
use crate::config::TracesConfig;
use crate::http::exchange;
use crate::telemetry::{Metrics, WorkerEvent};

/// The span exporter; `None` if no collector is configured.
pub(super) fn processor(
    config: &TracesConfig,
    kind: &str,
    worker: &str,
    metrics: &Arc<Metrics>,
) -> Result<Option<BatchSpanProcessor>, TraceError> {
    let Some(url) = config.url().map_err(TraceError)? else { return Ok(None) };
    let timeout = Duration::from_millis(config.timeout_ms);
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client { timeout, metrics: Arc::clone(metrics) })
        .with_endpoint(url.to_string())
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(timeout)
        .build()
        .map_err(|error| TraceError(error.to_string()))?;
    let mut processor = BatchSpanProcessor::builder(exporter).build();
    let resource = Resource::builder()
        .with_service_name(kind.to_owned())
        .with_attribute(KeyValue::new("service.namespace", "auscult"))
        .with_attribute(KeyValue::new("service.instance.id", worker.to_owned()))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    processor.set_resource(&resource);
    Ok(Some(processor))
}

/// Counts the outcome of each batch; an unavailable collector costs only the spans.
#[derive(Debug)]
struct Client {
    timeout: Duration,
    metrics: Arc<Metrics>,
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // Called on the exporter's own thread, which has nothing else to do.
        let answer = exchange(request, self.timeout);
        match &answer {
            Ok(answer) if answer.status().is_success() => self.metrics.add_trace_export("taken"),
            Ok(answer) => self.lost(&format!("the collector says {}", answer.status())),
            Err(error) => self.lost(&error.to_string()),
        }
        Ok(answer?)
    }
}

impl Client {
    fn lost(&self, reason: &str) {
        WorkerEvent::SpansLost { reason }.report(&self.metrics);
    }
}
