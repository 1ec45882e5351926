//! Wave lists: a `LIST` of type `wavl`, which holds the sound in several `data` chunks, and `slnt` chunks that say for
//! how many samples nothing was recorded between them.
//!
//! ```text
//!  "LIST" size "wavl"   data size samples   slnt 4 samples[4]   data size samples  …
//! ```
//!
//! A player holds the last value through a `slnt`. No sensor gave that value, so the parts are joined, as where sound
//! was lost. Source: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0".

use crate::FeatureError;

/// The sound of a wave list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct WaveList {
    /// Whole blocks, part by part.
    pub(super) data: Vec<u8>,
    /// Blocks before which something was left out, ascending.
    pub(super) joins: Vec<usize>,
    /// The list ends before its last part does.
    pub(super) is_cut: bool,
}

/// Reads the chunks in a wave list's body, with blocks of so many bytes.
///
/// # Errors
/// [`FeatureError::Truncated`] where more was left out than recorded: such a rest is not judged in place of the whole.
pub(super) fn read(mut rest: &[u8], block: usize, read_size: fn([u8; 4]) -> u32) -> Result<WaveList, FeatureError> {
    let mut list = WaveList::default();
    let mut left_out = 0_u64;
    while let Some((&[a, b, c, d, s0, s1, s2, s3], body)) = rest.split_first_chunk() {
        let size = read_size([s0, s1, s2, s3]) as usize;
        let part = &body[..size.min(body.len())];
        match &[a, b, c, d] {
            b"data" => {
                list.data.extend_from_slice(&part[..part.len() - part.len() % block]);
                list.is_cut |= size > body.len();
            }
            b"slnt" => {
                let samples = part.first_chunk().map_or(0, |samples| read_size(*samples));
                left_out += u64::from(samples);
                let at = list.data.len() / block;
                if samples > 0 && at > 0 && list.joins.last() != Some(&at) {
                    list.joins.push(at);
                }
            }
            _ => {}
        }
        rest = body.get(size.saturating_add(size % 2)..).unwrap_or_default();
    }
    let recorded = (list.data.len() / block) as u64;
    // Nothing follows what was left out at the end.
    list.joins.retain(|&at| (at as u64) < recorded);
    if left_out > recorded {
        let detail = format!(
            "its wave list leaves out {left_out} samples as silence (slnt) and has {recorded}: switch off the \
             recorder's silence detection, or send the parts that were recorded as recordings of their own"
        );
        return Err(FeatureError::Truncated { format: "WAV", detail });
    }
    Ok(list)
}
