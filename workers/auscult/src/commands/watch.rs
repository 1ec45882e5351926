//! `auscult watch`: prints results as they arrive, as a table or as JSON lines.

use std::io::{IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

use auscult_operations::dead_letters::REPLAYED_HEADER;
use auscult_operations::result_lines::{Line, json_line};
use auscult_runtime::kafka::{ReadFrom, TopicReader};
use auscult_schemas::topics::{ALERTS, AUDIT, DEAD_LETTERS, DRIFT, SCORES};
use clap::{Args, ValueEnum};

use super::worker_arguments::{ConfigArgs, KafkaOnly};
use crate::interrupt;

/// Watch results: scores, alerts, drift, audit records and dead letters as they are committed
///
/// Prints a table, or JSON lines: {"topic", "partition", "offset", "timestamp_ms", "key", "message"}.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct WatchArgs {
    /// Result type to watch; may be repeated [default: all]
    #[arg(long = "only", value_enum, value_name = "WHAT")]
    only: Vec<Stream>,
    /// Only this machine
    #[arg(long, value_name = "ID")]
    machine: Option<String>,
    /// Start with the oldest retained result
    #[arg(long)]
    from_beginning: bool,
    /// Exit at the current end of the topics
    #[arg(long)]
    until_end: bool,
    /// Print JSON lines
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

/// Watches until Ctrl-C, or until the end if requested.
///
/// # Errors
/// If the brokers cannot be reached, or a topic is missing.
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
        // The marker of a replayed dead letter is not a dead letter.
        if record.headers.get(REPLAYED_HEADER).is_some() {
            continue;
        }
        let key = record.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
        if args.machine.as_ref().is_some_and(|machine| *machine != key) {
            continue;
        }
        let line = if args.json { json_line(&record, &key) } else { Line::of(&record, &key).text(is_coloured) };
        if let Err(error) = writeln!(out, "{line}") {
            // The reader of a pipe may have closed it.
            if error.kind() == std::io::ErrorKind::BrokenPipe {
                return Ok(());
            }
            return Err(error.into());
        }
    }
    Ok(())
}
