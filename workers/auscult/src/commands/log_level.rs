//! `auscult log-level`: shows or changes the log level of a running worker.

use std::time::Duration;

use anyhow::{Context, bail};
use auscult_runtime::http::exchange;
use bytes::Bytes;
use clap::Args;
use hyper::{Method, Request};

/// Show or change the log level of a running worker, without a restart
///
/// The command connects to the worker's http.listen. The worker accepts changes only from the same host: run the
/// command there, in Kubernetes with `kubectl exec`. The new level applies until the worker stops; log.level sets the
/// level at start.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LogLevelArgs {
    /// off, error, warn, info, debug or trace; may name a level for single modules: info,auscult_runtime::kafka=debug
    ///
    /// Without it, the current level is printed.
    level: Option<String>,
    /// Address where the worker serves health and metrics
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9464")]
    worker: String,
}

const EXAMPLES: &str = "\
Examples:
  auscult log-level                                                  print the current level
  auscult log-level debug
  auscult log-level info,auscult_runtime::kafka=debug,librdkafka=debug   the Kafka modules only
  kubectl exec plant-auscult-scoring-0 -- /usr/local/bin/auscult log-level debug";

/// How long to wait for the worker's answer; its HTTP server has its own thread.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads or changes the level.
///
/// # Errors
/// If no worker answers, or the worker refuses.
pub fn run(args: &LogLevelArgs) -> anyhow::Result<()> {
    let method = if args.level.is_some() { Method::PUT } else { Method::GET };
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{}/log-level", args.worker))
        .body(Bytes::from(args.level.clone().unwrap_or_default()))
        .context("--worker is HOST:PORT")?;
    let answer = exchange(request, PATIENCE).context("is this where the worker listens (http.listen)?")?;
    let words = String::from_utf8_lossy(answer.body()).trim().to_owned();
    if !answer.status().is_success() {
        bail!("the worker at {} says: {words}", args.worker);
    }
    println!("{words}");
    Ok(())
}
