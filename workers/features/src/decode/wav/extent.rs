//! Where the samples of a `data` chunk end.
//!
//! The chunk's size is a promise only where it can be one: something that is no sound must follow, or nothing at all.
//!
//! | size | what follows it | taken |
//! |---|---|---|
//! | fits | nothing, a chunk, a tag, one byte again and again, text | as many bytes as it says |
//! | fits | less than a tenth of it, which begins with a chunk's name and which the RIFF counts | as many bytes as it says |
//! | fits | less than a tenth of it, and the RIFF ends with the data, too | as many bytes as it says; `incomplete` |
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

/// What the header says of the data chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Promise {
    /// The chunk's size.
    pub(super) size: u64,
    /// It is that of the whole value, which some writers put there.
    pub(super) is_misplaced: bool,
    /// Where the RIFF ends, counted from the first sample's byte.
    pub(super) riff_end: u64,
}

/// Reads a chunk's size; RIFX is big-endian.
pub(super) type ReadSize = fn([u8; 4]) -> u32;

/// So few bytes behind the samples are those that a glitch on the way added within them, not something that a program
/// wrote.
const STRAY_BYTES: usize = 3;

/// Finds the end of the samples in `bytes`, all that follows the data chunk's header.
pub(super) fn find(bytes: &[u8], promise: Promise, read_size: ReadSize) -> Result<Extent, FeatureError> {
    let Promise { size, is_misplaced, riff_end } = promise;
    if let Ok(len) = usize::try_from(size)
        && let Some(after) = bytes.get(len..)
    {
        let is_odd = !size.is_multiple_of(2);
        // One byte alone is the pad byte where it is zero, else one that was added on the way.
        let padded = if is_odd && after.len() > 1 { &after[1..] } else { after };
        if is_second_recording(after) || is_second_recording(padded) {
            return Err(FeatureError::SeveralRecordings { format: "WAV" });
        }
        // One byte, longer than what is said to be sound, is silence behind a size that was never mended.
        let is_padding = after.len() <= len && is_one_byte_repeated(after);
        // Chunks that end just where the RIFF does are chunks, whatever their names, cut off or not.
        let ends_with_riff = [after, padded].iter().any(|chunks| {
            let start = (bytes.len() - chunks.len()) as u64;
            riff_end > start && chain_end(chunks, read_size).is_some_and(|end| start + end == riff_end)
        });
        if is_padding || ends_with_riff || is_no_sound(after, read_size) || is_no_sound(padded, read_size) {
            return Ok(Extent { len, incomplete: false });
        }
        // A writer that had finished said the same twice. What others put behind it is less than a recorder's next
        // block.
        let ends_with_data = riff_end == size || is_odd && riff_end == size + 1;
        let counts_a_chunk = riff_end == bytes.len() as u64
            && [after, padded].iter().any(|chunk| chunk.first_chunk().is_some_and(is_id));
        let is_little = after.len() > STRAY_BYTES && 10 * after.len() < len;
        if is_little && (ends_with_data || counts_a_chunk) {
            return Ok(Extent { len, incomplete: ends_with_data });
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

/// A RIFF of its own, or a data chunk more in this one.
fn is_second_recording(bytes: &[u8]) -> bool {
    let is_riff = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE".as_slice());
    let is_data = bytes.starts_with(b"data") && is_chain(bytes, u32::from_le_bytes);
    is_riff || is_data
}

/// As the erased cells of a card, or what fills a block of a disk.
fn is_one_byte_repeated(bytes: &[u8]) -> bool {
    bytes.windows(2).all(|pair| pair[0] == pair[1]) && bytes.first().is_none_or(|byte| matches!(byte, 0 | 0xFF))
}

/// Where a chain of chunks that begins with `bytes` would end, by its sizes; beyond `bytes` where its last chunk is cut
/// off.
fn chain_end(bytes: &[u8], read_size: ReadSize) -> Option<u64> {
    let mut at = 0_u64;
    for _ in 0..MOST_CHUNKS {
        let header = usize::try_from(at).ok().and_then(|at| bytes.get(at..)?.get(..HEADER_BYTES))?;
        let size = u64::from(read_size([header[4], header[5], header[6], header[7]]));
        let end = at + HEADER_BYTES as u64 + size;
        at = end + size % 2;
        if at >= bytes.len() as u64 {
            // The last pad byte may be missing, or not be counted.
            return Some(if end >= bytes.len() as u64 { end } else { at });
        }
    }
    None
}

/// Whether what follows a data chunk can be told from samples.
fn is_no_sound(after: &[u8], read_size: ReadSize) -> bool {
    let is_chunk = after.first_chunk().is_some_and(|id| KNOWN.contains(&id)) || is_chain(after, read_size);
    // Printable from the first byte to the last, with line breaks: the end of a multipart form, a log line.
    let is_blank = after.iter().all(|byte| b" \t\r\n".contains(byte));
    let is_printable = after.iter().all(|byte| byte.is_ascii_graphic() || b" \t\r\n".contains(byte));
    let is_text = is_blank || is_printable && after.len() > STRAY_BYTES;
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

/// Whether these can be a chunk's name.
fn is_id(bytes: &[u8; 4]) -> bool {
    let is_printable = bytes.iter().all(|&byte| byte.is_ascii_alphanumeric() || b" _-".contains(&byte));
    is_printable && bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count() >= 2
}

/// Whether `bytes` are chunks, one or more, from the first byte to the last. The last one's pad byte may be missing.
fn is_chain(mut bytes: &[u8], read_size: ReadSize) -> bool {
    for _ in 0..MOST_CHUNKS {
        let Some((&[a, b, c, d, s0, s1, s2, s3], body)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return false;
        };
        let size = read_size([s0, s1, s2, s3]) as usize;
        let padded = size.saturating_add(size % 2);
        if !is_id(&[a, b, c, d]) || size > body.len() {
            return false;
        }
        match body.get(padded..) {
            None | Some([]) => return true,
            Some(rest) => bytes = rest,
        }
    }
    false
}
