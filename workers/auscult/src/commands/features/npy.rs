//! A log-mel spectrogram as a NumPy `.npy` file, format version 1.0 (numpy.lib.format): a header in Python syntax,
//! padded so that the values start at a multiple of 64 bytes, then `f32` values in row-major order, little endian.

use ndarray::ArrayView2;

const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
const ALIGNMENT: usize = 64;

/// The bytes of a `.npy` file with `values`, `[rows, columns]`.
pub fn npy_bytes(values: ArrayView2<'_, f32>) -> Vec<u8> {
    let (rows, columns) = values.dim();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    // Magic, two bytes of length, header, newline.
    let unpadded = MAGIC.len() + 2 + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(ALIGNMENT) - unpadded));
    header.push('\n');
    let length = u16::try_from(header.len()).expect("two integers and some words are shorter than 64 kB");

    let mut bytes = Vec::with_capacity(MAGIC.len() + 2 + header.len() + 4 * values.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use ndarray_npy::ReadNpyExt as _;

    use super::*;

    #[test]
    fn another_reader_reads_what_was_written() {
        for (rows, columns) in [(1, 1), (313, 128), (0, 64), (100_000, 2)] {
            let written = Array2::from_shape_fn((rows, columns), |(row, column)| row as f32 - 0.25 * column as f32);
            let bytes = npy_bytes(written.view());
            assert_eq!((bytes.len() - 4 * written.len()) % ALIGNMENT, 0);
            assert_eq!(Array2::<f32>::read_npy(bytes.as_slice()).unwrap(), written);
        }
    }

    #[test]
    fn a_transposed_view_is_written_by_its_rows() {
        let values = Array2::from_shape_fn((3, 5), |(row, column)| (10 * row + column) as f32);
        let read = Array2::<f32>::read_npy(npy_bytes(values.t()).as_slice()).unwrap();
        assert_eq!(read, values.t());
    }
}
