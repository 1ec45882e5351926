//! NumPy's .npy and .npz.
//!
//! ```text
//!  0x93 "NUMPY" major minor head_bytes[2 or 4] {'descr': '<f4', 'fortran_order': False, 'shape': (8, 1000), } values
//! ```
//!
//! Source: NEP 1. An .npz is a ZIP archive of them.

mod zip;

use crate::cursor::{Cursor, Number};
use crate::mat::{Order, add_array};
use crate::{ImportError, Source};

const FORMAT: &str = "NumPy";

pub(crate) fn read(bytes: &[u8]) -> Result<Source, ImportError> {
    let mut source = Source::new(FORMAT);
    add(&mut source, "array", bytes)?;
    Ok(source)
}

pub(crate) fn read_npz(bytes: &[u8]) -> Result<Source, ImportError> {
    let mut source = Source::new(FORMAT);
    let mut arrays = 0;
    for entry in zip::entries(bytes)? {
        let Some(name) = entry.name.strip_suffix(".npy") else { continue };
        arrays += 1;
        match zip::unpack(bytes, &entry).and_then(|body| add(&mut source, name, &body)) {
            Ok(()) => {}
            Err(ImportError::Unsupported { detail, .. }) => source.notes.push(format!("{name} has {detail}: left out")),
            Err(error) => return Err(error),
        }
    }
    if arrays == 0 {
        let detail = "is a ZIP archive without NumPy's arrays: unpack it, and import what is in it".to_owned();
        return Err(ImportError::UnknownFormat { detail });
    }
    Ok(source)
}

/// Adds the array of one .npy.
fn add(source: &mut Source, name: &str, bytes: &[u8]) -> Result<(), ImportError> {
    let mut cursor = Cursor::new(bytes, FORMAT, false);
    cursor.take(6)?;
    let version = cursor.take(2)?[0];
    let head_bytes = if version == 1 { usize::from(cursor.u16()?) } else { cursor.u32()? as usize };
    let head = String::from_utf8_lossy(cursor.take(head_bytes)?).into_owned();
    let damaged =
        |what: &str| ImportError::Damaged { format: FORMAT, detail: format!("{name} has a head without {what}") };
    let descr = entry(&head, "descr").ok_or_else(|| damaged("descr"))?;
    let is_fortran = entry(&head, "fortran_order").ok_or_else(|| damaged("fortran_order"))?.starts_with("True");
    let shape = entry(&head, "shape").ok_or_else(|| damaged("shape"))?;
    let inside = shape.trim_start_matches('(').split(')').next().unwrap_or_default();
    let sizes: Vec<usize> = inside
        .split(',')
        .map(|size| size.trim().trim_end_matches('L'))
        .filter(|size| !size.is_empty())
        .map(|size| size.parse().map_err(|_| damaged("a shape of numbers")))
        .collect::<Result<_, _>>()?;
    let (number, is_big_endian) = number(descr).ok_or_else(|| ImportError::Unsupported {
        format: FORMAT,
        detail: format!("values of type {} (of records, texts, objects or complex numbers): save its columns as arrays of their own", descr.escape_debug()),
    })?;
    let count = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    let size =
        count.and_then(|count| count.checked_mul(number.bytes())).ok_or_else(|| damaged("a shape that can be"))?;
    let body = cursor.take(size)?;
    let order = if is_fortran { Order::ColumnsFirst } else { Order::RowsFirst };
    add_array(source, name, &sizes, number.values(body, is_big_endian), order);
    Ok(())
}

/// What stands behind `'key':`.
fn entry<'a>(head: &'a str, key: &str) -> Option<&'a str> {
    let at = head.find(&format!("'{key}'"))?;
    let rest = head[at + key.len() + 2..].trim_start().strip_prefix(':')?;
    Some(rest.trim_start())
}

fn number(descr: &str) -> Option<(Number, bool)> {
    let text = descr.strip_prefix('\'')?.split('\'').next()?;
    let mut letters = text.chars();
    let is_big_endian = letters.next()? == '>';
    let number = match letters.as_str() {
        "f2" => Number::F16,
        "f4" => Number::F32,
        "f8" => Number::F64,
        "i1" => Number::I8,
        "i2" => Number::I16,
        "i4" => Number::I32,
        "i8" => Number::I64,
        "u1" | "b1" => Number::U8,
        "u2" => Number::U16,
        "u4" => Number::U32,
        "u8" => Number::U64,
        _ => return None,
    };
    Some((number, is_big_endian))
}
