//! Tables of values.

use super::html::{Element, Html, element};

/// A row's cells, in the order of the table header.
pub type Row = Vec<String>;

/// A table; the first column names the row.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Row>) -> Html {
    wide(head, rows.into_iter().map(|row| tr(row, false)))
}

/// The same with one row highlighted: the one whose second element is true.
pub fn table_with_chosen(head: &[&str], rows: impl IntoIterator<Item = (Row, bool)>) -> Html {
    wide(head, rows.into_iter().map(|(row, is_chosen)| tr(row, is_chosen)))
}

fn wide(head: &[&str], rows: impl Iterator<Item = Element>) -> Html {
    let head = element("tr").children(head.iter().map(|name| element("th").with("scope", "col").text(name)));
    let table = element("table").child(element("thead").child(head)).child(element("tbody").children(rows));
    // If the screen is narrower than the table, the table scrolls, not the page.
    element("div").class("wide").child(table).into()
}

fn tr(row: Row, is_chosen: bool) -> Element {
    let cells = row.into_iter().map(|cell| element("td").text(cell));
    let row = element("tr").children(cells);
    if is_chosen { row.class("chosen") } else { row }
}

/// Terms and their descriptions.
pub fn description_list<'a>(entries: impl IntoIterator<Item = (&'a str, String)>) -> Html {
    let entries = entries.into_iter().flat_map(|(name, what)| [element("dt").text(name), element("dd").text(what)]);
    element("dl").children(entries).into()
}
