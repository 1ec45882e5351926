//! ZIP archives as written by NumPy: stored or deflated, with 64-bit sizes if necessary.
//!
//! Sizes are read from the directory at the end, because entries written to a stream have none in their headers.
//! Source: PKWARE, APPNOTE 6.3.

use std::io::Read;

use crate::ImportError;
use crate::cursor::Cursor;

const FORMAT: &str = "NumPy .npz";
const END: &[u8] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
const END_64_LOCATOR: &[u8] = b"PK\x06\x07";
/// Maximum unpacked size of one array.
const MAX_UNPACKED: u64 = 1 << 30;

/// A file in the archive.
#[derive(Debug)]
pub(super) struct Entry {
    pub name: String,
    method: u16,
    packed: u64,
    unpacked: u64,
    at: u64,
}

fn damaged(detail: impl Into<String>) -> ImportError {
    ImportError::Damaged { format: FORMAT, detail: detail.into() }
}

/// A cursor that starts at byte `at`.
fn cursor(bytes: &[u8], at: u64) -> Result<Cursor<'_>, ImportError> {
    let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
    Ok(Cursor::new(rest.ok_or_else(|| damaged(format!("it is cut: byte {at} is missing")))?, FORMAT, false))
}

pub(super) fn entries(bytes: &[u8]) -> Result<Vec<Entry>, ImportError> {
    let last = bytes.len().saturating_sub(END_BYTES);
    let first = last.saturating_sub(usize::from(u16::MAX));
    let end = (first..=last).rev().find(|&at| bytes[at..].starts_with(END));
    let end = end.ok_or_else(|| damaged("its directory is missing, it was not written to the end"))?;
    let mut head = cursor(bytes, end as u64)?;
    head.take(10)?;
    let mut count = u64::from(head.u16()?);
    head.take(4)?;
    let mut at = u64::from(head.u32()?);
    if (count == 0xffff || at == 0xffff_ffff)
        && let Some(locator) = end.checked_sub(20)
        && bytes[locator..].starts_with(END_64_LOCATOR)
    {
        let mut locator = cursor(bytes, locator as u64 + 8)?;
        let mut end_64 = cursor(bytes, locator.u64()?)?;
        end_64.take(32)?;
        count = end_64.u64()?;
        end_64.take(8)?;
        at = end_64.u64()?;
    }
    let mut directory = cursor(bytes, at)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(entry(&mut directory)?);
    }
    Ok(entries)
}

fn entry(directory: &mut Cursor<'_>) -> Result<Entry, ImportError> {
    if directory.take(4)? != ENTRY {
        return Err(damaged("its directory is no list of files"));
    }
    directory.take(6)?;
    let method = directory.u16()?;
    directory.take(8)?;
    let mut packed = u64::from(directory.u32()?);
    let mut unpacked = u64::from(directory.u32()?);
    let (name_bytes, extra_bytes, comment_bytes) = (directory.u16()?, directory.u16()?, directory.u16()?);
    directory.take(8)?;
    let mut at = u64::from(directory.u32()?);
    let name = String::from_utf8_lossy(directory.take(usize::from(name_bytes))?).into_owned();
    let mut extra = Cursor::new(directory.take(usize::from(extra_bytes))?, FORMAT, false);
    while extra.remaining() >= 4 {
        let (id, len) = (extra.u16()?, extra.u16()?);
        let mut field = Cursor::new(extra.take(usize::from(len))?, FORMAT, false);
        // Sizes that did not fit, in this order.
        if id == 1 {
            for size in [&mut unpacked, &mut packed, &mut at] {
                if *size == 0xffff_ffff {
                    *size = field.u64()?;
                }
            }
        }
    }
    directory.take(usize::from(comment_bytes))?;
    Ok(Entry { name, method, packed, unpacked, at })
}

pub(super) fn unpack(bytes: &[u8], entry: &Entry) -> Result<Vec<u8>, ImportError> {
    let name = &entry.name;
    let mut local = cursor(bytes, entry.at)?;
    if local.take(4)? != LOCAL {
        return Err(damaged(format!("{name} is not where the directory says")));
    }
    local.take(22)?;
    let (name_bytes, extra_bytes) = (local.u16()?, local.u16()?);
    local.take(usize::from(name_bytes) + usize::from(extra_bytes))?;
    let packed = local.take(usize::try_from(entry.packed).map_err(|_| damaged(format!("{name} is too large")))?)?;
    match entry.method {
        0 => Ok(packed.to_vec()),
        8 => {
            if entry.unpacked > MAX_UNPACKED {
                return Err(damaged(format!("{name} says that it unpacks to {} bytes", entry.unpacked)));
            }
            let mut body = Vec::new();
            let read = flate2::read::DeflateDecoder::new(packed).take(entry.unpacked).read_to_end(&mut body);
            read.map_err(|error| damaged(format!("{name} cannot be unpacked ({error})")))?;
            Ok(body)
        }
        other => Err(ImportError::Unsupported {
            format: FORMAT,
            detail: format!("compression of kind {other}: save it with numpy.savez"),
        }),
    }
}
