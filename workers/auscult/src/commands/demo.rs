//! `auscult demo`: learn, then judge live, with nothing installed.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::bail;
use auscult_demo::{DemoPlan, Subject, show, work};
use clap::Args;

use super::arguments::{DeviceArgs, data_dir_help};
use crate::interrupt;

/// Learn machines' normal sound, then judge them live, all in this process
///
/// Without --data, six simulated machines: three stay well, the others' faults set in and grow. With --data, real
/// recordings: their train/normal is learned, their test clips are streamed. Every chunk goes through both workers,
/// each with its transactions, on a log in memory. `q` ends it early.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DemoArgs {
    /// Folder of recordings (see the layouts below) [default: simulated machines]
    #[arg(long, value_name = "DATA_DIR")]
    data: Option<PathBuf>,
    /// Chunks a second, all machines together; 0 is as fast as they go
    #[arg(long, value_name = "N", default_value_t = 24.0)]
    rate: f64,
    /// Chunks of each simulated machine's stream
    #[arg(long, value_name = "N", default_value_t = 60)]
    chunks: u64,
    /// Chunks of normal sound that each simulated machine is learned from
    #[arg(long, value_name = "N", default_value_t = 40)]
    training_chunks: u64,
    /// Seed of the simulated machines
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Lines instead of a live screen, as where standard output is no terminal
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

/// Shows the demo.
///
/// # Errors
/// When the recordings cannot be used, or a worker ends.
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
        // The sender goes with the work, so that the channel closes when it is over.
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
