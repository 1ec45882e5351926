//! `auscult features`: the input of the model, as arrays and as pictures.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use auscult_detection::explain::band_edges;
use auscult_detection::{is_chosen, words};
use auscult_features::ChunkExtractor;
use auscult_recordings::clips::{Clip, read_clip};
use auscult_reports::pictures::{SpectrogramPicture, draw_spectrogram};
use auscult_schemas::{FeatureSpec, Reference};
use clap::Args;
use ndarray::ArrayView2;

mod npy;

use self::npy::npy_bytes;
use super::arguments::{ChannelArgs, SpecArgs};
use super::reading::in_recorded_order;
use crate::model_file;

/// Write the log-mel spectrogram of each recording as an array and as a picture
///
/// For NAME.wav, it writes NAME.npy ([frames, mels], float32, dB, row-major) and NAME.png. For a recording with several
/// channels, it writes NAME_ch0.npy, NAME_ch0.png, NAME_ch1.npy and so on. Existing files with these names are
/// replaced. A file that cannot be read is reported on standard error; the other files are still written, and the exit
/// status is 1.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct FeaturesArgs {
    /// Recordings, WAV or FLAC, up to 8 MiB each
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Output folder; it is created if missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Use the feature spec of this model
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["spec", "preset"])]
    model: Option<PathBuf>,
    #[command(flatten)]
    channels: ChannelArgs,
    #[command(flatten)]
    spec: SpecArgs,
}

const AFTER_HELP: &str = "\
Examples:
  auscult features today/*.wav --out pictures/
  auscult features fan.flac --out pictures/ --mels 128 --n-fft 2048 --sample-rate 44100
  auscult features motor.wav --out pictures/ --preset vibration --sample-rate 48000
  python3 -c 'import numpy; print(numpy.load(\"pictures/fan.npy\").shape)'";

/// Computes and writes.
///
/// # Errors
/// If the folder cannot be created, if two files would have the same output names, or, at the end, if a file could not
/// be read.
pub fn run(args: &FeaturesArgs) -> anyhow::Result<()> {
    let (base, chosen) = match &args.model {
        Some(path) => {
            let package = model_file::read(path)?;
            (package.manifest().feature_spec.clone(), args.channels.chosen_of(package.manifest())?)
        }
        None => (FeatureSpec::default(), args.channels.chosen()),
    };
    let spec = args.spec.spec(base)?;
    let files = in_recorded_order(&args.files);
    let names = result_names(&files)?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot make the folder {}: check its path and permissions", args.out.display()))?;

    let mut extractor = ChunkExtractor::new(spec)?;
    let mut out = std::io::stdout().lock();
    let mut failures = 0;
    for (path, name) in files.iter().zip(&names) {
        let clip = read_clip(path, &mut extractor).and_then(|clip| clip.with_channels(chosen.as_deref()));
        let written = clip.and_then(|clip| write_clip(&clip, &args.out, name, extractor.spec()));
        match written {
            Ok(paths) => {
                for path in paths {
                    writeln!(out, "{}", path.display())?;
                }
            }
            Err(error) => {
                failures += 1;
                eprintln!("error: {error:#}");
            }
        }
    }
    if failures > 0 {
        bail!("{failures} of {} files gave no features", args.files.len());
    }
    Ok(())
}

/// The output names: the file names without their extensions.
fn result_names(files: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::with_capacity(files.len());
    let mut takers: BTreeMap<String, &Path> = BTreeMap::new();
    for path in files {
        let Some(stem) = path.file_stem() else { bail!("{}: no file name: name a recording", path.display()) };
        let name = stem.to_string_lossy().into_owned();
        if let Some(other) = takers.insert(name.clone(), path) {
            bail!(
                "{} and {} would both be written to {name}.npy: call the command once for each, with another --out",
                other.display(),
                path.display()
            );
        }
        names.push(name);
    }
    Ok(names)
}

/// Writes the array and the picture of every channel, and prints their paths.
fn write_clip(clip: &Clip, folder: &Path, name: &str, spec: &FeatureSpec) -> anyhow::Result<Vec<PathBuf>> {
    let features = &clip.features;
    let centres_hz: Vec<f64> = band_edges(spec).iter().map(|band| band.hz_centre).collect();
    let mut paths = Vec::new();
    for (channel, values) in features.values.chunks_exact(features.frames * features.mels).enumerate() {
        if !is_chosen(channel, clip.chosen.as_deref()) {
            continue;
        }
        let name = if features.channels == 1 { name.to_owned() } else { format!("{name}_ch{channel}") };
        let log_mel = ArrayView2::from_shape((features.frames, features.mels), values)
            .expect("a channel holds frames × mels values");

        let array_path = folder.join(format!("{name}.npy"));
        std::fs::write(&array_path, npy_bytes(log_mel))
            .with_context(|| format!("cannot write {}: check the disk's space", array_path.display()))?;

        let picture_path = folder.join(format!("{name}.png"));
        let canvas = draw_spectrogram(&SpectrogramPicture {
            log_mel,
            hop_s: spec.hop_length as f64 / f64::from(spec.sample_rate_hz),
            band_centres_hz: &centres_hz,
            title: &title(clip, channel),
            subtitle: &subtitle(clip, spec),
            unit: match spec.reference {
                Reference::Fixed => "dB (fixed)",
                Reference::Max => "dB (max = 0)",
            },
        });
        model_file::write_and_tell(&picture_path, &canvas.png()?)?;
        paths.extend([array_path, picture_path]);
    }
    Ok(paths)
}

fn title(clip: &Clip, channel: usize) -> String {
    let name = clip.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match clip.features.channels {
        1 => name,
        channels => format!("{name}, {} {channel} of 0-{}", words::sensor(clip.quantity), channels - 1),
    }
}

fn subtitle(clip: &Clip, spec: &FeatureSpec) -> String {
    let rate = f64::from(spec.sample_rate_hz);
    let resampled = match clip.features.source_rate_hz {
        same if same == spec.sample_rate_hz => String::new(),
        source => format!(" (recorded at {} kHz)", f64::from(source) / 1e3),
    };
    format!(
        "{:.2} s at {} kHz{resampled}, {} mel bands from {:.0} to {:.0} Hz, window {:.0} ms, hop {:.0} ms",
        clip.features.duration_s,
        rate / 1e3,
        spec.n_mels,
        spec.f_min_hz,
        spec.f_max(),
        1e3 * spec.n_fft as f64 / rate,
        1e3 * spec.hop_length as f64 / rate
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_name_in_two_folders_are_refused_before_one_overwrites_the_other() {
        let refusal = result_names(&["a/x.wav".into(), "b/x.flac".into()]).unwrap_err().to_string();
        assert!(refusal.contains("a/x.wav") && refusal.contains("b/x.flac"), "{refusal}");
        assert_eq!(result_names(&["a/x.wav".into(), "b/y.wav".into()]).unwrap(), ["x", "y"]);
    }
}
