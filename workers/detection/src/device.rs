//! Where the arithmetic runs.

use std::fmt;
use std::str::FromStr;

use candle_core::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DetectionError;

/// Which device scores: `auto`, `cpu` or `cuda:N`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^(auto|cpu|cuda(:[0-9]+)?)$"))]
pub enum DeviceChoice {
    /// The first CUDA device where there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// This CUDA device or none.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|ordinal| ordinal.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| format!("{text:?} is no device: use \"auto\", \"cpu\" or \"cuda:N\"")),
        }
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

/// A device that is ready for work.
#[derive(Debug, Clone)]
pub struct OpenedDevice {
    /// The device.
    pub device: Device,
    /// Its name in metrics and logs: `cpu` or `cuda:N`.
    pub name: String,
    /// Why `auto` took the CPU; absent where a GPU was taken or the CPU asked for.
    pub fallback: Option<String>,
}

/// Opens the chosen device. Only `auto` falls back to the CPU; a GPU that was named must be there.
///
/// # Errors
/// [`DetectionError::Device`] when a named CUDA device cannot be opened or this build has no CUDA.
pub fn open_device(choice: DeviceChoice) -> Result<OpenedDevice, DetectionError> {
    let cpu = |fallback| OpenedDevice { device: Device::Cpu, name: "cpu".to_owned(), fallback };
    match choice {
        DeviceChoice::Cpu => Ok(cpu(None)),
        DeviceChoice::Auto => Ok(open_cuda(0).unwrap_or_else(|reason| cpu(Some(reason)))),
        DeviceChoice::Cuda(ordinal) => {
            open_cuda(ordinal).map_err(|reason| DetectionError::Device { choice: choice.to_string(), reason })
        }
    }
}

fn open_cuda(ordinal: usize) -> Result<OpenedDevice, String> {
    if !candle_core::utils::cuda_is_available() {
        return Err("this build has no CUDA (cargo feature \"cuda\")".to_owned());
    }
    // A missing driver library makes the loader panic rather than return: to `auto` that, too, is only a missing GPU.
    let opened = std::panic::catch_unwind(|| Device::new_cuda(ordinal));
    match opened {
        Ok(Ok(device)) => Ok(OpenedDevice { device, name: format!("cuda:{ordinal}"), fallback: None }),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the CUDA driver library cannot be loaded".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_reads_back_as_it_is_written() {
        for choice in [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Cuda(3)] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
            let json = serde_json::to_string(&choice).unwrap();
            assert_eq!(serde_json::from_str::<DeviceChoice>(&json).unwrap(), choice);
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_remedy() {
        for text in ["gpu", "cuda:", "cuda:-1", "cuda:x", "", "CPU"] {
            assert!(text.parse::<DeviceChoice>().unwrap_err().contains("cuda:N"), "{text}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn auto_without_a_gpu_is_the_cpu_and_says_why() {
        let opened = open_device(DeviceChoice::Auto).unwrap();
        assert_eq!(opened.name, "cpu");
        assert!(opened.fallback.is_some());
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_named_gpu_that_is_not_there_is_an_error() {
        assert!(matches!(open_device(DeviceChoice::Cuda(0)), Err(DetectionError::Device { .. })));
    }
}
