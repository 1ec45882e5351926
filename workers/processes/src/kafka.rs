//! One worker's process on Kafka: logs, health, topics and signals; the runner runs on the calling thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use auscult_runtime::compute::ComputeConfig;
use auscult_runtime::config::{BatchConfig, KafkaConfig, LimitsConfig, Sections};
use auscult_runtime::core::CoreConfig;
use auscult_runtime::kafka::{KafkaAccessError, KafkaClients, WorkerIdentity, topics};
use auscult_runtime::processor::Processor;
use auscult_runtime::runner::{self, RunnerConfig, StopSignal, WatchdogConfig};
use auscult_runtime::telemetry::{Health, HttpServer, Metrics, UnreadyReason, init_logs};
use auscult_runtime::traces::{SpanRecorder, TraceRule};
use auscult_schemas::topics::{ALL, Topic};

use crate::kinds::WorkerKind;

/// How long the log thread may be inactive and still count as alive: longer than a connection attempt to unresponsive
/// brokers.
const PATIENCE: Duration = Duration::from_secs(90);

/// Timeout for exporting the last spans to the collector; it fits into the pod's grace period after a drain.
const FAREWELL: Duration = Duration::from_secs(5);

/// The runner settings of a configuration.
#[must_use]
pub(crate) fn runner_config(
    kind: WorkerKind,
    worker: &str,
    batch: &BatchConfig,
    limits: &LimitsConfig,
) -> RunnerConfig {
    RunnerConfig {
        topic: kind.input.to_owned(),
        core: CoreConfig {
            max_batch_records: batch.max_records,
            max_batch_bytes: batch.max_bytes,
            max_batch_age: Duration::from_millis(batch.max_age_ms),
            max_buffer_bytes: limits.max_buffer_bytes,
            drain_deadline: Duration::from_millis(limits.drain_deadline_ms),
            abort_backoff: Duration::from_millis(limits.abort_backoff_ms),
            max_abort_backoff: Duration::from_millis(limits.max_abort_backoff_ms),
        },
        compute: ComputeConfig {
            worker: worker.to_owned(),
            changelog: kind.changelog,
            max_value_bytes: limits.max_chunk_bytes,
            max_time_ahead: Duration::from_millis(limits.max_time_ahead_ms),
            traces: TraceRule::carrying(kind.name),
        },
        backoff: Duration::from_millis(500),
        watchdog: WatchdogConfig {
            unready_after: Duration::from_millis(limits.stall_unready_ms),
            exit_after: Duration::from_millis(limits.stall_exit_ms),
            exit: Arc::new(give_up),
        },
        spans: None,
    }
}

/// Ends the process; the supervisor restarts it. The successor aborts open transactions and repeats the work.
fn give_up(reason: &str) {
    const STATUS_STALLED: i32 = 3;
    tracing::error!(reason, "the worker stands still and ends, to be started anew; nothing is lost");
    std::process::exit(STATUS_STALLED);
}

/// Runs a worker until it is stopped.
///
/// # Errors
/// If it cannot start (the port is in use, a topic is missing, a model is unusable) or cannot continue.
pub(crate) fn run<P: Processor>(
    kind: WorkerKind,
    sections: Sections<'_>,
    processor: impl FnOnce(&Arc<Metrics>) -> anyhow::Result<P>,
) -> anyhow::Result<()> {
    let logs = init_logs(sections.log)?;
    let identity = WorkerIdentity::of(sections.kafka, kind.name, kind.input, instance_port(sections.http.listen));
    let worker = identity.instance_id.clone();
    let metrics = Arc::new(Metrics::new(&worker)?);
    let health = Health::new(PATIENCE);
    let server = HttpServer::start(sections.http.listen, health.clone(), Arc::clone(&metrics), logs)?;
    tracing::info!(worker, address = %server.address(), "health and metrics are served");

    let stop = StopSignal::new();
    let drain_deadline = Duration::from_millis(sections.limits.drain_deadline_ms);
    listen_for_stop(&stop, drain_deadline)?;
    let processor = processor(&metrics)?;
    if !await_topics(kind, sections.kafka, &health, &stop)? {
        return Ok(());
    }
    let mut config = runner_config(kind, &worker, sections.batch, sections.limits);
    let spans = SpanRecorder::start(sections.traces, kind.name, &worker, kind.input, &identity.group_id, &metrics)?;
    if let Some(spans) = &spans {
        config.compute.traces = spans.rule().clone();
        config.spans = Some(spans.clone());
    }
    let clients = KafkaClients::new(sections.kafka.clone(), identity);
    let outcome = runner::run(clients, processor, config, metrics, health, stop);
    if let Some(spans) = spans {
        spans.shut_down(FAREWELL);
    }
    server.stop();
    outcome.context("the worker cannot go on")
}

/// The port identifies workers on one host; if the port is chosen by the system, the process id does.
fn instance_port(listen: SocketAddr) -> u16 {
    let by_process = u16::try_from(std::process::id() % 65_536).unwrap_or_default();
    if listen.port() == 0 { by_process } else { listen.port() }
}

/// The first signal stops the worker; a second one, or a drain that exceeds its deadline, ends the process.
fn listen_for_stop(stop: &StopSignal, drain_deadline: Duration) -> anyhow::Result<()> {
    const STATUS_SECOND_SIGNAL: i32 = 130;
    let on_signal = {
        let stop = stop.clone();
        move || {
            if stop.is_given() {
                std::process::exit(STATUS_SECOND_SIGNAL);
            }
            stop.give();
        }
    };
    ctrlc::set_handler(on_signal).context("cannot listen for SIGTERM")?;
    let stop = stop.clone();
    let last_resort = move || {
        while !stop.wait(Duration::from_secs(3600)) {}
        // The commit stays open if the broker does not answer; the next worker with this name aborts it.
        std::thread::sleep(drain_deadline * 2 + Duration::from_secs(5));
        tracing::error!(
            "the last commit is not answered; ending without it, its batch is done again by the next worker"
        );
        std::process::exit(1);
    };
    std::thread::Builder::new().name("last-resort".to_owned()).spawn(last_resort).context("cannot start a thread")?;
    Ok(())
}

/// Waits for the brokers and checks the topics. Returns `false` if stopped meanwhile.
fn await_topics(kind: WorkerKind, kafka: &KafkaConfig, health: &Health, stop: &StopSignal) -> anyhow::Result<bool> {
    let touched: Vec<Topic> = ALL.into_iter().filter(|topic| kind.touches.contains(&topic.name)).collect();
    loop {
        health.beat();
        match topics::check(kafka, &touched) {
            Ok(problems) if problems.is_empty() => {
                health.unready(UnreadyReason::Starting, "joining the group");
                return Ok(true);
            }
            Ok(problems) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                bail!("the topics are not as they must be:\n  {}", lines.join("\n  "));
            }
            Err(KafkaAccessError::Client(error)) => bail!(error),
            Err(error) => {
                tracing::warn!(%error, "waiting for the brokers");
                health.unready(UnreadyReason::Starting, error.to_string());
            }
        }
        if stop.wait(Duration::from_secs(2)) {
            return Ok(false);
        }
    }
}
