//! Parses numbers in cells: decimal marks and thousands separators.
//!
//! Spaces, apostrophes and underscores between thousands are unambiguous and always accepted. Commas and points are
//! ambiguous: a comma is a thousands separator only if the decimal mark is a point, and the other way round.

use super::stamp::Stamps;

/// The meaning of points and commas in a text's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    /// 1234.5
    Point,
    /// 1234,5
    Comma,
    /// 1,234.5
    PointGrouped,
    /// 1.234,5
    CommaGrouped,
}

impl Marks {
    pub(super) const ALL: [Self; 4] = [Self::Point, Self::Comma, Self::PointGrouped, Self::CommaGrouped];

    pub(super) fn has_decimal_comma(self) -> bool {
        matches!(self, Self::Comma | Self::CommaGrouped)
    }

    /// Whether numbers may contain commas.
    pub(super) fn has_comma(self) -> bool {
        self != Self::Point
    }

    /// For messages.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Point => "",
            Self::Comma => "decimal commas, ",
            Self::PointGrouped => "commas between thousands, ",
            Self::CommaGrouped => "decimal commas, points between thousands, ",
        }
    }

    fn value(self, text: &str) -> Option<f64> {
        match self {
            Self::Point => plain(text),
            Self::Comma => plain(&with_point(text)?),
            Self::PointGrouped => match text.contains(',') {
                true => groups(text, ','),
                false => plain(text),
            },
            Self::CommaGrouped => match text.contains('.') {
                true => groups(text, '.'),
                false => plain(&with_point(text)?),
            },
        }
    }
}

/// Texts for missing values, or values beyond the instrument's range.
const NO_NUMBERS: [&str; 17] = [
    "nan",
    "null",
    "na",
    "n/a",
    "none",
    "-",
    "--",
    "---",
    "inf",
    "-inf",
    "+inf",
    "#n/v",
    "#n/a",
    "#nv",
    "overflow",
    "\u{221e}",
    "-\u{221e}",
];

/// A cell's number; NaN for a missing value (empty, NaN, NULL, an instrument's overflow); `None` for other words.
pub(super) fn number(cell: &str, marks: Marks, column: usize, stamps: &mut Stamps) -> Option<f64> {
    let cell = cell.trim();
    if cell.is_empty() || NO_NUMBERS.contains(&cell.to_lowercase().as_str()) {
        return Some(f64::NAN);
    }
    if let Some(value) = marks.value(cell) {
        return Some(value);
    }
    // A typographic minus sign.
    if let Some(rest) = cell.strip_prefix(['\u{2212}', '\u{2013}'])
        && let Some(value) = marks.value(rest)
    {
        return Some(-value);
    }
    // Fortran's double precision.
    if cell.contains(['d', 'D'])
        && let Some(value) = marks.value(&cell.replace(['d', 'D'], "e"))
    {
        return Some(value);
    }
    if let Some(value) = ungrouped(cell).and_then(|text| marks.value(&text)) {
        return Some(value);
    }
    // A date and time of day may precede the numbers.
    stamps.read(cell, column)
}

fn plain(text: &str) -> Option<f64> {
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    text.parse::<f64>().ok().filter(|value| value.is_finite() && has_digit)
}

/// Replaces a comma by a point; `None` if there already is a point.
fn with_point(text: &str) -> Option<String> {
    (!text.contains('.')).then(|| text.replacen(',', ".", 1))
}

/// The number in which `mark` separates groups of three digits, and the other of point and comma the decimals; `None`
/// if it has another format.
pub(super) fn groups(text: &str, mark: char) -> Option<f64> {
    let decimal = if mark == ',' { '.' } else { ',' };
    let (whole, fraction) = text.split_once(decimal).map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let whole = grouped(whole, &[mark])?;
    plain(&match fraction {
        Some(fraction) => format!("{whole}.{fraction}"),
        None => whole,
    })
}

/// Removes the `marks` between groups of three digits.
fn grouped(text: &str, marks: &[char]) -> Option<String> {
    let digits = text.trim_start_matches(['+', '-']);
    let mut parts = digits.split(marks);
    let first = parts.next()?;
    let is_first = (1..=3).contains(&first.len()) && first != "0" && first.bytes().all(|byte| byte.is_ascii_digit());
    let mut count = 0;
    for part in parts {
        count += 1;
        if part.len() != 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
    }
    (is_first && count > 0).then(|| text.replace(marks, ""))
}

/// Removes spaces, apostrophes and underscores between groups of three digits.
fn ungrouped(text: &str) -> Option<String> {
    const MARKS: [char; 7] = [' ', '\u{a0}', '\u{202f}', '\u{2009}', '\'', '\u{2019}', '_'];
    let end = text.find(['.', ',']).unwrap_or(text.len());
    let (whole, rest) = text.split_at(end);
    Some(format!("{}{rest}", grouped(whole, &MARKS)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cell: &str, marks: Marks) -> Option<f64> {
        number(cell, marks, 5, &mut Stamps::default())
    }

    #[test]
    fn thousands_and_decimals_are_told_apart() {
        assert_eq!(read("1.234,5", Marks::CommaGrouped), Some(1234.5));
        assert_eq!(read("-1.234", Marks::CommaGrouped), Some(-1234.0));
        assert_eq!(read("1,234,567.5", Marks::PointGrouped), Some(1_234_567.5));
        assert_eq!(read("1,234", Marks::PointGrouped), Some(1234.0));
        assert_eq!(read("1,234", Marks::Comma), Some(1.234));
        assert_eq!(read("1.234", Marks::Comma), None, "a point beside decimal commas is no decimal point");
        assert_eq!(read("0.234", Marks::CommaGrouped), None);
        assert_eq!(read("1,23", Marks::PointGrouped), None);
        for text in ["1 234,5", "1\u{a0}234,5", "1\u{202f}234,5", "1'234,5"] {
            assert_eq!(read(text, Marks::Comma), Some(1234.5), "{text}");
        }
        assert_eq!(read("12 34", Marks::Point), None);
        assert_eq!(read("\u{2212}1.5E-3", Marks::Point), Some(-1.5e-3));
        assert_eq!(read("1,5E-05", Marks::Comma), Some(1.5e-5));
    }
}
