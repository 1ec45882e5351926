//! `auscult log-level`: what a running worker logs.

use std::time::Duration;

use anyhow::{Context, bail};
use auscult_runtime::http::exchange;
use bytes::Bytes;
use clap::Args;
use hyper::{Method, Request};

/// See or change what a running worker logs, without starting it anew
///
/// Asks the worker at its http.listen, and only from the same host does it let itself be told: run it beside the
/// worker, in Kubernetes by `kubectl exec`. What is set so lasts until the worker ends; log.level says how it starts.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LogLevelArgs {
    /// off, error, warn, info, debug or trace; for parts of the program another one: info,auscult_runtime::kafka=debug
    ///
    /// Without it the present one is printed.
    level: Option<String>,
    /// Where the worker serves health and metrics
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9464")]
    worker: String,
}

const EXAMPLES: &str = "\
Examples:
  auscult log-level                                                  what is logged at present?
  auscult log-level debug
  auscult log-level info,auscult_runtime::kafka=debug,librdkafka=debug   Kafka's part alone
  kubectl exec plant-auscult-scoring-0 -- /usr/local/bin/auscult log-level debug";

/// How long a worker may take to answer; its server has a thread of its own.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks, or tells.
///
/// # Errors
/// When nobody is there, or the worker refuses.
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
