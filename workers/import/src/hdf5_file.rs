//! HDF5 and MATLAB v7.3, which is HDF5 with the order of dimensions turned round.
//!
//! A data set of numbers is a series or several; attributes of data sets and groups state unit and rate.

use hdf5_reader::{Attribute, ByteOrder, Dataset, Datatype, Error, Group, Hdf5File, OpenOptions};

use crate::cursor::Number;
use crate::mat::{Order, add_array};
use crate::{ImportError, Source};

/// Groups in groups, at most: a file's links may go in circles.
const MAX_DEPTH: usize = 16;
/// Most bytes that one data set or chunk may unpack to.
const MAX_BYTES: usize = 1 << 30;
/// Most data sets of a file.
const MAX_DATASETS: usize = 100_000;

pub(crate) fn read(bytes: &[u8]) -> Result<Source, ImportError> {
    let is_matlab = bytes.starts_with(b"MATLAB");
    let format = if is_matlab { "MATLAB v7.3" } else { "HDF5" };
    let mut source = Source::new(format);
    let options = OpenOptions::default().with_max_read_bytes(MAX_BYTES).with_max_chunk_bytes(MAX_BYTES);
    let damaged = |error: Error| ImportError::Damaged { format, detail: error.to_string() };
    let file = Hdf5File::from_vec_with_options(bytes.to_vec(), options).map_err(damaged)?;
    let root = file.root_group().map_err(damaged)?;
    let mut walk = Walk { source: &mut source, is_matlab, datasets: 0 };
    walk.group(&root, "", 0).map_err(damaged)?;
    Ok(source)
}

struct Walk<'a> {
    source: &'a mut Source,
    is_matlab: bool,
    datasets: usize,
}

impl Walk<'_> {
    fn group(&mut self, group: &Group, path: &str, depth: usize) -> Result<(), Error> {
        self.settings(&group.attributes()?, path);
        let (groups, datasets) = group.members()?;
        for dataset in datasets {
            self.datasets += 1;
            if self.datasets > MAX_DATASETS {
                return Ok(());
            }
            let name = join(path, dataset.name());
            if let Err(error) = self.dataset(&dataset, &name) {
                self.source.notes.push(format!("{name} cannot be read ({error}): left out"));
            }
        }
        for inner in groups {
            // MATLAB's cells and strings.
            if inner.name().trim_start_matches('/').starts_with('#') {
                continue;
            }
            let name = join(path, inner.name());
            if depth < MAX_DEPTH {
                self.group(&inner, &name, depth + 1)?;
            } else {
                self.source.notes.push(format!("{name} is nested too deep: left out"));
            }
        }
        Ok(())
    }

    fn dataset(&mut self, dataset: &Dataset, name: &str) -> Result<(), Error> {
        let attributes = dataset.attributes();
        let text = |wanted: &[&str]| {
            let named = |attribute: &&Attribute| wanted.contains(&attribute.name().to_lowercase().as_str());
            attributes
                .iter()
                .find(named)
                .and_then(|attribute| attribute.read_string().ok())
                .filter(|text| !text.trim().is_empty())
        };
        let class = text(&["matlab_class"]).unwrap_or_default();
        let is_empty = attributes.iter().any(|attribute| attribute.name() == "MATLAB_empty");
        if ["char", "string", "cell", "function_handle"].contains(&class.trim()) || is_empty {
            return Ok(());
        }
        let (number, order) = match dataset.dtype() {
            Datatype::FixedPoint { size, signed, byte_order } => (whole((*size).into(), *signed), *byte_order),
            Datatype::FloatingPoint { size, byte_order, .. } => (float((*size).into()), *byte_order),
            Datatype::Enum { base, .. } => match base.as_ref() {
                Datatype::FixedPoint { size, signed, byte_order } => (whole((*size).into(), *signed), *byte_order),
                _ => (None, ByteOrder::LittleEndian),
            },
            _ => (None, ByteOrder::LittleEndian),
        };
        let Some(number) = number else {
            self.source.notes.push(format!("{name} has values that are no plain numbers: left out"));
            return Ok(());
        };
        let mut sizes: Vec<usize> =
            dataset.shape().iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)).collect();
        let values = number.values(&dataset.read_raw_bytes()?, order == ByteOrder::BigEndian);
        let order = if self.is_matlab {
            sizes.reverse();
            Order::ColumnsFirst
        } else {
            Order::RowsFirst
        };
        let before = self.source.series.len();
        add_array(self.source, name, &sizes, values, order);
        let unit = text(&["unit", "units", "unit_string"]);
        for series in &mut self.source.series[before..] {
            series.unit = unit.clone();
        }
        self.settings(&attributes, name);
        Ok(())
    }

    /// Attributes that are single numbers.
    fn settings(&mut self, attributes: &[Attribute], path: &str) {
        for attribute in attributes {
            if let Ok(value) = attribute.read_as_f64()
                && !attribute.name().starts_with("MATLAB")
            {
                self.source.scalars.push((join(path, attribute.name()), value));
            }
        }
    }
}

fn join(path: &str, name: &str) -> String {
    let name = name.trim_start_matches('/');
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

fn whole(size: u64, is_signed: bool) -> Option<Number> {
    Some(match (size, is_signed) {
        (1, true) => Number::I8,
        (1, false) => Number::U8,
        (2, true) => Number::I16,
        (2, false) => Number::U16,
        (4, true) => Number::I32,
        (4, false) => Number::U32,
        (8, true) => Number::I64,
        (8, false) => Number::U64,
        _ => return None,
    })
}

fn float(size: u64) -> Option<Number> {
    Some(match size {
        2 => Number::F16,
        4 => Number::F32,
        8 => Number::F64,
        _ => return None,
    })
}
