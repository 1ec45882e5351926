//! Files of each format, written byte by byte.
#![allow(dead_code, reason = "each test takes what it needs")]

pub mod reading;

use std::io::Write;

/// A sine with some of its third, of amplitude 1.3.
pub fn tone(len: usize, step: f64) -> Vec<f64> {
    (0..len).map(|index| (index as f64 * step).sin() + 0.3 * (index as f64 * 3.0 * step).cos()).collect()
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn mat_element(kind: u32, body: &[u8]) -> Vec<u8> {
    padded([&kind.to_le_bytes(), &(body.len() as u32).to_le_bytes(), body].concat())
}

fn mat_array(name: &str, class: u32, kind: u32, count: usize, body: &[u8]) -> Vec<u8> {
    let flags = mat_element(6, &[class.to_le_bytes(), [0; 4]].concat());
    let sizes = mat_element(5, &[(count as u32).to_le_bytes(), 1_u32.to_le_bytes()].concat());
    let inside = [flags, sizes, mat_element(1, name.as_bytes()), mat_element(kind, body)].concat();
    mat_element(14, &inside)
}

/// A column of doubles.
pub fn mat_matrix(name: &str, values: &[f64]) -> Vec<u8> {
    let body: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    mat_array(name, 6, 9, values.len(), &body)
}

/// A single number.
pub fn mat_u16(name: &str, value: u16) -> Vec<u8> {
    mat_array(name, 11, 4, 1, &value.to_le_bytes())
}

pub fn mat_v5(variables: &[Vec<u8>], is_compressed: bool) -> Vec<u8> {
    let mut bytes = b"MATLAB 5.0 MAT-file".to_vec();
    bytes.resize(124, b' ');
    bytes.extend([0, 1, b'I', b'M']);
    for variable in variables {
        if !is_compressed {
            bytes.extend(variable);
            continue;
        }
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(variable).expect("a vector takes all bytes");
        let packed = packer.finish().expect("a vector takes all bytes");
        bytes.extend(15_u32.to_le_bytes());
        bytes.extend((packed.len() as u32).to_le_bytes());
        bytes.extend(packed);
    }
    bytes
}

/// A TDMS file of 16-bit channels, all with the same properties.
#[derive(Clone)]
pub struct Tdms {
    is_big_endian: bool,
    properties: Vec<Vec<u8>>,
}

fn ordered<const N: usize>(mut bytes: [u8; N], is_big_endian: bool) -> Vec<u8> {
    if is_big_endian {
        bytes.reverse();
    }
    bytes.to_vec()
}

impl Tdms {
    pub fn new(is_big_endian: bool) -> Self {
        Self { is_big_endian, properties: Vec::new() }
    }

    fn u32(&self, value: u32) -> Vec<u8> {
        ordered(value.to_le_bytes(), self.is_big_endian)
    }

    fn string(&self, text: &str) -> Vec<u8> {
        [self.u32(text.len() as u32), text.as_bytes().to_vec()].concat()
    }

    pub fn text(mut self, key: &str, value: &str) -> Self {
        let property = [self.string(key), self.u32(0x20), self.string(value)].concat();
        self.properties.push(property);
        self
    }

    pub fn number(mut self, key: &str, value: f64) -> Self {
        let property = [self.string(key), self.u32(10), ordered(value.to_le_bytes(), self.is_big_endian)].concat();
        self.properties.push(property);
        self
    }

    pub fn bytes(self, channels: &[&[i16]], is_interleaved: bool) -> Vec<u8> {
        let big = self.is_big_endian;
        let mut meta = self.u32(channels.len() as u32 + 2);
        for path in ["/", "/'Vib'"] {
            meta.extend([self.string(path), self.u32(0xffff_ffff), self.u32(0)].concat());
        }
        for (index, channel) in channels.iter().enumerate() {
            meta.extend(self.string(&format!("/'Vib'/'Acc{index}'")));
            meta.extend(
                [self.u32(20), self.u32(2), self.u32(1), ordered((channel.len() as u64).to_le_bytes(), big)].concat(),
            );
            meta.extend(self.u32(self.properties.len() as u32));
            meta.extend(self.properties.concat());
        }
        let data: Vec<u8> = if is_interleaved {
            (0..channels[0].len())
                .flat_map(|row| channels.iter().flat_map(move |channel| ordered(channel[row].to_le_bytes(), big)))
                .collect()
        } else {
            channels
                .iter()
                .flat_map(|channel| channel.iter().flat_map(move |value| ordered(value.to_le_bytes(), big)))
                .collect()
        };
        let contents = 2 | 4 | 8 | if is_interleaved { 32 } else { 0 };
        segment(contents, &meta, &data, big)
    }
}

fn segment(contents: u32, meta: &[u8], data: &[u8], is_big_endian: bool) -> Vec<u8> {
    let contents = contents | if is_big_endian { 64 } else { 0 };
    let size = |len: usize| ordered((len as u64).to_le_bytes(), is_big_endian);
    let version = ordered(4713_u32.to_le_bytes(), is_big_endian);
    [
        b"TDSm",
        contents.to_le_bytes().as_slice(),
        &version,
        &size(meta.len() + data.len()),
        &size(meta.len()),
        meta,
        data,
    ]
    .concat()
}

/// A segment that says nothing anew.
pub fn tdms_raw_segment(values: &[i16], is_big_endian: bool) -> Vec<u8> {
    let data: Vec<u8> = values.iter().flat_map(|value| ordered(value.to_le_bytes(), is_big_endian)).collect();
    segment(8, &[], &data, is_big_endian)
}

/// One data set 58 at 51.2 kHz, whose step has six digits.
pub fn uff58(values: &[f64], kind: u32, is_binary: bool, is_double: bool) -> Vec<u8> {
    let size = values.len() * if is_double { 8 } else { 4 };
    let mark = if is_binary {
        format!("b{:6}{:6}{:12}{size:12}{:6}{:6}{:12}{:12}", 1, 2, 11, 0, 0, 0, 0)
    } else {
        " ".repeat(74)
    };
    let mut text = format!("    -1\n    58{mark}\n");
    for _ in 0..5 {
        text += &format!("{:80}\n", "NONE");
    }
    text += &format!("{kind:5}{:10}{:5}{:10} {:>10}{:10}{:4} {:>10}{:10}{:4}\n", 0, 0, 0, "NONE", 1, 3, "NONE", 0, 0);
    text += &format!(
        "{:10}{:10}{:10}{:>13}{:>13}{:>13}\n",
        if is_double { 4 } else { 2 },
        values.len(),
        1,
        "0.00000e+00",
        "1.95312e-05",
        "0.00000e+00"
    );
    for (quantity, unit) in [(17, "s"), (12, "g"), (0, "NONE"), (0, "NONE")] {
        text += &format!("{quantity:10}{:5}{:5}{:5} {:<20} {unit:<20}\n", 0, 0, 0, "NONE");
    }
    let mut bytes = text.into_bytes();
    if is_binary {
        for value in values {
            if is_double { bytes.extend(value.to_le_bytes()) } else { bytes.extend((*value as f32).to_le_bytes()) }
        }
    } else {
        let (width, digits, columns) = if is_double { (20, 11, 4) } else { (13, 6, 6) };
        for row in values.chunks(columns) {
            let cell = |value: &f64| {
                let text = format!("{value:.digits$e}");
                let (mantissa, exponent) = text.split_once('e').expect("numbers are written with an exponent");
                let exponent: i32 = exponent.parse().expect("exponents are whole");
                let sign = if exponent < 0 { '-' } else { '+' };
                format!("{:>width$}", format!("{mantissa}e{sign}{:02}", exponent.abs()))
            };
            bytes.extend((row.iter().map(cell).collect::<String>() + "\n").bytes());
        }
    }
    bytes.extend(b"    -1\n");
    bytes
}

pub fn npy(descr: &str, is_fortran: bool, shape: &str, values: &[f64]) -> Vec<u8> {
    let order = if is_fortran { "True" } else { "False" };
    let head = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((head.len() as u16).to_le_bytes());
    bytes.extend(head.bytes());
    for value in values {
        match descr {
            ">f4" => bytes.extend((*value as f32).to_be_bytes()),
            _ => bytes.extend(value.to_le_bytes()),
        }
    }
    bytes
}

/// A ZIP archive without compression; sums are zero, which no reader of arrays looks at.
pub fn stored_zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for (name, body) in files {
        let size = (body.len() as u32).to_le_bytes();
        let name_len = (name.len() as u16).to_le_bytes();
        let at = (bytes.len() as u32).to_le_bytes();
        let common = [[0; 4].as_slice(), &[0; 8], &size, &size, &name_len, &[0; 2]].concat();
        // Version 20 stands in front of flags and method.
        let local = [b"PK\x03\x04".as_slice(), &[20, 0], &common[..common.len()], name.as_bytes(), body].concat();
        directory.extend([b"PK\x01\x02".as_slice(), &[20, 0, 20, 0], &common, &[0; 10], &at, name.as_bytes()].concat());
        bytes.extend(local);
    }
    let at = (bytes.len() as u32).to_le_bytes();
    let size = (directory.len() as u32).to_le_bytes();
    let count = (files.len() as u16).to_le_bytes();
    bytes.extend(&directory);
    bytes.extend([b"PK\x05\x06".as_slice(), &[0; 4], &count, &count, &size, &at, &[0; 2]].concat());
    bytes
}

/// A valid file of each format, with its name.
pub fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let a = tone(200, 0.1);
    // No counter, which is left out as such.
    let counts: Vec<i16> = (0..200).map(|index| index * 37 % 101).collect();
    vec![
        ("a.mat", mat_v5(&[mat_matrix("x", &a), mat_u16("fs", 1000)], false)),
        ("a.mat", mat_v5(&[mat_matrix("x", &a)], true)),
        (
            "a.tdms",
            Tdms::new(false).text("unit_string", "g").number("wf_increment", 1e-4).bytes(&[&counts, &counts], true),
        ),
        ("a.tdms", [Tdms::new(true).bytes(&[&counts], false), tdms_raw_segment(&counts, true)].concat()),
        ("a.uff", uff58(&a, 1, false, true)),
        ("a.uff", uff58(&a, 1, true, false)),
        ("a.npy", npy("<f8", false, "(2, 100)", &a)),
        ("a.npz", stored_zip(&[("x.npy", npy("<f8", false, "(200,)", &a))])),
        (
            "a.csv",
            b"time,a\n0.001,2\n0.002,3\n0.003,2\n0.004,1\n0.005,2\n0.006,1\n0.007,3\n0.008,1\n0.009,1\n".to_vec(),
        ),
    ]
}
