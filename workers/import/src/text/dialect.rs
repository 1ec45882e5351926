//! Determines the format of a text's rows: the separator of cells and the decimal mark.

use super::numbers::{Marks, groups, number};
use super::stamp::Stamps;
use crate::ImportError;

/// Number of lines examined.
const LOOKED_AT: usize = 400;
/// Maximum number of columns.
const MAX_COLUMNS: usize = 100_000;

/// Separator, decimal mark, number of columns, and the start of the rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dialect {
    separator: Separator,
    marks: Marks,
    /// Whether cells may be words, such as a state or a label.
    takes_words: bool,
    pub columns: usize,
    /// Columns that are empty in most rows: scopes write their settings there, beside the first rows.
    free: Vec<usize>,
    /// The first line of numbers.
    pub first_row: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    One(char),
    Spaces,
}

impl Separator {
    const ALL: [Self; 5] = [Self::One(';'), Self::One('\t'), Self::One(','), Self::One('|'), Self::Spaces];

    fn word(self) -> &'static str {
        match self {
            Self::One(';') => "semicolons",
            Self::One('\t') => "tabs",
            Self::One(',') => "commas",
            Self::One(_) => "bars",
            Self::Spaces => "spaces",
        }
    }
}

/// The result of one format for the examined lines.
#[derive(Debug, Clone, Copy)]
struct Trial {
    separator: Separator,
    marks: Marks,
    columns: usize,
    rows: usize,
}

impl Dialect {
    pub(super) fn find(lines: &[&str], decimal_comma: Option<bool>) -> Result<Self, ImportError> {
        let looked_at = sample(lines);
        let mut trials = Trial::all(&looked_at, decimal_comma, false);
        let mut best = Trial::best(&trials);
        let mut takes_words = false;
        // If few lines contain only numbers, a column may contain words.
        if best.is_none_or(|best| best.rows * 2 < looked_at.len()) {
            let with_words = Trial::all(&looked_at, decimal_comma, true);
            let other = Trial::best(&with_words);
            if other.map(|other| other.rows) > best.map(|best| best.rows) {
                (trials, best, takes_words) = (with_words, other, true);
            }
        }
        let Some(mut best) = best else {
            let shown: String =
                lines.iter().find(|line| !line.trim().is_empty()).unwrap_or(&"").chars().take(40).collect();
            let detail = format!(
                "is text without rows of numbers (it begins \"{}\"): a table has the same columns of numbers in each line",
                shown.escape_debug()
            );
            return Err(ImportError::Table { detail });
        };
        match ambiguity(&best, &trials, &looked_at) {
            Ambiguity::None => {}
            // The user has specified it.
            Ambiguity::Asks(_) if decimal_comma.is_some() => {}
            _ if decimal_comma == Some(false) => {}
            Ambiguity::Other(other) => best = other,
            Ambiguity::Asks(detail) => return Err(ImportError::Table { detail }),
        }
        let mut dialect = Self {
            separator: best.separator,
            marks: best.marks,
            takes_words,
            columns: best.columns,
            free: Vec::new(),
            first_row: 0,
        };
        let mut row = Vec::new();
        // The first of two consecutive rows: a line of settings may happen to have the same number of values.
        let is_row: Vec<bool> = lines
            .iter()
            .take(LOOKED_AT)
            .map(|line| dialect.row(line, &mut row, &mut Stamps::default()) && row.iter().any(|value| !value.is_nan()))
            .collect();
        let two = is_row.windows(2).position(|pair| pair == [true, true]);
        dialect.first_row = two.or_else(|| is_row.iter().position(|is_row| *is_row)).unwrap_or(0);
        dialect.free = dialect.free_columns(&looked_at);
        // Rows above with settings beside them.
        while dialect.first_row > 0
            && dialect.row(lines[dialect.first_row - 1], &mut row, &mut Stamps::default())
            && row.iter().any(|value| !value.is_nan())
        {
            dialect.first_row -= 1;
        }
        if two.is_none() && is_row.len() >= LOOKED_AT {
            let detail = format!(
                "is text whose first {LOOKED_AT} lines hold no two rows of numbers that follow on one another: remove what is above the table"
            );
            return Err(ImportError::Table { detail });
        }
        Ok(dialect)
    }

    fn free_columns(&self, lines: &[&str]) -> Vec<usize> {
        const MOST_FILLED: f64 = 0.1;
        let mut filled = vec![0; self.columns];
        let mut rows = 0;
        let mut row = Vec::new();
        for line in lines {
            if self.row(line, &mut row, &mut Stamps::default()) {
                rows += 1;
                for (count, value) in filled.iter_mut().zip(&row) {
                    *count += usize::from(!value.is_nan());
                }
            }
        }
        (0..self.columns).filter(|&column| (filled[column] as f64) <= MOST_FILLED * f64::from(rows)).collect()
    }

    /// The content of a row in columns outside the table, as a separate line.
    pub(super) fn beside(&self, line: &str) -> Option<String> {
        if self.free.is_empty() {
            return None;
        }
        let cells = self.cells(line);
        let beside: Vec<&str> = self.free.iter().filter_map(|&column| cells.get(column)).map(String::as_str).collect();
        beside.iter().any(|cell| !cell.is_empty()).then(|| beside.join("\t"))
    }

    /// For messages: `columns separated by semicolons, decimal commas, `.
    pub(super) fn words(&self) -> String {
        let columns = if self.columns == 1 {
            "one column, ".to_owned()
        } else {
            format!("{} columns separated by {}, ", self.columns, self.separator.word())
        };
        format!("{columns}{}", self.marks.words())
    }

    /// Whether the decimal mark is a comma.
    pub(super) fn has_decimal_comma(&self) -> bool {
        self.marks.has_decimal_comma()
    }

    /// Parses a row; returns whether the line is a row. A cell without a number is NaN.
    pub(super) fn row(&self, line: &str, row: &mut Vec<f64>, stamps: &mut Stamps) -> bool {
        row.clear();
        for cell in self.cells(line) {
            if self.free.contains(&row.len()) {
                row.push(f64::NAN);
                continue;
            }
            match number(&cell, self.marks, row.len(), stamps) {
                Some(value) => row.push(value),
                None if self.takes_words && is_word(&cell) => row.push(f64::NAN),
                None => return false,
            }
            if row.len() > MAX_COLUMNS {
                return false;
            }
        }
        // A separator at the end of each line.
        if row.len() == self.columns + 1 && row[self.columns].is_nan() {
            row.pop();
        }
        row.len() == self.columns
    }

    /// The cells of a line, without quotes.
    pub(super) fn cells(&self, line: &str) -> Vec<String> {
        cells(line, self.separator)
    }
}

fn cells(line: &str, separator: Separator) -> Vec<String> {
    let line = line.trim_end_matches(['\r', '\n', '\x1a']);
    let Separator::One(mark) = separator else {
        let mut cells: Vec<String> =
            line.split_ascii_whitespace().map(|cell| cell.trim_matches('"').to_owned()).collect();
        // A date and a time of day are one cell.
        if let [date, time, ..] = cells.as_slice()
            && time.contains(':')
            && !date.contains(':')
        {
            let stamp = format!("{date} {time}");
            cells.splice(..2, [stamp]);
        }
        return cells;
    };
    if !line.contains('"') {
        return line.split(mark).map(|cell| cell.trim().to_owned()).collect();
    }
    let mut out = vec![String::new()];
    let mut is_quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            letter if letter == mark && !is_quoted => out.push(String::new()),
            letter => {
                if let Some(last) = out.last_mut() {
                    last.push(letter);
                }
            }
        }
    }
    out.into_iter().map(|cell| cell.trim().to_owned()).collect()
}

/// A state or a label, and not two cells with another separator.
fn is_word(cell: &str) -> bool {
    cell.starts_with(char::is_alphabetic) && !cell.contains([';', ',', '\t', '|'])
}

impl Trial {
    /// Every format that gives rows.
    fn all(lines: &[&str], decimal_comma: Option<bool>, takes_words: bool) -> Vec<Self> {
        let mut trials = Vec::new();
        // Thousands separators are tried last, and used only if they give more rows.
        for marks in Marks::ALL {
            if decimal_comma.is_some_and(|asked| asked != marks.has_decimal_comma()) {
                continue;
            }
            for separator in Separator::ALL {
                // Commas in numbers between commas need quotes.
                let is_quoted = lines.iter().any(|line| line.contains('"'));
                if marks.has_comma() && separator == Separator::One(',') && !is_quoted {
                    continue;
                }
                trials.extend(Self::of(lines, separator, marks, takes_words));
            }
        }
        trials
    }

    /// The first of those with the most rows, and among these the most columns: rows without a comma are the same with
    /// either mark, and then a point is used.
    fn best(trials: &[Self]) -> Option<Self> {
        let mut best: Option<Self> = None;
        for trial in trials {
            if best.is_none_or(|best| (trial.rows, trial.columns) > (best.rows, best.columns)) {
                best = Some(*trial);
            }
        }
        best
    }

    /// The most frequent number of columns, and the number of lines with it.
    fn of(lines: &[&str], separator: Separator, marks: Marks, takes_words: bool) -> Option<Self> {
        let mut counts: Vec<(usize, usize)> = Vec::new();
        for line in lines {
            let Some(columns) = columns(line, separator, marks, takes_words) else { continue };
            match counts.iter_mut().find(|(known, _)| *known == columns) {
                Some((_, count)) => *count += 1,
                None => counts.push((columns, 1)),
            }
        }
        let (cells_of_most, _) = *counts.iter().max_by_key(|&&(columns, rows)| (rows, columns))?;
        // A separator at the end of each line is not a column; a name above it or occasional values make it one.
        let is_last_filled = |line: &&str| {
            let cells = cells(line, separator);
            cells.len() == cells_of_most && cells.last().is_some_and(|last| !last.is_empty())
        };
        let has_end = cells_of_most > 1 && !lines.iter().any(is_last_filled);
        let columns = cells_of_most - usize::from(has_end);
        let is_row = |count: usize| count == cells_of_most || (has_end && count == columns);
        let rows = counts.iter().filter(|(count, _)| is_row(*count)).map(|(_, rows)| rows).sum();
        Some(Self { separator, marks, columns, rows })
    }
}

/// Number of cells in a line, if all are numbers or empty and at least one is a number.
fn columns(line: &str, separator: Separator, marks: Marks, takes_words: bool) -> Option<usize> {
    let cells = cells(line, separator);
    let mut stamps = Stamps::default();
    let mut count = 0;
    let mut numbers = 0;
    for cell in &cells {
        let value = match number(cell, marks, count, &mut stamps) {
            Some(value) => value,
            None if takes_words && is_word(cell) => f64::NAN,
            None => return None,
        };
        count += 1;
        numbers += usize::from(!value.is_nan());
    }
    (numbers > 0 && count <= MAX_COLUMNS).then_some(count)
}

/// Lines from the beginning and from the middle.
fn sample<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let middle = lines.len() / 2;
    let head = lines.iter().take(LOOKED_AT);
    let more = lines.iter().skip(middle.max(LOOKED_AT)).take(LOOKED_AT);
    head.chain(more).copied().filter(|line| !line.trim().is_empty()).collect()
}

/// `0,012` in each line is one number, or two. A leading zero indicates the former; otherwise the user must specify it.
fn ambiguity(best: &Trial, trials: &[Trial], lines: &[&str]) -> Ambiguity {
    if let Some(detail) = thousands_or_decimals(best, lines) {
        return Ambiguity::Asks(detail);
    }
    if best.marks.has_decimal_comma() || best.separator != Separator::One(',') || best.columns < 2 {
        return Ambiguity::None;
    }
    let is_whole = |cell: &String| {
        let digits = cell.trim_start_matches(['-', '+']);
        let digits = digits.split(['e', 'E']).next().unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut has_zero_in_front = false;
    for line in lines {
        let mut cells = cells(line, Separator::One(','));
        cells.retain(|cell| !cell.is_empty());
        // A line above the table gives no information.
        if columns(line, Separator::One(','), best.marks, false).is_none() {
            continue;
        }
        if !cells.iter().all(is_whole) {
            return Ambiguity::None;
        }
        has_zero_in_front |=
            cells.iter().any(|cell| cell.len() > 1 && cell.starts_with('0') && !cell.contains(['e', 'E']));
    }
    let rival = trials
        .iter()
        .find(|trial| trial.marks.has_decimal_comma() && trial.rows == best.rows && trial.columns * 2 == best.columns);
    match (rival, has_zero_in_front) {
        (Some(rival), true) => Ambiguity::Other(*rival),
        (Some(_), false) => Ambiguity::Asks(
            "is text that can be read with commas between whole numbers or with decimal commas: say which with --decimal point or \
             --decimal comma"
                .to_owned(),
        ),
        (None, true) => Ambiguity::Asks(
            "is text with decimal commas and commas between the columns: write it with another separator, or say --decimal point if the \
             numbers are whole"
                .to_owned(),
        ),
        (None, false) => Ambiguity::None,
    }
}

/// `1,234` is 1.234 or 1234. If every cell with a comma is ambiguous, the user must specify it.
fn thousands_or_decimals(best: &Trial, lines: &[&str]) -> Option<String> {
    if best.marks != Marks::Comma {
        return None;
    }
    let mut example = None;
    for line in lines {
        if columns(line, best.separator, best.marks, true).is_none() {
            continue;
        }
        for cell in cells(line, best.separator).into_iter().filter(|cell| cell.contains(',')) {
            groups(&cell, ',')?;
            example.get_or_insert(cell);
        }
    }
    let example = example?;
    Some(format!(
        "is text in which {example} may be with a decimal comma or with a comma between thousands: say which with --decimal comma or \
         --decimal point"
    ))
}

enum Ambiguity {
    None,
    /// The other format is correct.
    Other(Trial),
    Asks(String),
}
