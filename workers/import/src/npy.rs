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
    if descr.starts_with('[') {
        return records(source, name, descr, &sizes, &mut cursor);
    }
    let time = time_unit(descr);
    let kind = if time.is_some() { Some((Number::I64, descr.starts_with("'>"))) } else { number(descr) };
    let (number, is_big_endian) = kind.ok_or_else(|| ImportError::Unsupported {
        format: FORMAT,
        detail: format!(
            "values of type {} ({}): save its numbers as arrays of their own",
            type_name(descr),
            type_words(descr)
        ),
    })?;
    let count = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    let size =
        count.and_then(|count| count.checked_mul(number.bytes())).ok_or_else(|| damaged("a shape that can be"))?;
    let body = cursor.take(size)?;
    let order = if is_fortran { Order::ColumnsFirst } else { Order::RowsFirst };
    let mut values = number.values(body, is_big_endian);
    if let Some(unit) = time {
        // Not a time.
        let seconds = |value: f64| if value == i64::MIN as f64 { f64::NAN } else { value * unit };
        values = values.into_iter().map(seconds).collect();
    }
    let before = source.series.len();
    add_array(source, name, &sizes, values, order);
    for series in &mut source.series[before..] {
        series.is_seconds = time.is_some();
    }
    Ok(())
}

/// A structured array: each field of numbers is a series.
fn records(
    source: &mut Source,
    name: &str,
    descr: &str,
    sizes: &[usize],
    cursor: &mut Cursor<'_>,
) -> Result<(), ImportError> {
    let not_read = || ImportError::Unsupported {
        format: FORMAT,
        detail: format!(
            "records in which fields are no plain numbers ({}): save its fields as arrays of their own",
            type_name(descr)
        ),
    };
    let list = descr.split(']').next().unwrap_or_default().trim_start_matches('[');
    let mut fields = Vec::new();
    for part in list.split('(').skip(1) {
        let mut quoted = part.split('\'').skip(1).step_by(2);
        let (Some(field), Some(kind), None) = (quoted.next(), quoted.next(), quoted.next()) else {
            return Err(not_read());
        };
        let (number, is_big_endian) = number(&format!("'{kind}'")).ok_or_else(not_read)?;
        fields.push((field.to_owned(), number, is_big_endian));
    }
    // A field that is itself an array has its shape after the type, in its own parentheses.
    let is_plain = list.matches('(').count() == fields.len() && list.matches(')').count() == fields.len();
    let width: usize = fields.iter().map(|(_, number, _)| number.bytes()).sum();
    let count = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    let size = count.and_then(|count| count.checked_mul(width)).filter(|_| is_plain && !fields.is_empty());
    let body = cursor.take(size.ok_or_else(not_read)?)?;
    let mut offset = 0;
    for (field, number, is_big_endian) in fields {
        let end = offset + number.bytes();
        let values: Vec<f64> =
            body.chunks_exact(width).map(|row| number.value(&row[offset..end], is_big_endian)).collect();
        offset = end;
        add_array(source, &format!("{name}.{field}"), &[values.len()], values, Order::RowsFirst);
    }
    Ok(())
}

/// Seconds in a unit of `datetime64` and `timedelta64`: `'<M8[us]'`.
fn time_unit(descr: &str) -> Option<f64> {
    let kind = descr.strip_prefix("'<").or_else(|| descr.strip_prefix("'>"))?;
    let unit = kind.strip_prefix("M8[").or_else(|| kind.strip_prefix("m8["))?.split(']').next()?;
    Some(match unit {
        "s" => 1.0,
        "ms" => 1e-3,
        "us" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    })
}

/// The type as NumPy writes it.
fn type_name(descr: &str) -> String {
    const SHOWN: usize = 60;
    let close = if descr.starts_with('[') { ']' } else { '\'' };
    let end = descr.char_indices().skip(1).find(|(_, letter)| *letter == close).map(|(at, _)| at + 1);
    let name: String = descr[..end.unwrap_or(descr.len())].chars().take(SHOWN).collect();
    name.escape_debug().to_string().replace("\\'", "'")
}

fn type_words(descr: &str) -> &'static str {
    match descr.trim_start_matches(['\'', '<', '>', '|', '=']).chars().next() {
        Some('c') => "complex numbers",
        Some('O') => "objects",
        Some('U' | 'S') => "texts",
        Some('f') => "floats of extended precision",
        Some('M' | 'm') => "times",
        Some('b') => "truth values",
        _ => "no numbers that are read",
    }
}

/// The value after `'key':`.
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
        "u1" => Number::U8,
        "u2" => Number::U16,
        "u4" => Number::U32,
        "u8" => Number::U64,
        _ => return None,
    };
    Some((number, is_big_endian))
}
