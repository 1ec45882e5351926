//! NI TDMS: segments of metadata and raw data, as written by LabVIEW, DAQmx logging, FlexLogger and npTDMS.
//!
//! ```text
//!  segment: "TDSm" contents[4] version[4] next[8] raw[8]   metadata: objects with properties and layouts   raw data
//! ```
//!
//! A segment inherits what it does not repeat from the previous one. A segment whose length was never written, or that
//! is longer than the file, was truncated: its complete values are read. Source: NI, "TDMS File Format Internal
//! Structure".

mod metadata;
mod scale;

use crate::cursor::{Cursor, Number};
use crate::{ImportError, Rate, Series, Source, TimeUnit, round};
use metadata::{Layout, Objects, Value};

const FORMAT: &str = "TDMS";
const TAG: &[u8] = b"TDSm";
const LEAD_BYTES: usize = 28;
const HAS_METADATA: u32 = 1 << 1;
const NEW_LIST: u32 = 1 << 2;
const HAS_RAW_DATA: u32 = 1 << 3;
const INTERLEAVED: u32 = 1 << 5;
const BIG_ENDIAN: u32 = 1 << 6;
/// LabVIEW's step if no rate was set.
const NO_STEP: f64 = 1.0;

pub(crate) fn read(bytes: &[u8]) -> Result<Source, ImportError> {
    let mut source = Source::new(FORMAT);
    let mut objects = Objects::default();
    let mut at = 0;
    while bytes.len() - at >= LEAD_BYTES {
        let rest = &bytes[at..];
        if !rest.starts_with(TAG) {
            source.notes.push(format!("{} bytes at the end belong to no segment: left out", rest.len()));
            break;
        }
        let contents = Cursor::new(&rest[4..], FORMAT, false).u32()?;
        let is_big_endian = contents & BIG_ENDIAN != 0;
        let mut lead = Cursor::new(&rest[8..LEAD_BYTES], FORMAT, is_big_endian);
        let _version = lead.u32()?;
        let (next, raw) = (lead.u64()?, lead.u64()?);
        let body = &rest[LEAD_BYTES..];
        let is_cut = next > body.len() as u64;
        let len = usize::try_from(next).unwrap_or(usize::MAX).min(body.len());
        let raw = usize::try_from(raw).unwrap_or(usize::MAX).min(len);
        if contents & HAS_METADATA != 0 {
            let mut metadata = Cursor::new(&body[..raw], FORMAT, is_big_endian);
            match objects.read(&mut metadata, contents & NEW_LIST != 0) {
                Ok(()) => {}
                // The computer stopped before the metadata was written: there is no data after it.
                Err(_) if is_cut && at > 0 => {
                    source.notes.push("the file is cut short: its last segment is left out".to_owned());
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if contents & HAS_RAW_DATA != 0 {
            let is_interleaved = contents & INTERLEAVED != 0;
            let lost = objects.raw_data(&body[raw..len], is_interleaved, is_big_endian, is_cut)?;
            if is_cut || lost > 0 {
                source.notes.push(format!(
                    "the file is cut short: what is whole is taken, {lost} bytes at the end are left out"
                ));
            }
        }
        if len == 0 && !is_cut && next == 0 && rest.len() > LEAD_BYTES && !rest[LEAD_BYTES..].starts_with(TAG) {
            return Err(lead.damaged(format!("a segment without length at byte {at}")));
        }
        at += LEAD_BYTES + len;
    }
    collect(objects, &mut source)?;
    Ok(source)
}

/// The channels, scaled.
fn collect(objects: Objects, source: &mut Source) -> Result<(), ImportError> {
    let Objects { all, .. } = objects;
    let properties = |path: &str| all.iter().find(|object| object.path == path).map(|object| &object.properties);
    let root = properties("/");
    let mut starts: Vec<(String, f64)> = Vec::new();
    for object in &all {
        let names = metadata::names(&object.path);
        let [group, name] = names.as_slice() else { continue };
        if object.scalers.iter().all(|(_, values)| values.is_empty()) {
            if let Some(kind) = object.left_out {
                source.notes.push(format!("{group}/{name} is {kind}: left out"));
            }
            continue;
        }
        let group_properties = properties(&metadata::group_path(&object.path));
        let own = Some(&object.properties);
        // Scales are properties of the channel, its group or the file.
        let scaled = [own, group_properties, root]
            .into_iter()
            .flatten()
            .find_map(|properties| scale::Scales::of(properties).transpose());
        if object.changed.iter().any(|key| key == "wf_increment") {
            return Err(ImportError::Unsupported {
                format: FORMAT,
                detail: format!(
                    "{group}/{name}, whose wf_increment changes within the file: split it where the rate changes, and import the parts"
                ),
            });
        }
        let values = match scaled.transpose().map_err(|detail| ImportError::Unsupported {
            format: FORMAT,
            detail: format!("{group}/{name} scaled by {detail}: export it with its scaled values"),
        })? {
            Some(scales) if !scales.words().is_empty() => {
                source.notes.push(format!("{group}/{name} is scaled as the file says: {}", scales.words()));
                scales.apply(&object.scalers).map_err(|detail| ImportError::Damaged {
                    format: FORMAT,
                    detail: format!("{group}/{name} has {detail}"),
                })?
            }
            Some(scales) => scales.apply(&object.scalers).map_err(|detail| ImportError::Damaged {
                format: FORMAT,
                detail: format!("{group}/{name} has {detail}"),
            })?,
            None => object.scalers[0].1.clone(),
        };
        let text = |key: &str| match object.properties.get(key) {
            Some(Value::Text(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => None,
        };
        let number = |key: &str| match object.properties.get(key) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        };
        let other = [text("wf_xname"), text("wf_xunit_string")].into_iter().flatten();
        let is_time = |word: &String| TimeUnit::parse(word).is_some() || word.to_lowercase().contains("time");
        if let Some(over) = other
            .clone()
            .find(|word| !is_time(word) && ["hz", "rpm", "deg"].contains(&word.to_lowercase().as_str()))
            .or_else(|| {
                other.clone().find(|word| {
                    ["freq", "order", "angle", "speed"].iter().any(|start| word.to_lowercase().contains(start))
                })
            })
        {
            source.notes.push(format!("{group}/{name} is over {over}, no signal over time: left out"));
            continue;
        }
        if let Some(Value::Time(start)) = object.properties.get("wf_start_time") {
            let first = starts.iter().find(|(known, _)| known == group);
            match first {
                None => starts.push((group.clone(), *start)),
                Some((_, first)) if (first - start).abs() > 1e-3 => source.notes.push(format!(
                    "{group}/{name} starts {:.3} s {} than the first channel of {group}: as channels of one recording they do not fit together; \
                     take each by itself with --per-channel",
                    (start - first).abs(),
                    if start > first { "later" } else { "earlier" }
                )),
                Some(_) => {}
            }
        }
        if object.changed.iter().any(|key| key == "wf_start_time") {
            source.notes.push(format!(
                "{group}/{name} was started several times, and its parts are joined: --chunk-secs cuts pieces, and jumps may lie in them"
            ));
        }
        let mut rate = None;
        match number("wf_increment") {
            Some(step) if step == NO_STEP => source.notes.push(format!(
                "{group}/{name} states a wf_increment of 1 s, which LabVIEW writes where no rate was set: it is not taken"
            )),
            Some(step) if step > 0.0 => match round::of_step(step) {
                Some(hz) => rate = Some(Rate { hz, from: format!("wf_increment ({step} s)") }),
                None => source.notes.push(format!("{group}/{name} states a wf_increment of {step} s, which leaves the rate open")),
            },
            _ => {}
        }
        if values.len() == 1 {
            source.scalars.push((format!("{group}/{name}"), values[0]));
            continue;
        }
        let unit = text("unit_string").or_else(|| text("NI_UnitDescription"));
        source.series.push(Series {
            name: format!("{group}/{name}"),
            group: group.clone(),
            values,
            unit,
            rate,
            is_seconds: object.is_time,
            is_row: false,
        });
    }
    even_out(source);
    for object in &all {
        for (key, value) in &object.properties.entries {
            if let Value::Number(number) = value {
                let place: Vec<String> = metadata::names(&object.path);
                let name = if place.is_empty() { key.clone() } else { format!("{}/{key}", place.join("/")) };
                // The step of a waveform is read above.
                if !key.starts_with("NI_") && !key.starts_with("wf_") {
                    source.scalars.push((name, *number));
                }
            }
        }
    }
    Ok(())
}

/// Channels of a truncated file may differ in length by the part that was not written to disk.
fn even_out(source: &mut Source) {
    if !source.notes.iter().any(|note| note.starts_with("the file is cut short")) {
        return;
    }
    let groups: std::collections::BTreeSet<String> = source.series.iter().map(|one| one.group.clone()).collect();
    for group in groups {
        let mut members: Vec<&mut Series> = source.series.iter_mut().filter(|one| one.group == group).collect();
        let shortest = members.iter().map(|one| one.values.len()).min().unwrap_or(0);
        let longest = members.iter().map(|one| one.values.len()).max().unwrap_or(0);
        if shortest < longest && shortest * 2 > longest {
            for one in &mut members {
                one.values.truncate(shortest);
            }
            source.notes.push(format!(
                "the channels of {group} are cut to their shortest: {} samples less",
                longest - shortest
            ));
        }
    }
}

/// The numbers of one segment, object by object.
impl Objects {
    /// Adds a segment's values to their objects; returns the number of bytes that are not a complete value.
    fn raw_data(
        &mut self,
        body: &[u8],
        is_interleaved: bool,
        is_big_endian: bool,
        is_cut: bool,
    ) -> Result<usize, ImportError> {
        let active: Vec<usize> = self.list.iter().copied().filter(|&index| self.all[index].layout.is_some()).collect();
        let layouts: Vec<Layout> = active.iter().filter_map(|&index| self.all[index].layout.clone()).collect();
        if layouts.is_empty() {
            return Ok(0);
        }
        if layouts.iter().any(|layout| matches!(layout, Layout::Daqmx { .. })) {
            return self.daqmx(body, &active, &layouts, is_big_endian);
        }
        let mut plain = Vec::with_capacity(layouts.len());
        for layout in layouts {
            match layout {
                Layout::Plain { width, number, count, bytes, is_time } => {
                    plain.push((width, number, count, bytes, is_time))
                }
                Layout::Daqmx { .. } => return Err(damaged("DAQmx's raw data and other data in one segment")),
            }
        }
        let chunk: u64 = plain.iter().fold(0, |sum, &(_, _, _, bytes, _)| sum.saturating_add(bytes));
        if chunk == 0 {
            return Ok(body.len());
        }
        if is_interleaved {
            let row: usize = plain.iter().map(|&(width, ..)| width).sum();
            if row == 0 {
                return Err(damaged("texts in interleaved data"));
            }
            let mut offset = 0;
            for (&index, &(width, number, _, _, is_time)) in active.iter().zip(&plain) {
                let cells = body.chunks_exact(row).map(|cells| &cells[offset..offset + width]);
                self.all[index].take(cells, number, is_time, is_big_endian);
                offset += width;
            }
            return Ok(body.len() % row);
        }
        let mut rest = body;
        while !rest.is_empty() {
            for (&index, &(width, number, _, bytes, is_time)) in active.iter().zip(&plain) {
                let len = usize::try_from(bytes).unwrap_or(usize::MAX).min(rest.len());
                let (own, after) = rest.split_at(len);
                if width > 0 {
                    self.all[index].take(own.chunks_exact(width), number, is_time, is_big_endian);
                }
                rest = after;
                if (len as u64) < bytes {
                    let lost = if width > 0 { len % width } else { len };
                    if !is_cut && lost > 0 {
                        return Err(damaged("a segment that ends inside a value"));
                    }
                    return Ok(lost.max(usize::from(!is_cut)));
                }
            }
        }
        Ok(0)
    }

    /// DAQmx raw data: a buffer for each device, whose rows contain a sample of each of its channels.
    fn daqmx(
        &mut self,
        body: &[u8],
        active: &[usize],
        layouts: &[Layout],
        is_big_endian: bool,
    ) -> Result<usize, ImportError> {
        let mut buffers: Vec<(usize, usize)> = Vec::new();
        for layout in layouts {
            let Layout::Daqmx { count, scalers, widths } = layout else {
                return Err(damaged("DAQmx's raw data and other data in one segment"));
            };
            if buffers.is_empty() {
                buffers = widths.iter().map(|&width| (0, width)).collect();
            }
            for scaler in scalers {
                let buffer = buffers
                    .get_mut(scaler.buffer)
                    .ok_or_else(|| damaged("a DAQmx channel in a buffer that is none"))?;
                if scaler.offset + scaler.number.bytes() > buffer.1 {
                    return Err(damaged("a DAQmx channel beside its buffer"));
                }
                buffer.0 = buffer.0.max(*count);
            }
        }
        let chunk: u64 = buffers
            .iter()
            .map(|&(rows, width)| (rows as u64).saturating_mul(width as u64))
            .fold(0, u64::saturating_add);
        if chunk == 0 {
            return Ok(body.len());
        }
        let mut rest = body;
        let mut lost = 0;
        while !rest.is_empty() {
            for (number, &(rows, width)) in buffers.iter().enumerate() {
                if width == 0 {
                    continue;
                }
                let len = rows.saturating_mul(width).min(rest.len());
                let (own, after) = rest.split_at(len);
                rest = after;
                lost = len % width;
                for (&index, layout) in active.iter().zip(layouts) {
                    let Layout::Daqmx { scalers, .. } = layout else { continue };
                    for scaler in scalers.iter().filter(|scaler| scaler.buffer == number) {
                        let values = own.chunks_exact(width).map(|row| {
                            let raw = scaler
                                .number
                                .value(&row[scaler.offset..scaler.offset + scaler.number.bytes()], is_big_endian);
                            scaler.bit.map_or(raw, |bit| f64::from(raw as u64 >> bit & 1 == 1))
                        });
                        self.all[index].of_scaler(scaler.id).extend(values);
                    }
                }
            }
        }
        Ok(lost)
    }
}

impl metadata::Object {
    fn take<'a>(
        &mut self,
        cells: impl Iterator<Item = &'a [u8]>,
        number: Option<Number>,
        is_time: bool,
        is_big_endian: bool,
    ) {
        match (number, is_time) {
            (Some(number), _) => self.of_scaler(0).extend(cells.map(|cell| number.value(cell, is_big_endian))),
            (None, true) => {
                let seconds = cells.map(|cell| metadata::seconds(cell, is_big_endian)).collect::<Vec<_>>();
                self.of_scaler(0).extend(seconds);
            }
            (None, false) => {}
        }
    }

    fn of_scaler(&mut self, id: u32) -> &mut Vec<f64> {
        let at = match self.scalers.iter().position(|(known, _)| *known == id) {
            Some(at) => at,
            None => {
                self.scalers.push((id, Vec::new()));
                self.scalers.len() - 1
            }
        };
        &mut self.scalers[at].1
    }
}

fn damaged(detail: impl Into<String>) -> ImportError {
    ImportError::Damaged { format: FORMAT, detail: detail.into() }
}
