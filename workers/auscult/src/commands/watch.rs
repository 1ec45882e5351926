//! `auscult watch`: results as they come, as a table or as JSON lines.

use std::io::{IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

use auscult_detection::words;
use auscult_runtime::kafka::{ReadFrom, TopicReader};
use auscult_runtime::record::Record;
use auscult_schemas::topics::{ALERTS, AUDIT, DEAD_LETTERS, DRIFT, SCORES};
use auscult_schemas::{Alert, AlertKind, Audit, AuditAction, DeadLetter, Drift, MachineState, Score};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::worker_arguments::{ConfigArgs, KafkaOnly};
use crate::dead_letters::REPLAYED_HEADER;
use crate::interrupt;

/// Watch results: scores, alerts, drift, audit records and dead letters as they are committed
///
/// A table for people, or JSON lines for programs: {"topic", "partition", "offset", "timestamp_ms", "key", "message"}.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct WatchArgs {
    /// What to watch; may be repeated [default: all]
    #[arg(long = "only", value_enum, value_name = "WHAT")]
    only: Vec<Stream>,
    /// Only this machine
    #[arg(long, value_name = "ID")]
    machine: Option<String>,
    /// Begin with the oldest result that is kept
    #[arg(long)]
    from_beginning: bool,
    /// End when all that is there has been shown
    #[arg(long)]
    until_end: bool,
    /// JSON lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stream {
    Scores,
    Alerts,
    Drift,
    Audit,
    DeadLetters,
}

impl Stream {
    const ALL: [Self; 5] = [Self::Scores, Self::Alerts, Self::Drift, Self::Audit, Self::DeadLetters];

    fn topic(self) -> &'static str {
        match self {
            Self::Scores => SCORES,
            Self::Alerts => ALERTS,
            Self::Drift => DRIFT,
            Self::Audit => AUDIT,
            Self::DeadLetters => DEAD_LETTERS,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  auscult watch --brokers localhost:9092
  auscult watch --only alerts --machine fan-07
  auscult watch --only scores --from-beginning --until-end --json | jq .message.score";

/// Watches until Ctrl-C, or until the end where that was asked for.
///
/// # Errors
/// When the brokers cannot be reached, or a topic is missing.
pub fn run(args: &WatchArgs) -> anyhow::Result<()> {
    let config: KafkaOnly = args.config.load(&[])?;
    let streams = if args.only.is_empty() { &Stream::ALL[..] } else { &args.only };
    let names: Vec<&str> = streams.iter().map(|stream| stream.topic()).collect();
    let from = if args.from_beginning { ReadFrom::Beginning } else { ReadFrom::End };
    let interrupted = interrupt::listen("ending")?;
    let mut reader = TopicReader::open(&config.kafka, &names, from)?;
    let is_coloured = std::io::stdout().is_terminal();
    let mut out = std::io::stdout().lock();
    if !args.json {
        writeln!(
            out,
            "{:<20} {:<16} {:<10} {:>9} {:>9} {:>9}  where",
            "time", "machine", "what", "score", "threshold", "p"
        )?;
    }
    while !interrupted.load(Ordering::Relaxed) {
        let Some(record) = reader.next(Duration::from_millis(200))? else {
            if args.until_end && reader.is_at_end() {
                break;
            }
            continue;
        };
        // The mark of a letter that was sent round again is no letter.
        if record.headers.get(REPLAYED_HEADER).is_some() {
            continue;
        }
        let key = record.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
        if args.machine.as_ref().is_some_and(|machine| *machine != key) {
            continue;
        }
        let line = if args.json { json_line(&record, &key) } else { table_line(&record, &key, is_coloured) };
        if let Err(error) = writeln!(out, "{line}") {
            // The reader of a pipe may have had enough.
            if error.kind() == std::io::ErrorKind::BrokenPipe {
                return Ok(());
            }
            return Err(error.into());
        }
    }
    Ok(())
}

fn json_line(record: &Record, key: &str) -> String {
    let message = if record.coordinates.topic == DEAD_LETTERS {
        match DeadLetter::read(&record.headers) {
            Ok(letter) => serde_json::to_value(letter).unwrap_or(Value::Null),
            Err(error) => json!({ "unreadable": error.to_string() }),
        }
    } else {
        let value = record.value.as_deref().unwrap_or_default();
        serde_json::from_slice(value).unwrap_or_else(|error| json!({ "unreadable": error.to_string() }))
    };
    json!({
        "topic": record.coordinates.topic,
        "partition": record.coordinates.partition,
        "offset": record.coordinates.offset,
        "timestamp_ms": record.timestamp_ms,
        "key": key,
        "message": message,
    })
    .to_string()
}

fn table_line(record: &Record, key: &str, is_coloured: bool) -> String {
    let value = record.value.as_deref().unwrap_or_default();
    let described = match record.coordinates.topic.as_str() {
        SCORES => serde_json::from_slice(value).map(|score: Score| score_line(&score, is_coloured)),
        ALERTS => serde_json::from_slice(value).map(|alert: Alert| alert_line(&alert, is_coloured)),
        DRIFT => serde_json::from_slice(value).map(|drift: Drift| drift_line(&drift)),
        AUDIT => serde_json::from_slice(value).map(|audit: Audit| audit_line(&audit)),
        _ => Ok(dead_letter_line(record, key)),
    };
    described.unwrap_or_else(|error| format!("{} is unreadable: {error}", record.coordinates))
}

fn score_line(score: &Score, is_coloured: bool) -> String {
    let what = match score.state {
        MachineState::SensorFault => paint("sensor", "35", is_coloured),
        MachineState::SetupFault => paint("setup", "35", is_coloured),
        MachineState::Idle => paint("idle", "36", is_coloured),
        _ if score.anomalous => paint("anomalous", "33", is_coloured),
        _ => format!("{:<10}", "normal"),
    };
    // Messages of earlier versions explain themselves no less.
    let explanation = score.explanation.clone().or_else(|| words::score(score)).unwrap_or_default();
    format!(
        "{:<20.19} {:<16} {what} {:>9.3} {:>9.3} {:>9.2e}  {explanation}",
        score.time.to_string(),
        score.machine,
        score.score,
        score.threshold,
        score.p_value
    )
}

fn alert_line(alert: &Alert, is_coloured: bool) -> String {
    let what = match alert.state {
        _ if alert.kind == AlertKind::Sensor => paint("SENSOR", "35", is_coloured),
        _ if alert.kind == AlertKind::Setup => paint("SETUP", "35", is_coloured),
        _ if alert.kind == AlertKind::Environment => paint("PLACE", "33", is_coloured),
        MachineState::Alarm => paint("ALARM", "1;31", is_coloured),
        MachineState::Healthy => paint("HEALTHY", "32", is_coloured),
        MachineState::Warning => paint("WARNING", "33", is_coloured),
        MachineState::Acknowledged => paint("ACK", "36", is_coloured),
        MachineState::Maintenance => paint("MAINTAINED", "36", is_coloured),
        MachineState::Silent => paint("SILENT", "35", is_coloured),
        MachineState::Learning => format!("{:<10}", "LEARNING"),
        MachineState::SensorFault => paint("SENSOR", "35", is_coloured),
        MachineState::SetupFault => paint("SETUP", "35", is_coloured),
        MachineState::Idle => paint("IDLE", "36", is_coloured),
    };
    let score = alert.score.map_or("–".to_owned(), |score| format!("{score:.3}"));
    let p_value = alert.p_value.map_or("–".to_owned(), |p_value| format!("{p_value:.2e}"));
    format!(
        "{:<20.19} {:<16} {what} {score:>9} {:>9.3} {p_value:>9}  {}",
        alert.time.to_string(),
        alert.machine,
        alert.threshold,
        alert.explanation.clone().unwrap_or_else(|| words::alert(alert)) + if alert.muted { " (muted)" } else { "" }
    )
}

fn drift_line(drift: &Drift) -> String {
    format!(
        "{:<20.19} {:<16} {:<10} psi {:.2}, ks {:.2} (p {:.1e}), level {:+.1} dB, {:+.1} dB at {:.0} Hz over {} chunks{}",
        drift.window_end.to_string(),
        drift.machine,
        "drift",
        drift.score_psi,
        drift.score_ks,
        drift.score_ks_p_value,
        drift.level_shift_db,
        drift.max_band_shift_db,
        drift.max_band_shift_hz,
        drift.chunks,
        drift.explanation.as_ref().map(|words| format!("  {words}")).unwrap_or_default()
    )
}

fn audit_line(audit: &Audit) -> String {
    let what = match &audit.action {
        AuditAction::Control(action) => action.as_str().to_owned(),
        AuditAction::AdjustThreshold { .. } => "adjusted the threshold".to_owned(),
        AuditAction::DropThreshold => "another model: the threshold that was set has ended".to_owned(),
    };
    let (before, after) = (&audit.before, &audit.after);
    let mut changes = Vec::new();
    if before.state != after.state {
        changes.push(format!("{} to {}", before.state.as_str(), after.state.as_str()));
    }
    if before.threshold_by != after.threshold_by || before.threshold.to_bits() != after.threshold.to_bits() {
        changes.push(format!("threshold {:.3} to {:.3}", before.threshold, after.threshold));
    }
    if before.muted != after.muted {
        changes.push(if after.muted { "muted" } else { "no longer muted" }.to_owned());
    }
    if before.idle != after.idle {
        changes.push(if after.idle { "at rest" } else { "no longer at rest" }.to_owned());
    }
    let changes = if changes.is_empty() { "nothing changes".to_owned() } else { changes.join(", ") };
    format!("{:<20.19} {:<16} {:<10} {what} by {}: {changes}", audit.time.to_string(), audit.machine, "audit", audit.by)
}

fn dead_letter_line(record: &Record, key: &str) -> String {
    match DeadLetter::read(&record.headers) {
        Ok(letter) => format!(
            "{:<20.19} {key:<16} {:<10} {} from {}: {}",
            letter.time.to_string(),
            "dead",
            letter.code.as_str(),
            letter.source,
            letter.detail
        ),
        Err(error) => format!("{} is no dead letter of ours: {error}", record.coordinates),
    }
}

fn paint(text: &str, code: &str, is_coloured: bool) -> String {
    if is_coloured { format!("\x1b[{code}m{text:<10}\x1b[0m") } else { format!("{text:<10}") }
}
