//! Objects of a TDMS file: their properties, and the layout of their values in a segment.

use crate::ImportError;
use crate::cursor::{Cursor, Number};

const NO_RAW_DATA: u32 = 0xffff_ffff;
const AS_BEFORE: u32 = 0;
const DAQMX_FORMAT_CHANGING: u32 = 0x1269;
const DAQMX_DIGITAL_LINE: u32 = 0x126a;
const TEXT: u32 = 0x20;
const TIME: u32 = 0x44;
/// From 1904, TDMS's epoch, to 1970, s.
const EPOCH_SHIFT: f64 = 2_082_844_800.0;

/// All objects, and those of the current segment in order.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub all: Vec<Object>,
    pub list: Vec<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Object {
    pub path: String,
    pub properties: Properties,
    pub layout: Option<Layout>,
    /// Values by their scaler; only DAQmx has others than 0.
    pub scalers: Vec<(u32, Vec<f64>)>,
    pub is_time: bool,
    /// Waveform properties that a later segment changes after values of the earlier ones.
    pub changed: Vec<String>,
    /// The type of its values, if they are not numbers.
    pub left_out: Option<&'static str>,
}

#[derive(Debug, Default)]
pub(super) struct Properties {
    pub entries: Vec<(String, Value)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(f64),
    /// Seconds since 1970.
    Time(f64),
    Other,
}

/// The layout of an object's values in each chunk of a segment.
#[derive(Debug, Clone)]
pub(super) enum Layout {
    Plain {
        /// Bytes of one value; 0 for texts.
        width: usize,
        number: Option<Number>,
        count: u64,
        /// Of all in a chunk.
        bytes: u64,
        is_time: bool,
    },
    Daqmx {
        count: usize,
        scalers: Vec<Scaler>,
        /// Bytes of a row of each buffer.
        widths: Vec<usize>,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Scaler {
    pub number: Number,
    pub buffer: usize,
    /// Bytes from the beginning of a row.
    pub offset: usize,
    pub bit: Option<u32>,
    pub id: u32,
}

impl Properties {
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    fn set(&mut self, key: String, value: Value) {
        match self.entries.iter_mut().find(|(known, _)| *known == key) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((key, value)),
        }
    }
}

impl Objects {
    pub(super) fn read(&mut self, cursor: &mut Cursor<'_>, is_new_list: bool) -> Result<(), ImportError> {
        if is_new_list {
            self.list.clear();
        }
        let count = cursor.u32()?;
        for _ in 0..count {
            let path = text(cursor)?;
            let index = match self.all.iter().position(|object| object.path == path) {
                Some(index) => index,
                None => {
                    self.all.push(Object { path, ..Object::default() });
                    self.all.len() - 1
                }
            };
            if !self.list.contains(&index) {
                self.list.push(index);
            }
            let object = &mut self.all[index];
            match cursor.u32()? {
                NO_RAW_DATA => object.layout = None,
                AS_BEFORE => {}
                kind @ (DAQMX_FORMAT_CHANGING | DAQMX_DIGITAL_LINE) => object.layout = Some(daqmx(cursor, kind)?),
                _len => object.layout = Some(plain(cursor, object)?),
            }
            let properties = cursor.u32()?;
            for _ in 0..properties {
                let key = text(cursor)?;
                let value = value(cursor)?;
                let has_values = object.scalers.iter().any(|(_, values)| !values.is_empty());
                let is_other = object.properties.get(&key).is_some_and(|known| *known != value);
                if has_values && is_other && key.starts_with("wf_") && !object.changed.contains(&key) {
                    object.changed.push(key.clone());
                }
                object.properties.set(key, value);
            }
        }
        Ok(())
    }
}

/// The layout after its length: type, dimension, count, and for texts the total bytes.
fn plain(cursor: &mut Cursor<'_>, object: &mut Object) -> Result<Layout, ImportError> {
    let kind = cursor.u32()?;
    let dimension = cursor.u32()?;
    let count = cursor.u64()?;
    if dimension != 1 {
        return Err(cursor.damaged(format!("{} has {dimension} dimensions", object.path.escape_debug())));
    }
    if kind == TEXT {
        object.left_out = Some("texts");
        return Ok(Layout::Plain { width: 0, number: None, count, bytes: cursor.u64()?, is_time: false });
    }
    let number = number(kind);
    let (width, left_out) = match kind {
        _ if number.is_some() => (number.map_or(0, Number::bytes), None),
        TIME => (16, None),
        0x0008_000c => (8, Some("complex")),
        0x0010_000d => (16, Some("complex")),
        0x0b | 0x1b => (16, Some("in extended precision")),
        other => return Err(cursor.damaged(format!("{} has values of type {other:#x}", object.path.escape_debug()))),
    };
    object.is_time |= kind == TIME;
    object.left_out = left_out;
    let bytes = count.saturating_mul(width as u64);
    Ok(Layout::Plain { width, number, count, bytes, is_time: kind == TIME })
}

fn number(kind: u32) -> Option<Number> {
    Some(match kind {
        1 => Number::I8,
        2 => Number::I16,
        3 => Number::I32,
        4 => Number::I64,
        5 | 0x21 => Number::U8,
        6 => Number::U16,
        7 => Number::U32,
        8 => Number::U64,
        9 | 0x19 => Number::F32,
        10 | 0x1a => Number::F64,
        _ => return None,
    })
}

fn daqmx(cursor: &mut Cursor<'_>, kind: u32) -> Result<Layout, ImportError> {
    let _channel_type = cursor.u32()?;
    let _dimension = cursor.u32()?;
    let count = usize::try_from(cursor.u64()?).unwrap_or(usize::MAX);
    let mut scalers = Vec::new();
    for _ in 0..cursor.u32()? {
        let number = match cursor.u32()? {
            0 => Number::U8,
            1 => Number::I8,
            2 => Number::U16,
            3 => Number::I16,
            4 => Number::U32,
            5 => Number::I32,
            other => return Err(cursor.damaged(format!("a DAQmx channel has values of type {other}"))),
        };
        let buffer = cursor.u32()? as usize;
        let offset = cursor.u32()?;
        let is_digital = kind == DAQMX_DIGITAL_LINE;
        cursor.take(if is_digital { 1 } else { 4 })?;
        let id = cursor.u32()?;
        let (offset, bit) = if is_digital { (offset / 8, Some(offset % 8)) } else { (offset, None) };
        scalers.push(Scaler { number, buffer, offset: offset as usize, bit, id });
    }
    let mut widths = Vec::new();
    for _ in 0..cursor.u32()? {
        widths.push(cursor.u32()? as usize);
    }
    Ok(Layout::Daqmx { count, scalers, widths })
}

fn text(cursor: &mut Cursor<'_>) -> Result<String, ImportError> {
    let len = cursor.u32()? as usize;
    Ok(String::from_utf8_lossy(cursor.take(len)?).into_owned())
}

fn value(cursor: &mut Cursor<'_>) -> Result<Value, ImportError> {
    let kind = cursor.u32()?;
    if let Some(number) = number(kind) {
        let is_big_endian = cursor.is_big_endian();
        return Ok(Value::Number(number.value(cursor.take(number.bytes())?, is_big_endian)));
    }
    match kind {
        TEXT => Ok(Value::Text(text(cursor)?)),
        0 => Ok(Value::Other),
        TIME => {
            let is_big_endian = cursor.is_big_endian();
            Ok(Value::Time(seconds(cursor.take(16)?, is_big_endian)))
        }
        0x0010_000d | 0x0b | 0x1b => cursor.take(16).map(|_| Value::Other),
        0x0008_000c => cursor.take(8).map(|_| Value::Other),
        other => Err(cursor.damaged(format!("a property of type {other:#x}"))),
    }
}

/// A time: fractions of 2^-64 s, then seconds since 1904; in big-endian files the seconds first.
pub(super) fn seconds(cell: &[u8], is_big_endian: bool) -> f64 {
    let (low, high) = cell.split_at(cell.len() / 2);
    let (fraction, whole) = if is_big_endian { (high, low) } else { (low, high) };
    let fraction = Number::U64.value(fraction, is_big_endian) / 2_f64.powi(64);
    Number::I64.value(whole, is_big_endian) - EPOCH_SHIFT + fraction
}

/// `/'Vib'/'Acc''s 1'`: `Vib` and `Acc's 1`.
pub(super) fn names(path: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut letters = path.chars().peekable();
    while letters.next().is_some() {
        if letters.next_if_eq(&'\'').is_none() {
            continue;
        }
        let mut name = String::new();
        while let Some(letter) = letters.next() {
            match letter {
                '\'' if letters.next_if_eq(&'\'').is_some() => name.push('\''),
                '\'' => break,
                letter => name.push(letter),
            }
        }
        names.push(name);
    }
    names
}

/// The path of the group that a channel is in.
pub(super) fn group_path(path: &str) -> String {
    names(path).first().map_or_else(|| "/".to_owned(), |group| format!("/'{}'", group.replace('\'', "''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_names_in_quotes() {
        assert_eq!(names("/'Vib'/'Acc''s / 1'"), ["Vib", "Acc's / 1"]);
        assert_eq!(names("/"), Vec::<String>::new());
        assert_eq!(group_path("/'V''b'/'x'"), "/'V''b'");
    }
}
