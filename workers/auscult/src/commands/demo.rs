//! `auscult demo`: trains models and scores a live stream, with nothing else installed.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::bail;
use auscult_demo::{DemoPlan, Subject, show, work};
use clap::Args;

use super::arguments::{DeviceArgs, data_dir_help};
use crate::interrupt;

/// Train models of normal sound, then score a live stream, all in one process
///
/// Without --data, the demo simulates six machines: three stay healthy, and three develop faults that grow. With
/// --data, it uses real recordings: it trains on train/normal and streams the test clips. Every chunk passes through
/// both workers, each with its own transactions, on an in-memory log. Press `q` to quit.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DemoArgs {
    /// Folder of recordings (see the layouts below) [default: simulated machines]
    #[arg(long, value_name = "DATA_DIR")]
    data: Option<PathBuf>,
    /// Chunks per second, over all machines; 0 means as fast as possible
    #[arg(long, value_name = "N", default_value_t = 24.0)]
    rate: f64,
    /// Number of chunks in each simulated machine's stream
    #[arg(long, value_name = "N", default_value_t = 60)]
    chunks: u64,
    /// Number of normal chunks used to train each simulated machine's model
    #[arg(long, value_name = "N", default_value_t = 40)]
    training_chunks: u64,
    /// Seed of the simulated machines
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print lines instead of a live screen; this is the default if standard output is not a terminal
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

const AFTER_HELP: &str = concat!(
    "\
Examples:
  auscult demo
  auscult demo --rate 0 --chunks 200
  auscult demo --data mimii/6_dB_fan
  auscult demo --data recordings/ --plain

",
    data_dir_help!()
);

/// Runs the demo.
///
/// # Errors
/// If the recordings cannot be used, or a worker stops.
pub fn run(args: &DemoArgs) -> anyhow::Result<()> {
    if !(args.rate.is_finite() && args.rate >= 0.0) {
        bail!("--rate must be 0 or a positive number of chunks a second");
    }
    let subject = match &args.data {
        Some(folder) => Subject::recorded(folder)?,
        None => Subject::simulated(args.seed, args.training_chunks, args.chunks.max(1)),
    };
    let plan = DemoPlan { rate: (args.rate > 0.0).then_some(args.rate), device: args.device.choice() };
    let interrupted = interrupt::listen("ending: chunks under way are still judged")?;
    let (events, heard) = crossbeam_channel::unbounded();
    let on_screen = std::io::stdout().is_terminal() && !args.plain;
    let kinds = subject.machines.iter().map(|machine| (machine.id.clone(), machine.kind.clone())).collect();
    println!("auscult: {}, {} chunks to judge", subject.title, subject.stream.len());

    let (worked, shown) = std::thread::scope(|scope| {
        // The sender moves into this thread, so the channel closes when the thread ends.
        let work = scope.spawn({
            let (subject, plan) = (&subject, &plan);
            move || work(subject, plan, &events, interrupted)
        });
        let shown = show(&subject.title, kinds, &heard, interrupted, on_screen);
        (work.join(), shown)
    });
    let took = worked.map_err(|_| anyhow::anyhow!("the demo's work panicked; see the message above"))??;
    let shown = shown?;
    println!("\n{}", shown.tally.summary(took));
    for line in &shown.dead_letters {
        println!("{line}");
    }
    Ok(())
}
