//! Properties of the whole set of training clips: levels and fingerprint.

use sha2::{Digest, Sha256};

use crate::package::hex;
use crate::training::TrainingClip;

/// Mean over clips of each mel band's mean level, dB, `[mels]`.
pub(super) fn mean_band_levels(clips: &[TrainingClip], mels: usize) -> Vec<f64> {
    let mut means = vec![0.0; mels];
    for clip in clips {
        for channel in &clip.channels {
            let weight = 1.0 / (clips.len() * clip.channels.len() * channel.nrows()) as f64;
            for row in channel.rows() {
                for (mean, value) in means.iter_mut().zip(row) {
                    *mean += f64::from(*value) * weight;
                }
            }
        }
    }
    means
}

/// Each clip's mean level by mel band over its channels, dB, `[clips][mels]`.
pub(super) fn clip_band_levels(clips: &[TrainingClip], mels: usize) -> Vec<Vec<f64>> {
    clips.iter().map(|clip| mean_band_levels(std::slice::from_ref(clip), mels)).collect()
}

/// SHA-256 over names and log-mels of all clips in their order, 64 hexadecimal digits.
pub(super) fn fingerprint(clips: &[TrainingClip]) -> String {
    let mut hash = Sha256::new();
    for clip in clips {
        // Lengths first, so that different sets never give the same bytes.
        hash.update((clip.name.len() as u64).to_le_bytes());
        hash.update(clip.name.as_bytes());
        hash_channels(&mut hash, clip);
    }
    hex(&hash.finalize())
}

fn hash_channels(hash: &mut Sha256, clip: &TrainingClip) {
    hash.update((clip.channels.len() as u64).to_le_bytes());
    for channel in &clip.channels {
        hash.update((channel.nrows() as u64).to_le_bytes());
        hash.update((channel.ncols() as u64).to_le_bytes());
        let bytes: Vec<u8> = channel.iter().flat_map(|value| value.to_le_bytes()).collect();
        hash.update(&bytes);
    }
}
