//! Sends `POST` requests to Alertmanager over HTTP/1.1, each on its own connection: there are only a few per minute.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::config::AlertmanagerConfig;

/// Maximum bytes read of an answer; it is only shown or discarded.
const ANSWER_BYTES: usize = 16 * 1024;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    /// Alertmanager rejected an alert; it has accepted the other alerts of the request.
    #[error("alertmanager finds an alert faulty: {0}")]
    Refused(String),
    /// A retry may succeed.
    #[error("{0}")]
    Failed(String),
}

/// An Alertmanager client with its credentials.
pub(super) struct AlertmanagerClient {
    config: AlertmanagerConfig,
    runtime: tokio::runtime::Runtime,
}

impl AlertmanagerClient {
    /// Creates a client without connecting.
    pub fn new(config: AlertmanagerConfig) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { config, runtime })
    }

    /// Posts a JSON array of alerts.
    pub fn post(&self, endpoint: &Uri, body: Bytes) -> Result<(), PostError> {
        let limit = Duration::from_secs(self.config.timeout_secs);
        let answered =
            self.runtime.block_on(async { tokio::time::timeout(limit, self.exchange(endpoint, body)).await });
        let failed = |reason: String| PostError::Failed(format!("{endpoint}: {reason}"));
        let (status, answer) = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(reason)) => return Err(failed(reason)),
            Err(_) => return Err(failed(format!("no answer within {} s", limit.as_secs()))),
        };
        match status {
            200..300 => Ok(()),
            // The content is invalid. Other failures may go away: an address or password is corrected, or a proxy
            // recovers.
            400 | 422 => Err(PostError::Refused(answer)),
            401 | 403 => Err(failed(format!(
                "status {status}: not let in; see alertmanager.username, password_file and bearer_token_file"
            ))),
            404 => {
                Err(failed("status 404: does alertmanager.url name Alertmanager, with its route prefix?".to_owned()))
            }
            _ => Err(failed(format!("status {status}: {answer}"))),
        }
    }

    async fn exchange(&self, endpoint: &Uri, body: Bytes) -> Result<(u16, String), String> {
        let authority = endpoint.authority().ok_or("the address has no host")?;
        let is_https = endpoint.scheme_str() == Some("https");
        let host = authority.host().trim_matches(['[', ']']);
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;

        let path = endpoint.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::post(path)
            .header(HOST, authority.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, "close")
            .header(USER_AGENT, concat!("auscult/", env!("CARGO_PKG_VERSION")));
        if let Some(value) = self.authorization()? {
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        if is_https {
            ask(secured(stream, host, self.config.ca_file.as_deref()).await?, request).await
        } else {
            ask(stream, request).await
        }
    }

    /// Read for each request, so that a renewed token in the file is used.
    fn authorization(&self) -> Result<Option<HeaderValue>, String> {
        let AlertmanagerConfig { bearer_token_file, username, password_file, .. } = &self.config;
        let text = match (bearer_token_file, username, password_file) {
            (Some(file), _, _) => format!("Bearer {}", AlertmanagerConfig::secret(file)?.reveal().trim()),
            (None, Some(username), Some(file)) => {
                let password = AlertmanagerConfig::secret(file)?;
                format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.reveal())))
            }
            _ => return Ok(None),
        };
        // The error does not contain the token, but is not helpful either.
        let mut value = HeaderValue::from_str(&text).map_err(|_| "the token has characters that no header may have")?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// Sends a request on a connection and waits for the whole answer: status and text.
async fn ask<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(u16, String), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    // Its errors reach the waiting request; it ends with the connection.
    let driver = tokio::spawn(connection);
    let answered = async {
        let answer = sender.send_request(request).await.map_err(|error| described(&error))?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
        let text = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).trim().to_owned());
        Ok((status, text.unwrap_or_else(|error| format!("(the answer cannot be read: {error})"))))
    };
    let answered = answered.await;
    driver.abort();
    answered
}

/// hyper reports the cause only in the error's source.
fn described(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// TLS as in librdkafka: OpenSSL, with the system's CA certificates unless others are given.
#[cfg(feature = "tls")]
async fn secured(
    stream: TcpStream,
    host: &str,
    ca_file: Option<&Path>,
) -> Result<std::pin::Pin<Box<tokio_openssl::SslStream<TcpStream>>>, String> {
    use openssl::ssl::{SslConnector, SslMethod};
    use openssl::x509::store::X509StoreBuilder;

    let failed = |error: openssl::error::ErrorStack| format!("cannot set TLS up: {error}");
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(failed)?;
    if let Some(file) = ca_file {
        // Only these CA certificates.
        builder.set_cert_store(X509StoreBuilder::new().map_err(failed)?.build());
        builder.set_ca_file(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    } else if let Some(file) = openssl_probe::probe().cert_file {
        // A statically linked OpenSSL does not know where this system keeps them.
        builder.set_ca_file(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    }
    let tls = builder.build().configure().and_then(|session| session.into_ssl(host)).map_err(failed)?;
    let mut stream = Box::pin(tokio_openssl::SslStream::new(tls, stream).map_err(failed)?);
    stream.as_mut().connect().await.map_err(|error| {
        format!("TLS: {error}; is Alertmanager's authority in alertmanager.ca_file, and its name the one connected to?")
    })?;
    Ok(stream)
}

/// Never called: a build without TLS rejects such a configuration.
#[cfg(not(feature = "tls"))]
async fn secured(_: TcpStream, _: &str, _: Option<&Path>) -> Result<TcpStream, String> {
    Err("this build knows no TLS; build with --features tls".to_owned())
}
