//! The fault suite's command; `tests/faults.sh` builds what it needs and calls it.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use auscult_tests::faults::mutations::MUTATIONS;
use auscult_tests::faults::{Fault, Protocol, Scale, Table, catalogue, measure, run};
use auscult_tests::verifier::Verdict;
use clap::{Parser, Subcommand};

/// Faults under load on Apache Kafka; then a table of what was lost, doubled, reordered or wrong.
///
/// AUSCULT_BIN names the binary with faults to be injected (tests/faults.sh builds it).
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  tests/faults.sh                                    the short form: every fault once, both group protocols in turn
  tests/faults.sh --long                             every fault ten times in each protocol, for hours
  tests/faults.sh --only 'broker slow' --runs 5      one fault, five times
  tests/faults.sh --named 'SIGKILL after commit'     the one of exactly this name
  tests/faults.sh --list                             all names
  tests/faults.sh mutations                          does the suite notice what it must?
  tests/faults.sh cost                               exactly_once against at_least_once, side by side
  tests/faults.sh memory                             peak memory with a scorer that is far too slow
  tests/faults.sh restore                            how long 10,000 machines' state takes to be read back";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the faults
    Run(RunArgs),
    /// Switch the rules of delivery off, one by one; the suite must notice each
    Mutations {
        /// Decides everything that is left to chance
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Rules whose name contains this; may be repeated
        #[arg(long)]
        only: Vec<String>,
        /// The rule of exactly this name; may be repeated
        #[arg(long)]
        named: Vec<String>,
    },
    /// Measure what exactly-once costs: throughput and latency against at_least_once, in turn
    Cost {
        /// Rounds of each
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// Measure a scoring worker's peak memory when it is 100 times slower than its input
    Memory,
    /// Measure how long the state of 10,000 machines takes to be restored
    Restore,
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// Every fault ten times in each protocol, longer and with more of the fault
    #[arg(long)]
    long: bool,
    /// Runs of each fault (and protocol, where both are wanted)
    #[arg(long)]
    runs: Option<u64>,
    /// Chunks of a run
    #[arg(long, default_value_t = 2_000)]
    chunks: usize,
    /// Faults whose name contains this; may be repeated
    #[arg(long)]
    only: Vec<String>,
    /// The fault of exactly this name; may be repeated
    #[arg(long)]
    named: Vec<String>,
    /// classic, consumer or both; by default each fault has one of them in the short form, both in the long one
    #[arg(long)]
    protocol: Option<String>,
    /// Decides everything that is left to chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Faults at once, each on a cluster of its own
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Keep what the workers wrote
    #[arg(long)]
    keep: bool,
    /// Print the names and end
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => faults(&args),
        Command::Mutations { seed, only, named } => mutations(seed, &only, &named),
        Command::Cost { rounds } => measure::cost(rounds).map(|()| true),
        Command::Memory => measure::memory(),
        Command::Restore => measure::restore().map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn protocols(args: &RunArgs, index: usize) -> Result<Vec<Protocol>> {
    Ok(match args.protocol.as_deref() {
        Some("classic") => vec![Protocol::Classic],
        Some("consumer") => vec![Protocol::Consumer],
        Some("both") => vec![Protocol::Classic, Protocol::Consumer],
        Some(other) => anyhow::bail!("--protocol {other}: it is classic, consumer or both"),
        None if args.long => vec![Protocol::Classic, Protocol::Consumer],
        None if (index as u64 + args.seed).is_multiple_of(2) => vec![Protocol::Consumer],
        None => vec![Protocol::Classic],
    })
}

/// Without any wish, all are wanted.
fn is_wanted(name: &str, only: &[String], named: &[String]) -> bool {
    (only.is_empty() && named.is_empty())
        || only.iter().any(|part| name.contains(part))
        || named.iter().any(|whole| name == whole)
}

fn faults(args: &RunArgs) -> Result<bool> {
    let all = catalogue::all();
    let is_wanted = |fault: &Fault| is_wanted(fault.name, &args.only, &args.named);
    let mut wanted = Vec::new();
    for (index, fault) in all.iter().enumerate().filter(|(_, fault)| is_wanted(fault)) {
        if args.list {
            println!("{}", fault.name);
            continue;
        }
        for protocol in protocols(args, index)? {
            wanted.push((*fault, protocol));
        }
    }
    if args.list {
        return Ok(true);
    }
    ensure!(!wanted.is_empty(), "no fault has such a name; --list gives all");
    let scale = Scale {
        runs: args.runs.unwrap_or(if args.long { 10 } else { 1 }),
        chunks: args.chunks,
        repeats: if args.long { 2 } else { 1 },
        seed: args.seed,
        stretch: if args.long { 2.0 } else { 1.0 },
        keeps_logs: args.keep,
    };
    // The longest first, so that none is left alone at the end.
    wanted.sort_by(|(a, _), (b, _)| b.brokers.cmp(&a.brokers).then(b.load_secs.total_cmp(&a.load_secs)));
    let begun = Instant::now();
    println!(
        "{} faults and protocols, {} runs each, {} chunks a run, seed {}",
        wanted.len(),
        scale.runs,
        scale.chunks,
        scale.seed
    );
    let next = AtomicUsize::new(0);
    let found: Mutex<(Table, Vec<String>)> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(|| {
                while let Some((fault, protocol)) = wanted.get(next.fetch_add(1, Ordering::SeqCst)) {
                    one(fault, *protocol, scale, &found);
                }
            });
        }
    });
    let (table, failures) = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let order: Vec<&str> = all.iter().map(|fault| fault.name).collect();
    println!("\n{}", table.render(&order));
    println!(
        "faults: {} passed, {} failed, in {} s",
        wanted.len() - failures.len(),
        failures.len(),
        begun.elapsed().as_secs()
    );
    Ok(failures.is_empty())
}

fn one(fault: &Fault, protocol: Protocol, scale: Scale, found: &Mutex<(Table, Vec<String>)>) {
    let begun = Instant::now();
    let mut outcome = run(fault, protocol, scale, None);
    // What was lost, doubled or wrong stands. A part that did not start, or a machine too busy to be done in time, says
    // nothing of delivery: once more, and said so.
    let says_nothing = match &outcome {
        Ok(outcome) => !outcome.is_clean() && outcome.verdicts.iter().all(Verdict::is_clean),
        Err(_) => true,
    };
    if says_nothing {
        let why = match &outcome {
            Ok(outcome) => outcome.failures.join("\n"),
            Err(error) => format!("{error:#}"),
        };
        println!("  again  {} ({}), for this kept it from its verdict: {why}", fault.name, protocol.name());
        outcome = run(fault, protocol, scale, None);
    }
    let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (table, failures) = &mut *found;
    let word = match outcome {
        Ok(outcome) => {
            table.add(fault.name, protocol.name(), &outcome);
            if !outcome.is_clean() {
                failures.push(format!("{} ({}): {}", fault.name, protocol.name(), outcome.failures.join("\n")));
            }
            if outcome.is_clean() { "clean" } else { "FAILED" }
        }
        Err(error) => {
            failures.push(format!("{} ({}): {error:#}", fault.name, protocol.name()));
            "FAILED"
        }
    };
    println!("{word:>7}  {} ({}), {} s", fault.name, protocol.name(), begun.elapsed().as_secs());
    // At once, and not only at the end: whoever stops a long run wants to know why something failed.
    if let Some(failure) = failures.last().filter(|_| word == "FAILED") {
        println!("{failure}");
    }
}

fn mutations(seed: u64, only: &[String], named: &[String]) -> Result<bool> {
    /// Whether a stale result comes at the very moment at which it does harm is a matter of luck; of so many runs one
    /// must be unlucky.
    const ATTEMPTS: u64 = 5;
    let mut is_sharp = true;
    println!("each rule switched off in the workers; the suite must notice");
    let wanted: Vec<_> = MUTATIONS.iter().filter(|mutation| is_wanted(mutation.name, only, named)).collect();
    ensure!(!wanted.is_empty(), "no rule has such a name");
    for mutation in wanted {
        let mut noticed = 0;
        let mut attempts = 0;
        while noticed == 0 && attempts < ATTEMPTS {
            let seed = seed + 1_000 * attempts;
            let scale = Scale { runs: 1, chunks: 2_000, repeats: 1, seed, stretch: 1.0, keeps_logs: false };
            let outcome = mutation.run(scale)?;
            noticed = mutation.noticed(&outcome);
            attempts += 1;
            for failure in &outcome.failures {
                println!("             {failure}");
            }
        }
        is_sharp &= noticed > 0;
        let word = if noticed > 0 { "noticed" } else { "NOT NOTICED" };
        println!(
            "{word:>11}  {} ({}): under {:?}, {noticed} {}, in run {attempts}",
            mutation.name, mutation.rule, mutation.fault, mutation.as_what
        );
    }
    Ok(is_sharp)
}
