//! One HTTP request and its answer, on its own connection, without TLS: to a local collector, or to a worker on this
//! host.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::HOST;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

/// The most that is read of an answer, bytes.
const MOST_BYTES: usize = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is none.
    #[error("{0}: write it as http://HOST:PORT; TLS is not spoken here")]
    Address(String),
    /// The connection failed.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// The address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The answer is invalid.
    #[error("no answer from {address}: {reason}")]
    Exchange {
        /// The address.
        address: String,
        /// Why.
        reason: String,
    },
    /// It took too long.
    #[error("no answer from {address} within {} s", limit.as_secs())]
    Late {
        /// The address.
        address: String,
        /// How long was waited.
        limit: Duration,
    },
    /// No thread or socket to be had.
    #[error("cannot start: {0}; check the limits on threads and open files")]
    Runtime(std::io::Error),
}

/// Sends a request and waits for the whole answer. Must not be called from within a tokio runtime.
///
/// # Errors
/// [`HttpError`]. An error status is returned as an answer.
pub fn exchange(request: Request<Bytes>, limit: Duration) -> Result<Response<Bytes>, HttpError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(HttpError::Runtime)?;
    let address = address_of(&request)?;
    let answered = async { tokio::time::timeout(limit, exchanged(request, &address)).await };
    runtime.block_on(answered).unwrap_or(Err(HttpError::Late { address: address.clone(), limit }))
}

/// `host:port` of a request's URI.
fn address_of(request: &Request<Bytes>) -> Result<String, HttpError> {
    let uri = request.uri();
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(host)) => Ok(format!("{host}:{}", uri.port_u16().unwrap_or(80))),
        _ => Err(HttpError::Address(uri.to_string())),
    }
}

async fn exchanged(request: Request<Bytes>, address: &str) -> Result<Response<Bytes>, HttpError> {
    let broken = |error: hyper::Error| HttpError::Exchange { address: address.to_owned(), reason: error.to_string() };
    let stream = tokio::net::TcpStream::connect(address)
        .await
        .map_err(|source| HttpError::Connect { address: address.to_owned(), source })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let (mut parts, body) = request.into_parts();
    // HTTP/1.1 wants the path alone, and the host in a header.
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    parts.uri = path.parse().map_err(|_| HttpError::Address(path.clone()))?;
    parts.headers.insert(HOST, address.parse().map_err(|_| HttpError::Address(address.to_owned()))?);
    let exchange = async {
        let (head, body) = sender.send_request(Request::from_parts(parts, Full::new(body))).await?.into_parts();
        Ok((head, Limited::new(body, MOST_BYTES).collect().await))
    };
    // The connection must be driven while the answer is awaited, and is of no use after it.
    let (head, body) = tokio::select! {
        answer = exchange => answer.map_err(broken)?,
        Err(error) = connection => return Err(broken(error)),
    };
    let body = body.map_err(|error| HttpError::Exchange { address: address.to_owned(), reason: error.to_string() })?;
    Ok(Response::from_parts(head, body.to_bytes()))
}
