//! `auscult dead-letters list|replay`.

use std::io::Write;

use anyhow::{bail, ensure};
use auscult_operations::dead_letters::{
    Entry, LetterFilter, Place, Replayer, for_each_record, place, read_inventory, read_place, subject_without_key,
};
use auscult_runtime::config::KafkaConfig;
use auscult_schemas::{DeadLetterCode, printable, printable_json};
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::arguments::moment;
use super::worker_arguments::{ConfigArgs, KafkaOnly};

/// List records that could not be processed, and replay them once the cause is fixed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DeadLettersArgs {
    #[command(subcommand)]
    command: DeadLettersCommand,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
enum DeadLettersCommand {
    /// Print one line per dead letter: its place, when and why processing failed, and whether it was replayed
    List {
        #[command(flatten)]
        which: Which,
        /// Print JSON lines
        #[arg(long)]
        json: bool,
    },
    /// Send dead letters to their original topic and partition, unchanged
    ///
    /// Key, value and headers are those of the original record; the header `auscult_replay_of` identifies the dead
    /// letter. A record without a key gets the machine id in its ce_subject as its key, and goes to that machine's
    /// partition. Each dead letter is replayed once: a marker in audio.dead-letters records the replay. A record that
    /// fails again becomes a new dead letter.
    Replay {
        #[command(flatten)]
        which: Which,
        /// Replay all dead letters
        #[arg(long)]
        all: bool,
        /// Include dead letters that were replayed before
        #[arg(long)]
        again: bool,
        /// Only print what would be sent
        #[arg(long)]
        dry_run: bool,
    },
}

/// Filters for dead letters.
#[derive(Debug, Args)]
struct Which {
    /// Only this dead letter, as named by `list`; may be repeated
    #[arg(long = "letter", value_name = "PARTITION/OFFSET", value_parser = read_place)]
    letters: Vec<Place>,
    /// Only dead letters with this code, such as unknown_machine; may be repeated
    #[arg(long = "code", value_name = "CODE", value_parser = code)]
    codes: Vec<DeadLetterCode>,
    /// Only dead letters of this machine
    #[arg(long, value_name = "ID")]
    machine: Option<String>,
    /// Only dead letters from this topic
    #[arg(long, value_name = "TOPIC")]
    source: Option<String>,
    /// Only records that failed since then: a time, or a duration before now, such as 24h
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
}

const EXAMPLES: &str = "\
Examples:
  auscult dead-letters list --since 24h --brokers localhost:9092
  auscult dead-letters list --code unknown_machine --json
  auscult dead-letters replay --code unknown_machine --machine fan-07 --dry-run
  auscult dead-letters replay --letter 3/1207 --letter 3/1209";

/// Lists or replays.
///
/// # Errors
/// If the brokers cannot be reached, nothing was selected, or a record is rejected.
pub fn run(args: &DeadLettersArgs) -> anyhow::Result<()> {
    match &args.command {
        DeadLettersCommand::List { which, json } => {
            let config: KafkaOnly = args.config.load(&[])?;
            list(&config.kafka, &which.wanted(), *json)
        }
        DeadLettersCommand::Replay { which, all, again, dry_run } => {
            let wanted = which.wanted();
            ensure!(
                *all || !wanted.is_everything(),
                "say which letters: --letter, --code, --machine, --source, --since, or --all"
            );
            let config: KafkaOnly = args.config.load(&[])?;
            send_again(&config.kafka, &wanted, *again, *dry_run)
        }
    }
}

impl Which {
    fn wanted(&self) -> LetterFilter {
        let Self { letters, codes, machine, source, since } = self;
        LetterFilter {
            codes: codes.clone(),
            machine: machine.clone(),
            source: source.clone(),
            since: *since,
            places: letters.iter().copied().collect(),
        }
    }
}

fn list(kafka: &KafkaConfig, wanted: &LetterFilter, is_json: bool) -> anyhow::Result<()> {
    let inventory = read_inventory(kafka)?;
    let mut out = std::io::stdout().lock();
    let mut count = 0;
    for_each_record(kafka, |record| {
        let Entry::Letter(letter) = Entry::of(record) else { return Ok(()) };
        if !inventory.has(place(record)) || !wanted.takes(record, &letter) {
            return Ok(());
        }
        count += 1;
        let (partition, offset) = place(record);
        let is_replayed = inventory.is_replayed(place(record));
        let key = record.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        if is_json {
            let line = serde_json::json!({
                "letter": format!("{partition}/{offset}"),
                "machine": key,
                "bytes": record.value.as_ref().map_or(0, bytes::Bytes::len),
                "replayed": is_replayed,
                "message": letter,
            });
            writeln!(out, "{}", printable_json(&line.to_string()))?;
        } else {
            let replayed = if is_replayed { " (sent round again)" } else { "" };
            let place = format!("{partition}/{offset}");
            let (code, source) = (letter.code.as_str(), letter.source.to_string());
            let (key, source, detail) = (printable(&key), printable(&source), printable(&letter.detail));
            writeln!(out, "{place:<10} {:.0} {code:<24} {key:<16} from {source}: {detail}{replayed}", letter.time)?;
        }
        Ok(())
    })?;
    if !is_json {
        writeln!(out, "{count} letters")?;
    }
    Ok(())
}

fn send_again(kafka: &KafkaConfig, wanted: &LetterFilter, again: bool, is_dry: bool) -> anyhow::Result<()> {
    let inventory = read_inventory(kafka)?;
    let print_note = |note: &str| eprintln!("{}", printable(note));
    let mut replayer = Replayer::new(kafka, &print_note)?;
    let (mut sent, mut before, mut without_value) = (0, 0, 0);
    for_each_record(kafka, |record| {
        let Entry::Letter(letter) = Entry::of(record) else { return Ok(()) };
        if !inventory.has(place(record)) || !wanted.takes(record, &letter) {
            return Ok(());
        }
        if inventory.is_replayed(place(record)) && !again {
            before += 1;
            return Ok(());
        }
        if letter.value_omitted {
            without_value += 1;
            return Ok(());
        }
        sent += 1;
        let (partition, offset) = place(record);
        if is_dry {
            let topic = printable(&letter.source.topic);
            match subject_without_key(record) {
                Some(machine) => {
                    let machine = printable(machine.as_str());
                    println!(
                        "would send {partition}/{offset} to {topic}, to where {machine} lives, with that as its key"
                    );
                }
                None => println!("would send {partition}/{offset} to {topic}, partition {}", letter.source.partition),
            }
            return Ok(());
        }
        replayer.send(record, &letter)
    })?;
    replayer.finish()?;
    let verb = if is_dry { "would be sent" } else { "sent" };
    println!("{sent} letters {verb}");
    if before > 0 {
        println!("left: {before} that were sent round before (--again sends them once more)");
    }
    if without_value > 0 {
        println!(
            "left: {without_value} whose value was too large to be kept; it is where they came from, for as long as that topic keeps it"
        );
    }
    if sent == 0 && before == 0 && without_value == 0 {
        bail!("there is no such letter; `auscult dead-letters list` shows what is there");
    }
    Ok(())
}

fn code(text: &str) -> Result<DeadLetterCode, String> {
    let found = DeadLetterCode::ALL.into_iter().find(|code| code.as_str() == text);
    found.ok_or_else(|| {
        let known: Vec<&str> = DeadLetterCode::ALL.iter().map(|code| code.as_str()).collect();
        format!("is none of {}", known.join(", "))
    })
}
