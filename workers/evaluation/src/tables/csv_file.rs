//! Tables as comma-separated values (RFC 4180), with a header.

use std::path::Path;

use anyhow::Context;

use super::{Cell, RawTable};

pub(super) fn read(path: &Path) -> anyhow::Result<RawTable> {
    let mut reader =
        csv::ReaderBuilder::new().from_path(path).context("cannot be opened: check its path and permissions")?;
    // Excel writes a byte order mark, which is not part of the first name.
    let header = reader.headers().context("its header cannot be read")?;
    let columns = header.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.with_context(|| format!("row {} cannot be read", rows.len() + 1))?;
        let cell = |text: &str| if text.trim().is_empty() { Cell::Missing } else { Cell::Text(text.to_owned()) };
        rows.push(record.iter().map(cell).collect());
    }
    Ok(RawTable { columns, rows })
}
