//! `auscult explore`: the contents of a folder of recordings, as an HTML page.

use std::io::Write;
use std::path::PathBuf;

use auscult_recordings::files;
use auscult_recordings::full_scales;
use auscult_reports::pages::exploration::group::GroupKind;
use auscult_reports::pages::exploration::{ExplorationPage, measure, warnings};
use auscult_schemas::FeatureSpec;
use clap::Args;

use super::arguments::{ChannelArgs, DataArgs, SpecArgs, data_dir_help};
use super::reading::{print_notes, with_bar};
use crate::{interrupt, model_file};

/// Inspect recordings before training
///
/// Writes one page that works offline. For each machine it shows counts, lengths, sample rates, channels and levels;
/// normal recordings beside each kind of fault, as waveforms and log-mel spectrograms; the distance of each fault's
/// mean spectrum from normal in each band; and warnings about problems that would spoil a model (silence, clipping,
/// mixed rates, too few clips, duplicate recordings). Normal recordings alone are enough. Recordings that cannot be
/// read are listed on the page.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ExploreArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Output page
    #[arg(long, value_name = "FILE.html")]
    out: PathBuf,
    /// Number of recordings to show of normal sound and of each fault, evenly spaced over those available; 0 for none
    #[arg(long, value_name = "N", default_value_t = 3)]
    clips: usize,
    #[command(flatten)]
    channels: ChannelArgs,
    #[command(flatten)]
    spec: SpecArgs,
}

const AFTER_HELP: &str = concat!(
    "\
Examples:
  auscult explore recordings/ --out report.html
  auscult explore recordings/ --out report.html --clips 6
  auscult explore mimii/6_dB_fan --machine id_00 --out fan-00.html
  auscult explore recordings/ --out wide.html --sample-rate 48000 --n-fft 2048 --mels 128

",
    data_dir_help!()
);

/// Reads and writes.
///
/// # Errors
/// If the folder has no readable recordings, or the page cannot be written.
pub fn run(args: &ExploreArgs) -> anyhow::Result<()> {
    files::check_writable(&args.out)?;
    let mut spec = args.spec.spec(FeatureSpec::default())?;
    let dataset = args.data.discover()?;
    print_notes(&dataset);
    let normal: Vec<PathBuf> = dataset.machines.iter().flat_map(|machine| machine.train_normal.clone()).collect();
    let full_scale = full_scales::by_recordings(&mut spec, &normal)?;
    let interrupted = interrupt::listen("stopping")?;
    let chosen = args.channels.chosen();
    let (train, test_normal, abnormal) = dataset.counts();
    let machines = with_bar(train + test_normal + abnormal, "recordings", interrupted, |reading| {
        measure(&dataset, &spec, chosen.as_deref(), args.clips, reading)
    })?;
    let page = ExplorationPage {
        data: &args.data.data,
        layout: &dataset.layout().to_string(),
        spec: &spec,
        machines: &machines,
    };
    model_file::write_and_tell(&args.out, page.html().as_bytes())?;

    let mut out = std::io::stdout().lock();
    writeln!(out, "{}: {}", args.data.data.display(), dataset.layout())?;
    for line in &full_scale {
        writeln!(out, "{line}")?;
    }
    for machine in &machines {
        let normal = machine.count(|kind| !kind.is_abnormal());
        let abnormal = machine.count(GroupKind::is_abnormal);
        writeln!(out, "{}: {normal} normal and {abnormal} abnormal clips", machine.id)?;
        for warning in warnings(machine) {
            writeln!(out, "  {warning}")?;
        }
    }
    writeln!(out, "\nwrote {}: open it in a browser", args.out.display())?;
    Ok(())
}
