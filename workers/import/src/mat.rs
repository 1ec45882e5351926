//! MATLAB's .mat files: version 5 (also compressed; `save -v6`, `-v7`, SciPy, Octave `-v7`) and version 4.
//!
//! ```text
//!  128 bytes: text, version 0x0100, "IM" (little-endian) or "MI"
//!  elements:  type[4] bytes[4] body pad to 8        (1–4 bytes of body: bytes[2] type[2] body[4])
//!  matrix:    flags (class), dimensions, name, then numbers · fields of a struct · cells · characters
//! ```
//!
//! Fields of structs are named `bearing.gs`, columns of a matrix `x[1]`. Source: MathWorks, "MAT-File Format", R2018a.

mod v4;

use std::io::Read;

use crate::cursor::{Cursor, Number};
use crate::{ImportError, Series, Source};

pub(crate) use v4::{is_v4, read as read_v4};

const FORMAT: &str = "MATLAB v5";
const HEADER_BYTES: usize = 128;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
/// Maximum depth of nested structs and compressed elements.
const MAX_DEPTH: usize = 16;
/// Maximum unpacked size of all compressed elements together.
const MAX_UNPACKED: u64 = 1 << 30;
/// Maximum number of rows or columns, on its shorter side, of a matrix with several signals.
const MAX_COLUMNS: usize = 100_000;

pub(crate) fn is_v5(bytes: &[u8]) -> bool {
    matches!(bytes.get(124..128), Some([0, 1, b'I', b'M'] | [1, 0, b'M', b'I']))
}

pub(crate) fn read(bytes: &[u8]) -> Result<Source, ImportError> {
    let is_big_endian = bytes.get(126..128) == Some(b"MI");
    let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let mut reader = Reader { source: Source::new(FORMAT), unpacked: 0 };
    let mut cursor = Cursor::new(body, FORMAT, is_big_endian);
    while cursor.remaining() >= 8 {
        match element(&mut cursor) {
            Ok(element) => reader.top(&element, is_big_endian, 0)?,
            // Keeps the complete elements of a truncated file, if there are any.
            Err(error) if reader.source.series.is_empty() => return Err(error),
            Err(_) => {
                reader.source.notes.push("the file is cut short: its last variable is left out".to_owned());
                break;
            }
        }
    }
    Ok(reader.source)
}

struct Element<'a> {
    kind: u32,
    body: &'a [u8],
}

/// The next element, with its padding.
fn element<'a>(cursor: &mut Cursor<'a>) -> Result<Element<'a>, ImportError> {
    let tag = cursor.u32()?;
    let (small, kind) = (tag >> 16, tag & 0xffff);
    if small != 0 {
        let body = cursor.take(4)?;
        let len = small as usize;
        let body = body.get(..len).ok_or_else(|| cursor.damaged(format!("a small element of {len} bytes")))?;
        return Ok(Element { kind, body });
    }
    // libsndfile states eight bytes too many for its last matrix; truly missing bytes are detected inside.
    let stated = cursor.u32()? as usize;
    let len = if kind == MATRIX { stated.min(cursor.remaining()) } else { stated };
    let body = cursor.take(len)?;
    if kind != COMPRESSED {
        let pad = (8 - len % 8) % 8;
        cursor.take(pad.min(cursor.remaining()))?;
    }
    Ok(Element { kind, body })
}

/// The numbers of a data element.
fn numbers(element: &Element<'_>, is_big_endian: bool) -> Option<Vec<f64>> {
    let number = match element.kind {
        1 => Number::I8,
        2 | 16 => Number::U8,
        3 => Number::I16,
        4 | 17 => Number::U16,
        5 => Number::I32,
        6 => Number::U32,
        7 => Number::F32,
        9 => Number::F64,
        12 => Number::I64,
        13 => Number::U64,
        _ => return None,
    };
    Some(number.values(element.body, is_big_endian))
}

struct Reader {
    source: Source,
    unpacked: u64,
}

impl Reader {
    fn top(&mut self, element: &Element<'_>, is_big_endian: bool, depth: usize) -> Result<(), ImportError> {
        match element.kind {
            MATRIX => self.matrix(element.body, is_big_endian, None, depth),
            COMPRESSED if depth < MAX_DEPTH => {
                let unpacked = self.unpack(element.body)?;
                let mut cursor = Cursor::new(&unpacked, FORMAT, is_big_endian);
                let inner = self::element(&mut cursor)?;
                self.top(&inner, is_big_endian, depth + 1)
            }
            _ => Ok(()),
        }
    }

    fn unpack(&mut self, body: &[u8]) -> Result<Vec<u8>, ImportError> {
        let damaged = |detail: String| ImportError::Damaged { format: FORMAT, detail };
        let mut unpacked = Vec::new();
        let left = MAX_UNPACKED - self.unpacked;
        let read = flate2::read::ZlibDecoder::new(body).take(left).read_to_end(&mut unpacked);
        let size = read.map_err(|error| damaged(format!("a compressed variable cannot be unpacked ({error})")))? as u64;
        if size == left {
            return Err(damaged(format!("it unpacks to more than {} GiB", MAX_UNPACKED >> 30)));
        }
        self.unpacked += size;
        Ok(unpacked)
    }

    /// One array; `field` is its name if it is in a struct or cell.
    fn matrix(
        &mut self,
        body: &[u8],
        is_big_endian: bool,
        field: Option<&str>,
        depth: usize,
    ) -> Result<(), ImportError> {
        if body.is_empty() {
            return Ok(());
        }
        let mut cursor = Cursor::new(body, FORMAT, is_big_endian);
        let flags = element(&mut cursor)?;
        let mut flag_words = Cursor::new(flags.body, FORMAT, is_big_endian);
        let word = flag_words.u32()?;
        let class = word & 0xff;
        let is_complex = word & 0x800 != 0;
        let is_logical = word & 0x200 != 0;
        // Objects have no dimensions at this place.
        if class > 15 {
            let own = field.map_or_else(|| "a variable".to_owned(), ToOwned::to_owned);
            self.source.notes.push(format!("{own} is {}: left out", class_name(class)));
            return Ok(());
        }
        let dimensions = element(&mut cursor)?;
        let sizes: Vec<usize> = numbers(&dimensions, is_big_endian)
            .ok_or_else(|| cursor.damaged("dimensions that are no numbers"))?
            .into_iter()
            .map(|size| size.max(0.0) as usize)
            .collect();
        let own_name = element(&mut cursor)?;
        let own_name: String = own_name.body.iter().map(|&byte| char::from(byte)).collect();
        let name = field.map_or(own_name, ToOwned::to_owned);
        match class {
            6..=15 => {
                let data = element(&mut cursor)?;
                let values =
                    numbers(&data, is_big_endian).ok_or_else(|| cursor.damaged(format!("{name} has no numbers")))?;
                let expected = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
                if expected != Some(values.len()) {
                    return Err(cursor.damaged(format!("{name} should have {sizes:?} values and has {}", values.len())));
                }
                if is_logical && values.len() > 1 {
                    self.source.notes.push(format!("{name} is logical: left out"));
                    return Ok(());
                }
                if is_complex {
                    self.source.notes.push(format!("{name} is complex: left out"));
                    return Ok(());
                }
                self.numeric(&name, &sizes, values);
            }
            1 if depth < MAX_DEPTH => {
                let count = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size)).unwrap_or(0);
                for index in 0..count.min(body.len() / 8) {
                    let cell = element(&mut cursor)?;
                    self.matrix(cell.body, is_big_endian, Some(&format!("{name}{{{}}}", index + 1)), depth + 1)?;
                }
            }
            2 if depth < MAX_DEPTH => self.structure(&mut cursor, &name, &sizes, is_big_endian, depth)?,
            4 => {
                let letters = numbers(&element(&mut cursor)?, is_big_endian).unwrap_or_default();
                let text: String =
                    letters.iter().filter_map(|letter| char::from_u32(*letter as u32)).take(200).collect();
                self.source.scalars.extend(crate::names::text_setting(&name, &text));
            }
            _ => self.source.notes.push(format!("{name} is {}: left out", class_name(class))),
        }
        Ok(())
    }

    fn structure(
        &mut self,
        cursor: &mut Cursor<'_>,
        name: &str,
        sizes: &[usize],
        is_big_endian: bool,
        depth: usize,
    ) -> Result<(), ImportError> {
        let width = element(cursor)?;
        let width = numbers(&width, is_big_endian).and_then(|widths| widths.first().copied()).unwrap_or(0.0) as usize;
        let names = element(cursor)?;
        if width == 0 {
            return Ok(());
        }
        let of_bytes = |bytes: &[u8]| {
            bytes.iter().take_while(|&&byte| byte != 0).map(|&byte| char::from(byte)).collect::<String>()
        };
        let fields: Vec<String> = names.body.chunks_exact(width).map(of_bytes).collect();
        let count = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size)).unwrap_or(0);
        if fields.is_empty() {
            return Ok(());
        }
        for index in 0..count {
            for field in &fields {
                if cursor.remaining() < 8 {
                    return Ok(());
                }
                let value = element(cursor)?;
                let of = if count == 1 { name.to_owned() } else { format!("{name}({})", index + 1) };
                self.matrix(value.body, is_big_endian, Some(&format!("{of}.{field}")), depth + 1)?;
            }
        }
        Ok(())
    }

    fn numeric(&mut self, name: &str, sizes: &[usize], values: Vec<f64>) {
        add_array(&mut self.source, name, sizes, values, Order::ColumnsFirst);
    }
}

/// The storage order of an array's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Column-major: MATLAB and Fortran.
    ColumnsFirst,
    /// Row-major: C and NumPy.
    RowsFirst,
}

/// Adds an array as a scalar, a series, or a series for each row or column, whichever are fewer.
pub(crate) fn add_array(source: &mut Source, name: &str, sizes: &[usize], values: Vec<f64>, order: Order) {
    let long: Vec<usize> = sizes.iter().copied().filter(|&size| size != 1).collect();
    match long[..] {
        [] if values.len() == 1 => source.scalars.push((name.to_owned(), values[0])),
        [_] if values.is_empty() => {}
        [_] => source.series.push(Series { group: group_of(name), ..Series::new(name, values) }),
        [rows, columns] if rows * columns == values.len() && !values.is_empty() => {
            let is_by_column = rows >= columns;
            let (count, len) = if is_by_column { (columns, rows) } else { (rows, columns) };
            if count > MAX_COLUMNS {
                source.notes.push(format!("{name} is {rows} by {columns}: left out"));
                return;
            }
            if !is_by_column {
                source
                    .notes
                    .push(format!("the {rows} rows of {name} are taken as channels, as it has {columns} columns"));
            }
            let at = |series: usize, index: usize| {
                let (row, column) = if is_by_column { (index, series) } else { (series, index) };
                match order {
                    Order::ColumnsFirst => values[column * rows + row],
                    Order::RowsFirst => values[row * columns + column],
                }
            };
            for series in 0..count {
                let numbers = (0..len).map(|index| at(series, index)).collect();
                source.series.push(Series {
                    group: group_of(name),
                    is_row: !is_by_column,
                    ..Series::new(format!("{name}[{}]", series + 1), numbers)
                });
            }
        }
        _ if values.is_empty() => {}
        _ => {
            let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
            source.notes.push(format!("{name} has {} dimensions ({}): left out", sizes.len(), sizes.join(" by ")));
        }
    }
}

/// The struct or folder of a variable; for CWRU's `X098_DE_time` the record, because 99.mat has two.
fn group_of(name: &str) -> String {
    if let Some((record, rest)) = name.split_once('_')
        && ["DE_time", "FE_time", "BA_time"].contains(&rest)
    {
        return record.to_owned();
    }
    crate::names::parent(name).to_owned()
}

fn class_name(class: u32) -> &'static str {
    match class {
        1 | 2 => "nested too deep",
        3 => "an object",
        5 => "a sparse matrix",
        16 => "a function",
        17 => "a table, timetable or string (save its columns as variables of their own)",
        _ => "of a class that is not read",
    }
}
