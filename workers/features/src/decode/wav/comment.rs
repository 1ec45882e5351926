//! What the comment in a WAV file (`LIST INFO`, `ICMT`) says of its full scale.
//!
//! `auscult import` writes `unit g; rate 25600 Hz by …`: the samples are the values in that unit. Others may write
//! `full scale 50 m/s2`. A walk of its own, which believes nothing: a damaged list of chunks has no comment, and its
//! samples are read all the same.

use auscult_schemas::{FullScale, Unit};

/// The full scale of each of so many channels; empty where nothing is said, or not of each.
pub(super) fn full_scales(bytes: &[u8], is_big_endian: bool, channels: usize) -> Vec<FullScale> {
    find(bytes, is_big_endian).map(|comment| said_by(&comment, channels)).unwrap_or_default()
}

/// The same of a file whose samples may be missing, where its format says how many channels there are.
pub(super) fn of_head(head: &[u8]) -> Vec<FullScale> {
    let is_big_endian = head.starts_with(b"RIFX");
    let channels = format(head, is_big_endian).map_or(0, |format| {
        let count = [format[2], format[3]];
        if is_big_endian { u16::from_be_bytes(count) } else { u16::from_le_bytes(count) }
    });
    if head.get(8..12) == Some(b"WAVE") { full_scales(head, is_big_endian, usize::from(channels)) } else { Vec::new() }
}

/// The body of the format's chunk.
pub(super) fn format(head: &[u8], is_big_endian: bool) -> Option<&[u8]> {
    chunk(head.get(12..)?, is_big_endian, b"fmt ", |body| body.len() >= 4)
}

fn find(bytes: &[u8], is_big_endian: bool) -> Option<String> {
    let info = chunk(bytes.get(12..)?, is_big_endian, b"LIST", |body| body.starts_with(b"INFO"))?;
    let comment = chunk(&info[4..], is_big_endian, b"ICMT", |_| true)?;
    let text = String::from_utf8_lossy(comment);
    Some(text.trim_end_matches('\0').trim().to_owned())
}

/// The body of the first chunk of an id that is wanted.
fn chunk<'a>(
    mut rest: &'a [u8],
    is_big_endian: bool,
    id: &[u8; 4],
    is_wanted: impl Fn(&[u8]) -> bool,
) -> Option<&'a [u8]> {
    loop {
        let (found, size) = (rest.get(..4)?, rest.get(4..8)?.try_into().ok()?);
        let size = if is_big_endian { u32::from_be_bytes(size) } else { u32::from_le_bytes(size) } as usize;
        let body = rest.get(8..8_usize.checked_add(size)?)?;
        if found == id && is_wanted(body) {
            return Some(body);
        }
        rest = rest.get(8 + size + size % 2..)?;
    }
}

fn said_by(comment: &str, channels: usize) -> Vec<FullScale> {
    let first = comment.split(';').next().unwrap_or_default();
    let each: Option<Vec<FullScale>> = if let Some(text) = first.strip_prefix("full scale ") {
        text.split(',').map(|one| one.parse().ok()).collect()
    } else if let Some(text) = first.strip_prefix("unit ").filter(|_| comment.contains("; rate ")) {
        let one = |unit: &str| {
            let full_scale = FullScale { value: 1.0, unit: Unit::new(unit) };
            (full_scale.unit.as_str() != "unknown" && full_scale.is_valid()).then_some(full_scale)
        };
        text.split(',').map(one).collect()
    } else {
        None
    };
    match each.unwrap_or_default() {
        one if one.len() == 1 => vec![one[0].clone(); channels],
        each if each.len() == channels => each,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(comment: &str, channels: usize) -> Vec<String> {
        said_by(comment, channels).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_comment_of_import_says_the_unit_of_all_channels_or_of_each() {
        assert_eq!(said("unit g; rate 25600 Hz by --rate; from run.csv: Acc", 2), ["1 g", "1 g"]);
        assert_eq!(said("unit m/s2, A; rate 25600 Hz by --rate; from run.csv: Acc, I", 2), ["1 m/s²", "1 A"]);
        assert_eq!(said("full scale 50 m/s2", 1), ["50 m/s²"]);
        for none in
            ["", "unit 3, pump room", "unit unknown; rate 1 Hz by x", "unit g, A; rate 1 Hz by x", "recorded by Ada"]
        {
            assert!(said(none, 3).is_empty(), "{none}");
        }
    }
}
