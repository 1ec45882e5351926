//! Serves `/livez`, `/readyz`, `/metrics` and `/log-level` on its own thread, so that a busy worker still answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::oneshot;

use super::{Health, LogFilter, Metrics, TelemetryError};

/// The running server. Dropping it stops it.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    /// When it is dropped or sent to, the server completes open answers and ends.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Served {
    health: Health,
    metrics: Arc<Metrics>,
    logs: LogFilter,
}

impl HttpServer {
    /// Listens, and serves until [`HttpServer::stop`].
    ///
    /// # Errors
    /// [`TelemetryError::Listen`] if the address is in use or not local, [`TelemetryError::Thread`] if no thread can be
    /// started.
    pub fn start(
        listen: SocketAddr,
        health: Health,
        metrics: Arc<Metrics>,
        logs: LogFilter,
    ) -> Result<Self, TelemetryError> {
        let cannot_listen = |source| TelemetryError::Listen { address: listen, source };
        // Bound here and not on the thread, so that a taken port is the caller's error.
        let listener = std::net::TcpListener::bind(listen).map_err(cannot_listen)?;
        listener.set_nonblocking(true).map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(TelemetryError::Thread)?;

        let (stop, stopped) = oneshot::channel();
        let router = Router::new()
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .route("/metrics", get(exposition))
            .route("/log-level", get(log_level).put(set_log_level))
            .with_state(Served { health, metrics, logs })
            .into_make_service_with_connect_info::<SocketAddr>();
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let until_stopped = async {
                // An error means that the sender was dropped: stop as well.
                let _ = stopped.await;
            };
            axum::serve(listener, router).with_graceful_shutdown(until_stopped).await
        };
        let thread = std::thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || {
                if let Err(error) = runtime.block_on(serve) {
                    tracing::error!(%error, "health and metrics are no longer served");
                }
            })
            .map_err(TelemetryError::Thread)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// The listening address; it contains the actual port if 0 was requested.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Completes open answers, and stops.
    pub fn stop(mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that serves health and metrics panicked");
        }
    }
}

async fn livez(State(served): State<Served>) -> Response {
    let age_ms = served.health.heartbeat_age().as_millis();
    if served.health.is_alive() {
        (StatusCode::OK, "alive\n").into_response()
    } else {
        let text = format!("the log thread has not turned for {age_ms} ms\n");
        (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
    }
}

async fn readyz(State(served): State<Served>) -> Response {
    let reasons = served.health.unready_reasons();
    if reasons.is_empty() {
        return (StatusCode::OK, "ready\n").into_response();
    }
    let mut text = String::new();
    for (reason, detail) in reasons {
        text.push_str(reason.as_str());
        if !detail.is_empty() {
            text.push_str(": ");
            text.push_str(&detail);
        }
        text.push('\n');
    }
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn exposition(State(served): State<Served>) -> Response {
    match served.metrics.encode(&served.health) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn log_level(State(served): State<Served>) -> Response {
    match served.logs.words() {
        Some(words) => (StatusCode::OK, format!("{words}\n")).into_response(),
        None => (StatusCode::NOT_FOUND, "the logs of this process are not auscult's\n").into_response(),
    }
}

/// The port is open to scrapers; only clients on this host, such as `kubectl exec` and `port-forward`, may change
/// anything.
async fn set_log_level(
    State(served): State<Served>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    words: String,
) -> Response {
    if !peer.ip().to_canonical().is_loopback() {
        let text = "only from the worker's own host, such as kubectl exec -- auscult log-level debug\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    match served.logs.set(words.trim()) {
        Ok(()) => (StatusCode::OK, format!("{}\n", words.trim())).into_response(),
        Err(reason) => (StatusCode::BAD_REQUEST, format!("{reason}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::time::Duration;

    use super::*;
    use crate::telemetry::UnreadyReason;

    fn server(health: &Health) -> HttpServer {
        let metrics = Arc::new(Metrics::new("w").unwrap());
        HttpServer::start(SocketAddr::from(([127, 0, 0, 1], 0)), health.clone(), metrics, LogFilter::default()).unwrap()
    }

    fn fetch(server: &HttpServer, path: &str) -> String {
        let mut connection = std::net::TcpStream::connect(server.address()).unwrap();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_worker_is_ready_only_when_no_reason_is_left_and_each_is_named() {
        let health = Health::default();
        let server = server(&health);
        assert!(fetch(&server, "/readyz").starts_with("HTTP/1.1 503"));
        health.clear(UnreadyReason::Starting);
        health.unready(UnreadyReason::Restoring, "partitions 1, 3");
        let answer = fetch(&server, "/readyz");
        assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with("restoring: partitions 1, 3\n"), "{answer}");
        assert!(fetch(&server, "/metrics").contains("\nauscult_ready{worker=\"w\"} 0\n"));
        health.clear(UnreadyReason::Restoring);
        assert!(fetch(&server, "/readyz").starts_with("HTTP/1.1 200"));
        assert!(fetch(&server, "/metrics").contains("\nauscult_ready{worker=\"w\"} 1\n"));
        server.stop();
    }

    #[test]
    fn a_log_thread_that_stands_still_is_not_alive() {
        let health = Health::new(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(5));
        let standing = server(&health);
        assert!(fetch(&standing, "/livez").starts_with("HTTP/1.1 503"));
        let patient = server(&Health::default());
        assert!(fetch(&patient, "/livez").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn a_stopped_server_frees_its_port() {
        let health = Health::default();
        let first = server(&health);
        let address = first.address();
        first.stop();
        let metrics = Arc::new(Metrics::new("w").unwrap());
        HttpServer::start(address, health, metrics, LogFilter::default()).unwrap().stop();
    }

    #[test]
    fn a_taken_port_is_an_error_that_names_it() {
        let health = Health::default();
        let first = server(&health);
        let metrics = Arc::new(Metrics::new("w").unwrap());
        let error = HttpServer::start(first.address(), health, metrics, LogFilter::default()).unwrap_err().to_string();
        assert!(error.contains(&first.address().to_string()) && error.contains("http.listen"), "{error}");
    }
}
