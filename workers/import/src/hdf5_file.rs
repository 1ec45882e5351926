//! HDF5 and MATLAB v7.3, which is HDF5 with reversed dimensions.
//!
//! A data set of numbers is one or several series; attributes of data sets and groups state unit and rate.

use hdf5_reader::error::Error;
use hdf5_reader::group::Group;
use hdf5_reader::{Attribute, ByteOrder, Dataset, Datatype, Hdf5File, OpenOptions};

use std::collections::HashMap;

use crate::cursor::Number;
use crate::mat::{Order, add_array};
use crate::names::{natural_order, text_setting};
use crate::{ImportError, Source};

/// Maximum depth of nested groups, because a file's links may be circular.
const MAX_DEPTH: usize = 16;
/// Maximum unpacked size of one data set or chunk, bytes.
const MAX_BYTES: usize = 1 << 30;
/// Maximum number of data sets in a file.
const MAX_DATASETS: usize = 100_000;

pub(crate) fn read(bytes: &[u8]) -> Result<Source, ImportError> {
    let is_matlab = bytes.starts_with(b"MATLAB");
    let format = if is_matlab { "MATLAB v7.3" } else { "HDF5" };
    let mut source = Source::new(format);
    let options = OpenOptions::default().with_max_read_bytes(MAX_BYTES).with_max_chunk_bytes(MAX_BYTES);
    let damaged = |error: Error| {
        match error.to_string() {
        // An unsupported feature is not a damaged file.
        text if text.contains("unsupported layout class 3") => ImportError::Unsupported {
            format,
            detail: "a virtual data set, which points to others: import the files that hold the values, or copy them into one (`h5repack`)"
                .to_owned(),
        },
        text if text.contains("unsupported") => ImportError::Unsupported {
            format,
            detail: format!("what this reader does not know ({text}): write it anew with `h5repack`, or save its arrays as NumPy .npz"),
        },
        detail => ImportError::Damaged { format, detail },
    }
    };
    let file = Hdf5File::from_vec_with_options(bytes.to_vec(), options).map_err(damaged)?;
    let root = file.root_group().map_err(damaged)?;
    let mut walk = Walk { source: &mut source, is_matlab, datasets: 0, addresses: HashMap::new() };
    walk.group(&root, "", 0).map_err(damaged)?;
    Ok(source)
}

struct Walk<'a> {
    source: &'a mut Source,
    is_matlab: bool,
    datasets: usize,
    /// Names of the data sets that were read, by address: a link gives a data set a second name.
    addresses: HashMap<u64, String>,
}

/// What the reader says, in words for people.
fn words(error: &Error) -> String {
    match error {
        Error::UnsupportedLayoutClass(3) => "a virtual data set: copy its values into one of its own".to_owned(),
        other => other.to_string(),
    }
}

impl Walk<'_> {
    fn group(&mut self, group: &Group, path: &str, depth: usize) -> Result<(), Error> {
        self.settings(&group.attributes()?, path);
        let (mut groups, mut datasets) = match group.members() {
            Ok(members) => members,
            // One that cannot be opened, such as a virtual data set, does not hide others.
            Err(_) => self.one_by_one(group, path)?,
        };
        groups.sort_by(|a, b| natural_order(a.name(), b.name()));
        datasets.sort_by(|a, b| natural_order(a.name(), b.name()));
        for dataset in datasets {
            self.datasets += 1;
            if self.datasets > MAX_DATASETS {
                return Ok(());
            }
            let name = join(path, dataset.name());
            if let Some(known) = self.addresses.get(&dataset.address()) {
                self.source.notes.push(format!("{name} is a link to {known}: left out"));
                continue;
            }
            self.addresses.insert(dataset.address(), name.clone());
            if let Err(error) = self.dataset(&dataset, &name) {
                self.source.notes.push(format!("{name} cannot be read ({}): left out", words(&error)));
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

    fn one_by_one(&mut self, group: &Group, path: &str) -> Result<(Vec<Group>, Vec<Dataset>), Error> {
        let (groups, datasets) = group.member_names()?;
        let mut opened = (Vec::new(), Vec::new());
        for name in groups {
            opened.0.push(group.group(&name)?);
        }
        for name in datasets {
            match group.dataset(&name) {
                Ok(dataset) => opened.1.push(dataset),
                Err(error) => self.source.notes.push(format!(
                    "{} cannot be read ({}): left out",
                    join(path, &name),
                    words(&error)
                )),
            }
        }
        Ok(opened)
    }

    fn dataset(&mut self, dataset: &Dataset, name: &str) -> Result<(), Error> {
        let attributes = dataset.attributes();
        let text = |wanted: &[&str]| {
            let named = |attribute: &&Attribute| wanted.contains(&attribute.name.to_lowercase().as_str());
            attributes
                .iter()
                .find(named)
                .and_then(|attribute| attribute.read_string().ok())
                .filter(|text| !text.trim().is_empty())
        };
        let class = text(&["matlab_class"]).unwrap_or_default();
        let is_empty = attributes.iter().any(|attribute| attribute.name == "MATLAB_empty");
        if is_empty || ["char", "string"].contains(&class.trim()) {
            return Ok(());
        }
        let elements = dataset.num_elements().unwrap_or(0);
        if let Some(what) = match (class.trim(), dataset.dtype()) {
            ("logical", _) if elements > 1 => Some("logical"),
            ("cell", _) => Some("a cell (save what is in it as variables of their own)"),
            ("function_handle", _) => Some("a function"),
            (_, Datatype::Enum { .. }) if elements > 1 => Some("truth values or named values"),
            _ => None,
        } {
            self.source.notes.push(format!("{name} is {what}: left out"));
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
            self.source.notes.push(format!("{name} has values that are no plain numbers (records, texts, lists or complex ones; save their parts as data sets of their own): left out"));
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
            if attribute.name.starts_with("MATLAB") {
                continue;
            }
            let name = join(path, &attribute.name);
            if let Ok(value) = attribute.read_as_f64() {
                self.source.scalars.push((name, value));
            } else if let Some(setting) = attribute.read_string().ok().and_then(|text| text_setting(&name, &text)) {
                self.source.scalars.push(setting);
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
