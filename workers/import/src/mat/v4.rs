//! MATLAB version 4: `save -v4`, and SciPy's `format='4'`.
//!
//! ```text
//!  MOPT[4] rows[4] columns[4] imaginary[4] name_bytes[4] name numbers      again and again
//!  M byte order, P precision, T full (0), text (1), sparse (2)
//! ```

use super::{Order, add_array};
use crate::cursor::{Cursor, Number};
use crate::{ImportError, Source};

const FORMAT: &str = "MATLAB v4";

/// Whether the first number is a valid type, in either byte order, and the name length is plausible.
pub(crate) fn is_v4(bytes: &[u8]) -> bool {
    [false, true].into_iter().any(|is_big_endian| kind(bytes, is_big_endian).is_some())
}

fn kind(bytes: &[u8], is_big_endian: bool) -> Option<u32> {
    let mut cursor = Cursor::new(bytes, FORMAT, is_big_endian);
    let kind = cursor.u32().ok()?;
    let (order, precision, shape) = (kind / 1000, kind / 10 % 10, kind % 10);
    cursor.take(12).ok()?;
    let name_bytes = cursor.u32().ok()?;
    let is_known = order == u32::from(is_big_endian) && kind / 100 % 10 == 0 && precision <= 5 && shape <= 2;
    (is_known && (1..=128).contains(&name_bytes)).then_some(kind)
}

pub(crate) fn read(bytes: &[u8]) -> Result<Source, ImportError> {
    let is_big_endian = kind(bytes, false).is_none();
    let mut cursor = Cursor::new(bytes, FORMAT, is_big_endian);
    let mut source = Source::new(FORMAT);
    while cursor.remaining() > 0 {
        let kind = cursor.u32()?;
        let (rows, columns) = (cursor.u32()? as usize, cursor.u32()? as usize);
        let is_complex = cursor.u32()? != 0;
        let name_bytes = cursor.u32()? as usize;
        let name: String =
            cursor.take(name_bytes)?.iter().take_while(|&&byte| byte != 0).map(|&byte| char::from(byte)).collect();
        let number = match kind / 10 % 10 {
            0 => Number::F64,
            1 => Number::F32,
            2 => Number::I32,
            3 => Number::I16,
            4 => Number::U16,
            5 => Number::U8,
            other => return Err(cursor.damaged(format!("{name} has numbers of kind {other}"))),
        };
        let parts = if is_complex { 2 } else { 1 };
        let size = rows.checked_mul(columns).and_then(|count| count.checked_mul(number.bytes() * parts));
        let Some(size) = size else { return Err(cursor.damaged(format!("{name} of {rows} by {columns} values"))) };
        let body = cursor.take(size)?;
        match (kind % 10, is_complex) {
            (0, false) => {
                add_array(&mut source, &name, &[rows, columns], number.values(body, is_big_endian), Order::ColumnsFirst)
            }
            (1, _) => {}
            _ => source.notes.push(format!("{name} is complex or sparse: left out")),
        }
    }
    Ok(source)
}
