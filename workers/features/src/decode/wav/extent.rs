//! Where the samples of a `data` chunk end.
//!
//! The chunk's size is a promise only where it can be one: something that is no sound must follow, or nothing at all.
//!
//! | size | what follows it | taken |
//! |---|---|---|
//! | fits | nothing, a chunk, a tag, zeros, text | as many bytes as it says |
//! | fits (0 too) | none of these | all: the size was a stand-in that was never mended |
//! | more than there is | | all that there is; `incomplete`, unless the size is one that no recording has, or is another size of the file written in the wrong place |
//! | more than twice what there is, but what a chunk can have | | refused: a judgement of the smaller part is none of the recording |
//!
//! "All" is all but a chain of chunks, or a tag, that ends where the value ends.

use auscult_schemas::topics::MAX_MESSAGE_BYTES;

use crate::decode::tags;
use crate::{FeatureError, MAX_SAMPLES};

/// No recording holds so many bytes; from here on a size means "unknown".
const LARGEST_BYTES: u64 = 4 * MAX_SAMPLES;
/// Chunks that were met behind the samples; an id that is none of them must reach to the very end to count.
const KNOWN: [&[u8; 4]; 30] = [
    b"LIST", b"list", b"INFO", b"fact", b"PEAK", b"bext", b"iXML", b"cue ", b"plst", b"smpl", b"inst", b"id3 ",
    b"ID3 ", b"JUNK", b"junk", b"PAD ", b"FLLR", b"DISP", b"acid", b"strc", b"afsp", b"LGWV", b"_PMX", b"chna",
    b"axml", b"cart", b"levl", b"umid", b"minf", b"elm1",
];
/// Longest chain of chunks behind the samples.
const MOST_CHUNKS: usize = 64;
const HEADER_BYTES: usize = 8;

/// The samples' bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) len: usize,
    /// Fewer than the chunk promises.
    pub(super) incomplete: bool,
}

/// Reads a chunk's size; RIFX is big-endian.
pub(super) type ReadSize = fn([u8; 4]) -> u32;

/// Finds the end of the samples in `bytes`, all that follows the data chunk's header. `size` is what the header says;
/// it `is_misplaced` where it is that of the whole value, which some writers put there.
pub(super) fn find(bytes: &[u8], size: u64, is_misplaced: bool, read_size: ReadSize) -> Result<Extent, FeatureError> {
    if let Ok(len) = usize::try_from(size)
        && let Some(after) = bytes.get(len..)
    {
        let padded = if size.is_multiple_of(2) { after } else { after.get(1..).unwrap_or_default() };
        if is_second_recording(after) || is_second_recording(padded) {
            return Err(FeatureError::SeveralRecordings { format: "WAV" });
        }
        // Zeros that are longer than what is said to be sound are silence behind a size that was never mended.
        let is_padding = after.len() <= len && after.iter().all(|&byte| byte == 0);
        if is_padding || is_no_sound(after, read_size) || is_no_sound(padded, read_size) {
            return Ok(Extent { len, incomplete: false });
        }
    }
    let is_start = |window: &[u8]| window.starts_with(b"RIFF") && window.ends_with(b"WAVE");
    if bytes.windows(HEADER_BYTES + 4).any(is_start) {
        return Err(FeatureError::SeveralRecordings { format: "WAV" });
    }
    let whole = trim_chunks(tags::trim_id3v1(bytes), read_size);
    let is_cut = size > whole.len() as u64 && size <= LARGEST_BYTES && !is_misplaced;
    if is_cut && size <= MAX_MESSAGE_BYTES as u64 && size > 2 * whole.len() as u64 {
        let detail = format!("its data chunk should have {size} bytes and has {}", whole.len());
        return Err(FeatureError::Truncated { format: "WAV", detail });
    }
    Ok(Extent { len: whole.len(), incomplete: is_cut })
}

fn is_second_recording(bytes: &[u8]) -> bool {
    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE".as_slice())
}

/// Whether what follows a data chunk can be told from samples.
fn is_no_sound(after: &[u8], read_size: ReadSize) -> bool {
    let is_chunk = after.first_chunk().is_some_and(|id| KNOWN.contains(&id)) || is_chain(after, read_size);
    // Printable from the first byte to the last, with line breaks: the end of a multipart form, a log line.
    let is_text = after.iter().all(|byte| byte.is_ascii_graphic() || b" \t\r\n".contains(byte));
    is_chunk || is_text || tags::is_tag(after)
}

/// `bytes` without the chunks at their end, if they end with any.
fn trim_chunks(bytes: &[u8], read_size: ReadSize) -> &[u8] {
    let latest = bytes.len().saturating_sub(HEADER_BYTES - 1);
    match (0..latest).find(|&start| is_chain(&bytes[start..], read_size)) {
        Some(start) => &bytes[..start],
        None => bytes,
    }
}

/// Whether `bytes` are chunks, one or more, from the first byte to the last. The last one's pad byte may be missing.
fn is_chain(mut bytes: &[u8], read_size: ReadSize) -> bool {
    for _ in 0..MOST_CHUNKS {
        let Some((&[a, b, c, d, s0, s1, s2, s3], body)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return false;
        };
        let is_id = [a, b, c, d].iter().all(|&byte| byte.is_ascii_alphanumeric() || b" _-".contains(&byte));
        let is_word = [a, b, c, d].iter().filter(|byte| byte.is_ascii_alphabetic()).count() >= 2;
        let size = read_size([s0, s1, s2, s3]) as usize;
        let padded = size.saturating_add(size % 2);
        if !is_id || !is_word || size > body.len() {
            return false;
        }
        match body.get(padded..) {
            None | Some([]) => return true,
            Some(rest) => bytes = rest,
        }
    }
    false
}
