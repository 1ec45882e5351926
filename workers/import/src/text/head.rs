//! Parses the header above the numbers: names and units of the columns, and settings such as the rate.

use super::dialect::Dialect;
use super::numbers::groups;
use crate::TimeUnit;
use crate::names::{are_units, is_rpm, rate_of, split_unit};

/// Maximum number of lines with names and units above the numbers.
const NAME_LINES: usize = 3;

/// Names, units and settings.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub names: Vec<String>,
    pub units: Vec<Option<String>>,
    pub scalars: Vec<(String, f64)>,
}

impl Head {
    pub(super) fn of(lines: &[&str], dialect: &Dialect) -> Self {
        let mut head = Self::default();
        let mut rows: Vec<Vec<String>> = Vec::new();
        // Names are in the last lines above the numbers; lines further up are settings.
        let filled = lines.iter().filter(|line| !line.trim().is_empty()).count();
        let mut place = 0;
        let mut above: Vec<String> = Vec::new();
        for line in lines {
            place += usize::from(!line.trim().is_empty());
            let is_near = place + NAME_LINES > filled;
            let line = line.trim_end_matches('\r');
            let bare = line.trim_start_matches(['#', '%', '/']).trim();
            let has_comma = dialect.has_decimal_comma();
            let own = setting(bare, has_comma);
            let is_setting = own.is_some();
            let mut cells = dialect.cells(bare);
            // One per channel, of which one may differ.
            if let Some((name, value)) = &own {
                let others =
                    cells.iter().skip(2).filter_map(|cell| cell_value(cell, has_comma)).filter(|other| other != value);
                head.scalars.extend(others.map(|other| (name.clone(), other)));
            }
            head.scalars.extend(own);
            // `t0 = -0.1, tInc = 1e-6` between names, and values below their names.
            head.scalars.extend(
                cells.iter().skip(1).filter(|cell| cell.contains('=')).filter_map(|cell| setting(cell, has_comma)),
            );
            for (name, cell) in above.iter().zip(&cells) {
                let name = name.trim_end_matches(':');
                if let Ok(value) = cell.parse::<f64>()
                    && rate_of(name, value).is_some()
                {
                    head.scalars.push((name.to_owned(), value));
                }
            }
            above.clone_from(&cells);
            if cells.len() == dialect.columns + 1 && cells.last().is_some_and(String::is_empty) {
                cells.pop();
            }
            if is_setting {
                continue;
            }
            // LabVIEW has an empty column of comments.
            if is_near && cells.len() == dialect.columns + 1 && cells.last().is_some_and(|last| last == "Comment") {
                cells.pop();
            }
            if is_near && cells.len() == dialect.columns && cells.iter().any(|cell| !cell.is_empty()) {
                rows.push(cells);
            }
        }
        // Units are below names, or names below units.
        let units_row = if rows.len() > 1 { rows.iter().rposition(|row| are_units(row)) } else { None };
        let units = units_row.map(|at| rows.remove(at));
        let names = rows.pop().unwrap_or_default();
        for cell in names {
            let (name, unit) = split_unit(&cell);
            head.names.push(name);
            head.units.push(unit);
        }
        if let Some(units) = units {
            head.names.resize(dialect.columns, String::new());
            head.units.resize(dialect.columns, None);
            for (unit, cell) in head.units.iter_mut().zip(units) {
                let bare = cell.trim().trim_start_matches(['[', '(']).trim_end_matches([']', ')']).to_owned();
                if !bare.is_empty() {
                    *unit = Some(bare);
                }
            }
        }
        head
    }
}

/// `Sampling rate: 25,6 kHz`, `fs = 25600`, `Delta_X<tab>0.000039`: a setting that this crate uses.
pub(super) fn setting(line: &str, has_decimal_comma: bool) -> Option<(String, f64)> {
    let at = line.find([':', '=', '\t', ';', ','])?;
    let (name, rest) = (line[..at].trim().trim_matches('"'), line[at + 1..].trim().trim_matches('"'));
    let end = rest.find(|letter: char| !(letter.is_ascii_digit() || "+-.,eE".contains(letter))).unwrap_or(rest.len());
    let (text, unit) = rest.split_at(end);
    let text = text.trim_end_matches(['e', 'E', ',', '.']);
    // With decimal commas, 51.200 means 51,200.
    let ungrouped = if has_decimal_comma { groups(text, '.') } else { None };
    let value: f64 = ungrouped.or_else(|| text.parse().ok()).or_else(|| decimal_comma(text)?.parse().ok())?;
    let unit = unit.trim_matches(|letter: char| !letter.is_alphabetic() && letter != '/');
    let unit = unit.split([' ', ';', ',', '\t', ']', ')', '"', '/']).next().unwrap_or_default();
    // `Delta_X<tab>0.1<tab>0.1`: the second value is the second channel's, not a unit.
    let is_known =
        TimeUnit::parse(unit).is_some() || ["hz", "khz", "mhz", "rpm"].contains(&unit.to_lowercase().as_str());
    let unit = if is_known { unit } else { "" };
    let name = if unit.is_empty() { name.to_owned() } else { format!("{name} [{unit}]") };
    (rate_of(&name, value).is_some() || is_rpm(&name)).then_some((name, value))
}

fn cell_value(cell: &str, has_decimal_comma: bool) -> Option<f64> {
    cell.parse().ok().or_else(|| if has_decimal_comma { cell.replace(',', ".").parse().ok() } else { None })
}

/// `25,6` is 25.6; `25,600` is ambiguous here, and read as 25600, because a rate is rarely below a kilohertz.
fn decimal_comma(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once(',')?;
    let is_thousands = fraction.len() == 3 && whole.len() <= 3 && !whole.starts_with('0');
    Some(if is_thousands { format!("{whole}{fraction}") } else { format!("{whole}.{fraction}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_state_rates() {
        let hz = |line: &str| setting(line, false).and_then(|(name, value)| rate_of(&name, value));
        use crate::names::StatedRate::{Hertz, Step};
        assert_eq!(hz("Sampling rate: 25600 Hz"), Some(Hertz(25_600.0)));
        assert_eq!(hz("Sample Rate,51200"), Some(Hertz(51_200.0)));
        assert_eq!(hz("Abtastrate = 25,6 kHz"), Some(Hertz(25_600.0)));
        assert_eq!(hz("fs=25,600"), Some(Hertz(25_600.0)));
        assert_eq!(hz("Delta_X\t0.000039"), Some(Step(3.9e-5)));
        assert_eq!(hz("dt: 0.0390625 ms"), Some(Step(3.906_25e-5)));
        assert_eq!(hz("Operator: Rate 5"), None);
    }
}
