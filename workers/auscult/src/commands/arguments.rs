//! Arguments that several commands share.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};
use auscult_detection::{
    AlertPolicy, Cadence, Calibration, DetectorKind, DeviceChoice, FalseAlarms, Manifest, OpenedDevice, is_chosen,
    open_device,
};
use auscult_schemas::{FeatureSpec, FullScale, Quantity, Reference};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};

/// Parses a time, or a duration before now.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let ago: Option<SignedDuration> = text.parse().ok();
    let time = ago.filter(|ago| !ago.is_negative()).and_then(|ago| Timestamp::now().checked_sub(ago).ok());
    time.ok_or_else(|| "must be a time such as 2026-01-09T12:00Z, or so long ago, such as 24h".to_owned())
}

/// The detectors by name.
pub(super) fn detectors() -> impl TypedValueParser<Value = DetectorKind> {
    PossibleValuesParser::new(DetectorKind::ALL.iter().map(|kind| kind.name())).map(|name| {
        let mut kinds = DetectorKind::ALL.iter().copied();
        kinds.find(|kind| kind.name() == name).expect("only these names are possible")
    })
}

/// The feature spec, where it differs from the default.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Feature spec")]
pub(super) struct SpecArgs {
    /// Kind of sensor, if it is not a microphone; --sample-rate overrides the preset's rate
    #[arg(long, value_enum, value_name = "SENSOR", conflicts_with = "spec")]
    preset: Option<Preset>,
    /// Feature spec as a JSON file; the options below override its fields
    ///
    /// Fields missing from the file keep their defaults: {"n_mels": 128, "n_fft": 2048}.
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// Sample rate that recordings are resampled to, Hz [default: 16000]
    #[arg(long, value_name = "HZ")]
    sample_rate: Option<u32>,
    /// Number of mel bands [default: 64]
    #[arg(long, value_name = "N")]
    mels: Option<usize>,
    /// Length of the Fourier transform, samples [default: 1024]
    #[arg(long, value_name = "N")]
    n_fft: Option<usize>,
    /// Hop length: step from one frame to the next, samples [default: 512]
    #[arg(long, value_name = "N")]
    hop: Option<usize>,
    /// Subtract each channel's mean: for sensors whose bias carries no information, such as accelerometers without a
    /// high-pass
    #[arg(long)]
    remove_mean: bool,
    /// Physical value of a sample value of 1.0, such as "50 m/s2"; recordings and chunks with another full scale are
    /// scaled to it [default: the full scale in recordings made by `auscult import`]
    #[arg(long, value_name = "VALUE UNIT", value_parser = FullScale::from_str)]
    full_scale: Option<FullScale>,
    /// Reference level of 0 dB [default: fixed]
    #[arg(long, value_name = "WHAT")]
    reference: Option<ReferenceArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReferenceArg {
    /// Full scale: changes of level are preserved
    Fixed,
    /// The maximum of each clip, as in the reference method
    Max,
}

/// Presets for sensors with other sample rates. Window, bands and hop follow from the rate: [`FeatureSpec::for_rate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Preset {
    /// Microphone: 16 kHz
    Sound,
    /// Accelerometer: 25.6 kHz, the usual rate of vibration analysers, for bearings up to 10 kHz
    Vibration,
    /// Current clamp: 10 kHz, for the harmonics of the mains and the first ones of the inverter
    Current,
    /// Pressure sensor: 1 kHz, for strokes and pulsation
    Pressure,
}

impl Preset {
    fn rate_hz(self) -> u32 {
        match self {
            Self::Sound => 16_000,
            Self::Vibration => 25_600,
            Self::Current => 10_000,
            Self::Pressure => 1_000,
        }
    }

    /// A spec without a quantity means sound.
    fn quantity(self) -> Option<Quantity> {
        match self {
            Self::Sound => None,
            Self::Vibration => Some(Quantity::Vibration),
            Self::Current => Some(Quantity::Current),
            Self::Pressure => Some(Quantity::Pressure),
        }
    }
}

impl SpecArgs {
    /// The spec: `base`, the preset or the file, overridden by the options.
    pub(super) fn spec(&self, base: FeatureSpec) -> anyhow::Result<FeatureSpec> {
        let mut spec = match &self.spec {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read the feature spec {}", path.display()))?;
                serde_json::from_str(&text).with_context(|| format!("{} is no feature spec", path.display()))?
            }
            None => match self.preset {
                Some(preset) => FeatureSpec {
                    quantity: preset.quantity(),
                    ..FeatureSpec::for_rate(self.sample_rate.unwrap_or(preset.rate_hz()))
                },
                None => base,
            },
        };
        if let Some(rate) = self.sample_rate {
            spec.sample_rate_hz = rate;
        }
        if let Some(mels) = self.mels {
            spec.n_mels = mels;
        }
        if let Some(n_fft) = self.n_fft {
            spec.n_fft = n_fft;
        }
        if let Some(hop) = self.hop {
            spec.hop_length = hop;
        }
        spec.remove_mean |= self.remove_mean;
        if let Some(full_scale) = &self.full_scale {
            spec.full_scale = Some(full_scale.clone());
        }
        match self.reference {
            Some(ReferenceArg::Fixed) => spec.reference = Reference::Fixed,
            Some(ReferenceArg::Max) => spec.reference = Reference::Max,
            None => {}
        }
        spec.validate()?;
        Ok(spec)
    }
}

/// Which channels of a recording to use.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ChannelArgs {
    /// Use only these channels of each recording, counted from 0, such as 0,2 [default: all channels, or those that the
    /// model was trained with]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    channels: Vec<usize>,
}

impl ChannelArgs {
    /// The selected channels in ascending order; `None`: all.
    pub(super) fn chosen(&self) -> Option<Vec<usize>> {
        let mut chosen = self.channels.clone();
        chosen.sort_unstable();
        chosen.dedup();
        (!chosen.is_empty()).then_some(chosen)
    }

    /// The selected channels among those that a model uses.
    pub(super) fn chosen_of(&self, manifest: &Manifest) -> anyhow::Result<Option<Vec<usize>>> {
        let Some(chosen) = self.chosen() else { return Ok(manifest.channels.clone()) };
        if let Some(unknown) = chosen.iter().find(|channel| !is_chosen(**channel, manifest.channels.as_deref())) {
            let known = manifest.channels.iter().flatten().map(usize::to_string).collect::<Vec<_>>().join(",");
            bail!(
                "--channels {unknown}: the model was trained with --channels {known}; choose among these, or train again with {unknown}"
            );
        }
        Ok(Some(chosen))
    }
}

/// Where the model runs.
#[derive(Debug, Clone, Args)]
pub(super) struct DeviceArgs {
    /// Device of the model: auto (a GPU if available), cpu or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = parse_device)]
    device: DeviceChoice,
}

impl DeviceArgs {
    pub(super) fn choice(&self) -> DeviceChoice {
        self.device
    }

    pub(super) fn open(&self) -> anyhow::Result<OpenedDevice> {
        Ok(open_device(self.device)?)
    }
}

/// The cadence used to count false alarms.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct CadenceArgs {
    /// Interval between a machine's clips, such as 10s, 5m or 1h; used to estimate false alarms per month
    #[arg(long, value_name = "TIME", default_value_t = Cadence::default())]
    cadence: Cadence,
}

/// Seed of the refits that estimate a threshold's uncertainty. Its value is arbitrary but must stay constant.
const REFIT_SEED: u64 = 1;

impl CadenceArgs {
    /// The false alarm rate of a threshold under the workers' alert policy.
    pub(super) fn false_alarms(&self, calibration: &Calibration) -> anyhow::Result<FalseAlarms> {
        Ok(FalseAlarms::of(calibration, self.cadence, &AlertPolicy::default(), REFIT_SEED)?)
    }
}

fn parse_device(text: &str) -> Result<DeviceChoice, String> {
    text.parse()
}

/// The recordings.
#[derive(Debug, Clone, Args)]
pub(super) struct DataArgs {
    /// Folder of recordings (see the layouts below)
    #[arg(value_name = "DATA_DIR")]
    pub(super) data: PathBuf,
    /// Use only this machine of the folder; otherwise the clips of all machines are pooled
    ///
    /// Machine ids are made from folder and file names, such as fan_id_00. A unique ending is enough: id_00.
    #[arg(long, value_name = "ID")]
    pub(super) machine: Option<String>,
}

impl DataArgs {
    pub(super) fn discover(&self) -> anyhow::Result<auscult_recordings::dataset::Dataset> {
        let dataset = auscult_recordings::dataset::Dataset::discover(&self.data)?;
        Ok(match &self.machine {
            Some(id) => dataset.only(id)?,
            None => dataset,
        })
    }
}

/// The supported layouts of DATA_DIR, for the help of every command that takes one.
macro_rules! data_dir_help {
    () => {
        "\
DATA_DIR, at any level, with .wav and .flac files:
  train/normal  test/normal  test/abnormal/[FAULT/]    split folders
  <snr>_<machine>/<machine>/id_XX/{normal,abnormal}    MIMII's original tree
  {train,test}/{normal,anomaly}_id_XX_*.wav            DCASE Task 2, 2020
  {train,test}/section_XX_{source,target}_*.wav        DCASE Task 2, 2021 and later
MIMII has no split: its test set is all abnormal clips and as many normal clips, the first by name.
If a machine's train and test folders are in different places, they are joined. Test clips without a
label get it from DCASE's ground_truth_data beside or above DATA_DIR, or from test_rename. Unused
files are listed."
    };
}
pub(super) use data_dir_help;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_so_long_ago() {
        assert_eq!(moment("2026-01-09T12:00Z").unwrap(), "2026-01-09T12:00:00Z".parse().unwrap());
        let day = Timestamp::now().duration_since(moment("24h").unwrap());
        assert!((day - SignedDuration::from_hours(24)).abs() < SignedDuration::from_secs(60), "{day:?}");
        for wrong in ["yesterday", "-3h", ""] {
            assert!(moment(wrong).unwrap_err().contains("2026"), "{wrong}");
        }
    }
}
